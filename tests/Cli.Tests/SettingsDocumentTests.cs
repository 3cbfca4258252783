using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using FedKSeed.Cli.Run;
using FedKSeed.Cli.Verbs;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Tests;

namespace FedKSeed.Cli.Tests;

/// <summary>docs/SETTINGS.md is made from the records. FEDKSEED_WRITE_DOCS=1 writes it.</summary>
public sealed partial class SettingsDocumentTests
{
    private const string Introduction =
        """
        # Settings

        Of `federation.json`: what a run writes into its folder, and what `--config` of run and cluster takes. All are optional. Options
        override them. Times are HH:MM:SS. Made from the records by `tests/Cli.Tests`; `FEDKSEED_WRITE_DOCS=1` writes it again.
        """;

    private static readonly Dictionary<string, XElement> Documented = new[]
    {
        typeof(RunPlan), typeof(FederationSettings), typeof(DirectionSpace),
    }
        .Select(type => Path.Combine(AppContext.BaseDirectory, type.Assembly.GetName().Name + ".xml"))
        .SelectMany(file => XDocument.Load(file).Descendants("member"))
        .Where(member => member.Attribute("name")!.Value.StartsWith("P:FedKSeed.", StringComparison.Ordinal))
        .ToDictionary(member => member.Attribute("name")!.Value);

    private static readonly IReadOnlyList<Option> Options = new RunOptions().All;

    [Fact]
    public void The_document_of_settings_is_what_the_records_say()
    {
        var path = Path.Combine(Path.GetDirectoryName(Vectors.Folder)!, "..", "docs", "SETTINGS.md");
        var text = Text();
        if (Environment.GetEnvironmentVariable("FEDKSEED_WRITE_DOCS") == "1")
            File.WriteAllText(path, text);

        Assert.Equal(text, File.ReadAllText(path));
    }

    [Fact]
    public void Every_setting_is_explained() =>
        Assert.DoesNotContain(
            new[] { typeof(RunPlan), typeof(FederationSettings), typeof(DirectionSpace), typeof(Adapter) }.SelectMany(Settings),
            property => Summary(property).Length == 0);

    private static string Text()
    {
        var text = new StringBuilder(Introduction).Append("\n\n");
        var plan = new RunPlan { Model = "the sample's", Data = "the sample's", Prompt = null };
        Section(text, "The run", "", typeof(RunPlan), plan);
        Section(text, "The federation", "federation.", typeof(FederationSettings), plan.Federation);
        Section(text, "Its directions", "federation.directions.", typeof(DirectionSpace), plan.Federation.Directions);
        Section(
            text, "Their adapter", "federation.directions.adapter.", typeof(Adapter), new Adapter { Kind = AdapterKind.Lora });
        return text.ToString().TrimEnd('\n') + "\n";
    }

    private static void Section(StringBuilder text, string title, string prefix, Type type, object defaults)
    {
        text.Append(CultureInfo.InvariantCulture, $"## {title}\n\n| setting | option | default | takes | |\n|---|---|---|---|---|\n");
        foreach (var property in Settings(type))
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {prefix}{JsonNamingPolicy.CamelCase.ConvertName(property.Name)} "
                    + $"| {(OptionOf(property) is { } option ? $"`{option.Name}`" : "")} "
                    + $"| {DefaultOf(property, defaults)} | {Takes(property)} | {Summary(property)} |\n");
        text.Append('\n');
    }

    private static IEnumerable<PropertyInfo> Settings(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.CanWrite && property.PropertyType != typeof(FederationSettings)
                && property.PropertyType != typeof(DirectionSpace) && property.PropertyType != typeof(Adapter));

    /// <summary>Named after the property, but for a few.</summary>
    private static Option? OptionOf(PropertyInfo property)
    {
        var name = property.Name == nameof(RunPlan.ComputeType) ? "--dtype"
            : property.DeclaringType == typeof(RunPlan) ? "--" + JsonNamingPolicy.KebabCaseLower.ConvertName(property.Name)
            : RunOptionNames.Of(property.Name);
        return Options.FirstOrDefault(option => option.Name == name);
    }

    private static string DefaultOf(PropertyInfo property, object defaults) =>
        property.Name == nameof(Adapter.Kind) ? ""
        : property.Name == nameof(RunPlan.Threads) ? "one a core"
        : IsRule(property.PropertyType) ? RuleName(property.GetValue(defaults)!)
        : Convert.ToString(property.GetValue(defaults), CultureInfo.InvariantCulture)!;

    private static string Takes(PropertyInfo property)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        return property.GetCustomAttribute<RangeAttribute>() is { } range
                ? string.Create(CultureInfo.InvariantCulture, $"{range.Minimum} to {range.Maximum}")
            : property.GetCustomAttribute<AllowedValuesAttribute>() is { } allowed ? string.Join(", ", allowed.Values)
            : IsRule(type) ? string.Join(
                ", ", ((System.Collections.IEnumerable)type.GetProperty("All")!.GetValue(null)!).Cast<object>().Select(RuleName))
            : type.IsEnum ? string.Join(", ", Enum.GetNames(type))
            : type == typeof(bool) ? "true, false"
            : property.Name == nameof(DirectionSpace.Trainable) ? "a list of {tensors: names, scale: -16 to 16, rank: 0, 1, 2, 4}"
            : property.Name == nameof(Adapter.Targets) ? "a list of names"
            : property.Name == nameof(DirectionSpace.Tensors) ? "a list of {ordinal, scale, rank}"
            : type == typeof(string) ? "text" : type == typeof(ulong) ? "0 to 2^64 - 1, as text" : "a number";
    }

    private static bool IsRule(Type type) =>
        type.GetInterfaces().Any(kind => kind.IsGenericType && kind.GetGenericTypeDefinition() == typeof(IRule<>));

    private static string RuleName(object rule) => (string)rule.GetType().GetProperty("Name")!.GetValue(rule)!;

    /// <summary>What the record says, or what its option does.</summary>
    private static string Summary(PropertyInfo property) =>
        Documented.TryGetValue($"P:{property.DeclaringType!.FullName}.{property.Name}", out var member)
            ? Spaces().Replace(string.Concat(member.Element("summary")!.Nodes().Select(Words)), " ").Trim()
            : Default().Replace(OptionOf(property)?.Description ?? "", "").Trim();

    private static string Words(XNode node) => node switch
    {
        XText text => text.Value,
        XElement element => (element.Attribute("cref")?.Value ?? element.Value).Split('.')[^1],
        _ => "",
    };

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"\[default: .*\]")]
    private static partial Regex Default();
}
