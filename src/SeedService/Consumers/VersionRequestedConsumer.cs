using FedKSeed.Contracts;
using FedKSeed.Federation.Rounds;
using FedKSeed.LogStore;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace FedKSeed.SeedService.Consumers;

/// <summary>Sends an assignment again, with the whole version, to a client whose worker could not make it out of what it holds.</summary>
public sealed partial class VersionRequestedConsumer(
    FederationBooks books, VersionHistories histories, TimeProvider time, ILogger<VersionRequestedConsumer> log)
    : IConsumer<VersionRequested>
{
    public async Task Consume(ConsumeContext<VersionRequested> context)
    {
        var key = context.Message.Assignment;
        Names.RequireClient(key.Client);
        var book = await books.OfAsync(context.Message.Federation, context.CancellationToken);
        var versions = histories.Of(book);
        var state = await book.RefreshAsync(context.CancellationToken);
        if (state.Closed is not null || !state.Assignments.TryGetValue(key, out var assignment) || assignment.IsReported
            || state.IsBarred(key.Client, time.GetUtcNow()))
            return;
        var version = assignment.BaseVersion == state.Version ? versions.Of(state) : versions.Find(assignment.BaseVersion);
        if (version is null)
        {
            Gone(context.Message.Federation, key, assignment.BaseVersion);
            return;
        }
        var message = OutgoingMessages.Assignment(state.Settings!, version, since: null, assignment);
        await context.TrySendToClientAsync(key.Client, message, RoundPolicy.AssignmentLifetime(state.Settings!));
        SentWhole(context.Message.Federation, key, assignment.BaseVersion);
    }

    [LoggerMessage(
        Level = LogLevel.Debug,
        Message = "{Federation}: assignment {Assignment} is sent again with the whole of version {Version}")]
    private partial void SentWhole(string federation, AssignmentKey assignment, int version);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "{Federation}: assignment {Assignment} cannot be sent again: version {Version} is past, and this process never held it")]
    private partial void Gone(string federation, AssignmentKey assignment, int version);
}
