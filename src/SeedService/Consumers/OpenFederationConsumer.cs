using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.LogStore;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace FedKSeed.SeedService.Consumers;

/// <summary>Writes the first entry of a federation's log; a repeat announces it again.</summary>
public sealed partial class OpenFederationConsumer(FederationBooks books, ILogger<OpenFederationConsumer> log) : IConsumer<OpenFederation>
{
    public async Task Consume(ConsumeContext<OpenFederation> context)
    {
        var state = await OpenAsync(
            IncomingMessages.Settings(context.Message), context.Message.Actor, context.CancellationToken);
        Opened(context.Message.Federation, state.Version, state.Head.Length);
        await context.PublishInTimeAsync(new FederationOpened { Federation = context.Message.Federation }, context.CancellationToken);
    }

    /// <exception cref="FormatException">It was opened with other settings: trying again would not help.</exception>
    private async Task<FederationState> OpenAsync(FederationSettings settings, string actor, CancellationToken cancel)
    {
        try
        {
            return await books.OpenAsync(settings, actor, cancel);
        }
        catch (InvalidOperationException fault)
        {
            throw new FormatException(fault.Message, fault);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Federation} is open at version {Version}, {Entries} entries")]
    private partial void Opened(string federation, int version, long entries);
}
