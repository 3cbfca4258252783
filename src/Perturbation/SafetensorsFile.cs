using System.IO.MemoryMappedFiles;

namespace FedKSeed.Perturbation;

/// <summary>One memory-mapped safetensors file.</summary>
internal sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _data;

    private SafetensorsFile(string path, SafetensorsHeader header, MemoryMappedFile map, MemoryMappedViewAccessor view)
    {
        (Path, Header, _map, _view) = (path, header, map, view);
        byte* start = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        _data = start + view.PointerOffset + header.Bytes.Length;
    }

    public string Path { get; }
    public SafetensorsHeader Header { get; }

    /// <exception cref="CheckpointException">The file is absent or not a whole and consistent safetensors file.</exception>
    public static SafetensorsFile Open(string path)
    {
        if (!File.Exists(path))
            throw new CheckpointException(path, null, "the file is missing.");
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        SafetensorsHeader header = SafetensorsHeader.Read(path, stream);
        var map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        return new SafetensorsFile(path, header, map, map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read));
    }

    /// <summary>Bytes of the data section. Valid until <see cref="Dispose"/>.</summary>
    public ReadOnlySpan<byte> Bytes(long begin, int count)
    {
        ObjectDisposedException.ThrowIf(_view.SafeMemoryMappedViewHandle.IsClosed, this);
        return new(_data + begin, count);
    }

    public void Dispose()
    {
        if (_view.SafeMemoryMappedViewHandle.IsClosed)
            return;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map.Dispose();
    }
}
