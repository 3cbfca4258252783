using System.Globalization;
using System.Text;

namespace FedKSeed.Tokenization.Unicode;

/// <summary>
/// Unicode normalisation form C (UAX 15), which Qwen's tokenizers ask for. .NET leaves it to ICU, which is not everywhere, and
/// without ICU gives text back as it was.
/// </summary>
internal static class NormalizationFormC
{
    private const int FirstComposing = 0x300; // everything below is in form C

    // Hangul syllables are computed: leading consonant L, vowel V, trailing consonant T.
    private const int SyllableBase = 0xAC00, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7, LCount = 19, VCount = 21, TCount = 28;
    private const int SyllableCount = LCount * VCount * TCount;

    private static readonly Dictionary<int, byte> Classes = [];
    private static readonly Dictionary<int, int[]> Decompositions = [];
    private static readonly Dictionary<(int, int), int> Compositions = [];

    static NormalizationFormC()
    {
        using var stream = typeof(NormalizationFormC).Assembly.GetManifestResourceStream("nfc.txt")!;
        using StreamReader table = new(stream);
        while (table.ReadLine() is { } line)
        {
            var fields = line.Split(' ');
            if (line[0] == '#')
                continue;
            if (fields.Length == 2)
            {
                Classes[Hexadecimal(fields[0])] = byte.Parse(fields[1], CultureInfo.InvariantCulture);
                continue;
            }
            var point = Hexadecimal(fields[0]);
            int[] parts = [.. fields.Skip(2).Select(Hexadecimal)];
            Decompositions[point] = parts;
            if (fields[1] == "=")
                Compositions[(parts[0], parts[1])] = point;
        }
    }

    public static string Normalize(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange((char)FirstComposing, char.MaxValue))
            return text;
        List<int> points = [];
        foreach (var rune in text.EnumerateRunes())
            Decompose(rune.Value, points);
        Order(points);
        Compose(points);
        StringBuilder normal = new(points.Count);
        foreach (var point in points)
            normal.Append(new Rune(point).ToString());
        return normal.ToString();
    }

    private static void Decompose(int point, List<int> points)
    {
        var syllable = point - SyllableBase;
        if (syllable is >= 0 and < SyllableCount)
        {
            points.Add(LBase + syllable / (VCount * TCount));
            points.Add(VBase + syllable / TCount % VCount);
            if (syllable % TCount != 0)
                points.Add(TBase + syllable % TCount);
        }
        else if (Decompositions.TryGetValue(point, out var parts))
        {
            foreach (var part in parts)
                Decompose(part, points);
        }
        else
        {
            points.Add(point);
        }
    }

    // Marks behind a starter are sorted by class, those of one class stay in their order.
    private static void Order(List<int> points)
    {
        for (var i = 1; i < points.Count; i++)
        {
            var own = Class(points[i]);
            for (var k = i; own != 0 && k > 0 && Class(points[k - 1]) > own; k--)
                (points[k - 1], points[k]) = (points[k], points[k - 1]);
        }
    }

    private static void Compose(List<int> points)
    {
        int starter = -1, kept = 0;
        byte last = 0; // class of the last point that was kept behind the starter
        for (var i = 0; i < points.Count; i++)
        {
            var point = points[i];
            var own = Class(point);
            var isBlocked = starter < 0 || (kept - 1 > starter && last >= own);
            if (!isBlocked && TryCompose(points[starter], point, out var composed))
            {
                points[starter] = composed;
                continue;
            }
            if (own == 0)
                starter = kept;
            last = own;
            points[kept++] = point;
        }
        points.RemoveRange(kept, points.Count - kept);
    }

    private static bool TryCompose(int first, int second, out int composed)
    {
        composed = 0;
        if (first - LBase is >= 0 and < LCount && second - VBase is >= 0 and < VCount)
            composed = SyllableBase + ((first - LBase) * VCount + second - VBase) * TCount;
        else if (first - SyllableBase is >= 0 and < SyllableCount && (first - SyllableBase) % TCount == 0
            && second - TBase is > 0 and < TCount)
            composed = first + second - TBase;
        return composed != 0 || Compositions.TryGetValue((first, second), out composed);
    }

    private static byte Class(int point) => Classes.GetValueOrDefault(point);

    private static int Hexadecimal(string digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
