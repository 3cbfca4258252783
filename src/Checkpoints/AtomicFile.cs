namespace FedKSeed.Checkpoints;

/// <summary>
/// A file that appears under its name whole or not at all, whatever a full disk or a kill does meanwhile. It is created where its name says
/// and nowhere else: no link that somebody put in its place is followed.
/// </summary>
internal sealed class AtomicFile : IDisposable
{
    private const string PartialExtension = ".partial";

    private readonly string _path;
    private bool _committed;

    /// <param name="path">The final name; the bytes go to a neighbour until <see cref="Commit"/>.</param>
    /// <param name="length">Reserved at once, so that a disk that is too full fails before any work is done.</param>
    /// <exception cref="IOException">Another process writes the file, or the disk is too full.</exception>
    public AtomicFile(string path, long length)
    {
        _path = path;
        TakeAwayAbandoned(path);
        Stream = new FileStream(path + PartialExtension, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            // Locked while it is written: who finds it unlocked knows that its writer is gone.
            Share = FileShare.None,
            PreallocationSize = length,
        });
    }

    public FileStream Stream { get; }

    /// <summary>Copies a file's bytes to a new name.</summary>
    /// <param name="path">The new name; what it named before is replaced, not written to.</param>
    public static void Copy(string source, string path)
    {
        using var from = File.OpenRead(source);
        using var file = new AtomicFile(path, from.Length);
        from.CopyTo(file.Stream);
        file.Commit();
    }

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

    /// <summary>What a killed process left, or somebody put there; a link goes, what it points to stays.</summary>
    private static void TakeAwayAbandoned(string path)
    {
        var partial = new FileInfo(path + PartialExtension);
        if (!partial.Exists && partial.LinkTarget is null)
            return;
        if (partial.LinkTarget is null)
        {
            try
            {
                using var probe = partial.Open(FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException fault)
            {
                throw new IOException($"'{path}' is being written by another process: wait for its end.", fault);
            }
        }
        partial.Delete();
    }
}
