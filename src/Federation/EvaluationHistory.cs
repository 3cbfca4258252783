using System.Collections.Immutable;
using FedKSeed.Federation.Log;

namespace FedKSeed.Federation;

/// <summary>How versions scored on held-out data. What is asked of it at every look is there without a search. Immutable.</summary>
public sealed class EvaluationHistory
{
    private readonly ImmutableDictionary<int, ModelEvaluatedEntry> _byVersion;

    private EvaluationHistory(
        ImmutableList<ModelEvaluatedEntry> all, ImmutableDictionary<int, ModelEvaluatedEntry> byVersion, ModelEvaluatedEntry? best) =>
        (All, _byVersion, Best) = (all, byVersion, best);

    public static EvaluationHistory None { get; } = new([], ImmutableDictionary<int, ModelEvaluatedEntry>.Empty, null);

    /// <summary>In the order of the log.</summary>
    public ImmutableList<ModelEvaluatedEntry> All { get; }

    /// <summary>The one with the least finite loss, the first of several; null when there is none.</summary>
    public ModelEvaluatedEntry? Best { get; }

    public ModelEvaluatedEntry? Of(int version) => _byVersion.GetValueOrDefault(version);

    internal EvaluationHistory Add(ModelEvaluatedEntry evaluated) => new(
        All.Add(evaluated),
        _byVersion.Add(evaluated.Version, evaluated),
        evaluated.Loss is { } loss && !(loss >= Best?.Loss) ? evaluated : Best);
}
