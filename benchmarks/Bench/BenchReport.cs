namespace FedKSeed.Bench;

/// <summary>One measured operation, in the size that it has for the whole shape.</summary>
/// <param name="Operation">What was measured.</param>
/// <param name="Seconds">For the whole shape, once.</param>
/// <param name="BytesPerSecond">Of memory that the operation has to read or write, each weight once.</param>
/// <param name="PairsPerSecond">Element × seed pairs; of forward and step, weight × token pairs of one pass.</param>
/// <param name="ShareOfCopy">Of the bytes a second that copying memory moves; 1 is the machine's limit where memory is what limits.</param>
/// <param name="NaiveSeconds">
/// The same by the loop of the reference implementation, extrapolated from a slice; null where it is the same work.
/// </param>
/// <param name="ScalarSeconds">The same by the plain loop over our own directions on one thread, extrapolated from a slice.</param>
/// <param name="Measured">On what: a part of the shape, scaled.</param>
public sealed record BenchRow(
    string Operation, double Seconds, double BytesPerSecond, double PairsPerSecond, double ShareOfCopy, double? NaiveSeconds,
    double? ScalarSeconds, string Measured);

/// <summary>What <c>fedkseed bench</c> found.</summary>
/// <param name="Machine">Processor or card.</param>
/// <param name="Path">Which form of the kernels ran.</param>
/// <param name="LoadAverage">Of the last minute when the measurement began, where the system tells: above 0 others were at work.</param>
/// <param name="Seeds">K of the rebuild.</param>
/// <param name="Tokens">Of forward and step.</param>
/// <param name="CopyBytesPerSecond">Read and written, out of cache, by as many threads.</param>
/// <param name="Baselines">On what the loops that are compared with were measured.</param>
public sealed record BenchReport(
    string Machine, string Path, int Threads, double? LoadAverage, string Shape, long Weights, string DataType, int Seeds, int Tokens,
    double CopyBytesPerSecond, IReadOnlyList<BenchRow> Rows, string Baselines);
