using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using FedKSeed.Operations;
using MassTransit;

namespace FedKSeed.SeedService.Consumers;

/// <summary>Commits the reports in hand; a repeat announces the same commit again.</summary>
public sealed class RoundClosedConsumer(
    FederationBook book, FederationName federation, SeedServiceMetrics metrics, TimeProvider time) : IConsumer<RoundClosed>
{
    public async Task Consume(ConsumeContext<RoundClosed> context)
    {
        var closed = context.Message;
        if (closed.Federation != federation.Value)
            return;
        using var trace = RoundTrace.Start(closed.Federation, closed.Round, "commit");
        var began = time.GetTimestamp();
        var reason = IncomingMessages.Reason<RoundEnd>(closed.Reason);
        var state = await book.AppendWithReportsAsync(
            (state, inHand) => FederationDecisions.Commit(state, closed.Round, reason, inHand), context.CancellationToken);
        if (state.LastCommit is not { } commit || commit.Round != closed.Round)
            return;

        metrics.Committed(time.GetElapsedTime(began));
        var committed = new RoundCommitted
        {
            Federation = closed.Federation,
            Round = commit.Round,
            Version = commit.Version,
            Reports = commit.Reports.Count,
        };
        await context.PublishInTimeAsync(committed, context.CancellationToken);
        if (state.Settings!.IsEvaluationDue(commit.Version) && state.EvaluationOf(commit.Version) is null)
            await context.PublishInTimeAsync(
                new EvaluationRequested
                {
                    Federation = closed.Federation,
                    Model = OutgoingMessages.Model(state)
                }, context.CancellationToken);
    }
}
