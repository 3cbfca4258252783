using System.Globalization;
using FedKSeed.LocalServers;

namespace FedKSeed.Reliability;

public enum ServiceKind
{
    Worker,
    SeedService,
    RoundService,
}

/// <summary>
/// One of the instances of a service, watched as an orchestrator would: a process that ends is started again at once, one that ended by
/// itself after a pause. Safe to use from any thread.
/// </summary>
public sealed class Replica : IAsyncDisposable
{
    private static readonly TimeSpan PauseAfterOwnEnd = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    private readonly Func<Uri, ChildProcess> _start;
    private readonly HttpClient _http;
    private readonly CancellationTokenSource _retired = new();
    private readonly List<string> _ownEnds = [];
    private readonly Task _watch;
    private volatile Life _life;

    /// <param name="start">Starts the process; it serves its health at that address.</param>
    internal Replica(string name, ServiceKind kind, Func<Uri, ChildProcess> start, HttpClient http)
    {
        (Name, Kind, _start, _http) = (name, kind, start, http);
        _life = Begin(0);
        _watch = WatchAsync();
    }

    public string Name { get; }

    public ServiceKind Kind { get; }

    /// <summary>How often its process was started.</summary>
    public int Starts => _life.Number + 1;

    /// <summary>Of the present process.</summary>
    public int ProcessId => _life.Process.Id;

    /// <summary>Where the present process serves its health.</summary>
    public Uri Address => _life.Address;

    /// <summary>Last words of processes that ended without being told to.</summary>
    public IReadOnlyList<string> OwnEnds
    {
        get
        {
            lock (_ownEnds)
                return [.. _ownEnds];
        }
    }

    /// <summary>SIGKILL, and the end of the process. Another one is started.</summary>
    public Task KillAsync() => EndAsync(process => process.Kill());

    /// <summary>SIGTERM, and the end of the process. Another one is started.</summary>
    /// <returns>Exit code of the process that ended: 0 when it ended in order and in time.</returns>
    public Task<int> TerminateAsync() => EndAsync(process => process.Terminate());

    /// <summary>SIGTERM, and the end of the process. No other one is started.</summary>
    /// <returns>As <see cref="TerminateAsync"/>.</returns>
    public async Task<int> RetireAsync()
    {
        await _retired.CancelAsync();
        var code = await TerminateAsync();
        await _watch;
        return code;
    }

    /// <summary>SIGSTOP: it stands still with its connections open.</summary>
    public void Suspend() => _life.Process.Suspend();

    /// <summary>SIGCONT.</summary>
    public void Resume() => _life.Process.Resume();

    /// <summary>Whether the present process says that it is ready.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken cancel)
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri(_life.Address, "health/ready"), cancel);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Waits for its present process, or a later one, to be ready.</summary>
    /// <exception cref="TimeoutException">None was within that time.</exception>
    public async Task UntilReadyAsync(TimeSpan patience, CancellationToken cancel)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timeout.CancelAfter(patience);
        try
        {
            while (!await IsReadyAsync(timeout.Token))
                await Task.Delay(50, timeout.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new TimeoutException(
                $"{Name} was not ready after {patience.TotalSeconds:F0} s. "
                    + $"Its last lines:{Environment.NewLine}{_life.Process.LastLines(20)}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _retired.CancelAsync();
        // A process that stands still would not hear that it shall end.
        _life.Process.Resume();
        _life.Process.Terminate();
        if (await Task.WhenAny(_watch, Task.Delay(Grace)) != _watch)
            _life.Process.Kill();
        await _watch;
        _retired.Dispose();
    }

    private async Task<int> EndAsync(Action<ChildProcess> signal)
    {
        var life = _life;
        life.IsToldToEnd = true;
        signal(life.Process);
        await life.Process.Ended;
        return life.Process.ExitCode!.Value;
    }

    private Life Begin(int number)
    {
        // A port of its own each time: the one before may belong to somebody's connection by now.
        var address = new Uri($"http://127.0.0.1:{InstalledProgram.FreePorts(1)[0].ToString(CultureInfo.InvariantCulture)}/");
        return new Life(number, _start(address), address);
    }

    private async Task WatchAsync()
    {
        while (true)
        {
            var life = _life;
            await life.Process.Ended;
            if (!life.IsToldToEnd && !_retired.IsCancellationRequested)
            {
                lock (_ownEnds)
                    _ownEnds.Add(life.Process.Obituary());
                await Task.Delay(PauseAfterOwnEnd);
            }
            if (!_retired.IsCancellationRequested)
                _life = Begin(life.Number + 1);
            await life.Process.DisposeAsync();
            if (_life == life)
                return;
            // Retired between the look above and the start: the one who retired it may have seen only the process before.
            if (_retired.IsCancellationRequested)
                _life.Process.Terminate();
        }
    }

    private sealed record Life(int Number, ChildProcess Process, Uri Address)
    {
        public volatile bool IsToldToEnd;
    }
}
