using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using Microsoft.Extensions.Logging.Abstractions;

namespace FedKSeed.Services.Tests;

public class BookTests(RedisServer redis)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static readonly FederationSettings Settings = new()
    {
        Name = "book",
        BaseModelDigest = new string('a', 64),
        Directions = new() { SeedCount = 64 },
        StepsPerRound = 4,
        Rounds = 50,
        EvaluateEvery = 0,
    };

    [Fact]
    public async Task Two_writers_at_once_make_one_dense_log()
    {
        using var one = Book("races");
        using var two = Book("races");
        await one.AppendAsync((state, _) => FederationDecisions.Open(state, Settings), Cancel);
        await Task.WhenAll(RunRounds(one), RunRounds(two));

        using var reader = Book("races");
        var state = await reader.RefreshAsync(Cancel);
        Assert.Equal(20, state.Version);
        Assert.Equal(1 + 20 * 3, state.Head.Length);
    }

    [Fact]
    public async Task Two_writers_take_the_same_report_in_hand_once()
    {
        using var one = Book("holds");
        using var two = Book("holds");
        await one.AppendAsync((state, _) => FederationDecisions.Open(state, Settings), Cancel);
        var state = await one.AppendAsync((state, now) => FederationDecisions.StartRound(state, 1, ["a"], now), Cancel);
        var report = new ClientReport(new AssignmentKey(1, "a"), 0, 10, new float[4], []);
        var verdicts = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(k => (k % 2 == 0 ? one : two).HoldAsync(report, Cancel)));
        Assert.Single(verdicts, verdict => verdict is ReportVerdict.Accept);
        Assert.Equal(19, verdicts.Count(verdict => verdict is ReportVerdict.Repeat));
        Assert.Single(await one.Log.ReadInHandAsync(Cancel));
    }

    [Fact]
    public async Task Reports_that_come_at_once_each_get_their_own_verdict_whoever_writes_them()
    {
        string[] clients = [.. Enumerable.Range(0, 400).Select(client => $"client-{client:D3}")];
        using var one = Book("together");
        using var two = Book("together");
        await one.AppendAsync((state, _) => FederationDecisions.Open(state, Settings), Cancel);
        await one.AppendAsync((state, now) => FederationDecisions.StartRound(state, 1, clients, now), Cancel);
        var sound = clients.Select(client => new ClientReport(new AssignmentKey(1, client), 0, 10, new float[4], []));
        var wrong = clients.Take(50).Select(client => new ClientReport(new AssignmentKey(1, client), 0, 10, new float[3], []));

        var verdicts = await Task.WhenAll(sound.Concat(wrong).Concat(sound).Select(async (report, k) =>
            (report, Verdict: await (k % 2 == 0 ? one : two).HoldAsync(report, Cancel))));

        Assert.All(verdicts, item => Assert.Equal(item.report.Scalars.Length == 3, item.Verdict is ReportVerdict.Refuse));
        Assert.All(verdicts.Where(item => item.report.Scalars.Length == 4).GroupBy(item => item.report.Key), same =>
            Assert.Equal(
                (1, 1),
                (same.Count(item => item.Verdict is ReportVerdict.Accept), same.Count(item => item.Verdict is ReportVerdict.Repeat))));
        Assert.Equal(clients.Length, (await one.Log.ReadInHandKeysAsync(Cancel)).Count);
    }

    [Fact]
    public async Task A_changed_byte_in_Redis_is_noticed()
    {
        using (var writer = Book("flips"))
        {
            await writer.AppendAsync((state, _) => FederationDecisions.Open(state, Settings), Cancel);
            await writer.AppendAsync((state, now) => FederationDecisions.StartRound(state, 1, ["a"], now), Cancel);
        }
        var database = redis.Of("flips").Client.GetDatabase();
        var line = (await database.ListGetByIndexAsync("fedkseed:{flips}:log", 2)).ToString();
        await database.ListSetByIndexAsync(
            "fedkseed:{flips}:log", 2, line.Replace("\"client\":\"a\"", "\"client\":\"b\"", StringComparison.Ordinal));
        using var reader = Book("flips");
        var fault = await Assert.ThrowsAsync<InvalidEntryException>(() => reader.RefreshAsync(Cancel));
        Assert.Equal(2, fault.Sequence);
    }

    private FederationBook Book(string federation) => new(
        new RedisFederationLog(redis.Of(federation).Client, federation), TimeProvider.System, NullLogger<FederationBook>.Instance);

    private static async Task RunRounds(FederationBook book)
    {
        for (var round = 1; round <= 20; round++)
        {
            await book.AppendAsync((state, now) => FederationDecisions.StartRound(state, round, ["a"], now), Cancel);
            await book.AppendWithReportsAsync(
                (state, inHand, now) => FederationDecisions.Commit(state, round, RoundEnd.Deadline, inHand, now),
                Cancel);
        }
    }
}
