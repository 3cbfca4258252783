namespace FedKSeed.Checkpoints;

/// <summary>A file that appears under its name whole or not at all, whatever a full disk or a kill does meanwhile.</summary>
internal sealed class AtomicFile : IDisposable
{
    private const string PartialExtension = ".partial";

    private readonly string _path;
    private bool _committed;

    /// <param name="path">The final name; the bytes go to a neighbour until <see cref="Commit"/>.</param>
    /// <param name="length">Reserved at once, so that a disk that is too full fails before any work is done.</param>
    public AtomicFile(string path, long length)
    {
        _path = path;
        Stream = new FileStream(path + PartialExtension, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            PreallocationSize = length,
        });
    }

    public FileStream Stream { get; }

    /// <summary>Makes the bytes durable, then names them.</summary>
    public void Commit()
    {
        Stream.Flush(flushToDisk: true);
        Stream.Dispose();
        File.Move(_path + PartialExtension, _path, overwrite: true);
        _committed = true;
    }

    /// <summary>Without a <see cref="Commit"/> nothing remains.</summary>
    public void Dispose()
    {
        Stream.Dispose();
        if (!_committed)
            File.Delete(_path + PartialExtension);
    }
}
