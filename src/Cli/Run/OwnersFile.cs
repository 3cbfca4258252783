using System.Text;

namespace FedKSeed.Cli.Run;

/// <summary>Files that only their owner may read, where they say something that others are not to know.</summary>
internal static class OwnersFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Writes a file anew. A private one is so before anything is in it.</summary>
    public static void Write(string path, string text, bool isPrivate)
    {
        File.Delete(path);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (isPrivate && !OperatingSystem.IsWindows())
            options.UnixCreateMode = OwnerOnly;
        using var file = new StreamWriter(path, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), options);
        file.Write(text);
    }
}
