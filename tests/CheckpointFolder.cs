using System.Text;
using FedKSeed.Checkpoints;

namespace FedKSeed.Tests;

/// <summary>A folder of its own for a test, gone with it.</summary>
internal sealed class CheckpointFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("fedkseed-tests-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>A safetensors file of the given header, with so many bytes of zeros behind it.</summary>
    public CheckpointFolder WithSafetensors(string header, int dataLength, string name = Checkpoint.SingleFile) =>
        WithBytes([.. BitConverter.GetBytes((ulong)Encoding.UTF8.GetByteCount(header)),
        .. Encoding.UTF8.GetBytes(header), .. new byte[dataLength]], name);

    public CheckpointFolder WithBytes(byte[] bytes, string name = Checkpoint.SingleFile)
    {
        System.IO.File.WriteAllBytes(File(name), bytes);
        return this;
    }

    public CheckpointFolder WithIndex(string json) => WithBytes(Encoding.UTF8.GetBytes(json), Checkpoint.IndexFile);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
