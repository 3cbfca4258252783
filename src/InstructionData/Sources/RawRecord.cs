using System.Text.Json;

namespace FedKSeed.InstructionData.Sources;

/// <summary>A record as it lies in a file, before anybody knows its form.</summary>
/// <param name="Place">File and line, row or field, for messages.</param>
/// <param name="Json">The record; undefined where it could not be read.</param>
/// <param name="Fault">Why it could not be read; null where it could.</param>
public readonly record struct RawRecord(string Place, JsonElement Json, string? Fault = null)
{
    /// <summary>Nothing behind it can be read.</summary>
    internal bool IsEndOfReading { get; init; }
}
