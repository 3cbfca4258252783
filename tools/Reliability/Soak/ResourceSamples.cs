using System.Globalization;

namespace FedKSeed.Reliability.Soak;

/// <summary>One figure of a run as it changed, and whether it went on growing.</summary>
internal sealed class Series(string name, string unit)
{
    private readonly List<(TimeSpan At, double Value)> _samples = [];

    public string Name => name;

    public string Unit => unit;

    public IReadOnlyList<(TimeSpan At, double Value)> Samples => _samples;

    public void Add(TimeSpan at, double value) => _samples.Add((at, value));

    /// <summary>
    /// Theil and Sen's slope, a unit an hour: the median of the slopes between all pairs of samples, which a few leaps do not move.
    /// </summary>
    public double SlopePerHour(TimeSpan since)
    {
        var samples = _samples.Where(sample => sample.At >= since).ToArray();
        var slopes = samples.SelectMany((early, k) => samples.Skip(k + 1)
            .Select(late => (late.Value - early.Value) / (late.At - early.At).TotalHours)).Order().ToArray();
        return slopes.Length == 0 ? 0 : slopes[slopes.Length / 2];
    }

    public double Median(TimeSpan since)
    {
        var values = _samples.Where(sample => sample.At >= since).Select(sample => sample.Value).Order().ToArray();
        return values.Length == 0 ? 0 : values[values.Length / 2];
    }

    public double Most(TimeSpan since) =>
        _samples.Where(sample => sample.At >= since).Select(sample => sample.Value).DefaultIfEmpty().Max();
}

/// <summary>Memory of processes as the kernel counts it.</summary>
internal static class ResidentMemory
{
    /// <returns>Megabytes (2²⁰ bytes); null when there is no such process.</returns>
    public static double? Of(int processId)
    {
        try
        {
            var line = File.ReadLines($"/proc/{processId.ToString(CultureInfo.InvariantCulture)}/status")
                .FirstOrDefault(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
            return line is null
                ? null
                : double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
