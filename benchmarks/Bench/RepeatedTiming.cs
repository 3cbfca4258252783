using System.Diagnostics;

namespace FedKSeed.Bench;

/// <summary>Times work by repeating it; the best time is what the machine can do, the others what else it did.</summary>
/// <param name="budget">For one measurement, about; it is repeated at least <see cref="LeastPasses"/> times whatever that takes.</param>
internal sealed class RepeatedTiming(TimeSpan budget, CancellationToken cancel)
{
    private const int LeastPasses = 3, MostPasses = 1000;

    /// <summary>Seconds of the quickest pass, the first one left out.</summary>
    public double Best(Action work, IProgress<double>? progress = null)
    {
        work();
        var begun = Stopwatch.GetTimestamp();
        var best = double.PositiveInfinity;
        for (var pass = 0; pass < MostPasses && (pass < LeastPasses || Stopwatch.GetElapsedTime(begun) < budget); pass++)
        {
            cancel.ThrowIfCancellationRequested();
            var start = Stopwatch.GetTimestamp();
            work();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
            progress?.Report(Math.Min(1, Math.Max((pass + 1.0) / LeastPasses, Stopwatch.GetElapsedTime(begun) / budget)));
        }
        return best;
    }
}
