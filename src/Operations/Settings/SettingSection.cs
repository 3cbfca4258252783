using System.Collections;
using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace FedKSeed.Operations.Settings;

/// <summary>A section of a service's configuration.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Options">The record that it is read into; or a list of records, whose places are 0, 1, 2.</param>
public sealed record SettingSection(string Name, Type Options)
{
    /// <summary>A section of earlier releases: who still sets any of it is told what to do instead.</summary>
    public static SettingSection Gone(string name, string instead) => new(name, typeof(object)) { Instead = instead };

    /// <summary>What to do instead of setting any of it; null for a section that exists.</summary>
    public string? Instead { get; private init; }

    /// <summary>What to do instead of setting what earlier releases had in it, by its name.</summary>
    public IReadOnlyDictionary<string, string> InsteadOf { get; init; } = new Dictionary<string, string>();

    /// <summary>What to say when nothing of it is set; null when its defaults will do.</summary>
    public string? OtherwiseSay { get; init; }

    /// <summary>Other services have settings of their own in it, which are no fault here.</summary>
    public bool IsShared { get; init; }

    /// <summary>Settings of it that this service reads; null for all.</summary>
    public IReadOnlyList<string>? Read { get; init; }

    /// <summary>What is set and does not exist, with what was probably meant; and what has to be set and is not.</summary>
    public static IReadOnlyList<string> Faults(IConfiguration configuration, IReadOnlyList<SettingSection> sections)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(sections);
        var faults = new List<string>();
        foreach (var section in sections)
        {
            var given = configuration.GetSection(section.Name);
            if (section.OtherwiseSay is { } say && !given.Exists())
                faults.Add($"Nothing of section {section.Name} is set: {say}");
            if (section.Instead is { } instead && given.GetChildren().Any())
                faults.Add($"There is no section {section.Name} any more: {instead}");
            if (section.Instead is not null)
                continue;
            if (ElementOf(section.Options) is { } element)
                UnknownInList(given, element, section.IsShared, faults);
            else
                Unknown(given, section.Options, section.IsShared, faults, section.InsteadOf);
        }
        // Anything may stand beside our sections, in the environment above all; what looks like one of them is meant as one.
        foreach (var other in configuration.GetChildren().Where(child => child.GetChildren().Any()))
            if (!sections.Any(section => section.Name.Equals(other.Key, StringComparison.OrdinalIgnoreCase))
                && Nearest(other.Key, sections.Where(section => section.Instead is null).Select(section => section.Name)) is { } meant)
                faults.Add($"There is no section {other.Key}: did you mean {meant}?");
        return faults;
    }

    /// <summary>The type of the elements of a list; null for what is none.</summary>
    internal static Type? ElementOf(Type type) =>
        type != typeof(string) && typeof(IEnumerable).IsAssignableFrom(type) && type.GenericTypeArguments is [var element] ? element : null;

    /// <summary>Whether a value of it is a section of settings of its own.</summary>
    internal static bool IsRecord(Type type) =>
        type is { IsClass: true, IsAbstract: false } && type.Namespace?.StartsWith(nameof(FedKSeed), StringComparison.Ordinal) == true;

    private static void Unknown(
        IConfigurationSection given, Type options, bool isShared, List<string> faults,
        IReadOnlyDictionary<string, string>? insteadOf = null)
    {
        var properties = options.GetProperties(BindingFlags.Public | BindingFlags.Instance);
        foreach (var child in given.GetChildren())
        {
            var property = properties.FirstOrDefault(property => property.Name.Equals(child.Key, StringComparison.OrdinalIgnoreCase));
            if (property is null)
            {
                var gone = insteadOf?.FirstOrDefault(gone => gone.Key.Equals(child.Key, StringComparison.OrdinalIgnoreCase)).Value;
                var meant = Nearest(child.Key, properties.Select(property => property.Name));
                if (gone is not null)
                    faults.Add($"There is no setting {child.Path} any more: {gone}");
                else if (meant is not null)
                    faults.Add($"There is no setting {child.Path}: did you mean {given.Path}:{meant}?");
                else if (!isShared)
                    faults.Add($"There is no setting {child.Path}, only {string.Join(", ", properties.Select(known => known.Name))}.");
            }
            else if (IsRecord(property.PropertyType))
            {
                Unknown(child, property.PropertyType, isShared, faults);
            }
            else if (ElementOf(property.PropertyType) is { } element && IsRecord(element))
            {
                UnknownInList(child, element, isShared, faults);
            }
        }
    }

    /// <summary>The binder says nothing of what stands in a list and is no record: it would be missing, and nobody would know.</summary>
    private static void UnknownInList(IConfigurationSection given, Type element, bool isShared, List<string> faults)
    {
        foreach (var item in given.GetChildren())
            if (item.GetChildren().Any())
                Unknown(item, element, isShared, faults);
            else if (element.GetProperty(item.Key, BindingFlags.Public | BindingFlags.Instance | BindingFlags.IgnoreCase) is { } property)
                faults.Add($"There is no setting {item.Path}, {given.Path} is a list: did you mean {given.Path}:0:{property.Name}?");
            else
                faults.Add(
                    $"There is no setting {item.Path}, {given.Path} is a list: {given.Path}:0:{element.GetProperties()[0].Name} and "
                        + "so on.");
    }

    private static string? Nearest(string given, IEnumerable<string> known)
    {
        var most = given.Length <= 4 ? 1 : 2;
        return known.Select(name => (name, Distance: Distance(given.ToUpperInvariant(), name.ToUpperInvariant())))
            .Where(item => item.Distance <= most).OrderBy(item => item.Distance).Select(item => item.name).FirstOrDefault();
    }

    /// <summary>Letters to insert, drop, change, or swap with a neighbour.</summary>
    private static int Distance(string a, string b)
    {
        var distance = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    distance[i, j] = i + j;
                    continue;
                }
                var change = distance[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                distance[i, j] = Math.Min(change, 1 + Math.Min(distance[i - 1, j], distance[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    distance[i, j] = Math.Min(distance[i, j], distance[i - 2, j - 2] + 1);
            }
        return distance[a.Length, b.Length];
    }
}
