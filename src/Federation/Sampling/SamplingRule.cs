using System.ComponentModel;
using System.Text.Json.Serialization;

namespace FedKSeed.Federation.Sampling;

/// <summary>
/// How the seeds of assignments are drawn: a distribution over the pool, as a pure function of the importance at a version.
/// </summary>
[JsonConverter(typeof(RuleJson<SamplingRule>))]
[TypeConverter(typeof(RuleText<SamplingRule>))]
public abstract class SamplingRule : IRule<SamplingRule>
{
    /// <summary>FedKSeed: every direction of the pool is equally likely.</summary>
    public static SamplingRule Uniform { get; } = new UniformSampling();

    /// <summary>FedKSeed-Pro by the plain mean of a seed's amplitudes.</summary>
    public static SamplingRule Importance { get; } = new ImportanceSampling("Importance", emptyObservations: 0);

    /// <summary>
    /// FedKSeed-Pro as its authors' code has it: a seed's history begins with one 0, so that its mean is Σ|g|/(n + 1), and one that was
    /// seen once is not yet believed.
    /// </summary>
    public static SamplingRule ShrunkImportance { get; } = new ImportanceSampling("ShrunkImportance", emptyObservations: 1);

    public static IReadOnlyList<SamplingRule> All { get; } = [Uniform, Importance, ShrunkImportance];

    public abstract string Name { get; }

    /// <summary>What assignments of a version are drawn from.</summary>
    /// <param name="importance">Of everything committed so far.</param>
    public abstract SeedDistribution Distribution(Importance importance);

    public override string ToString() => Name;
}

/// <summary>All seeds alike, whatever their history.</summary>
internal sealed class UniformSampling : SamplingRule
{
    public override string Name => "Uniform";

    public override SeedDistribution Distribution(Importance importance) => SeedDistribution.Uniform(importance.Counts.Length);
}

/// <summary>Mean amplitude, min–max normalised over the pool, through a softmax (SPEC 7).</summary>
/// <param name="name">As logs have it.</param>
/// <param name="emptyObservations">Observations of amplitude 0 that every seed's history begins with.</param>
internal sealed class ImportanceSampling(string name, int emptyObservations) : SamplingRule
{
    public override string Name => name;

    public override SeedDistribution Distribution(Importance importance) => new(importance.SamplingWeights(emptyObservations));
}
