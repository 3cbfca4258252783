using System.Globalization;
using System.Text;

namespace FedKSeed.Tokenization.Templates;

/// <summary>A date as C's strftime writes it.</summary>
internal static class TemplateDate
{
    private static readonly Dictionary<char, string> Forms = new()
    {
        ['Y'] = "yyyy",
        ['y'] = "yy",
        ['m'] = "MM",
        ['d'] = "dd",
        ['b'] = "MMM",
        ['B'] = "MMMM",
        ['a'] = "ddd",
        ['A'] = "dddd",
        ['H'] = "HH",
        ['I'] = "hh",
        ['M'] = "mm",
        ['S'] = "ss",
        ['p'] = "tt",
    };

    /// <summary>Codes that are not known stay as they are.</summary>
    public static string Format(DateTime date, string format)
    {
        StringBuilder text = new();
        for (var i = 0; i < format.Length; i++)
        {
            var code = format[i] == '%' && i + 1 < format.Length ? format[i + 1] : '\0';
            var known = code switch
            {
                '%' => "%",
                'j' => date.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
                _ => Forms.TryGetValue(code, out var form) ? date.ToString(form, CultureInfo.InvariantCulture) : null,
            };
            text.Append(known ?? format[i].ToString());
            i += known is null ? 0 : 1;
        }
        return text.ToString();
    }
}
