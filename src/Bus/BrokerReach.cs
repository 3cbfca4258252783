using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace FedKSeed.Bus;

/// <summary>
/// Lets a connection to the broker be tried when somebody listens there, and not before. MassTransit waits longer after every attempt that
/// failed, up to a minute, and has no setting for it: a broker that was away for ten seconds would be without its services for thirty more.
/// </summary>
internal sealed partial class BrokerReach(ILogger<BrokerReach> log, IHostApplicationLifetime lifetime)
{
    // Each process looks at a moment of its own, so a broker that comes back is not met by all of them at once.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly CancellationToken _stopping = lifetime.ApplicationStopping;

    /// <summary>Returns when the broker accepts connections, or when this process stops.</summary>
    public async Task WaitAsync(ConnectionFactory factory)
    {
        var attempts = 0;
        for (; !_stopping.IsCancellationRequested && !await AcceptsAsync(factory); attempts++)
        {
            if (attempts == 0)
                Away(factory.HostName, factory.Port);
            await Task.Delay(Interval, _stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (attempts > 0 && !_stopping.IsCancellationRequested)
            Back(factory.HostName, factory.Port);
    }

    private async Task<bool> AcceptsAsync(ConnectionFactory factory)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(_stopping);
        timeout.CancelAfter(Patience);
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(factory.HostName, factory.Port, timeout.Token);
            return true;
        }
        catch (Exception fault) when (fault is SocketException or OperationCanceledException)
        {
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Nobody listens at {Host}:{Port}: waiting for the broker")]
    private partial void Away(string host, int port);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The broker at {Host}:{Port} is there")]
    private partial void Back(string host, int port);
}
