using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace FedKSeed.Reliability.Network;

/// <summary>How long bytes are under way: anything between the mean less and plus the jitter, at equal odds; their order stays.</summary>
public readonly record struct Latency(TimeSpan Mean, TimeSpan Jitter)
{
    public static Latency None { get; }
}

/// <summary>
/// A TCP proxy on the loopback interface that is as bad as a network can be, on command. What it does at random (latency, where a frame is
/// cut) follows from its seed and the order of the traffic. It holds at most a few megabytes of a connection: whoever sends more has to
/// wait, as on a real one. Commands may come from any thread.
/// </summary>
public sealed class HostileProxy : IAsyncDisposable
{
    private const int ChunkBytes = 16_384;
    private const int ChunksUnderWay = 64;

    // A connection whose one end is gone may deliver what is under way; one that swallows keeps its other end waiting.
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan HalfOpenLinger = TimeSpan.FromSeconds(60);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<Link, Task> _links = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly Lock _guard = new();
    private readonly Random _random;
    private readonly int _target;
    private readonly Task _accepting;
    private Latency _latency;
    private volatile Task _road = Task.CompletedTask;
    private volatile Task _wayBack = Task.CompletedTask;
    private int _accepted;

    /// <param name="target">Port of the loopback interface that it stands before.</param>
    public HostileProxy(int target, int seed)
    {
        (_target, _random) = (target, new Random(seed));
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Connections that are open at either end.</summary>
    public int Connections => _links.Count;

    /// <summary>Connections that were ever made: grows by one at a reconnect.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>Of every chunk of bytes, in both directions.</summary>
    public Latency Latency
    {
        get
        {
            lock (_guard)
                return _latency;
        }
        set
        {
            lock (_guard)
                _latency = value;
        }
    }

    /// <summary>For so long nothing comes back from the server; what was sent still reaches it.</summary>
    public void StallReplies(TimeSpan duration) => _wayBack = Task.Delay(duration, _ending.Token);

    /// <summary>For so long nothing gets through, new connections included. Afterwards it does: TCP sends again what was lost.</summary>
    public void Partition(TimeSpan duration) => _road = Task.Delay(duration, _ending.Token);

    /// <summary>Resets every connection in the middle of the next bytes that it carries.</summary>
    public void ResetInMidFrame()
    {
        foreach (var link in _links.Keys)
            link.IsDoomed = true;
    }

    /// <summary>From now on the present connections swallow all that is sent, and stay open. New ones are sound.</summary>
    public void LeaveHalfOpen()
    {
        foreach (var link in _links.Keys)
            link.Swallows = true;
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _listener.Dispose();
        await _accepting;
        await Task.WhenAll(_links.Values);
        _ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync(_ending.Token);
                Interlocked.Increment(ref _accepted);
                var link = new Link(client, new Socket(SocketType.Stream, ProtocolType.Tcp));
                _links[link] = Task.CompletedTask;
                _links[link] = CarryAsync(link);
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It ends.
        }
    }

    private async Task CarryAsync(Link link)
    {
        await Task.Yield();
        using (link)
        {
            try
            {
                await _road;
                await link.Server.ConnectAsync(IPAddress.Loopback, _target, _ending.Token);
                var (there, back) = (PumpAsync(link, link.Client,
                link.Server, isBack: false), PumpAsync(link, link.Server, link.Client, isBack: true));
                await Task.WhenAny(there, back);
                var both = Task.WhenAll(there, back);
                await Task.WhenAny(both, Task.Delay(link.Swallows ? HalfOpenLinger : Linger, _ending.Token));
            }
            catch (Exception fault) when (fault is OperationCanceledException or SocketException)
            {
                // The server is away, or the proxy ends: the client sees its connection closed.
            }
        }
        _links.TryRemove(link, out _);
    }

    /// <summary>One direction of one connection, through a queue in which every chunk waits for its time.</summary>
    private async Task PumpAsync(Link link, Socket from, Socket to, bool isBack)
    {
        var underWay = Channel.CreateBounded<(DateTimeOffset Due, byte[] Bytes)>(ChunksUnderWay);
        var reading = ReadAsync(from, underWay.Writer);
        try
        {
            await foreach (var (due, bytes) in underWay.Reader.ReadAllAsync(_ending.Token))
            {
                if (due - TimeProvider.System.GetUtcNow() is { Ticks: > 0 } early)
                    await Task.Delay(early, _ending.Token);
                await _road;
                if (isBack)
                    await _wayBack;
                if (link.Swallows)
                    continue;
                if (link.IsDoomed && bytes.Length > 1)
                {
                    await SendAsync(to, bytes.AsMemory(0, Draw(bytes.Length - 1) + 1));
                    link.Reset();
                    return;
                }
                await SendAsync(to, bytes);
            }
            if (!link.Swallows)
                to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception fault) when (fault is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // One end is gone, and this direction with it.
        }
        finally
        {
            underWay.Writer.TryComplete();
        }
        await reading;
    }

    private async Task ReadAsync(Socket from, ChannelWriter<(DateTimeOffset Due, byte[] Bytes)> underWay)
    {
        var buffer = new byte[ChunkBytes];
        var due = DateTimeOffset.MinValue;
        try
        {
            while (await from.ReceiveAsync(buffer, _ending.Token) is > 0 and var count)
            {
                var own = TimeProvider.System.GetUtcNow() + Sample();
                due = own > due ? own : due;
                await underWay.WriteAsync((due, buffer[..count]), _ending.Token);
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or SocketException or ObjectDisposedException
            or ChannelClosedException)
        {
            // As at an orderly end: what is under way still arrives.
        }
        underWay.TryComplete();
    }

    private async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[await to.SendAsync(bytes, _ending.Token)..];
    }

    private TimeSpan Sample()
    {
        lock (_guard)
            return _latency == Latency.None ? TimeSpan.Zero : _latency.Mean + _latency.Jitter * (2 * _random.NextDouble() - 1);
    }

    private int Draw(int below)
    {
        lock (_guard)
            return _random.Next(below);
    }

    private sealed class Link(Socket client, Socket server) : IDisposable
    {
        public Socket Client { get; } = client;

        public Socket Server { get; } = server;

        public volatile bool IsDoomed;

        public volatile bool Swallows;

        /// <summary>Closes both ends with a reset instead of an orderly end.</summary>
        public void Reset()
        {
            foreach (var end in new[] { Client, Server })
            {
                end.LingerState = new LingerOption(true, 0);
                end.Dispose();
            }
        }

        public void Dispose()
        {
            Client.Dispose();
            Server.Dispose();
        }
    }
}
