using MassTransit;

namespace FedKSeed.Bus;

/// <summary>
/// Lets messages of this process's federation through to their consumers and drops all others: federations of one broker share the
/// exchanges of their messages. A message that names no federation, a fault for example, is let through.
/// </summary>
internal sealed class FederationFilter<T>(FederationName federation) : IFilter<ConsumeContext<T>> where T : class
{
    // One delegate a type of message. Not an interface of the messages: the transport would make an exchange of it.
    private static readonly Func<T, string>? FederationOf =
        typeof(T).GetProperty(nameof(Contracts.RoundStarted.Federation), typeof(string))?.GetMethod?.CreateDelegate<Func<T, string>>();

    // One that is dropped counts as consumed: what nobody consumed would be kept where messages of unknown types are.
    public Task Send(ConsumeContext<T> context, IPipe<ConsumeContext<T>> next) =>
        FederationOf is null || FederationOf(context.Message) == federation.Value
            ? next.Send(context)
            : context.NotifyConsumed(TimeSpan.Zero, nameof(FederationFilter<T>));

    public void Probe(ProbeContext context) => context.CreateFilterScope("federation");
}
