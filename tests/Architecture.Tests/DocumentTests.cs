using System.Text.RegularExpressions;

namespace FedKSeed.Architecture.Tests;

/// <summary>What documents name is there.</summary>
public sealed partial class DocumentTests
{
    [Fact]
    public void Every_path_that_a_document_names_is_in_the_repository()
    {
        var documents = Directory.EnumerateFiles(SourceFiles.Full("docs"), "*.md", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(SourceFiles.Root, "*.md"));
        var named = documents.SelectMany(document => Named().Matches(File.ReadAllText(document))
            .Select(match => (Document: Path.GetRelativePath(SourceFiles.Root, document), Path: match.Groups[1].Value))).ToArray();

        Assert.True(named.Length > 20, $"only {named.Length} paths were found: does the pattern still fit?");
        Assert.All(named, name => Assert.True(
            Path.Exists(SourceFiles.Full(name.Path)), $"{name.Document} names {name.Path}, which is not there"));
    }

    [Fact]
    public void Every_link_between_documents_leads_to_a_file()
    {
        var documents = Directory.EnumerateFiles(SourceFiles.Full("docs"), "*.md", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(SourceFiles.Root, "*.md"));
        var broken = documents.SelectMany(document => Link().Matches(File.ReadAllText(document))
            .Select(match => (Document: document, Target: match.Groups[1].Value)))
            .Where(link => !Path.Exists(Path.Combine(Path.GetDirectoryName(link.Document)!, link.Target)));
        Assert.Empty(broken);
    }

    /// <summary>In backquotes, from the root of the repository; a name with a * or a blank is a pattern or a command.</summary>
    [GeneratedRegex(@"`((?:src|tests|tools|benchmarks|samples|deploy|docs)/[^`*\s{}<>…]*)`")]
    private static partial Regex Named();

    [GeneratedRegex(@"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")]
    private static partial Regex Link();
}
