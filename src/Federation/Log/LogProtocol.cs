using System.Text.Json;
using System.Text.Json.Nodes;

namespace FedKSeed.Federation.Log;

/// <summary>
/// Formats of the log. Its first entry carries the number of the one that it is written in; every format that there ever was can be read.
/// <code>
/// 1   no number in the entry; the settings hold scheme, pool key and seed count side by side
/// 2   the settings hold them as one record, directions
/// 3   assignments and reports do not repeat the seeds that whoever folds the log draws anyway; a report has the steps that it skipped
/// 4   whoever steers the federation is in it: entries for pausing, resuming, barring and readmitting, an actor of opening and stopping
/// </code>
/// </summary>
public static class LogProtocol
{
    public const int First = 1;

    /// <summary>What is written today.</summary>
    public const int Current = 4;

    /// <summary>The last format in which assignments and reports carry their seeds.</summary>
    internal const int LastWithSeeds = 2;

    /// <summary>The first format that has entries for what people do to a federation, and actors.</summary>
    internal const int FirstSteered = 4;

    private static readonly string[] FlatDirections = ["scheme", "poolKey", "seedCount"];

    /// <summary>Brings the content of a log's first entry, as JSON, to the present form. What is not an opening stays as it is.</summary>
    /// <exception cref="InvalidEntryException">A newer format than this version reads.</exception>
    /// <exception cref="JsonException">It is not JSON.</exception>
    internal static string Upgrade(string content)
    {
        if (JsonNode.Parse(content, documentOptions: EventLog.Document) is not JsonObject { } entry
            || entry["event"] is not JsonObject opened || opened["settings"] is not JsonObject settings)
            return content;
        if (opened["protocol"] is { } number)
        {
            var isKnown = number.GetValueKind() == JsonValueKind.Number && number.AsValue().TryGetValue<int>(out var protocol)
                && protocol is > First and <= Current;
            return isKnown
                ? content
                : throw new InvalidEntryException(
                    0,
                    $"it is written in format {number.ToJsonString()}, this version reads {First} to {Current}: a newer fedkseed reads it");
        }
        UpgradeSettings(settings);
        opened["protocol"] = First;
        return entry.ToJsonString(EventLog.Json);
    }

    /// <summary>Settings as format 1 has them become what they are today; present ones stay as they are.</summary>
    /// <returns>Whether they were of format 1.</returns>
    public static bool UpgradeSettings(JsonObject settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var directions = new JsonObject();
        foreach (var name in FlatDirections)
            if (settings.Remove(name, out var value))
                directions[name] = value;
        if (directions.Count == 0)
            return false;
        settings["directions"] = directions;
        return true;
    }
}
