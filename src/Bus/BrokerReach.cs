using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace FedKSeed.Bus;

/// <summary>
/// Lets a connection to the broker be tried when somebody listens there, and not before. MassTransit waits longer after every attempt that
/// failed, up to a minute, and has no setting for it: a broker that was away for ten seconds would be without its services for thirty more.
/// </summary>
internal sealed partial class BrokerReach(ILogger<BrokerReach> log, CancellationToken stopping)
{
    // Each process looks at a moment of its own, so a broker that comes back is not met by all of them at once.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Returns when the broker accepts connections, or when this process stops.</summary>
    public async Task WaitAsync(ConnectionFactory factory)
    {
        for (var attempt = 0; !stopping.IsCancellationRequested && !await AcceptsAsync(factory); attempt++)
        {
            if (attempt == 0)
                Away(factory.HostName, factory.Port);
            await Task.Delay(Interval, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<bool> AcceptsAsync(ConnectionFactory factory)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(stopping);
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
}
