using System.Globalization;
using System.Text;

namespace FedKSeed.Conformance;

/// <summary>Texts that tokenizers stumble over, by kind. The same tokens and seed give the same texts.</summary>
internal sealed class TextGenerator(string[] addedTokens, int seed)
{
    private const int LastPoint = 0x323AF, FirstTag = 0xE0000, LastTag = 0xE01EF, PointsInARow = 24;

    private static readonly string[] Spaces =
        ["\t", "\n", "\v", "\f", "\r", "\r\n", " ", "  ", "   ", "\u001C", "\u0085", "\u00A0", "\u1680", "\u180E", "\u2000", "\u2003",
            "\u200A",
        "\u200B", "\u2028", "\u2029", "\u202F", "\u205F", "\u2060", "\u3000", "\uFEFF", "\n\n", "\n \n", " \n", "\t\t"];

    private static readonly string[] Words =
        ["the", "Hello", "don't", "I'LL", "we've", "HTTPServer", "naïve", "Straße", "été", "Привет", "мир", "שלום", "مرحبا", "नमस्ते",
            "ไทย", "日本語", "中文字",
        "한국어", "ελληνικά", "ქართული", "𐐨𐑊", "𝒜𝓫", "x1y2", "3.14", "1,234,567", "v2.0-rc1", "foo_bar", "camelCase", "ǅungla", "ﬁn",
            "İstanbul", "ß", "œuvre"];

    private static readonly string[] Contractions = ["'s", "'S", "'ſ", "'t", "'T", "'re", "'RE", "'rE", "'ve", "'VE", "'m", "'ll", "'LL",
        "'lL", "'d", "'D", "’s", "'st", "''s"];

    private static readonly string[] Emoji =
        ["😀", "🙂", "💳\uFE0F", "👍🏽", "👩\u200D👩\u200D👧\u200D👦", "🏳\uFE0F\u200D🌈", "🇩🇪", "🇺🇸🇬", "1\uFE0F\u20E3",
            "❤\uFE0F", "❤", "🧑🏿\u200D🚀",
            "🫨", "🏴\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F",
        "☎", "™", "\u200D", "\uFE0F", "🏻", "🪿"];

    private static readonly string[] Code =
        ["for (int i = 0; i < n; i++) {", "\treturn x->y[2]*3;", "def f(self, *args, **kw):", "    if not x:\n        pass", "}\n\n",
            "SELECT * FROM t WHERE a='b' -- c",
        "<div class=\"a\">&nbsp;</div>", "{\"k\": [1, 2.5e-3, null]}", "https://example.org/a?b=c&d=%20#e", "user@example.org",
            "C:\\dir\\f.txt", "a/b/c.d//e", "#include <stdio.h>",
        "x = y ** 2 // 3 % 4", "let s = `a${b}c`;", "/* c */ // d", "| a | b |\n|---|---|", "```js\n1\n```", "$\\frac{a}{b}$",
            "0xDEADBEEF", "!==", "...", "???!!!", "---\n", "\\n\\t"];

    private static readonly int[] Letters = Points(UnicodeCategory.LowercaseLetter, UnicodeCategory.UppercaseLetter,
        UnicodeCategory.OtherLetter, UnicodeCategory.ModifierLetter, UnicodeCategory.TitlecaseLetter);
    private static readonly int[] Marks = Points(UnicodeCategory.NonSpacingMark, UnicodeCategory.SpacingCombiningMark,
        UnicodeCategory.EnclosingMark);
    private static readonly int[] Digits = Points(UnicodeCategory.DecimalDigitNumber, UnicodeCategory.LetterNumber,
        UnicodeCategory.OtherNumber);
    private static readonly int[] Signs = Points(
        UnicodeCategory.OtherPunctuation, UnicodeCategory.DashPunctuation, UnicodeCategory.OpenPunctuation, UnicodeCategory.MathSymbol,
            UnicodeCategory.CurrencySymbol, UnicodeCategory.OtherSymbol, UnicodeCategory.ModifierSymbol);

    private readonly Random _random = new(seed);

    public IEnumerable<(string Kind, string Text)> Texts()
    {
        foreach (var text in EveryPoint())
            yield return ("every code point", text);
        (string Kind, int Count, Func<string> Make)[] kinds =
        [
            ("one character", 3000, OneCharacter),
            ("scripts", 800, () => Join(8, () => Run(Letters, 1 + _random.Next(8)), () => Pick(Words), () => Pick(Spaces))),
            ("emoji", 600, () => Join(6, () => Pick(Emoji), () => Pick(Emoji), () => Pick(Words), () => " ")),
            ("marks", 1200, () => Join(6, () => Point(Letters) + Run(Marks, _random.Next(4)), () => "e\u0301", () => Hangul(), () =>
                Pick(Spaces))),
            ("digits", 600, () => Join(5, () => Run(Digits, 1 + _random.Next(7)), () => Number(), () => Pick(Words), () => Pick(Spaces))),
            ("white space", 1000, () => Join(9, () => Pick(Spaces), () => Pick(Spaces), () => Pick(Words), () => Point(Signs))),
            ("contractions", 400, () => Join(5, () => Pick(Words) + Pick(Contractions), () => Pick(Contractions), () => " ")),
            ("special tokens", 1200, () => Join(7, Special, () => Pick(Words), () => Pick(Spaces), () => Pick(Emoji))),
            ("code", 600, () => Join(6, () => Pick(Code), () => Pick(Spaces), () => Pick(Words))),
            ("signs", 500, () => Join(6, () => Run(Signs, 1 + _random.Next(4)), () => Pick(Spaces), () => Pick(Words))),
            ("long words", 200, LongWord),
            ("anything", 1200, () => Join(20, AnyPoint, () => Pick(Spaces), () => Pick(Words), () => Pick(Emoji), () => Pick(Code))),
            ("documents", 40, () => string.Concat(Enumerable.Range(0, 60).Select(_ => Join(12, () => Pick(Words) + " ", () => Pick(Code),
                () => Pick(Spaces), () => Pick(Emoji))))),
        ];
        foreach ((var kind, var count, var make) in kinds)
        {
            for (var i = 0; i < count; i++)
                yield return (kind, make());
        }
    }

    /// <summary>Ids that no text may have given, so that bytes come without the rest of their character.</summary>
    public IEnumerable<int[]> IdSequences(int vocabularySize) =>
        Enumerable.Range(0, 1000).Select(_ => Numbers(1 + _random.Next(12), vocabularySize));

    private int[] Numbers(int count, int end)
    {
        var numbers = new int[count];
        for (var i = 0; i < count; i++)
            numbers[i] = _random.Next(end);
        return numbers;
    }

    private static IEnumerable<string> EveryPoint() =>
        Enumerable.Range(0, LastPoint + 1).Concat(Enumerable.Range(FirstTag, LastTag - FirstTag + 1)).Where(Rune.IsValid)
            .Select(point => new Rune(point).ToString()).Chunk(PointsInARow).Select(points => string.Concat(points));

    private static int[] Points(params UnicodeCategory[] categories) =>
        [.. Enumerable.Range(0, LastPoint + 1).Where(point => Rune.IsValid(point)
            && categories.Contains(CharUnicodeInfo.GetUnicodeCategory(point)))];

    private string OneCharacter()
    {
        var point = AnyPoint();
        return _random.Next(6) switch
        {
            0 => point,
            1 => " " + point,
            2 => point + " ",
            3 => $"a{point}b",
            4 => $"1{point}2",
            _ => point + point + point,
        };
    }

    private string LongWord()
    {
        var length = 50 + _random.Next(3000);
        return _random.Next(6) switch
        {
            0 => new string((char)('a' + _random.Next(26)), length),
            1 => new string(' ', length) + Pick(Words),
            2 => string.Concat(Enumerable.Range(0, length).Select(_ => (char)('a' + _random.Next(26)))),
            3 => Convert.ToBase64String([.. Enumerable.Range(0, length).Select(_ => (byte)_random.Next(256))]),
            4 => string.Concat(Enumerable.Range(0, length).Select(_ => (char)_random.Next(0x4E00, 0x9FFF))),
            _ => string.Concat(Enumerable.Repeat(Pick(Words), length / 5)),
        };
    }

    private string Special()
    {
        if (addedTokens.Length == 0)
            return "<s>";
        var token = Pick(addedTokens);
        return _random.Next(5) switch
        {
            0 => token + Pick(addedTokens),
            1 => token[..^1],
            2 => $" {token} ",
            3 => token.ToUpperInvariant(),
            _ => token,
        };
    }

    // Jamo that make a syllable, or nearly.
    private string Hangul() => string.Concat(
        (char)(0x1100 + _random.Next(20)), (char)(0x1161 + _random.Next(22)), (char)(0x11A7 + _random.Next(29)));

    private string Number() => _random.NextInt64(1L << (1 + _random.Next(60))).ToString(CultureInfo.InvariantCulture);

    private string AnyPoint()
    {
        while (true)
        {
            var point = _random.Next(4) == 0 ? _random.Next(0x110000) : _random.Next(4) == 0 ? _random.Next(0x10000, LastPoint)
                : _random.Next(0x10000);
            if (Rune.IsValid(point))
                return new Rune(point).ToString();
        }
    }

    private string Point(int[] points) => new Rune(points[_random.Next(points.Length)]).ToString();

    // Neighbours, so that a script stays with itself.
    private string Run(int[] points, int count)
    {
        var first = _random.Next(points.Length);
        return string.Concat(Enumerable.Range(0, count).Select(_ =>
            new Rune(points[Math.Min(points.Length - 1, first + _random.Next(20))]).ToString()));
    }

    private string Join(int most, params Func<string>[] parts) =>
        string.Concat(Enumerable.Range(0, 1 + _random.Next(most)).Select(_ => parts[_random.Next(parts.Length)]()));

    private string Pick(string[] list) => list[_random.Next(list.Length)];
}
