using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using FedKSeed.Cluster.Tests;
using FedKSeed.Contracts;
using FedKSeed.Reliability;
using MassTransit;

namespace FedKSeed.Network.Tests;

/// <summary>What is away is seen to be away, and what cannot be done meanwhile waits where it is safe, not in memory.</summary>
public sealed class BackPressureTests(Servers servers)
{
    private const int MegaByte = 1 << 20;

    // What SeedService takes from its queue before it has worked off any.
    private const int ReportsHeld = 256;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    [Theory]
    [InlineData("broker", "masstransit-bus")]
    [InlineData("Redis", "log")]
    public async Task A_service_says_that_it_is_not_ready_and_why_while_it_cannot_reach_its(string server, string check)
    {
        var cancel = TestContext.Current.CancellationToken;
        var gauge = new ConcurrentQueue<(string Check, int Value)>();
        using var meters = new MeterListener { InstrumentPublished = (instrument, listener) => Enable(instrument, listener) };
        meters.SetMeasurementEventCallback<int>((_, value, tags, _) => gauge.Enqueue(((string)tags[0].Value!, value)));
        meters.Start();
        await using var services = await ServicesBehindProxies.StartAsync(
            servers, $"seen-{server.ToLowerInvariant()}", 3, isQuickToNotice: true, cancel);
        await UntilAsync(() => services.IsReadyAsync(cancel));

        services.Before(server).Partition(TimeSpan.FromSeconds(12));
        await UntilAsync(async () => !await services.IsReadyAsync(cancel));
        await UntilAsync(
            () => Task.FromResult(services.Log.Any(line => line.StartsWith($"Not ready, {check}: ", StringComparison.Ordinal))));
        meters.RecordObservableInstruments();
        Assert.Contains((check, 0), gauge);

        await UntilAsync(() => services.IsReadyAsync(cancel));
        await UntilAsync(() => Task.FromResult(services.Log.Contains($"Ready again: {check}")));
        gauge.Clear();
        meters.RecordObservableInstruments();
        Assert.Contains((check, 1), gauge);
    }

    [Fact]
    public async Task Reports_that_come_while_Redis_is_away_wait_in_the_queue_and_each_is_taken_once_when_it_is_back()
    {
        const int Clients = 600;
        var cancel = TestContext.Current.CancellationToken;
        await using var services = await ServicesBehindProxies.StartAsync(
            servers, "waits", 4, isQuickToNotice: true, cancel, ("Federation:MinimumClients", $"{Clients}"),
            ("Federation:StepsPerRound", "1000"), ("Federation:RoundDeadline", "00:10:00"));
        await using var clients = await ScriptedClients.StartAsync(servers.Of("waits").Broker, "waits", Clients, cancel);
        await services.Witness.UntilAsync(state => state.Assignments.Count == Clients, Patience, "assignments for all", cancel);
        var before = GC.GetTotalMemory(forceFullCollection: true);

        services.Redis.Partition(TimeSpan.FromSeconds(15));
        clients.MayReport.SetResult();
        var waiting = await UntilReportsWaitAsync(Clients, cancel);
        var held = GC.GetTotalMemory(forceFullCollection: true) - before;

        TestContext.Current.SendDiagnosticMessage($"{waiting} reports waited, {held / (double)MegaByte:F1} MB were held for them");
        // 256 reports of 5 kB at each step of their way, and what the clients of this same process hold.
        Assert.InRange(held, long.MinValue, 48 * MegaByte);
        await services.Witness.UntilCommittedAsync(1, Patience, cancel);
        await UntilAsync(() => Task.FromResult(services.Witness.Accepted == Clients));
        await services.Witness.AuditAsync(cancel);
        Assert.Equal(Clients, services.Witness.Committed);
    }

    [Fact]
    public async Task What_is_published_while_the_broker_is_away_waits_no_longer_than_its_token_and_is_not_kept()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var services = await ServicesBehindProxies.StartAsync(servers, "blocks", 5, isQuickToNotice: true, cancel);
        var message = new EvaluationRequested
        {
            Federation = "another",
            Model = new ModelVersion
            {
                Version = 1,
                BaseModelDigest = "",
                Directions = new() { SeedCount = 1, Scheme = "" },
                Shift = 0,
                QuantisedBits = 20,
                Quantised = new byte[50_000],
            },
        };
        await services.Bus.Publish(message, cancel);
        services.Broker.Partition(TimeSpan.FromSeconds(10));
        var before = GC.GetTotalMemory(forceFullCollection: true);

        // 130 MB of messages, were they kept.
        var failed = 0;
        for (var batch = 0; batch < 4; batch++)
        {
            using var token = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            failed += (await Task.WhenAll(Enumerable.Range(0, 500).Select(async _ =>
            {
                try
                {
                    await services.Bus.Publish(message, token.Token);
                    return false;
                }
                catch (Exception fault) when (fault is OperationCanceledException or MassTransitException)
                {
                    return true;
                }
            }))).Count(hasFailed => hasFailed);
        }
        var held = GC.GetTotalMemory(forceFullCollection: true) - before;

        TestContext.Current.SendDiagnosticMessage($"{failed} of 2000 failed, {held / (double)MegaByte:F1} MB are held for them");
        Assert.Equal(2000, failed);
        Assert.InRange(held, long.MinValue, 48 * MegaByte);
    }

    /// <returns>How many reports the broker keeps, those that the service holds left out.</returns>
    private async Task<uint> UntilReportsWaitAsync(int most, CancellationToken cancel)
    {
        await using var connection = await AmqpConnection.OpenAsync(servers.Of("waits").Broker, cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancel);
        uint waiting = 0;
        await UntilAsync(async () =>
            (waiting = (await channel.QueueDeclarePassiveAsync("fedkseed-service-scalars-reported", cancel)).MessageCount) >= most
                - ReportsHeld);
        return waiting;
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var timeout = new CancellationTokenSource(Patience);
        while (!await condition())
        {
            Assert.False(timeout.IsCancellationRequested, $"It did not come within {Patience.TotalSeconds} s.");
            await Task.Delay(100, CancellationToken.None);
        }
    }

    private static void Enable(Instrument instrument, MeterListener listener)
    {
        if (instrument.Name == "fedkseed.ready")
            listener.EnableMeasurementEvents(instrument);
    }
}
