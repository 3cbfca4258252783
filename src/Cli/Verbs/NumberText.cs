using System.Globalization;
using System.Numerics;

namespace FedKSeed.Cli.Verbs;

/// <summary>
/// Numbers and times as people write them for machines: a point before the decimals, nothing between the thousands, in every locale. What
/// could be meant otherwise is refused.
/// </summary>
internal static class NumberText
{
    private static readonly Dictionary<char, Func<double, TimeSpan>> Units = new()
    {
        ['s'] = TimeSpan.FromSeconds,
        ['m'] = TimeSpan.FromMinutes,
        ['h'] = TimeSpan.FromHours,
        ['d'] = TimeSpan.FromDays,
    };

    public static T? Number<T>(string text) where T : struct, INumber<T>
    {
        var styles = NumberStyles.AllowLeadingSign
            | (IsWhole<T>() ? NumberStyles.None : NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent);
        return T.TryParse(text, styles, CultureInfo.InvariantCulture, out var value) && T.IsFinite(value) ? value : null;
    }

    /// <summary>Hours, minutes and seconds, with days before them or not; a number with its unit, s, m, h or d; or 0.</summary>
    public static TimeSpan? Time(string text)
    {
        if (text == "0")
            return TimeSpan.Zero;
        if (text.Count(letter => letter == ':') == 2)
            return TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var time) ? time : null;
        return text.Length > 1 && Units.TryGetValue(text[^1], out var unit)
            && Number<double>(text[..^1]) is >= 0 and < 100_000 and { } count
            ? unit(count)
            : null;
    }

    /// <summary>What an option takes, in words.</summary>
    public static string Kind<T>() =>
        typeof(T) == typeof(TimeSpan) ? "a time, HH:MM:SS or a number with s, m, h or d"
        : IsWhole<T>() ? "a whole number" : "a number";

    /// <summary>What is wrong with a value.</summary>
    public static string Fault(string option, string kind, string text)
    {
        var commas = !text.Contains(',', StringComparison.Ordinal) ? ""
            : kind.StartsWith("a number", StringComparison.Ordinal) ? ", with a point and without commas" : ", without commas";
        return $"{option} must be {kind}{commas}, not '{text}'.";
    }

    private static bool IsWhole<T>() => typeof(T) != typeof(double) && typeof(T) != typeof(float);
}
