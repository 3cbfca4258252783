using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using FedKSeed.Federation.Log;

namespace FedKSeed.RoundService.Api;

/// <summary>A line of a log, which nobody has verified. Pure.</summary>
internal static class LogLine
{
    private const string Field = "\"event\":{\"kind\":\"";

    /// <summary>As the log's JSON names them.</summary>
    public static IReadOnlyList<string> Kinds { get; } =
        [.. typeof(LogEvent).GetCustomAttributes<JsonDerivedTypeAttribute>().Select(kind => (string)kind.TypeDiscriminator!)];

    /// <summary>What happened, without reading the line as JSON: within a text the quotes of this field would be escaped.</summary>
    public static string? KindIn(string line)
    {
        var at = line.IndexOf(Field, StringComparison.Ordinal);
        var end = at < 0 ? -1 : line.IndexOf('"', at + Field.Length);
        return end < 0 ? null : line[(at + Field.Length)..end];
    }

    public static bool IsLast(string line) => KindIn(line) == "FederationClosed";

    /// <summary>Whether it is of a kind, concerns a client, and is of a round; null for any. What is no entry is of none.</summary>
    public static bool Is(string line, string? kind, string? client, int? round)
    {
        if (kind is not null && KindIn(line) != kind)
            return false;
        if (client is null && round is null)
            return true;
        try
        {
            using var entry = JsonDocument.Parse(line);
            return entry.RootElement.TryGetProperty("event", out var happened)
                && (round is null || (happened.TryGetProperty("round", out var number) && number.GetInt32() == round))
                && (client is null || Concerns(happened, client));
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException or FormatException)
        {
            return false;
        }
    }

    /// <summary>Whether a client was asked for something, reported, is counted in, was barred or readmitted.</summary>
    private static bool Concerns(JsonElement happened, string client) =>
        (happened.TryGetProperty("client", out var one) && one.GetString() == client)
            || (happened.TryGetProperty("participants", out var participants)
                && participants.EnumerateArray().Any(participant => participant.GetString() == client))
            || (happened.TryGetProperty("reports", out var reports)
                && reports.EnumerateArray().Any(report => report.GetProperty("client").GetString() == client));
}
