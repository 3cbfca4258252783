using System.Runtime.CompilerServices;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.LogStore;
using FedKSeed.SeedService.Consumers;
using MassTransit;

namespace FedKSeed.SeedService;

/// <summary>
/// Asks an evaluator for the evaluation that is due and not there: when a version is made, and when an evaluator says that it is alive.
/// Which evaluators there are is what was heard of them; losing it costs a heartbeat. Asked twice, an evaluator that has scored a version
/// answers at once. Safe to call from any thread.
/// </summary>
public sealed class Evaluations(VersionHistories histories, TimeProvider time)
{
    /// <summary>After which an evaluator is asked again, and what it was asked before is dropped by the broker.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    private readonly ConditionalWeakTable<FederationBook, Heard> _byBook = [];

    /// <summary>An evaluator of the federation is alive.</summary>
    public void Hear(FederationBook book, string evaluator) => _byBook.GetOrCreateValue(book).Evaluator = evaluator;

    public async Task AskAsync(ConsumeContext context, FederationBook book, FederationState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        var isDue = state.Settings is { } settings && state.Closed is null && settings.IsEvaluationDue(state.Version)
            && state.EvaluationOf(state.Version) is null;
        if (!isDue || _byBook.GetOrCreateValue(book).ToAsk(state.Version, time) is not { } evaluator)
            return;
        var request = new EvaluationRequested { Federation = state.Settings!.Name, Model = histories.Of(book).Of(state).Model };
        await context.TrySendToEvaluatorAsync(evaluator, request, Interval);
    }

    private sealed class Heard
    {
        private readonly Lock _lock = new();
        private (int Version, long At)? _asked;

        public volatile string? Evaluator;

        /// <summary>Null where none was heard of, or one was asked a moment ago.</summary>
        public string? ToAsk(int version, TimeProvider time)
        {
            lock (_lock)
            {
                if (Evaluator is null || _asked is { } asked && asked.Version == version && time.GetElapsedTime(asked.At) < Interval)
                    return null;
                _asked = (version, time.GetTimestamp());
                return Evaluator;
            }
        }
    }
}
