namespace FedKSeed.Versions;

/// <summary>A log does not hold what was asked of it, or a model is not the one that it starts from. The message is for a person.</summary>
public sealed class VersionException(string message) : Exception(message);
