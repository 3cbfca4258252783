using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace FedKSeed.Checkpoints;

/// <summary>One memory-mapped safetensors file.</summary>
internal sealed unsafe partial class SafetensorsFile : ITensorBytes, IDisposable
{
    private const int MadviseWillNeed = 3, MadviseDontNeed = 4; // MADV_WILLNEED and MADV_DONTNEED of Linux

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
        if (GitLfsPointer.Is(path))
            throw new CheckpointException(path, null, GitLfsPointer.Problem);
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        var header = SafetensorsHeader.Read(path, stream);
        var map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        return new SafetensorsFile(path, header, map, map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read));
    }

    /// <summary>Bytes of the data section. Valid until <see cref="Dispose"/>.</summary>
    public ReadOnlySpan<byte> Bytes(long begin, int count)
    {
        ObjectDisposedException.ThrowIf(_view.SafeMemoryMappedViewHandle.IsClosed, this);
        return new(_data + begin, count);
    }

    /// <summary>
    /// Says that bytes will not be used again soon, so that reading a whole model does not hold a second copy of it in this process's
    /// memory. Used again, they come from the file. Only Linux is told; elsewhere the system finds out when memory gets short.
    /// </summary>
    public void Release(long begin, long count)
    {
        if (!OperatingSystem.IsLinux())
            return;
        // Whole pages only: the ones at the ends may be others' too.
        nint page = Environment.SystemPageSize;
        nint first = ((nint)_data + (nint)begin + page - 1) / page * page, end = ((nint)_data + (nint)(begin + count)) / page * page;
        if (first < end)
            _ = Madvise(first, end - first, MadviseDontNeed); // a hint: where it is refused nothing is lost
    }

    /// <summary>Has the system read bytes ahead. Only Linux is told.</summary>
    public void Prefetch(long begin, long count)
    {
        if (!OperatingSystem.IsLinux())
            return;
        nint page = Environment.SystemPageSize;
        var first = ((nint)_data + (nint)begin) / page * page;
        _ = Madvise(first, (nint)_data + (nint)(begin + count) - first, MadviseWillNeed);
    }

    public void Dispose()
    {
        if (_view.SafeMemoryMappedViewHandle.IsClosed)
            return;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Madvise(nint address, nint length, int advice);
}
