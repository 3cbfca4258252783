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
    FederationBooks books, SeedServiceMetrics metrics, ILogger<ScalarsReportedConsumer> log)
    : IConsumer<ScalarsReported>
{
    public async Task Consume(ConsumeContext<ScalarsReported> context)
    {
        var message = context.Message;
        // It goes into logs and answers.
        Names.RequireClient(message.Assignment.Client);
        var book = await books.OfAsync(message.Federation, context.CancellationToken);
        var verdict = await JudgeAsync(book, message, context.CancellationToken);
        if (verdict is ReportVerdict.Lost)
            Lost(message.Federation, message.Assignment);
        else if (verdict is ReportVerdict.Refuse refused)
            await RefuseAsync(context, book, refused.Reason);
        else
            await AcceptAsync(context, isRepeat: verdict is ReportVerdict.Repeat);
    }

    private static async Task<ReportVerdict> JudgeAsync(FederationBook book, ScalarsReported message, CancellationToken cancel)
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
            Repeated(message.Federation, message.Assignment);
        else
            Accepted(
                message.Federation, message.Assignment, message.Scalars.Length / sizeof(float), message.SkippedSteps.Count,
                message.Examples);
        var accepted = new ReportAccepted
        {
            Federation = message.Federation,
            Assignment = message.Assignment,
            ReportBytes = bytes,
        };
        await context.PublishInTimeAsync(accepted, context.CancellationToken);
    }

    private async Task RefuseAsync(ConsumeContext<ScalarsReported> context, FederationBook book, string reason)
    {
        var message = context.Message;
        metrics.Rejected();
        Refused(message.Federation, message.Assignment, reason);
        var rejected = new ReportRejected
        {
            Federation = message.Federation,
            Assignment = message.Assignment,
            Reason = reason,
        };
        await context.PublishInTimeAsync(rejected, context.CancellationToken);
        // Only a client of the book has a queue; a name that was made up must not create one.
        var state = await book.RefreshAsync(context.CancellationToken);
        if (state.HasAssigned(message.Assignment.Client))
            await context.TrySendToClientAsync(
                message.Assignment.Client, rejected, RoundPolicy.AssignmentLifetime(state.Settings!));
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "{Federation}: report {Assignment} accepted: {Scalars} scalars, {Skipped} skipped steps, {Examples} examples")]
    private partial void Accepted(string federation, AssignmentKey assignment, int scalars, int skipped, int examples);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Federation}: report {Assignment} is lost: the federation's dropout takes it")]
    private partial void Lost(string federation, AssignmentKey assignment);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Federation}: report {Assignment} came again")]
    private partial void Repeated(string federation, AssignmentKey assignment);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Federation}: report {Assignment} refused: {Reason}")]
    private partial void Refused(string federation, AssignmentKey assignment, string reason);
}
