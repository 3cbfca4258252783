using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using FedKSeed.Contracts;
using FedKSeed.Federation.Rates;
using FedKSeed.Federation.Sampling;

namespace FedKSeed.Federation.Log;

/// <summary>A text that is no checkpoint of this version's fold, or was changed since it was written.</summary>
public sealed class InvalidCheckpointException(string reason) : Exception(reason);

/// <summary>
/// The fold's state at an entry of the log, as text, so that a service need not fold the log from its beginning:
/// <c>{"format":5,"length":…,"hash":"…","digest":"…"}</c>, a line feed, and the state as JSON; "hash" is that of the last entry folded,
/// "digest" SHA-256 of the rest. It stands beside the log, and is never a part of it: whoever reads it compares the hash with the log's at
/// that entry, and folds the log when they differ. Whatever verifies a log does not use it.
/// </summary>
public static class StateCheckpoint
{
    /// <summary>Another number for each change of what the fold keeps, or of how it folds.</summary>
    private const int Format = 5;

    /// <param name="state">Of an open federation.</param>
    public static string Write(FederationState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        var content = JsonSerializer.Serialize(ContentOf(state), EventLog.Json);
        var header = JsonSerializer.Serialize(new Header(Format, state.Head.Length, state.Head.Hash, Digest(content)), EventLog.Json);
        return $"{header}\n{content}";
    }

    /// <summary>The state; its head says where in the log it belongs.</summary>
    /// <exception cref="InvalidCheckpointException">It is none, of another format, or not what was written.</exception>
    public static FederationState Read(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var end = text.IndexOf('\n', StringComparison.Ordinal);
        if (end < 0)
            throw new InvalidCheckpointException("it has no header");
        var header = Parse<Header>(text[..end]);
        if (header.Format != Format)
            throw new InvalidCheckpointException($"its format is {header.Format}, not {Format}");
        var content = text[(end + 1)..];
        if (Digest(content) != header.Digest)
            throw new InvalidCheckpointException("its digest is not that of its content");
        return StateOf(header, Parse<Content>(content));
    }

    private static Content ContentOf(FederationState state) => new(
        state.Protocol, state.Settings!, state.OpenedAt, state.Version, state.LastRound,
        state.Round is { } round ? new OpenRoundContent(round.Number, [.. round.Participants], round.StartedAt) : null,
        state.Accumulators, state.Importance.Counts, state.Importance.Amplitudes,
        [.. state.Histories.ByClient.Select(client => new HistoryContent(client.Key, client.Value))],
        [.. state.Assignments.Values.Select(ContentOf)],
        state.Uncommitted.ConvertAll(item => new UncommittedContent(item.Report, ContentOf(item.Assignment), item.Seeds)),
        state.LastCommit, state.LastCommitHadScalars, state.VersionSince, [.. state.Evaluations.Values],
        state.FirstEvaluation, state.LatestEvaluation, state.BestEvaluation, state.TargetReachedBy, state.Closed,
        state.Paused, [.. state.Barred.Values]);

    private static FederationState StateOf(Header header, Content content)
    {
        var importance = new Importance(content.Counts, content.Amplitudes);
        return new FederationState
        {
            Protocol = content.Protocol,
            Settings = content.Settings,
            OpenedAt = content.OpenedAt,
            Head = new LogHead(header.Length, header.Hash),
            Version = content.Version,
            LastRound = content.LastRound,
            Round = content.Round is { } round
                ? new OpenRound(round.Number, round.Participants.ToImmutableSortedSet(StringComparer.Ordinal), round.StartedAt)
                : null,
            Accumulators = content.Accumulators,
            Importance = importance,
            Distribution = content.Settings.Sampling.Distribution(importance),
            Histories = new ClientHistories(
                content.Settings,
                content.Histories.ToImmutableSortedDictionary(item => item.Client, item => item.History, StringComparer.Ordinal)),
            Assignments = content.Assignments.Select(AssignmentOf).ToImmutableSortedDictionary(assignment => assignment.Key, item => item),
            Uncommitted = [.. content.Uncommitted.Select(
                item => new UncommittedReport(item.Report, AssignmentOf(item.Assignment), item.Seeds))],
            LastCommit = content.LastCommit,
            LastCommitHadScalars = content.LastCommitHadScalars,
            VersionSince = content.VersionSince,
            Evaluations = content.Evaluations.ToImmutableSortedDictionary(evaluated => evaluated.Version, evaluated => evaluated),
            FirstEvaluation = content.FirstEvaluation,
            LatestEvaluation = content.LatestEvaluation,
            BestEvaluation = content.BestEvaluation,
            TargetReachedBy = content.TargetReachedBy,
            Closed = content.Closed,
            Paused = content.Paused,
            Barred = content.Barred.ToImmutableSortedDictionary(barred => barred.Client, barred => barred, StringComparer.Ordinal),
        };
    }

    private static AssignmentContent ContentOf(Assignment assignment) => new(
        assignment.Key, assignment.BaseVersion, assignment.LearningRate, assignment.Seeds, assignment.AssignedAt, assignment.IsReported,
        assignment.IsLost);

    private static Assignment AssignmentOf(AssignmentContent content) => new(
        content.Key, content.BaseVersion, content.LearningRate, content.Seeds, content.AssignedAt, content.IsReported, content.IsLost);

    private static T Parse<T>(string json) where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(json, EventLog.Json) ?? throw new InvalidCheckpointException("it is null");
        }
        catch (JsonException fault)
        {
            throw new InvalidCheckpointException(fault.Message);
        }
    }

    private static string Digest(string content) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)));

    private sealed record Header(int Format, long Length, string Hash, string Digest);

    private sealed record Content(
        int Protocol,
        FederationSettings Settings,
        DateTimeOffset OpenedAt,
        int Version,
        int LastRound,
        OpenRoundContent? Round,
        [property: JsonConverter(typeof(Base64Memory<long>))] ReadOnlyMemory<long> Accumulators,
        [property: JsonConverter(typeof(Base64Memory<int>))] ReadOnlyMemory<int> Counts,
        [property: JsonConverter(typeof(Base64Memory<long>))] ReadOnlyMemory<long> Amplitudes,
        IReadOnlyList<HistoryContent> Histories,
        IReadOnlyList<AssignmentContent> Assignments,
        IReadOnlyList<UncommittedContent> Uncommitted,
        RoundCommittedEntry? LastCommit,
        bool LastCommitHadScalars,
        DateTimeOffset VersionSince,
        IReadOnlyList<ModelEvaluatedEntry> Evaluations,
        ModelEvaluatedEntry? FirstEvaluation,
        ModelEvaluatedEntry? LatestEvaluation,
        ModelEvaluatedEntry? BestEvaluation,
        ModelEvaluatedEntry? TargetReachedBy,
        FederationClosedEntry? Closed,
        FederationPausedEntry? Paused,
        IReadOnlyList<ClientBarredEntry> Barred);

    private sealed record OpenRoundContent(int Number, IReadOnlyList<string> Participants, DateTimeOffset StartedAt);

    private sealed record HistoryContent(string Client, ClientHistory History);

    private sealed record UncommittedContent(
        ScalarsReportedEntry Report,
        AssignmentContent Assignment,
        [property: JsonConverter(typeof(Base64Memory<ushort>))] ReadOnlyMemory<ushort> Seeds);

    private sealed record AssignmentContent(
        AssignmentKey Key,
        int BaseVersion,
        double LearningRate,
        [property: JsonConverter(typeof(Base64Memory<ushort>))] ReadOnlyMemory<ushort> Seeds,
        DateTimeOffset AssignedAt,
        bool IsReported,
        bool IsLost);
}
