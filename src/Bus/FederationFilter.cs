using FedKSeed.Contracts;
using MassTransit;

namespace FedKSeed.Bus;

/// <summary>
/// Lets messages of federations that this process serves through to their consumers and drops all others: of one that was removed, or that
/// somebody made up. A message that names no federation, a fault for example, is let through.
/// </summary>
internal sealed class FederationFilter<T>(IServedFederations? served = null) : IFilter<ConsumeContext<T>> where T : class
{
    // One delegate a type of message. Not an interface of the messages: the transport would make an exchange of it.
    // What opens a federation is of none that is there yet.
    private static readonly Func<T, string>? FederationOf = typeof(T) == typeof(OpenFederation)
        ? null
        : typeof(T).GetProperty(nameof(RoundStarted.Federation), typeof(string))?.GetMethod?.CreateDelegate<Func<T, string>>();

    // One that is dropped counts as consumed: what nobody consumed would be kept where messages of unknown types are.
    public async Task Send(ConsumeContext<T> context, IPipe<ConsumeContext<T>> next)
    {
        if (FederationOf is null || served is null || await served.ServesAsync(FederationOf(context.Message), context.CancellationToken))
            await next.Send(context);
        else
            await context.NotifyConsumed(TimeSpan.Zero, nameof(FederationFilter<T>));
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("federation");
}
