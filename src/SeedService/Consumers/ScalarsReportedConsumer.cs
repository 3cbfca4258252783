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
        // It goes into logs and answers.
        FederationName.RequireClient(message.Client);
        var verdict = await JudgeAsync(message, context.CancellationToken);
        if (verdict is ReportVerdict.Refuse refused)
            await RefuseAsync(context, refused.Reason);
        else
            await AcceptAsync(context, isRepeat: verdict is ReportVerdict.Repeat);
    }

    private async Task<ReportVerdict> JudgeAsync(ScalarsReported message, CancellationToken cancel)
    {
        try
        {
            return await book.HoldAsync(IncomingMessages.Report(message), cancel);
        }
        catch (FormatException fault)
        {
            return new ReportVerdict.Refuse(fault.Message);
        }
    }

    private async Task AcceptAsync(ConsumeContext<ScalarsReported> context, bool isRepeat)
    {
        var message = context.Message;
        var bytes = context.ReceiveContext.Body.Length ?? 0;
        metrics.Accepted(bytes);
        if (isRepeat)
            Repeated(message.Client, message.Round);
        else
            Accepted(message.Client, message.Round, message.Scalars.Length / sizeof(float), message.SkippedSteps.Count, message.Examples);
        var accepted = new ReportAccepted
        {
            Federation = message.Federation,
            Round = message.Round,
            Client = message.Client,
            Turn = message.Turn,
            ReportBytes = bytes,
        };
        await context.PublishInTimeAsync(accepted, context.CancellationToken);
    }

    private async Task RefuseAsync(ConsumeContext<ScalarsReported> context, string reason)
    {
        var message = context.Message;
        metrics.Rejected();
        Refused(message.Client, message.Round, reason);
        var rejected = new ReportRejected
        {
            Federation = message.Federation,
            Round = message.Round,
            Client = message.Client,
            Turn = message.Turn,
            Reason = reason,
        };
        await context.PublishInTimeAsync(rejected, context.CancellationToken);
        // Only a client of the book has a queue; a name that was made up must not create one.
        var state = await book.RefreshAsync(context.CancellationToken);
        if (state.HasAssigned(message.Client))
            await context.TrySendToClientAsync(federation, message.Client, rejected, RoundPolicy.AssignmentLifetime(state.Settings!));
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Report of {Client} for round {Round} accepted: {Scalars} scalars, {Skipped} skipped steps, {Examples} examples")]
    private partial void Accepted(string client, int round, int scalars, int skipped, int examples);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Report of {Client} for round {Round} came again")]
    private partial void Repeated(string client, int round);

    [LoggerMessage(Level = LogLevel.Information, Message = "Report of {Client} for round {Round} refused: {Reason}")]
    private partial void Refused(string client, int round, string reason);
}
