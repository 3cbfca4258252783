using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using FedKSeed.Operations;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace FedKSeed.SeedService.Consumers;

/// <summary>Commits the reports in hand; a repeat announces the same commit again.</summary>
public sealed partial class RoundClosedConsumer(
    FederationBooks books, Evaluations evaluations, SeedServiceMetrics metrics, TimeProvider time, ILogger<RoundClosedConsumer> log)
    : IConsumer<RoundClosed>
{
    public async Task Consume(ConsumeContext<RoundClosed> context)
    {
        var closed = context.Message;
        using var trace = RoundTrace.Start(closed.Federation, closed.Round, "commit");
        var began = time.GetTimestamp();
        var book = await books.OfAsync(closed.Federation, context.CancellationToken);
        var reason = IncomingMessages.Reason<RoundEnd>(closed.Reason);
        IReadOnlyList<LogEvent> written = [];
        var state = await book.AppendWithReportsAsync(
            (state, inHand, now) => written = FederationDecisions.Commit(state, closed.Round, reason, inHand, now),
            context.CancellationToken);
        if (state.LastCommit is not { } commit || commit.Round != closed.Round)
            return;
        if (written.Count > 0)
        {
            var late = commit.Reports.Count(report => report.Round != commit.Round);
            Committed(closed.Federation, commit.Round, reason, commit.Version, commit.Reports.Count, late, commit.Digest);
        }

        metrics.Committed(time.GetElapsedTime(began));
        var committed = new RoundCommitted
        {
            Federation = closed.Federation,
            Round = commit.Round,
            Version = commit.Version,
            Reports = commit.Reports.Count,
        };
        await context.PublishInTimeAsync(committed, context.CancellationToken);
        await evaluations.AskAsync(context, book, state);
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "{Federation}: round {Round} closed ({Reason}) and is version {Version}: {Reports} reports, {Late} of them late, "
            + "digest {Digest}")]
    private partial void Committed(
        string federation, int round, RoundEnd reason, int version, int reports, int late, string digest);
}
