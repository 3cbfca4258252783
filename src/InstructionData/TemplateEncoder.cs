using System.Text.Json;
using System.Text.Json.Nodes;
using FedKSeed.Tokenization;
using FedKSeed.Tokenization.Templates;

namespace FedKSeed.InstructionData;

/// <summary>
/// Conversations in tokens by the model's own template. The whole text is rendered and encoded as transformers does it; nothing is added
/// to it, for templates write the beginning token themselves. Where an answer stands in it is found by rendering the conversation up to
/// there, as it would be asked and with its answer: it is learned if the whole begins with that. Templates that write an earlier
/// answer otherwise than the last one, as those that leave out its reasoning, thus have only such answers learned as the model is to give.
/// </summary>
internal sealed class TemplateEncoder
{
    private const string ProbeAnswer = "okay";

    private readonly Tokenizer _tokenizer;
    private readonly ModelChatTemplates _templates;
    private readonly Lazy<(int? TurnEnd, int Behind)> _ending;

    public TemplateEncoder(Tokenizer tokenizer, ModelChatTemplates templates)
    {
        _tokenizer = tokenizer;
        _templates = templates;
        _ending = new Lazy<(int?, int)>(Probe);
    }

    /// <summary>The special token that ends an answer; null where the template has none.</summary>
    public int? TurnEnd => _ending.Value.TurnEnd;

    /// <summary>The tokens before the last answer, so many at most.</summary>
    public int[] Prompt(ChatExample chat, int limit)
    {
        var messages = Messages(chat);
        return Ids(chat, messages, messages.Length - 1, asks: true, limit);
    }

    /// <summary>Whether a conversation has no more tokens than that.</summary>
    public bool Fits(ChatExample chat, int maxLength)
    {
        var messages = Messages(chat);
        var limit = Limit(maxLength);
        var whole = Ids(chat, messages, messages.Length, asks: false, limit).Length;
        return whole <= maxLength || (whole < limit && Encode(chat, maxLength).Ids.Length <= maxLength);
    }

    /// <summary>
    /// The tokens up to the end of the last answer; of a longer text more than <paramref name="maxLength"/>, but no more than tell so.
    /// </summary>
    public TokenSequence Encode(ChatExample chat, int maxLength)
    {
        var messages = Messages(chat);
        var limit = Limit(maxLength);
        (var start, var ids) = Answer(chat, messages, messages.Length - 1, limit);
        var labels = Enumerable.Repeat(TokenSequence.Ignored, ids.Length).ToArray();
        ids.AsSpan(start).CopyTo(labels.AsSpan(start));
        for (var i = 0; i < messages.Length - 1; i++)
        {
            if (messages[i]["role"]!.GetValue<string>() != "assistant")
                continue;
            (start, var upTo) = Answer(chat, messages, i, limit);
            if (ids.AsSpan().StartsWith(upTo))
                upTo.AsSpan(start).CopyTo(labels.AsSpan(start));
            if (upTo.Length == limit)
                break;
        }
        return new TokenSequence(ids, labels);
    }

    /// <summary>The tokens up to the end of an answer, and where those begin that the question alone does not have.</summary>
    private (int Start, int[] UpTo) Answer(ChatExample chat, JsonObject[] messages, int index, int limit)
    {
        var asked = Ids(chat, messages, index, asks: true, limit);
        var answered = Ids(chat, messages, index + 1, asks: false, limit);
        var start = asked.AsSpan().CommonPrefixLength(answered);
        if (answered.Length == limit)
            return (start, answered);
        // What a template writes behind it, such as a line's end or the beginning of an answer to come, is none of the answer.
        var end = TurnEnd is { } token ? answered.AsSpan(start).LastIndexOf(token) : -1;
        if (end >= 0)
            return (start, answered[..(start + end + 1)]);
        return _tokenizer.Special.End is { } stop && index == messages.Length - 1 && !_tokenizer.IsSpecial(answered[^1])
            ? (start, [.. answered, stop])
            : (start, answered);
    }

    // So many ids tell that a text is too long, whatever stands behind its last answer.
    private int Limit(int maxLength) => maxLength + 1 + _ending.Value.Behind;

    private int[] Ids(ChatExample chat, JsonObject[] messages, int count, bool asks, int limit) => _tokenizer.Encode(
        _templates.Render(messages.Take(count), asks, chat.Tools is { } tools ? JsonSerializer.SerializeToNode(tools) : null), limit);

    /// <summary>The first special token behind an answer, and how many tokens the template writes behind that.</summary>
    private (int? TurnEnd, int Behind) Probe()
    {
        string text;
        try
        {
            text = _templates.Render(Messages(new ChatExample(null, [new ChatTurn("Hi", ProbeAnswer)])), addGenerationPrompt: false);
        }
        catch (InvalidDataException)
        {
            return (null, 0); // it says so of real conversations, too
        }
        var at = text.LastIndexOf(ProbeAnswer, StringComparison.Ordinal);
        var behind = at < 0 ? [] : _tokenizer.Encode(text[(at + ProbeAnswer.Length)..]);
        var first = Array.FindIndex(behind, _tokenizer.IsSpecial);
        return first >= 0 && string.IsNullOrWhiteSpace(_tokenizer.Decode(behind[..first]))
            ? (behind[first], behind.Length - first - 1)
            : (null, 0);
    }

    private static JsonObject[] Messages(ChatExample chat) =>
    [
        .. chat.System is { } system ? [Message(new ChatMessage(ChatRole.System, system))] : (JsonObject[])[],
        .. chat.Turns.SelectMany(Messages).Select(Message),
    ];

    private static IEnumerable<ChatMessage> Messages(ChatTurn turn) =>
    [
        new(ChatRole.User, turn.User),
        .. turn.Calls,
        new(ChatRole.Assistant, Content(turn)) { Fields = turn.AnswerFields },
    ];

    private static string? Content(ChatTurn turn) =>
        turn.Assistant.Length == 0 && turn.AnswerFields.ContainsKey("tool_calls") ? null : turn.Assistant;

    private static JsonObject Message(ChatMessage message)
    {
        JsonObject json = new() { ["role"] = ChatExample.Name(message.Role), ["content"] = message.Content };
        foreach ((var name, var value) in message.Fields.Where(field => !json.ContainsKey(field.Key)))
            json[name] = JsonSerializer.SerializeToNode(value);
        return json;
    }
}
