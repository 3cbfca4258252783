using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace FedKSeed.Operations.Settings;

/// <summary>
/// What a service can be told, from the records that it is read into: names, ranges and defaults, and the words of their documentation,
/// which the build puts beside the program.
/// </summary>
public static partial class SettingsHelp
{
    private const int Width = 80;

    public static string Of(string program, IReadOnlyList<SettingSection> sections)
    {
        ArgumentNullException.ThrowIfNull(sections);
        var help = new StringBuilder();
        help.AppendLine(CultureInfo.InvariantCulture, $"Usage: {program} [--Section:Setting=value ...] [--verbose] [--help]").AppendLine();
        Wrap(help, 0, "A setting is read from appsettings.json, then from the environment (Section__Setting), then from the command line. "
            + "--verbose logs more, and shows the stack of what ends the service.");
        foreach (var section in sections.Where(section => section.Instead is null))
        {
            help.AppendLine().AppendLine(section.Name);
            if (SettingSection.ElementOf(section.Options) is { } element)
                Describe(help, $"{section.Name}:0", element, section.Read);
            else
                Describe(help, section.Name, section.Options, section.Read);
        }
        return help.ToString();
    }

    private static void Describe(StringBuilder help, string path, Type options, IReadOnlyList<string>? read)
    {
        var defaults = Activator.CreateInstance(options);
        foreach (var property in options.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.CanWrite && (read is null || read.Contains(property.Name))))
        {
            if (SettingSection.IsRecord(property.PropertyType))
            {
                Describe(help, $"{path}:{property.Name}", property.PropertyType, null);
                continue;
            }
            if (SettingSection.ElementOf(property.PropertyType) is { } element && SettingSection.IsRecord(element))
            {
                Describe(help, $"{path}:{property.Name}:0", element, null);
                continue;
            }
            help.AppendLine(CultureInfo.InvariantCulture, $"  {path}:{property.Name}");
            Wrap(help, 6, $"{Kind(property)}. {Default(property.GetValue(defaults))}");
            if (Documentation(property) is { Length: > 0 } text)
                Wrap(help, 6, text);
        }
    }

    /// <summary>What can be written there.</summary>
    internal static string Kind(PropertyInfo property)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var range = property.GetCustomAttribute<RangeAttribute>();
        var between = range is null ? "" : string.Create(CultureInfo.InvariantCulture, $", {range.Minimum} to {range.Maximum}");
        return type switch
        {
            { IsEnum: true } => string.Join(" or ", Enum.GetNames(type)),
            _ when type == typeof(bool) => "true or false",
            _ when type == typeof(TimeSpan) => "Time, [days.]hours:minutes:seconds" + between,
            _ when type == typeof(float) || type == typeof(double) => "Number" + between,
            _ when type == typeof(Uri) => "Address",
            { IsPrimitive: true } => "Whole number" + between,
            _ when property.GetCustomAttribute<AllowedValuesAttribute>() is { } allowed => string.Join(" or ", allowed.Values),
            _ when property.GetCustomAttribute<RegularExpressionAttribute>() is { ErrorMessage: { } message } =>
                "Text, " + message.Replace("{0} must be ", "", StringComparison.Ordinal).TrimEnd('.'),
            _ => "Text",
        };
    }

    private static string Default(object? value) => value switch
    {
        null or "" => "No default.",
        _ => $"Default {Convert.ToString(value, CultureInfo.InvariantCulture)}.",
    };

    private static string Documentation(PropertyInfo property)
    {
        var file = Path.Combine(AppContext.BaseDirectory, property.DeclaringType!.Assembly.GetName().Name + ".xml");
        if (!File.Exists(file))
            return "";
        var name = $"P:{property.DeclaringType.FullName}.{property.Name}";
        var summary = XDocument.Load(file).Descendants("member").FirstOrDefault(member => member.Attribute("name")?.Value == name)?
            .Element("summary");
        return summary is null ? "" : Space().Replace(string.Concat(summary.Nodes().Select(Words)), " ").Trim();
    }

    /// <summary>A reference is written as the last part of what it refers to.</summary>
    private static string Words(XNode node) => node switch
    {
        XText text => text.Value,
        XElement element when element.Attribute("cref") is { } reference => reference.Value.Split('.', ':')[^1],
        XElement element => element.Value,
        _ => "",
    };

    private static void Wrap(StringBuilder help, int indent, string text)
    {
        var at = 0;
        foreach (var word in text.Split(' '))
        {
            if (at > 0 && at + 1 + word.Length > Width)
            {
                help.AppendLine();
                at = 0;
            }
            help.Append(at == 0 ? new string(' ', indent) : " ").Append(word);
            at += (at == 0 ? indent : 1) + word.Length;
        }
        help.AppendLine();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
