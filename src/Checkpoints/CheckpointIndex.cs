using System.Text.Json;

namespace FedKSeed.Checkpoints;

/// <summary>model.safetensors.index.json: which shard holds which tensor.</summary>
internal sealed class CheckpointIndex
{
    private const string MapField = "weight_map";
    private const string ShardExtension = ".safetensors";

    public required IReadOnlyDictionary<string, string> FileOfTensor { get; init; }

    /// <exception cref="CheckpointException">The file is not such an index, or names a file outside its own folder.</exception>
    public static CheckpointIndex Read(string path)
    {
        using var document = CheckpointJson.Parse(path, null, File.ReadAllBytes(path));
        if (document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty(MapField, out var map) || map.ValueKind != JsonValueKind.Object)
            throw new CheckpointException(path, MapField, "missing, or not an object.");
        var files = new Dictionary<string, string>();
        foreach (var pair in map.EnumerateObject())
        {
            var file = pair.Value.ValueKind == JsonValueKind.String ? pair.Value.GetString() : null;
            if (file is null || !IsPlainFileName(file))
                throw new CheckpointException(
                    path, $"{MapField}.{pair.Name}",
                    $"{pair.Value.GetRawText()} is not the name of a {ShardExtension} file in the same folder.");
            if (!files.TryAdd(pair.Name, file))
                throw new CheckpointException(path, $"{MapField}.{pair.Name}", "named twice.");
        }

        if (files.Count == 0)
            throw new CheckpointException(path, MapField, "names no tensor.");
        return new CheckpointIndex { FileOfTensor = files };
    }

    /// <summary>Checkpoints are downloaded from strangers: a shard name must not lead out of the folder on any operating system.</summary>
    private static bool IsPlainFileName(string name) =>
        name.Length > ShardExtension.Length
        && name.EndsWith(ShardExtension, StringComparison.Ordinal)
        && name.AsSpan().IndexOfAny("/\\:") < 0
        && !name.Any(char.IsControl);
}
