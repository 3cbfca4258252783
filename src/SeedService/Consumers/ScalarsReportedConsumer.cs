using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Rounds;
using FedKSeed.LogStore;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace FedKSeed.SeedService.Consumers;

/// <summary>Checks a report against the book and takes it in hand, or tells its client why not.</summary>
public sealed partial class ScalarsReportedConsumer(
    FederationBook book, FederationName federation, SeedServiceMetrics metrics, ILogger<ScalarsReportedConsumer> log)
    : IConsumer<ScalarsReported>
{
    public async Task Consume(ConsumeContext<ScalarsReported> context)
    {
        var message = context.Message;
        if (message.Federation != federation.Value)
            return;
        if (await RefusalAsync(message, context.CancellationToken) is not { } refusal)
        {
            metrics.Accepted(context.ReceiveContext.Body.Length ?? 0);
            var accepted = new ReportAccepted
            {
                Federation = message.Federation,
                Assignment = message.Assignment,
                ReportBytes = context.ReceiveContext.Body.Length ?? 0,
            };
            await context.PublishInTimeAsync(accepted, context.CancellationToken);
            return;
        }

        metrics.Rejected();
        Rejected(message.Assignment.Client, message.Assignment.Round, refusal);
        var rejected = new ReportRejected
        {
            Federation = message.Federation,
            Assignment = message.Assignment,
            Reason = refusal,
        };
        await context.PublishInTimeAsync(rejected, context.CancellationToken);
        // Only a client of the book has a queue; a name that was made up must not create one.
        var state = await book.RefreshAsync(context.CancellationToken);
        if (state.Assignments.Keys.Any(key => key.Client == message.Assignment.Client))
            await context.TrySendToClientAsync(
                federation,
                message.Assignment.Client,
                rejected,
                RoundPolicy.AssignmentLifetime(state.Settings!));
    }

    private async Task<string?> RefusalAsync(ScalarsReported message, CancellationToken cancel)
    {
        try
        {
            return await book.HoldAsync(IncomingMessages.Report(message), cancel) is ReportVerdict.Refuse refused ? refused.Reason : null;
        }
        catch (FormatException fault)
        {
            return fault.Message;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Report of {Client} for round {Round} rejected: {Reason}")]
    private partial void Rejected(string client, int round, string reason);
}
