using System.Runtime.InteropServices;

namespace FedKSeed.Cli;

/// <summary>
/// What Ctrl-C and signals of service managers ask for. The first one asks every verb to end in order; one that comes again, or an end that
/// takes longer than <see cref="Patience"/>, ends the process where it stands: what a run has written by then is whole.
/// </summary>
public sealed class Interruption : IDisposable
{
    /// <summary>What shells and service managers expect of a process that a signal ended.</summary>
    private const int SignalBase = 128;

    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly CancellationTokenSource _requested = new();
    private readonly TextWriter _errors;
    private int _signal;

    private Interruption(TextWriter errors) => _errors = errors;

    /// <summary>What an end in order may take.</summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(8);

    /// <summary>For whoever interrupts: what became of the work, and the command that goes on with it.</summary>
    public string GoOn { get; set; } = "Nothing is left of it; the same command starts it again.";

    public CancellationToken Token => _requested.Token;

    public bool IsRequested => _signal != 0;

    public int ExitCode => SignalBase + _signal;

    public string Message => $"fedkseed: stopped. {GoOn}";

    /// <summary>Nobody interrupts.</summary>
    public static Interruption None() => new(TextWriter.Null);

    /// <summary>Listens to this process's signals from now on.</summary>
    /// <param name="errors">Where an end that is not in order is told.</param>
    public static Interruption OfSignals(TextWriter errors)
    {
        var interruption = new Interruption(errors);
        foreach (var (signal, number) in new[] { (PosixSignal.SIGINT, 2), (PosixSignal.SIGTERM, 15), (PosixSignal.SIGHUP, 1) })
            interruption._registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                interruption.Request(number);
            }));
        // Whatever parts that are being torn down throw on threads of their own: the end was asked for.
        AppDomain.CurrentDomain.UnhandledException += (_, _) =>
        {
            if (interruption.IsRequested)
                interruption.CutOff();
        };
        return interruption;
    }

    /// <summary>Ends the process without what runs at an orderly exit: threads of native libraries may still be at work.</summary>
    public void Exit(int code)
    {
        _errors.Flush();
        if (OperatingSystem.IsWindows())
            Environment.Exit(code);
        else
            ExitNow(code);
    }

    public void Dispose()
    {
        _registrations.ForEach(registration => registration.Dispose());
        _requested.Dispose();
    }

    private void Request(int signal)
    {
        if (Interlocked.CompareExchange(ref _signal, signal, 0) != 0)
        {
            CutOff();
            return;
        }
        // Not on the signal's thread: what the token's listeners do may take its time.
        _ = Task.Run(_requested.Cancel);
        new Thread(() =>
        {
            Thread.Sleep(Patience);
            CutOff();
        })
        { IsBackground = true }.Start();
    }

    private void CutOff()
    {
        _errors.WriteLine(Message);
        Exit(ExitCode);
    }

    [DllImport("libc", EntryPoint = "_exit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern void ExitNow(int code);
}
