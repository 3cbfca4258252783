using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace FedKSeed.SeedService.Consumers;

/// <summary>Records an evaluation in the log, once per version.</summary>
public sealed partial class ModelEvaluatedConsumer(FederationBooks books, ILogger<ModelEvaluatedConsumer> log) : IConsumer<ModelEvaluated>
{
    public async Task Consume(ConsumeContext<ModelEvaluated> context)
    {
        var entry = IncomingMessages.Evaluation(context.Message);
        var book = await books.OfAsync(context.Message.Federation, context.CancellationToken);
        IReadOnlyList<LogEvent> recorded = [];
        await book.AppendAsync((state, _) => recorded = FederationDecisions.Evaluate(state, entry), context.CancellationToken);
        if (recorded.Count > 0)
            Evaluated(context.Message.Federation, entry.Version, entry.Loss, entry.ExactMatch, entry.RougeL, entry.Examples);
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "{Federation}: version {Version} evaluated: loss {Loss:F4}, exact match {ExactMatch:P1}, ROUGE-L {RougeL:F3} on "
            + "{Examples} examples")]
    private partial void Evaluated(
        string federation, int version, double? loss, double exactMatch, double rougeL, int examples);
}
