using System.Text.Json.Nodes;

namespace FedKSeed.Conformance;

/// <summary>A conversation as a template gets it.</summary>
/// <param name="Kind">What is in it.</param>
internal sealed record Conversation(string Kind, JsonArray Messages, JsonArray? Tools, bool AddGenerationPrompt);

/// <summary>
/// Conversations of every shape that data and programs have: with a system message and without, of one turn and many, with tools, parts,
/// reasoning, and some that templates refuse. The same seed gives the same ones.
/// </summary>
internal sealed class ConversationGenerator(IReadOnlyList<string> texts, int seed)
{
    private const int MostTurns = 5, LongestText = 400;

    private readonly Random _random = new(seed);

    public IEnumerable<Conversation> Conversations(int countOfEach)
    {
        (string Kind, Func<JsonArray> Make, bool HasTools)[] kinds =
        [
            ("one question", () => [Message("user", Text())], false),
            ("turns", () => Turns([], Plain), false),
            ("system and turns", () => Turns([Message("system", Text())], Plain), false),
            ("parts", () => Turns([], () => [Message("user", Parts()), Message("assistant", Parts())]), false),
            ("reasoning in the text", () => Turns([], () => [Message("user", Text()), Message("assistant", Reasoned())]), false),
            ("reasoning beside the text", () => Turns([], () => [Message("user", Text()), WithReasoning(Text())]), false),
            ("tools described", () => Turns([Message("system", Text())], Plain), true),
            ("tools called", () => Turns([], () => [Message("user", Text()), .. Calls(""), Message("assistant", Text())]), true),
            ("tools called, no text", () => Turns([], () => [Message("user", Text()), .. Calls(null), Message("assistant", Text())]), true),
            ("tools called last", () => Turns([], () => [Message("user", Text()), .. Calls("").Take(1)]), true),
            ("roles out of turn", () => [Message("user", Text()), Message("user", Text()), Message("system", Text())], false),
        ];
        foreach ((var kind, var make, var hasTools) in kinds)
        {
            for (var i = 0; i < countOfEach; i++)
                yield return new Conversation(kind, make(), hasTools ? Tools() : null, i % 2 == 0);
        }
    }

    private JsonArray Turns(JsonNode[] before, Func<JsonNode[]> turn)
    {
        JsonNode[] messages = [.. before, .. Enumerable.Range(0, _random.Next(1, MostTurns + 1)).SelectMany(_ => turn())];
        // Half of them end with a question.
        return [.. messages, .. _random.Next(2) == 0 ? [Message("user", Text())] : (JsonNode[])[]];
    }

    private JsonNode[] Plain() => [Message("user", Text()), Message("assistant", Text())];

    private IEnumerable<JsonNode> Calls(string? content)
    {
        var count = _random.Next(1, 4);
        var isText = _random.Next(2) == 0; // as OpenAI's own interface has arguments
        yield return new JsonObject
        {
            ["role"] = "assistant",
            ["content"] = content,
            ["tool_calls"] = new JsonArray([.. Enumerable.Range(0, count).Select(_ => Call(isText))]),
        };
        for (var i = 0; i < count; i++)
            yield return Message("tool", Text());
    }

    private JsonObject Call(bool isText) => new()
    {
        ["type"] = "function",
        ["function"] = new JsonObject { ["name"] = "look_up", ["arguments"] = isText ? Arguments().ToJsonString() : Arguments() },
    };

    private JsonObject Arguments() => new()
    {
        ["text"] = Text(),
        ["count"] = _random.Next(-5, 1000),
        ["share"] = _random.Next(1, 1000) / 8.0,
        ["exact"] = _random.Next(2) == 0,
        ["none"] = null,
        ["items"] = new JsonArray(Text(), new JsonObject(), new JsonArray()),
    };

    private JsonArray Tools() => [.. Enumerable.Range(0, _random.Next(1, 4)).Select(i => new JsonObject
    {
        ["type"] = "function",
        ["function"] = new JsonObject
        {
            ["name"] = $"look_up_{i}",
            ["description"] = Text(),
            ["parameters"] = new JsonObject
            {
                ["type"] = "object",
                ["properties"] = new JsonObject { ["text"] = new JsonObject { ["type"] = "string", ["description"] = Text() } },
                ["required"] = new JsonArray("text"),
            },
        },
    })];

    private JsonArray Parts() =>
        [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => new JsonObject { ["type"] = "text", ["text"] = Text() })];

    private string Reasoned() => $"<think>{Text()}</think>{Text()}";

    private JsonObject WithReasoning(string text)
    {
        var message = Message("assistant", text);
        message["reasoning_content"] = Text();
        return message;
    }

    // White space around it shows what a template trims.
    private string Text()
    {
        var text = texts[_random.Next(texts.Count)];
        text = text.Length > LongestText ? text[..(char.IsHighSurrogate(text[LongestText - 1]) ? LongestText - 1 : LongestText)] : text;
        return _random.Next(4) switch { 0 => $" \n{text}\n\n", 1 => $"{text}\t ", _ => text };
    }

    private static JsonObject Message(string role, JsonNode content) => new() { ["role"] = role, ["content"] = content };
}
