using System.Globalization;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;

namespace FedKSeed.Observation;

/// <summary>
/// What to change after a federation diverged, from what its log holds: how far steps moved beside how far they looked, steps that gave no
/// scalar or none but zero, and clients whose scalars stood out. A fold of the log. Pure.
/// </summary>
public static class DivergenceAdvice
{
    /// <summary>
    /// A scalar is the slope between two points ε away on either side, and says little of what lies many times as far. The sample's
    /// default, which learns, goes 15 times as far; from 25 on it learns nothing any more.
    /// </summary>
    private const double SoundReach = 10;

    /// <summary>What a rate is divided by where that is less than the reach asks for.</summary>
    private const double LeastChange = 3;

    /// <summary>So many times the median client's scalars stand out.</summary>
    private const double StandsOut = 3;

    /// <summary>Of the assignments on the base model; fewer happen by chance.</summary>
    private const double TooMany = 0.1;

    private const int FewestToCompare = 3, MostNamed = 5;

    /// <returns>Sentences for a person, the most useful one first; none for a log without reports.</returns>
    public static IReadOnlyList<string> Of(IEnumerable<LogEntry> log)
    {
        ArgumentNullException.ThrowIfNull(log);
        var clients = new SortedDictionary<string, Scalars>(StringComparer.Ordinal);
        var onBase = new BaseSteps();
        FederationSettings? settings = null;
        foreach (var entry in log)
        {
            if (entry.Event is FederationOpenedEntry opened)
                settings = opened.Settings;
            if (entry.Event is not ScalarsReportedEntry report)
                continue;
            if (!clients.TryGetValue(report.Client, out var client))
                clients[report.Client] = client = new Scalars();
            client.Add(report.Scalars.Span);
            if (report.BaseVersion == 0)
                onBase.Add(report.Scalars.Span);
        }
        return settings is null || clients.Count == 0
            ? []
            : [.. new[] { Distance(settings, onBase), Rate(settings, onBase), Outliers(clients) }.OfType<string>()];
    }

    private static string Rate(FederationSettings settings, BaseSteps onBase)
    {
        var least = settings.LearningRate / LeastChange;
        if (onBase.First.Rms == 0)
            return $"Try --learning-rate {OneDigit(least)}: a smaller step leaves the loss within bounds for longer.";
        var reach = settings.LearningRate * onBase.First.Rms / settings.Epsilon;
        var rate = Math.Min(least, SoundReach * settings.Epsilon / onBase.First.Rms);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"Try --learning-rate {OneDigit(rate)}: with {Short(settings.LearningRate)} a client's first step moved the weights "
                + $"{Short(reach)} times as far as it had looked, --epsilon {Short(settings.Epsilon)}, and {Short(SoundReach)} times is "
                + $"about as far as its scalar, {Short(onBase.First.Rms)} in root mean square, says anything.");
    }

    /// <summary>
    /// Before a client's first step nothing has moved, so only ε can make its losses infinite, or their difference vanish.
    /// </summary>
    private static string? Distance(FederationSettings settings, BaseSteps onBase)
    {
        if (onBase.WithoutScalar > TooMany * onBase.Assignments)
            return string.Create(
                CultureInfo.InvariantCulture,
                $"Try --epsilon {OneDigit(settings.Epsilon / 10.0)}: {onBase.WithoutScalar} of {onBase.Assignments} assignments on the "
                    + $"base model gave no scalar at all, since the loss is not within bounds {Short(settings.Epsilon)} away from it.");
        return onBase.First.Zeros > TooMany * onBase.Assignments
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"Try --epsilon {OneDigit(settings.Epsilon * 10.0)}: the first step of {onBase.First.Zeros} of {onBase.Assignments} "
                    + $"assignments on the base model saw no change of the loss: {Short(settings.Epsilon)} is lost in rounding.")
            : null;
    }

    private static string? Outliers(SortedDictionary<string, Scalars> clients)
    {
        var measured = clients.Where(client => client.Value.Count > 0).OrderByDescending(client => client.Value.Rms).ToArray();
        if (measured.Length < FewestToCompare)
            return null;
        var median = measured[measured.Length / 2].Value.Rms;
        if (median == 0)
            return null;
        var outliers = measured.Where(client => client.Value.Rms > StandsOut * median).Take(MostNamed).ToArray();
        return outliers.Length == 0
            ? $"No client stood out: the largest scalars, those of {measured[0].Key}, were "
                + $"{Short(measured[0].Value.Rms / median)} times the median client's."
            : $"Look at the data of {string.Join(", ", outliers.Select(client => Described(client.Key, client.Value.Rms / median)))}: "
                + "whoever differs so much pulls everybody along. With it left out, the others may learn at the present rate.";
    }

    private static string Described(string client, double times) =>
        $"{client} (its scalars were {Short(times)} times the median client's)";

    private static string OneDigit(double value) => value.ToString("G1", CultureInfo.InvariantCulture);

    private static string Short(double value) => value.ToString(value >= 100 ? "F0" : "G3", CultureInfo.InvariantCulture);

    private sealed class Scalars
    {
        private double _squares;

        public long Count { get; private set; }

        public long Zeros { get; private set; }

        /// <summary>Root mean square.</summary>
        public double Rms => Count == 0 ? 0 : Math.Sqrt(_squares / Count);

        public void Add(ReadOnlySpan<float> scalars)
        {
            Count += scalars.Length;
            foreach (var scalar in scalars)
            {
                _squares += (double)scalar * scalar;
                Zeros += scalar == 0 ? 1 : 0;
            }
        }
    }

    /// <summary>What the assignments on the base model say of it: their first steps were taken before anything moved.</summary>
    private sealed class BaseSteps
    {
        public Scalars First { get; } = new();

        public long Assignments { get; private set; }

        /// <summary>Assignments none of whose steps gave a scalar: then nothing moved at all.</summary>
        public long WithoutScalar { get; private set; }

        public void Add(ReadOnlySpan<float> scalars)
        {
            Assignments++;
            WithoutScalar += scalars.Length == 0 ? 1 : 0;
            First.Add(scalars[..Math.Min(1, scalars.Length)]);
        }
    }
}
