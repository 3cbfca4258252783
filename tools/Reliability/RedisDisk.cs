using System.Diagnostics;

namespace FedKSeed.Reliability;

/// <summary>A small disk for Redis's data that can be filled: a tmpfs, where this process may mount one.</summary>
public sealed class RedisDisk : IDisposable
{
    private const string Size = "384m";
    private readonly string _folder;

    private RedisDisk(string folder) => _folder = folder;

    /// <returns>Null when mounting is not permitted.</returns>
    public static RedisDisk? TryMount(string folder)
    {
        Directory.CreateDirectory(folder);
        return Run("mount", "-t", "tmpfs", "-o", $"size={Size}", "tmpfs", folder) ? new RedisDisk(folder) : null;
    }

    /// <summary>Not one byte more can be written.</summary>
    public void Fill()
    {
        using var ballast = new FileStream(Ballast, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var block = new byte[1 << 20];
        // Ever smaller blocks: the last byte counts.
        for (var size = block.Length; size > 0; size /= 2)
        {
            try
            {
                while (true)
                    ballast.Write(block, 0, size);
            }
            catch (IOException)
            {
            }
        }
    }

    public void Free() => File.Delete(Ballast);

    public void Dispose() => Run("umount", "--lazy", _folder);

    private string Ballast => Path.Combine(_folder, "ballast");

    private static bool Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
