namespace FedKSeed.Tokenization;

/// <summary>
/// The text of tokens that come one by one. A character whose bytes are spread over several tokens is held back until it
/// is whole; all that is given, put together, is what <see cref="Tokenizer.Decode"/> gives for all tokens.
/// </summary>
public sealed class StreamedText(Tokenizer tokenizer)
{
    // What bytes that are no character, or not yet one, become.
    private const char Replacement = '\uFFFD';

    // Tokens since the last but one place where the text was whole: the first of a text may read otherwise than one within it.
    private List<int> _window = [];
    private int _given;

    /// <summary>What a further token adds to the text; often a word, sometimes nothing.</summary>
    public string Add(int token)
    {
        _window.Add(token);
        var text = tokenizer.Decode(_window);
        return text.EndsWith(Replacement) ? "" : Give(text);
    }

    /// <summary>What was held back: bytes that never became a character.</summary>
    public string End() => Give(tokenizer.Decode(_window));

    private string Give(string text)
    {
        var before = tokenizer.Decode(_window.Take(_given)).Length;
        // A token without text, such as a special one, is no context for the next.
        if (text.Length == before)
            return "";
        _window = _window[_given..];
        _given = _window.Count;
        return text[before..];
    }
}
