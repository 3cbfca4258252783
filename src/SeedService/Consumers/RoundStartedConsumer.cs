using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rounds;
using FedKSeed.LogStore;
using FedKSeed.Operations;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace FedKSeed.SeedService.Consumers;

/// <summary>
/// Draws the seeds of a round and sends every participant its assignment; a repeat sends those again that wait for a report.
/// </summary>
public sealed partial class RoundStartedConsumer(
    FederationBooks books, VersionHistories histories, TimeProvider time, ILogger<RoundStartedConsumer> log)
    : IConsumer<RoundStarted>
{
    // One megabyte of assignments at K = 4096.
    private const int AssignmentsUnderWay = 64;

    public async Task Consume(ConsumeContext<RoundStarted> context)
    {
        var started = context.Message;
        using var trace = RoundTrace.Start(started.Federation, started.Round, "assignments");
        foreach (var client in started.Participants)
            Names.RequireClient(client);
        var book = await books.OfAsync(started.Federation, context.CancellationToken);
        var inHand = await book.Log.ReadInHandKeysAsync(context.CancellationToken);
        IReadOnlyList<LogEvent> written = [];
        var state = await book.AppendAsync(
            (state, now) => written = state.Round?.Number == started.Round
                ? FederationDecisions.JoinRound(state, started.Round, started.Participants, inHand, now)
                : FederationDecisions.StartRound(state, started.Round, started.Participants, now),
            context.CancellationToken);
        if (written is [RoundStartedEntry entry, ..])
            Started(started.Federation, entry.Round, entry.Participants.Count, state.Version);
        if (state.Round?.Number != started.Round)
            return;

        var versions = histories.Of(book);
        var version = versions.Of(state);
        var addressed = started.Participants.ToHashSet(StringComparer.Ordinal);
        var waiting = state.Assignments.Values.Where(assignment => assignment.Key.Round == started.Round
            && addressed.Contains(assignment.Key.Client) && !assignment.IsReported && !inHand.Contains(assignment.Key)
            && !state.IsBarred(assignment.Key.Client, time.GetUtcNow()));
        // The broker confirms each after its disk did, many at once as soon as one.
        var sending = new ParallelOptions { MaxDegreeOfParallelism = AssignmentsUnderWay, CancellationToken = context.CancellationToken };
        await Parallel.ForEachAsync(waiting, sending, async (assignment, _) =>
        {
            var since = versions.Find(state.VersionBefore(assignment.Key));
            var message = OutgoingMessages.Assignment(state.Settings!, version, since, assignment);
            if (!await context.TrySendToClientAsync(
                assignment.Key.Client, message, RoundPolicy.AssignmentLifetime(state.Settings!)))
                Unreachable(started.Federation, assignment.Key.Client, started.Round);
        });
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "{Federation}: round {Round} started: {Clients} clients work from version {Version}")]
    private partial void Started(string federation, int round, int clients, int version);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Federation}: {Client} takes part in round {Round} and has no queue: no worker of it ever connected")]
    private partial void Unreachable(string federation, string client, int round);
}
