using System.Runtime.CompilerServices;
using System.Text.Json;

namespace FedKSeed.Tests;

/// <summary>Known answers: tests/Vectors, or the folder named in FEDKSEED_VECTORS when that is set.</summary>
internal static class Vectors
{
    public static string Folder { get; } =
        Environment.GetEnvironmentVariable("FEDKSEED_VECTORS") is { Length: > 0 } folder ? folder : Beside();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Folder, .. parts]);

    public static JsonElement Json(params string[] parts) => JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(Path(parts)));

    private static string Beside([CallerFilePath] string thisFile = "") =>
        System.IO.Path.Combine(System.IO.Path.GetDirectoryName(thisFile)!, "Vectors");
}
