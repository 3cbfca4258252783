namespace FedKSeed.Checkpoints;

/// <summary>A checkpoint that cannot be read: the message says which file, which field of it, and what is wrong.</summary>
public sealed class CheckpointException(string file, string? field, string problem)
    : IOException(field is null ? $"{file}: {problem}" : $"{file}: {field}: {problem}")
{
    public string File { get; } = file;

    /// <summary>The header field or tensor at fault, if it is one.</summary>
    public string? Field { get; } = field;
}
