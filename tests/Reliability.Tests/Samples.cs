using System.Runtime.CompilerServices;
using Xunit.Sdk;
using Xunit.v3;

// Each test has a dozen processes, all of which want every core.
[assembly: Parallelization(Mode = ParallelMode.None)]

namespace FedKSeed.Reliability.Tests;

internal static class Samples
{
    /// <summary>The repository's samples, wherever the tests were built to.</summary>
    public static string Folder { get; } = Beside();

    private static string Beside([CallerFilePath] string thisFile = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", "samples"));
}
