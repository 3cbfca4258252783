using System.Diagnostics;
using System.Globalization;

namespace FedKSeed.LocalServers;

/// <summary>A program that cannot be started, or ended when it should not have. The message is for a person.</summary>
public sealed class ChildProcessException(string message) : Exception(message);

/// <summary>
/// A program started beside this one, in a session of its own so that a Ctrl-C at the terminal reaches only the process that started it,
/// which then ends its children in order. What it says goes to a file, and it ends with its parent however that ends. Unix only.
/// </summary>
public sealed class ChildProcess : IAsyncDisposable
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    private readonly Process _process;

    private ChildProcess(Process process, string name, string logFile)
    {
        (_process, Id, Name, LogFile) = (process, process.Id, name, logFile);
        Ended = EndAsync();
    }

    public string Name { get; }

    /// <summary>Everything that it writes to its output and its error stream.</summary>
    public string LogFile { get; }

    public int Id { get; }

    /// <summary>What it ended with, 128 and the signal's number when a signal ended it; null while it runs.</summary>
    public int? ExitCode { get; private set; }

    /// <summary>Done when it has ended, for whatever reason.</summary>
    public Task Ended { get; }

    /// <param name="name">What people call it; its log is named after it.</param>
    /// <param name="environment">Beside what it inherits.</param>
    /// <exception cref="ChildProcessException">There is no such program.</exception>
    public static ChildProcess Start(
        string name, string logFolder, string program, IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string>> environment)
    {
        ArgumentNullException.ThrowIfNull(environment);
        Directory.CreateDirectory(logFolder);
        var log = Path.Combine(logFolder, name + ".log");
        // The shell redirects, then becomes the program: nothing of this process stands between a child and its log.
        var start = new ProcessStartInfo(
            "setsid", ["sh", "-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1 </dev/null", "sh", log, program, .. arguments]);
        foreach (var (key, value) in environment)
            start.Environment[key] = value;
        var process = Process.Start(start) ?? throw new ChildProcessException($"{name} did not start.");
        Reaper.Watch(process.Id);
        return new ChildProcess(process, name, log);
    }

    /// <summary>The end of its log, for a person who wants to know why it ended.</summary>
    public string LastLines(int count = 8) =>
        File.Exists(LogFile) ? string.Join(Environment.NewLine, File.ReadLines(LogFile).TakeLast(count).Select(line => "  " + line)) : "";

    /// <summary>What to say of a child that ended by itself.</summary>
    public string Obituary() =>
        $"{Name} ended with exit code {ExitCode}. The last lines of {LogFile}:{Environment.NewLine}{LastLines()}";

    /// <summary>Waits for a child to be of use.</summary>
    /// <exception cref="ChildProcessException">It ended first, or took too long.</exception>
    public async Task UntilAsync(Func<CancellationToken, Task<bool>> isReady, TimeSpan patience, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(isReady);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timeout.CancelAfter(patience);
        try
        {
            while (!await isReady(timeout.Token))
            {
                if (Ended.IsCompleted)
                    throw new ChildProcessException(Obituary());
                await Task.Delay(50, timeout.Token);
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new ChildProcessException(
                $"{Name} was not ready after {patience.TotalSeconds:F0} s. The last lines of {LogFile}:{Environment.NewLine}{LastLines()}");
        }
    }

    /// <summary>Ends it at once, as a power cut would.</summary>
    public void Kill() => Signal("KILL");

    /// <summary>Asks it to end in order.</summary>
    public void Terminate() => Signal("TERM");

    /// <summary>It stands still, with all its connections open, until <see cref="Resume"/>.</summary>
    public void Suspend() => Signal("STOP");

    public void Resume() => Signal("CONT");

    /// <summary>Asks it to end, and ends it when it does not.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!Ended.IsCompleted)
        {
            Signal("TERM");
            if (await Task.WhenAny(Ended, Task.Delay(Grace)) != Ended)
                Signal("KILL");
            await Ended;
        }
        Reaper.Forget(Id);
        _process.Dispose();
    }

    private async Task EndAsync()
    {
        await _process.WaitForExitAsync();
        ExitCode = _process.ExitCode;
    }

    /// <summary>
    /// To the whole group, which its id names; to itself in the moment before it has one. .NET has no call that sends a signal.
    /// </summary>
    private void Signal(string signal)
    {
        if (Ended.IsCompleted)
            return;
        var id = Id.ToString(CultureInfo.InvariantCulture);
        if (!TrySignal(signal, "-" + id))
            TrySignal(signal, id);
    }

    private static bool TrySignal(string signal, string target)
    {
        using var kill = Process.Start(new ProcessStartInfo("kill", ["-" + signal, "--", target]) { RedirectStandardError = true })!;
        kill.WaitForExit();
        return kill.ExitCode == 0;
    }
}
