namespace FedKSeed.Bench;

/// <summary>What was to be measured does not fit this machine. The message is for a person.</summary>
public sealed class BenchException(string message) : Exception(message);
