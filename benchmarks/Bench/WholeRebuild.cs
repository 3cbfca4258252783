using System.Diagnostics;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.LanguageModels;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Cpu;

namespace FedKSeed.Bench;

/// <summary>What rebuilding a whole checkpoint took, from file to file.</summary>
/// <param name="LoadAverage">Of the last minute when it began, where the system tells: above 0 others were at work.</param>
/// <param name="Seeds">K; none of the accumulators is zero.</param>
/// <param name="Seconds">From the first byte read to the last one on its way to the disk.</param>
/// <param name="PairsPerSecond">Element × seed pairs.</param>
/// <param name="PeakMemoryBytes">Most that was resident of this process, all of .NET included.</param>
public sealed record WholeRebuildReport(
    string Machine, string Path, int Threads, double? LoadAverage, string Shape, long Weights, int Seeds, double Seconds,
    double PairsPerSecond, long PeakMemoryBytes);

/// <summary>Rebuilds a checkpoint of a shape as <c>fedkseed replay</c> does: read, computed and written in chunks.</summary>
public static class WholeRebuild
{
    // As scalars of small steps lead to.
    private const int Shift = 10;

    /// <param name="threads">Of the processor.</param>
    /// <exception cref="IOException">The disk of temporary files has no room for the checkpoint.</exception>
    public static WholeRebuildReport Run(ModelShape shape, int seeds, int threads, Stage stage, CancellationToken cancel)
    {
        var load = Machine.LoadAverage();
        var folder = Directory.CreateTempSubdirectory("fedkseed-whole-");
        try
        {
            var (from, to) = (folder.CreateSubdirectory("base").FullName, folder.CreateSubdirectory("rebuilt").FullName);
            SyntheticModel.WriteCheckpoint(shape, from);
            var rebuilder = new Rebuilder(
                new DirectionSpace { PoolKey = 0x9E37_79B9_7F4A_7C15, SeedCount = seeds }, IMeasuredKernels.Quantised(seeds), Shift);
            using var checkpoint = Checkpoint.Open(from);
            var began = Stopwatch.GetTimestamp();
            stage(
                $"Rebuilding {shape.Name} with {seeds} seeds",
                progress => RebuiltCheckpoint.Write(checkpoint, rebuilder, to, new Done(progress), threads, cancellation: cancel));
            var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            using var process = Process.GetCurrentProcess();
            return new WholeRebuildReport(
                Machine.Processor(), KernelPaths.Best.ToString(), threads, load, shape.Name, shape.Weights, seeds, seconds,
                (double)shape.Weights * seeds / seconds, process.PeakWorkingSet64);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private sealed class Done(IProgress<double> share) : IProgress<RebuildProgress>
    {
        public void Report(RebuildProgress value) => share.Report((double)value.BytesDone / value.BytesTotal);
    }
}
