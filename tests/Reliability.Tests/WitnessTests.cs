using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace FedKSeed.Reliability.Tests;

/// <summary>A witness that notices nothing would pass every campaign: each thing that it is to notice is done to a book here.</summary>
public sealed class WitnessTests(WitnessedServers servers) : IClassFixture<WitnessedServers>
{
    [Fact]
    public async Task A_sound_book_passes()
    {
        await using var book = await WitnessedBook.StartAsync(servers, "sound");

        await book.Witness.AuditAsync(TestContext.Current.CancellationToken);
        await book.Witness.ReplayAsync(TestContext.Current.CancellationToken);

        Assert.Equal((2, 1, 1), (book.Witness.Accepted, book.Witness.Written, book.Witness.Committed));
    }

    [Fact]
    public Task An_accepted_report_that_is_nowhere_is_noticed() =>
        NoticesAsync("lost", "lost: 2/a", (redis, key) => redis.KeyDeleteAsync(key("in-hand")));

    [Fact]
    public Task A_log_that_lost_its_end_is_noticed() =>
        NoticesAsync("cut", "and had", (redis, key) => redis.ListRightPopAsync(key("log")));

    [Fact]
    public Task A_changed_snapshot_is_noticed() =>
        NoticesAsync("snapshot", "snapshot", (redis, key) => redis.HashIncrementAsync(key("snapshot"), "version"));

    [Fact]
    public Task A_changed_bit_of_the_accumulators_is_noticed() =>
        NoticesAsync("bit", "snapshot", async (redis, key) =>
        {
            var quantised = (byte[])(await redis.HashGetAsync(key("snapshot"), "quantised"))!;
            quantised[^1] ^= 1;
            await redis.HashSetAsync(key("snapshot"), "quantised", quantised);
        });

    [Fact]
    public Task A_changed_importance_is_noticed() =>
        NoticesAsync("importance", "importance of seed", (redis, key) => redis.SortedSetIncrementAsync(key("importance"), 3, 1e-9));

    [Fact]
    public Task An_entry_that_does_not_follow_is_noticed() =>
        NoticesAsync("chain", "does not fold", async (redis, key) =>
            await redis.ListRightPushAsync(key("log"), await redis.ListGetByIndexAsync(key("log"), -1)));

    private async Task NoticesAsync(string federation, string what, Func<IDatabase, Func<string, RedisKey>, Task> tamper)
    {
        await using var book = await WitnessedBook.StartAsync(servers, federation);
        await tamper(book.Redis, name => $"fedkseed:{{{federation}}}:{name}");

        var noticed = await Assert.ThrowsAsync<InvariantException>(() => book.Witness.AuditAsync(TestContext.Current.CancellationToken));

        Assert.Contains(what, noticed.Message, StringComparison.Ordinal);
    }
}

public sealed class WitnessedServers : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-witness-").FullName;

    public FederationServers Servers { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Servers = await FederationServers.StartAsync(_folder);

    public async ValueTask DisposeAsync()
    {
        await Servers.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>A book with one committed report and one in hand, both announced, and a witness of it.</summary>
internal sealed class WitnessedBook : IAsyncDisposable
{
    private readonly ConnectionMultiplexer _redis;

    private WitnessedBook(ConnectionMultiplexer redis, Witness witness) => (_redis, Witness) = (redis, witness);

    public Witness Witness { get; }

    public IDatabase Redis => _redis.GetDatabase();

    public static async Task<WitnessedBook> StartAsync(WitnessedServers shared, string federation)
    {
        var cancel = TestContext.Current.CancellationToken;
        var servers = shared.Servers;
        var witness = await Witness.StartAsync(servers.Addresses, federation, TimeProvider.System, cancel);
        var redis = await ConnectionMultiplexer.ConnectAsync(servers.Redis.Connection);
        using var book = new FederationBook(
            new RedisFederationLog(redis, federation), TimeProvider.System, NullLogger<FederationBook>.Instance);
        var settings = FleetPlan.TinyFederation with
        {
            Name = federation,
            BaseModelDigest = new string('a', 64),
            Directions = new()
            {
                SeedCount = 8
            }
        };
        await book.AppendAsync((state, _) => FederationDecisions.Open(state, settings), cancel);
        await using var connection = await AmqpConnection.OpenAsync(servers.Broker.Address, cancel);
        for (var round = 1; round <= 2; round++)
        {
            var state = await book.AppendAsync((state, now) => FederationDecisions.StartRound(state, round, ["a"], now), cancel);
            var report = new ClientReport(new AssignmentKey(round, "a"), state.Version, 10, new[] { 0.5f, -1f, 2f }, []);
            Assert.IsType<ReportVerdict.Accept>(await book.HoldAsync(report, cancel));
            await connection.PublishAsync(
                new ReportAccepted { Federation = federation, Assignment = new AssignmentKey(round, "a"), ReportBytes = 1 },
                cancel);
            if (round == 1)
                await book.AppendWithReportsAsync(
                    (state, inHand, now) => FederationDecisions.Commit(state, 1, RoundEnd.Quorum, inHand, now), cancel);
        }
        while (witness.Accepted < 2)
            await Task.Delay(20, cancel);
        await witness.UntilAsync(state => state.Round?.Number == 2, TimeSpan.FromSeconds(10), "the second round", cancel);
        return new WitnessedBook(redis, witness);
    }

    public async ValueTask DisposeAsync()
    {
        await Witness.DisposeAsync();
        await _redis.DisposeAsync();
    }
}
