using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace FedKSeed.EndToEnd.Tests;

/// <summary>The fedkseed program as a process of its own, so that it can be killed.</summary>
internal sealed class Fedkseed : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly Process _process;
    private readonly StringBuilder _said = new();

    private Fedkseed(Process process) => _process = process;

    public string Said
    {
        get
        {
            lock (_said)
                return _said.ToString();
        }
    }

    public static string Samples { get; } = FindSamples();

    public static Fedkseed Start(params string[] arguments) => Start(arguments, []);

    private static Fedkseed Start(string[] arguments, IEnumerable<(string Name, string Value)> environment) => Start(
        "dotnet", [Path.Combine(AppContext.BaseDirectory, "fedkseed.dll"), .. arguments], Path.GetTempPath(),
        environment.Prepend(("FEDKSEED_SAMPLES", Samples)));

    /// <summary>A command as a person types it, where the person stands.</summary>
    public static Fedkseed StartInShell(string command, string folder) => Start("bash", ["-c", $"exec {command}"], folder, []);

    private static Fedkseed Start(string file, string[] arguments, string folder, IEnumerable<(string Name, string Value)> environment)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var program = new Fedkseed(Process.Start(start)!);
        program._process.OutputDataReceived += (_, line) => program.Hear(line.Data);
        program._process.ErrorDataReceived += (_, line) => program.Hear(line.Data);
        program._process.BeginOutputReadLine();
        program._process.BeginErrorReadLine();
        return program;
    }

    public static Task<(int ExitCode, string Said)> RunAsync(params string[] arguments) => RunAsync(arguments, []);

    /// <param name="environment">Beside this process's own.</param>
    public static async Task<(int ExitCode, string Said)> RunAsync(string[] arguments, IEnumerable<(string Name, string Value)> environment)
    {
        using var program = Start(arguments, environment);
        return (await program.EndAsync(), program.Said);
    }

    /// <summary>Waits until it says something, or ends.</summary>
    public async Task UntilAsync(string text)
    {
        using var timeout = new CancellationTokenSource(Patience);
        while (!Said.Contains(text, StringComparison.Ordinal) && !_process.HasExited)
            await Task.Delay(50, timeout.Token);
        Assert.Contains(text, Said, StringComparison.Ordinal);
    }

    public async Task<int> EndAsync()
    {
        using var timeout = new CancellationTokenSource(Patience);
        await _process.WaitForExitAsync(timeout.Token);
        return _process.ExitCode;
    }

    public void Kill() => _process.Kill();

    /// <summary>What Ctrl-C and service managers send; .NET has no call for it.</summary>
    public void Terminate() => Signal("TERM");

    /// <param name="name">INT is Ctrl-C.</param>
    public void Signal(string name)
    {
        using var kill = Process.Start("kill", ["-" + name, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    private void Hear(string? line)
    {
        lock (_said)
            _said.AppendLine(line);
    }

    private static string FindSamples([CallerFilePath] string thisFile = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", "samples"));
}
