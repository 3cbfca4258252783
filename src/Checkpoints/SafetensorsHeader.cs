using System.Text.Json;

namespace FedKSeed.Checkpoints;

/// <summary>One tensor's entry in a safetensors header. Offsets count from the end of the header.</summary>
internal sealed record SafetensorsEntry(string Name, TensorType Type, long[] Shape, long ElementCount, long Begin, long End);

/// <summary>
/// The header of a safetensors file: 8 bytes of little-endian length, then JSON (https://github.com/huggingface/safetensors).
/// Every entry is checked: types and shapes agree with byte ranges, and the ranges cover the rest of the file without
/// overlap or hole, as the format demands.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>The format's own limit: a longer header is an attack or not a safetensors file.</summary>
    public const long MaxLength = 100_000_000;

    public const int PrefixLength = sizeof(ulong);
    public const string MetadataField = "__metadata__";

    /// <summary>The header's bytes as they stand in the file, prefix and padding included.</summary>
    public required byte[] Bytes { get; init; }

    /// <summary>In order of their place in the file.</summary>
    public required IReadOnlyList<SafetensorsEntry> Entries { get; init; }

    /// <summary>Bytes of tensors after the header.</summary>
    public long DataLength => Entries.Count == 0 ? 0 : Entries[^1].End;

    /// <summary>Reads and checks the header of an open file.</summary>
    /// <exception cref="CheckpointException">The file is not a whole and consistent safetensors file.</exception>
    public static SafetensorsHeader Read(string path, Stream stream)
    {
        var fileLength = stream.Length;
        if (fileLength < PrefixLength)
            throw new CheckpointException(path, "header length", $"the file has {fileLength} bytes, too few for a safetensors file.");
        var prefix = new byte[PrefixLength];
        stream.ReadExactly(prefix);
        var length = BitConverter.ToUInt64(prefix);
        if (length > MaxLength)
            throw new CheckpointException(
                path, "header length", $"{length} bytes, but at most {MaxLength} are allowed; is this a safetensors file?");
        if ((long)length > fileLength - PrefixLength)
            throw new CheckpointException(path, "header", $"truncated: {length} bytes announced, {fileLength - PrefixLength} present.");
        byte[] bytes = [.. prefix, .. new byte[length]];
        stream.ReadExactly(bytes, PrefixLength, (int)length);
        return new SafetensorsHeader { Bytes = bytes, Entries = Parse(path, bytes.AsMemory(PrefixLength), fileLength - bytes.Length) };
    }

    private static List<SafetensorsEntry> Parse(string path, ReadOnlyMemory<byte> json, long dataLength)
    {
        using var document = CheckpointJson.Parse(path, "header", json);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new CheckpointException(path, "header", "not a JSON object.");
        var names = new HashSet<string>();
        var entries = new List<SafetensorsEntry>();
        foreach (var property in document.RootElement.EnumerateObject())
        {
            if (!names.Add(property.Name))
                throw new CheckpointException(path, property.Name, "the header names it twice.");
            if (property.Name == MetadataField)
                CheckMetadata(path, property.Value);
            else
                entries.Add(ParseEntry(path, property));
        }

        entries.Sort((a, b) => (a.Begin, a.End).CompareTo((b.Begin, b.End)));
        CheckCoverage(path, entries, dataLength);
        return entries;
    }

    private static void CheckMetadata(string path, JsonElement metadata)
    {
        if (metadata.ValueKind != JsonValueKind.Object
            || metadata.EnumerateObject().Any(pair => pair.Value.ValueKind != JsonValueKind.String))
            throw new CheckpointException(path, MetadataField, "must be an object of strings.");
    }

    private static SafetensorsEntry ParseEntry(string path, JsonProperty property)
    {
        CheckpointException Wrong(string field, string problem) => new(path, $"{property.Name}.{field}", problem);
        JsonElement Field(string field, JsonValueKind kind) =>
            property.Value.ValueKind == JsonValueKind.Object && property.Value.TryGetProperty(field, out var value)
                && value.ValueKind == kind
                ? value
                : throw Wrong(field, "missing, or of the wrong kind.");
        long[] Integers(string field) => [.. Field(field, JsonValueKind.Array).EnumerateArray().Select(value =>
            value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= 0
                ? number
                : throw Wrong(field, $"{value.GetRawText()} is not an integer from 0 to 2^63 − 1."))];

        var typeName = Field("dtype", JsonValueKind.String).GetString()!;
        if (!TensorTypes.TryParse(typeName, out var type))
            throw Wrong("dtype", $"unknown type '{typeName}'.");
        var shape = Integers("shape");
        var offsets = Integers("data_offsets");
        if (offsets.Length != 2 || offsets[0] > offsets[1])
            throw Wrong("data_offsets", "must be a begin and an end that is not before it.");
        if (!TryCount(shape, type.Size(), out var elements))
            throw Wrong("shape", $"[{string.Join(", ", shape)}] overflows 64 bits.");
        if (elements * type.Size() != offsets[1] - offsets[0])
            throw Wrong(
                "data_offsets",
                $"{offsets[1] - offsets[0]} bytes, but {typeName} [{string.Join(", ", shape)}] takes {elements * type.Size()}.");
        return new SafetensorsEntry(property.Name, type, shape, elements, offsets[0], offsets[1]);
    }

    /// <summary>
    /// False if the elements, or their bytes, overflow: a zero dimension does not excuse the others, as in the format's own reader.
    /// </summary>
    internal static bool TryCount(ReadOnlySpan<long> shape, int elementSize, out long elements)
    {
        elements = 1;
        try
        {
            foreach (var dimension in shape)
                elements = checked(elements * dimension);
            _ = checked(elements * elementSize);
            return true;
        }
        catch (OverflowException)
        {
            return false;
        }
    }

    private static void CheckCoverage(string path, List<SafetensorsEntry> entries, long dataLength)
    {
        long end = 0;
        foreach (var entry in entries)
        {
            if (entry.End > dataLength)
                throw new CheckpointException(
                    path, $"{entry.Name}.data_offsets",
                    $"ends at byte {entry.End}, but the file holds {dataLength} bytes of tensors: truncated?");
            if (entry.Begin < end)
                throw new CheckpointException(
                    path, $"{entry.Name}.data_offsets", $"begins at byte {entry.Begin}, inside the tensor before it, which ends at {end}.");
            if (entry.Begin > end)
                throw new CheckpointException(
                    path, $"{entry.Name}.data_offsets", $"begins at byte {entry.Begin}, but the tensor before it ends at {end}: a hole.");
            end = entry.End;
        }

        if (end != dataLength)
            throw new CheckpointException(path, "data", $"{dataLength - end} bytes after the last tensor belong to none.");
    }
}
