using System.Collections;
using System.Globalization;
using System.Text;

namespace FedKSeed.Tokenization.Unicode;

/// <summary>
/// Unicode normalisation form C (UAX 15), which Qwen's tokenizers ask for, with the tables of the reference: those of Unicode 9.0, so
/// that marks which came later stay where they stand. .NET leaves it to ICU, which is not everywhere and has tables of another version.
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

    // Points that something before them, or decomposition, may change: all others begin a stretch that is normalised on its own.
    private static readonly BitArray Unsettled = new(0x30000);

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
            else
                Unsettled[point] = true;
        }
        Settle();
    }

    private static void Settle()
    {
        foreach (var point in Classes.Keys.Concat(Compositions.Keys.Select(pair => pair.Item2)))
            Unsettled[point] = true;
        for (var vowel = 0; vowel < VCount; vowel++)
            Unsettled[VBase + vowel] = true;
        for (var trailing = 1; trailing < TCount; trailing++)
            Unsettled[TBase + trailing] = true;
        // A composed point whose first part something before it may take.
        int[] composed;
        do
        {
            composed = [.. Decompositions.Where(entry => !Unsettled[entry.Key] && Unsettled[entry.Value[0]]).Select(entry => entry.Key)];
            foreach (var point in composed)
                Unsettled[point] = true;
        }
        while (composed.Length > 0);
    }

    public static string Normalize(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange((char)FirstComposing, char.MaxValue))
            return text;
        StringBuilder normal = new(text.Length);
        List<int> stretch = [];
        var isSettled = true;
        foreach (var rune in text.EnumerateRunes())
        {
            if (IsSettled(rune.Value))
            {
                End(stretch, isSettled, normal);
                isSettled = true;
            }
            else
            {
                isSettled = false;
            }
            stretch.Add(rune.Value);
        }
        End(stretch, isSettled, normal);
        return normal.ToString();
    }

    private static bool IsSettled(int point) => point >= Unsettled.Length || !Unsettled[point];

    private static void End(List<int> stretch, bool isSettled, StringBuilder normal)
    {
        var points = stretch;
        if (!isSettled)
        {
            points = [];
            foreach (var point in stretch)
                Decompose(point, points);
            Order(points);
            Compose(points);
        }
        foreach (var point in points)
        {
            if (point <= char.MaxValue)
                normal.Append((char)point);
            else
                normal.Append(new Rune(point).ToString());
        }
        stretch.Clear();
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
        for (var i = 0; i < points.Count; i++)
        {
            var first = i;
            while (i < points.Count && Class(points[i]) != 0)
                i++;
            if (i - first < 2)
                continue;
            int[] sorted = [.. points[first..i].OrderBy(Class)];
            for (var k = 0; k < sorted.Length; k++)
                points[first + k] = sorted[k];
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
