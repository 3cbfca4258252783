using FedKSeed.Contracts;
using FedKSeed.LogStore;
using MassTransit;

namespace FedKSeed.SeedService.Consumers;

/// <summary>Notes that an evaluator is alive, and asks it for what is due.</summary>
public sealed class EvaluatorAnnouncedConsumer(FederationBooks books, Evaluations evaluations) : IConsumer<EvaluatorAnnounced>
{
    public async Task Consume(ConsumeContext<EvaluatorAnnounced> context)
    {
        var (federation, evaluator) = (context.Message.Federation, context.Message.Evaluator);
        // It becomes part of a queue's name.
        Names.RequireClient(evaluator);
        var book = await books.OfAsync(federation, context.CancellationToken);
        evaluations.Hear(book, evaluator);
        await evaluations.AskAsync(context, book, await book.RefreshAsync(context.CancellationToken));
    }
}
