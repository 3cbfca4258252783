namespace FedKSeed.Tokenization.Patterns;

/// <summary>What a step of a tokenizer looks for: an expression, or a text as it stands.</summary>
internal sealed class SplitPattern
{
    private readonly string? _text;
    private readonly OnigurumaPattern? _expression;

    private SplitPattern(string? text, OnigurumaPattern? expression) => (_text, _expression) = (text, expression);

    public static SplitPattern Of(string text) => new(text, null);

    /// <exception cref="FormatException">The expression is broken.</exception>
    public static SplitPattern OfExpression(string expression) => new(null, new OnigurumaPattern(expression));

    /// <summary>Matches within a part of a text, from left to right.</summary>
    public IEnumerable<Range> Matches(string text, int start, int end) => _expression?.Matches(text, start, end) ?? Places(text, start,
        end);

    /// <summary>The text with something else for every match.</summary>
    public string Replace(string text, string content)
    {
        if (_text is { Length: > 0 })
            return text.Replace(_text, content, StringComparison.Ordinal);
        System.Text.StringBuilder replaced = new(text.Length);
        var at = 0;
        foreach (var match in Matches(text, 0, text.Length))
        {
            replaced.Append(text, at, match.Start.Value - at).Append(content);
            at = match.End.Value;
        }
        return at == 0 ? text : replaced.Append(text, at, text.Length - at).ToString();
    }

    private IEnumerable<Range> Places(string text, int start, int end)
    {
        if (_text!.Length == 0)
            yield break;
        for (var at = start; text.IndexOf(_text, at, end - at, StringComparison.Ordinal) is var found and >= 0; at = found + _text.Length)
            yield return found..(found + _text.Length);
    }
}
