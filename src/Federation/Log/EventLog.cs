using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace FedKSeed.Federation.Log;

/// <summary>One line of the log.</summary>
public sealed record LogEntry(long Sequence, DateTimeOffset Time, LogEvent Event, string Hash);

/// <summary>Where the next entry goes: the number of entries so far and the hash of the last.</summary>
public readonly record struct LogHead(long Length, string Hash)
{
    /// <summary>The head of an empty log: 64 zeros.</summary>
    public static LogHead Start { get; } = new(0, new string('0', 64));
}

/// <summary>
/// The log as text (SPEC 12): one JSON object a line,
/// <c>{"sequence":0,"time":"…","event":{"kind":"…",…},"hash":"…"}</c>. The hash is SHA-256 over the previous entry's hash (64 hexadecimal
/// digits; zeros before the first) followed by the bytes of this line up to <c>,"hash"</c>: what was written is what is hashed, so
/// no second canonical form has to be agreed on.
/// </summary>
public static class EventLog
{
    /// <summary>Bytes of a line: no entry that these limits allow comes near it, and a reader need not hold more.</summary>
    public const int MaximumLine = 8 << 20;

    private const string HashField = ",\"hash\":\"";
    private static readonly int TailLength = HashField.Length + 64 + "\"}".Length;

    /// <summary>
    /// How entries are written, and what is refused: unknown or repeated members, names in another case, numbers for words.
    /// </summary>
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
        PropertyNameCaseInsensitive = false,
        NumberHandling = JsonNumberHandling.Strict,
        Converters = { new JsonStringEnumConverter(namingPolicy: null, allowIntegerValues: false) },
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { SettingsJson.LeaveOutDefaults } },
    };

    internal static JsonDocumentOptions Document { get; } = new() { AllowDuplicateProperties = false };

    /// <summary>Writes events as the lines that follow a head.</summary>
    public static (IReadOnlyList<string> Lines, IReadOnlyList<LogEntry> Entries) Write(
        LogHead head, DateTimeOffset time, IReadOnlyList<LogEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        var (lines, entries) = (new List<string>(events.Count), new List<LogEntry>(events.Count));
        foreach (var happened in events)
        {
            var content = JsonSerializer.Serialize(new Content(head.Length, time, happened), Json)[..^1];
            var hash = Hash(head.Hash, content);
            lines.Add($"{content}{HashField}{hash}\"}}");
            entries.Add(new LogEntry(head.Length, time, happened, hash));
            head = new LogHead(head.Length + 1, hash);
        }
        return (lines, entries);
    }

    /// <summary>Reads the line that follows a head, and checks that it does.</summary>
    /// <exception cref="InvalidEntryException">The line is not an entry, not the next one, or not what was once written.</exception>
    public static LogEntry Read(LogHead head, string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        if (line.Length > MaximumLine)
            throw new InvalidEntryException(head.Length, $"it is longer than {MaximumLine} bytes");
        if (line.Length <= TailLength || !line.AsSpan(line.Length - TailLength).StartsWith(HashField)
            || !line.EndsWith("\"}", StringComparison.Ordinal))
            throw new InvalidEntryException(head.Length, "the line does not end in a hash");
        var content = line[..^TailLength];
        var hash = line.Substring(line.Length - 66, 64);
        if (Hash(head.Hash, content) != hash)
            throw new InvalidEntryException(head.Length, "its hash does not follow from its content and the entry before it");
        var (_, time, happened) = Parse(head.Length, content);
        return new LogEntry(head.Length, time, happened, hash);
    }

    /// <summary>The hash that a line ends in, unchecked; null for what ends in none.</summary>
    public static string? HashOf(string line) =>
        line is not null && line.Length > TailLength && line.AsSpan(line.Length - TailLength).StartsWith(HashField)
            ? line.Substring(line.Length - 66, 64)
            : null;

    private static Content Parse(long sequence, string content)
    {
        try
        {
            var json = content + "}";
            var parsed = JsonSerializer.Deserialize<Content>(sequence == 0 ? LogProtocol.Upgrade(json) : json, Json)
                ?? throw new JsonException("it is null.");
            return parsed.Sequence == sequence
                ? parsed
                : throw new InvalidEntryException(sequence, $"it says that it is entry {parsed.Sequence}");
        }
        catch (Exception fault) when (fault is JsonException or NotSupportedException or InvalidOperationException or ArgumentException
            or FormatException)
        {
            throw new InvalidEntryException(
                sequence, $"it is not an entry that this version, which reads formats {LogProtocol.First} to {LogProtocol.Current}, knows: "
                    + fault.Message);
        }
    }

    private static string Hash(string previous, string content) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(previous + content)));

    private sealed record Content(long Sequence, DateTimeOffset Time, LogEvent Event);
}

/// <summary>An entry of the log that cannot be what was written, or that does not follow from the entries before it.</summary>
public sealed class InvalidEntryException(long sequence, string reason) : Exception($"Entry {sequence} is wrong: {reason}.")
{
    public long Sequence { get; } = sequence;

    public string Reason { get; } = reason;
}
