using System.ComponentModel;
using System.Text.Json.Serialization;

namespace FedKSeed.Federation.Rounds;

/// <summary>How the learning rate falls over the rounds.</summary>
[JsonConverter(typeof(RuleJson<LearningRateSchedule>))]
[TypeConverter(typeof(RuleText<LearningRateSchedule>))]
public abstract class LearningRateSchedule : IRule<LearningRateSchedule>
{
    public static LearningRateSchedule Constant { get; } = new ScheduledShare("Constant", _ => 1);

    /// <summary>Falls in a straight line to zero after the last round.</summary>
    public static LearningRateSchedule Linear { get; } = new ScheduledShare("Linear", done => 1 - done);

    /// <summary>Falls along half a cosine to zero after the last round.</summary>
    public static LearningRateSchedule Cosine { get; } = new ScheduledShare("Cosine", done => 0.5 * (1 + Math.Cos(Math.PI * done)));

    public static IReadOnlyList<LearningRateSchedule> All { get; } = [Constant, Linear, Cosine];

    public abstract string Name { get; }

    /// <summary>Share of the learning rate that a round's assignments use.</summary>
    /// <param name="done">Rounds before it over all rounds, 0 to 1.</param>
    public abstract double Share(double done);

    public override string ToString() => Name;
}

/// <summary>A schedule that is one formula.</summary>
internal sealed class ScheduledShare(string name, Func<double, double> share) : LearningRateSchedule
{
    public override string Name => name;

    public override double Share(double done) => share(done);
}
