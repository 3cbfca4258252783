using System.Globalization;
using FedKSeed.Cluster.Tests;
using FedKSeed.Reliability.Network;

namespace FedKSeed.Network.Tests;

/// <summary>
/// A federation whose services meet every kind of bad network goes on by itself, and its book is whole.
/// FEDKSEED_NETWORK_PARTITION_SECONDS=60 makes the partition as long, with the services' own heartbeats and timeouts instead of the tests'
/// short ones.
/// </summary>
public sealed class HostileNetworkTests(Servers servers)
{
    // A round has to end within so long after the cause is gone: two heartbeats or four timeouts to notice, and a reconnect.
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(90);

    private static readonly double PartitionSeconds = double.Parse(
        Environment.GetEnvironmentVariable("FEDKSEED_NETWORK_PARTITION_SECONDS") ?? "3", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData("broker", 1)]
    [InlineData("Redis", 2)]
    public async Task Services_reconnect_by_themselves_and_nothing_is_lost_or_doubled_whatever_befalls_the_way_to_the(
        string server, int seed)
    {
        var cancel = TestContext.Current.CancellationToken;
        var federation = $"hostile-{server.ToLowerInvariant()}";
        await using var services = await ServicesBehindProxies.StartAsync(servers, federation, seed, PartitionSeconds < 20, cancel);
        await using var clients = await ScriptedClients.StartAsync(servers.Of(federation).Broker, federation, 5, cancel);
        clients.MayReport.SetResult();
        var (proxy, witness, random) = (services.Before(server), services.Witness, new Random(seed));
        await witness.UntilCommittedAsync(2, Bound, cancel);

        var kinds = Enum.GetValues<NetworkFaultKind>();
        random.Shuffle(kinds);
        foreach (var kind in kinds)
        {
            var accepted = proxy.Accepted;
            var seconds = kind == NetworkFaultKind.Partition ? PartitionSeconds : 2;
            await new NetworkFault(kind, TimeSpan.FromSeconds(seconds)).StrikeAsync(proxy, cancel);
            var (began, round) = (TimeProvider.System.GetTimestamp(), witness.State.Round?.Number ?? witness.State.LastRound + 1);
            await witness.UntilCommittedAsync(round + 1, Bound, cancel);
            TestContext.Current.SendDiagnosticMessage(
                $"{kind} before {server}: two rounds ended {TimeProvider.System.GetElapsedTime(began).TotalSeconds:F1} s after it");
            if (kind is NetworkFaultKind.HalfOpen or NetworkFaultKind.ResetInMidFrame)
                Assert.True(proxy.Accepted > accepted, $"{kind} cost no connection.");
            await witness.AuditAsync(cancel);
        }
        await witness.ReplayAsync(cancel);

        Assert.True(witness.Accepted >= 5 * kinds.Length);
        Assert.Equal((0, 0), (witness.Lost, witness.Doubled));
        // No fault that passed by itself left a message where somebody has to look after it.
        Assert.DoesNotContain(
            await LocalServers.RabbitMqServer.QueuesAsync(servers.Broker.Node, cancel, servers.Of(federation).VirtualHost),
            queue => queue.Name.EndsWith("_error", StringComparison.Ordinal));
    }
}
