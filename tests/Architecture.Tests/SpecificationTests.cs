using System.Text.RegularExpressions;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Architecture.Tests;

/// <summary>docs/SPEC.md is what comments cite.</summary>
public sealed partial class SpecificationTests
{
    [Fact]
    public void Every_section_that_a_comment_cites_is_in_the_specification()
    {
        var sections = Section().Matches(File.ReadAllText(SourceFiles.Full("docs/SPEC.md")))
            .Select(match => match.Groups[1].Value).ToHashSet();
        var cited = SourceFiles.With(".cs", ".cu", ".md", ".py")
            .SelectMany(file => Citation().Matches(File.ReadAllText(SourceFiles.Full(file)))
                .SelectMany(match => match.Groups[1].Captures.Concat(match.Groups[2].Captures))
                .Select(section => (File: file, Section: section.Value)))
            .ToArray();

        Assert.True(cited.Length > 20, $"only {cited.Length} citations were found: does the pattern still fit?");
        Assert.DoesNotContain(cited, citation => !sections.Contains(citation.Section));
    }

    [Fact]
    public void The_words_for_parts_of_a_model_are_those_of_the_specification()
    {
        var sentence = Words().Match(File.ReadAllText(SourceFiles.Full("docs/SPEC.md"))).Groups["words"].Value;
        var words = Quoted().Matches(sentence).Select(match => match.Groups[1].Value);

        // Help says "full" for all, and a single layer is a case of layers:A-B.
        Assert.Equal([.. TensorAliases.All, "all"], words.Except(["layers:A"]));
    }

    [GeneratedRegex(@"^## (\d+)\.", RegexOptions.Multiline)]
    private static partial Regex Section();

    [GeneratedRegex(@"These words stand for patterns: (?<words>[^.]*)\.")]
    private static partial Regex Words();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"SPEC (\d+)(?:(?:, | and )(\d+))*")]
    private static partial Regex Citation();
}
