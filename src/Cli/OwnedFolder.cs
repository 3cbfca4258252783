namespace FedKSeed.Cli;

/// <summary>
/// A folder that this process alone writes into while this lives. The claim is a lock of the operating system, which goes with the process
/// however that ends. The file that it is on stays: whoever deleted it could make two owners.
/// </summary>
public sealed class OwnedFolder : IDisposable
{
    public const string LockFile = ".lock";

    private const string OwnerFile = ".owner";

    // EWOULDBLOCK of Linux and of macOS, ERROR_SHARING_VIOLATION of Windows.
    private static readonly int[] Locked = [11, 35, 32];

    private readonly FileStream _lock;

    private OwnedFolder(string path, FileStream @lock) => (Path, _lock) = (path, @lock);

    public string Path { get; }

    /// <param name="path">Created if it is absent.</param>
    /// <param name="verb">What owns it, for whoever finds it taken.</param>
    /// <exception cref="FailureException">Another process owns it; the message names it.</exception>
    public static OwnedFolder Take(string path, string verb) =>
        TryTake(path, verb)
            ?? throw new FailureException(
                $"'{path}' is in use by {OwnerOf(path)}: wait for its end, or stop it with Ctrl-C or kill. Nothing was changed.");

    /// <returns>Null when another process owns it.</returns>
    public static OwnedFolder? TryTake(string path, string verb)
    {
        var file = new FileInfo(System.IO.Path.Combine(path, LockFile));
        if (file.LinkTarget is not null)
            throw new FailureException($"'{file.FullName}' is a link: take it away.");
        try
        {
            Directory.CreateDirectory(path);
            var held = new FileStream(file.FullName, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            var owner = System.IO.Path.Combine(path, OwnerFile);
            // A link in its place is taken away, not followed.
            File.Delete(owner);
            using (var text = new StreamWriter(new FileStream(owner, FileMode.CreateNew, FileAccess.Write)))
                text.Write($"{verb}, process {Environment.ProcessId}");
            return new OwnedFolder(path, held);
        }
        catch (IOException fault) when (Locked.Contains(fault.HResult & 0xFFFF))
        {
            return null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw Unwritable(path, fault);
        }
    }

    /// <summary>Whether anything but a claim is in a folder.</summary>
    public static bool HoldsAnything(string path) => Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any(IsNoClaim);

    /// <summary>Whether a path is something else than what a claim leaves.</summary>
    public static bool IsNoClaim(string path) => System.IO.Path.GetFileName(path) is not (LockFile or OwnerFile);

    /// <summary>What to say of a folder that cannot be made, or not be written into.</summary>
    public static FailureException Unwritable(string path, Exception fault) =>
        new($"'{System.IO.Path.GetFullPath(path)}' cannot be written into: {fault.Message} Name another folder.");

    public void Dispose()
    {
        File.Delete(System.IO.Path.Combine(Path, OwnerFile));
        _lock.Dispose();
    }

    private static string OwnerOf(string path)
    {
        var file = System.IO.Path.Combine(path, OwnerFile);
        return File.Exists(file) ? File.ReadAllText(file) : "another process";
    }
}
