using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace FedKSeed.SeedService.Consumers;

/// <summary>
/// Writes what an operator wants into the log, with its actor: the clock and the book go by it from then on. A repeat changes nothing.
/// </summary>
public sealed partial class SteeringConsumer(FederationBooks books, ILogger<SteeringConsumer> log)
    : IConsumer<PauseFederation>, IConsumer<ResumeFederation>, IConsumer<BarClient>, IConsumer<ReadmitClient>
{
    public Task Consume(ConsumeContext<PauseFederation> context)
    {
        var pause = context.Message;
        return WriteAsync(
            context, pause.Federation, pause.Actor, (state, _, _) => FederationDecisions.Pause(state, pause.Reason, pause.Actor));
    }

    public Task Consume(ConsumeContext<ResumeFederation> context)
    {
        var resume = context.Message;
        return WriteAsync(context, resume.Federation, resume.Actor, (state, _, _) => FederationDecisions.Resume(state, resume.Actor));
    }

    public Task Consume(ConsumeContext<BarClient> context)
    {
        var bar = context.Message;
        return WriteAsync(
            context, bar.Federation, bar.Actor,
            (state, _, now) => FederationDecisions.Bar(state, bar.Client, bar.Reason, bar.Actor, bar.Until, now));
    }

    public Task Consume(ConsumeContext<ReadmitClient> context)
    {
        var readmit = context.Message;
        return WriteAsync(
            context, readmit.Federation, readmit.Actor,
            (state, _, now) => FederationDecisions.Readmit(state, readmit.Client, readmit.Reason, readmit.Actor, now));
    }

    private async Task WriteAsync(
        ConsumeContext context, string federation, string actor,
        Func<FederationState, IEnumerable<ScalarsReportedEntry>, DateTimeOffset, IReadOnlyList<LogEvent>> decide)
    {
        var book = await books.OfAsync(federation, context.CancellationToken);
        IReadOnlyList<LogEvent> written = [];
        await book.AppendWithReportsAsync(
            (state, inHand, now) => written = decide(state, inHand, now), context.CancellationToken);
        foreach (var entry in written)
            Steered(federation, actor, entry);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Federation} is steered by {Actor}: {Entry}")]
    private partial void Steered(string federation, string actor, LogEvent entry);
}
