using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using FedKSeed.Tokenization.Templates;

namespace FedKSeed.Conformance;

/// <summary>Conversations in the real chat templates, ours beside Python's jinja2 as transformers sets it.</summary>
internal static class TemplatesCommand
{
    private const int ShownDifferences = 2, ShownCharacters = 120, ShownBefore = 30;

    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var to = Packages.Option();
        var only = Packages.Only();
        Option<int> seed = new("--seed") { Description = "Of the random conversations.", DefaultValueFactory = _ => 1 };
        Option<int> count = new("--count") { Description = "Conversations of each kind.", DefaultValueFactory = _ => 300 };
        Command command = new("templates", "Renders conversations with the packages' chat templates. Needs python3 with jinja2.")
        {
            to, only, seed, count,
        };
        command.SetAction(parsed =>
        {
            var packages = Packages.Fetch(parsed.GetRequiredValue(to));
            string[] texts = [.. new TextGenerator([], parsed.GetRequiredValue(seed)).Texts().Select(text => text.Text)];
            var differences = 0;
            foreach ((var name, var folder) in packages.Tokenizers.Where(one => parsed.GetRequiredValue(only).Contains(one.Name)))
            {
                if (ChatTemplateFiles.Load(folder) is not { } template)
                    Console.WriteLine($"{name}: has no template");
                else
                    differences += Compare(name, template, [.. new ConversationGenerator(texts, parsed.GetRequiredValue(seed))
                        .Conversations(parsed.GetRequiredValue(count))]);
            }
            return differences == 0 ? 0 : 1;
        });
        return command;
    }

    private static int Compare(string name, ChatTemplate template, Conversation[] conversations)
    {
        var expected = Ask(template, conversations);
        List<(string Kind, string Class, string What)> differences = [];
        for (var i = 0; i < conversations.Length; i++)
        {
            var ours = Render(template, conversations[i]);
            if (ours.Text != expected[i].Text)
                differences.Add((conversations[i].Kind, Class(ours, expected[i]), $"{Shown(ours, expected[i])} instead of "
                    + $"{Shown(expected[i], ours)}"));
        }
        Console.WriteLine($"{name}: {conversations.Length} conversations, {expected.Count(one => one.Text is null)} of which the reference "
            + $"refuses, {differences.Count} differences");
        foreach (var kind in differences.GroupBy(difference => (difference.Kind, difference.Class)))
            Console.WriteLine($"  {kind.Key.Kind}: {kind.Count()} {kind.Key.Class}\n    "
                + $"{string.Join("\n    ", kind.Take(ShownDifferences).Select(one => one.What))}");
        return differences.Count;
    }

    private static RenderedText Render(ChatTemplate template, Conversation one)
    {
        try
        {
            return new RenderedText(template.Render(one.Messages, one.AddGenerationPrompt, one.Tools), null);
        }
        catch (InvalidDataException e)
        {
            return new RenderedText(null, e.Message);
        }
    }

    private static string Class(RenderedText ours, RenderedText reference) =>
        ours.Text is null ? "refused by ours only" : reference.Text is null ? "refused by the reference only" : "different";

    // From a little before the first difference on.
    private static string Shown(RenderedText one, RenderedText other)
    {
        if (one.Text is not { } text)
            return $"a refusal: {one.Fault}";
        var from = other.Text is null ? 0 : Math.Max(0, text.AsSpan().CommonPrefixLength(other.Text) - ShownBefore);
        return JsonSerializer.Serialize(text[from..Math.Min(text.Length, from + ShownCharacters)], Json);
    }

    private static RenderedText[] Ask(ChatTemplate template, Conversation[] conversations)
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-conformance-");
        try
        {
            string tasks = Path.Combine(folder.FullName, "tasks.jsonl"), results = Path.Combine(folder.FullName, "results.jsonl");
            JsonObject first = new()
            {
                ["template"] = template.Source,
                ["variables"] = JsonSerializer.SerializeToNode(template.SpecialTokens),
                ["date"] = ChatTemplate.Date.ToString("yyyy-MM-dd"),
            };
            File.WriteAllLines(tasks, conversations.Select(one => new JsonObject
            {
                ["messages"] = one.Messages.DeepClone(),
                ["add_generation_prompt"] = one.AddGenerationPrompt,
                ["tools"] = one.Tools?.DeepClone(),
                ["documents"] = null,
            }).Prepend(first).Select(line => line.ToJsonString(Json)));
            Packages.Run("python3", [Path.Combine(AppContext.BaseDirectory, "templates.py"), tasks, results]);
            RenderedText[] rendered =
                [.. File.ReadLines(results).Select(line => JsonSerializer.Deserialize<RenderedText>(line, JsonSerializerOptions.Web)!)];
            return rendered.Length == conversations.Length ? rendered
                : throw new InvalidOperationException($"The reference rendered {rendered.Length} of {conversations.Length}.");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private sealed record RenderedText(string? Text, string? Fault);
}
