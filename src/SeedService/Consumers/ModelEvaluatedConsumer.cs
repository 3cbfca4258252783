using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.LogStore;
using MassTransit;

namespace FedKSeed.SeedService.Consumers;

/// <summary>Records an evaluation in the log, once per version.</summary>
public sealed class ModelEvaluatedConsumer(FederationBook book, FederationName federation) : IConsumer<ModelEvaluated>
{
    public async Task Consume(ConsumeContext<ModelEvaluated> context)
    {
        var evaluated = context.Message;
        if (evaluated.Federation != federation.Value)
            return;
        var entry = IncomingMessages.Evaluation(evaluated);
        await book.AppendAsync(state => FederationDecisions.Evaluate(state, entry), context.CancellationToken);
    }
}
