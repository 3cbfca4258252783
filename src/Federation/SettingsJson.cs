using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FedKSeed.Federation.Log;

namespace FedKSeed.Federation;

/// <summary>
/// A setting that is younger than logs are: its default is what logs without it mean. In logs it is left out where it has its default, so
/// that they read as before.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class LeftOutByDefaultAttribute : Attribute;

/// <summary>Settings as text: how they are compared, and handed to a process as configuration.</summary>
public static class SettingsJson
{
    /// <summary>
    /// The one text of these settings, members in the order of their record. Two settings are the same when their texts are: a list within
    /// them would have records of equal content differ.
    /// </summary>
    public static string Canonical(FederationSettings settings) => JsonSerializer.Serialize(settings, EventLog.Json);

    /// <summary>Where two settings differ: the path of each member, and its value in both.</summary>
    public static IEnumerable<(string Path, string? One, string? Other)> Differences(FederationSettings one, FederationSettings other)
    {
        var (left, right) = (Members(one), Members(other));
        foreach (var path in left.Keys.Union(right.Keys))
            if (left.GetValueOrDefault(path) is var a && right.GetValueOrDefault(path) is var b && a != b)
                yield return (path, a, b);
    }

    /// <summary>The members as configuration of a host: path by colons, below a section.</summary>
    public static IEnumerable<KeyValuePair<string, string?>> Configuration(FederationSettings settings, string section) =>
        Members(settings).Select(member => KeyValuePair.Create<string, string?>($"{section}:{member.Key}", member.Value));

    /// <summary>What <see cref="LeftOutByDefaultAttribute"/> says, for the serializer.</summary>
    internal static void LeaveOutDefaults(JsonTypeInfo type)
    {
        if (type.Type != typeof(FederationSettings))
            return;
        var defaults = new FederationSettings();
        foreach (var member in type.Properties)
        {
            if (member.AttributeProvider?.IsDefined(typeof(LeftOutByDefaultAttribute), inherit: false) != true)
                continue;
            var standard = member.Get!(defaults);
            member.ShouldSerialize = (_, value) => !Equals(value, standard);
        }
    }

    private static Dictionary<string, string?> Members(FederationSettings settings)
    {
        var members = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        Collect(JsonSerializer.SerializeToElement(settings, EventLog.Json), "", members);
        return members;
    }

    private static void Collect(JsonElement element, string path, Dictionary<string, string?> members)
    {
        var prefix = path.Length == 0 ? "" : path + ":";
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                    Collect(member.Value, prefix + member.Name, members);
                break;
            case JsonValueKind.Array:
                foreach (var (item, at) in element.EnumerateArray().Select((item, at) => (item, at)))
                    Collect(item, $"{prefix}{at}", members);
                break;
            case JsonValueKind.Null:
                members[path] = null;
                break;
            default:
                members[path] = element.ToString();
                break;
        }
    }
}
