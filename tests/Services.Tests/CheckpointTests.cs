using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Sampling;
using FedKSeed.LogStore;
using Microsoft.Extensions.Logging.Abstractions;

namespace FedKSeed.Services.Tests;

/// <summary>A book that begins at the checkpoint beside its log is the one that began at the log's beginning.</summary>
public class CheckpointTests(RedisServer redis)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    // Of 200 clients: a round is 402 entries, a checkpoint comes with every thirteenth.
    private const int Rounds = 14;
    private static readonly string[] Clients = [.. Enumerable.Range(0, 200).Select(client => $"client-{client:D3}")];

    [Fact]
    public async Task A_book_begins_at_the_checkpoint_and_not_at_the_log()
    {
        var whole = await WriteAsync("begins");
        // Whoever read this line would notice.
        await redis.Of("begins").Client.GetDatabase().ListSetByIndexAsync(Key("begins", "log"), 7, "not what was written");

        using var book = Book("begins");
        var state = await book.RefreshAsync(Cancel);

        AssertSame(whole, state);
        var next = await CommitAsync(book);
        Assert.Equal((Rounds + 1, 1), (next.Version, next.LastCommit!.Reports.Count));
    }

    [Theory]
    [InlineData("not a checkpoint")]
    [InlineData("{\"format\":0,\"length\":5,\"hash\":\"\",\"digest\":\"\"}\n{}")]
    [InlineData("CHANGED")]
    [InlineData("OTHERS")]
    public async Task A_checkpoint_that_does_not_fit_is_ignored_and_the_log_is_read(string text)
    {
        var federation = $"unfit-{text.Length}-{text[0] % 10}";
        var whole = await WriteAsync(federation);
        var database = redis.Of(federation).Client.GetDatabase();
        var own = (string)(await database.StringGetAsync(Key(federation, "checkpoint")))!;
        if (text == "CHANGED")
            text = own.Replace("\"lastCommitHadScalars\":true", "\"lastCommitHadScalars\":false", StringComparison.Ordinal);
        if (text == "OTHERS")
        {
            await WriteAsync(federation + "-other");
            text = (await redis.Of(federation + "-other").Client.GetDatabase().StringGetAsync(Key(federation + "-other", "checkpoint")))!;
        }
        Assert.NotEqual(own, text);
        await database.StringSetAsync(Key(federation, "checkpoint"), text);

        using var book = Book(federation);
        AssertSame(whole, await book.RefreshAsync(Cancel));

        // And it is written anew by the next who appends.
        await CommitAsync(book);
        Assert.StartsWith(
            own[..(own.IndexOf(',', StringComparison.Ordinal) + 1)],
            (await database.StringGetAsync(Key(federation, "checkpoint"))).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_checkpoint_holds_every_kind_of_thing_that_a_state_holds()
    {
        var state = await WriteAsync("kinds");
        Assert.True(state is { Round: not null, LastCommit: not null, Assignments.IsEmpty: false, BestEvaluation: not null });
        var uncommitted = FederationFold.Fold(
            state, EventLog.Write(state.Head, state.VersionSince, [ReportEntry(state, "client-000")]).Entries);
        Assert.Single(uncommitted.Uncommitted);

        AssertSame(uncommitted, StateCheckpoint.Read(StateCheckpoint.Write(uncommitted)));
    }

    /// <summary>A log of importance sampling, some reports late, evaluations, and an open round at its end.</summary>
    private async Task<FederationState> WriteAsync(string federation)
    {
        using var book = Book(federation);
        var settings = new FederationSettings
        {
            Name = federation,
            BaseModelDigest = new string('a', 64),
            Directions = new DirectionSpace { SeedCount = 64 },
            StepsPerRound = 4,
            Rounds = 50,
            Sampling = SamplingRule.Importance,
            EvaluateEvery = 1,
        };
        var cancel = Cancel;
        await book.AppendAsync((state, _) => FederationDecisions.Open(state, settings), cancel);
        for (var round = 1; round <= Rounds; round++)
        {
            var started = await book.AppendAsync((state, now) => FederationDecisions.StartRound(state, round, Clients, now), cancel);
            // One client's report is always late.
            await Task.WhenAll(Clients.Skip(1).Select(client => book.HoldAsync(Report(started, client), cancel)));
            await book.AppendWithReportsAsync(
                (state, inHand, now) => FederationDecisions.Commit(state, round, RoundEnd.Quorum, inHand, now), cancel);
            await book.HoldAsync(Report(started, Clients[0]), cancel);
            await book.AppendAsync(
                (state, _) => FederationDecisions.Evaluate(state, new ModelEvaluatedEntry(round, 10, 3.0 / round, 0.5, 0.25)), cancel);
        }
        return await book.AppendAsync((state, now) => FederationDecisions.StartRound(state, Rounds + 1, Clients, now), cancel);
    }

    private static Task<FederationState> CommitAsync(FederationBook book) => book.AppendWithReportsAsync(
        (state, inHand, now) => FederationDecisions.Commit(state, Rounds + 1, RoundEnd.Deadline, inHand, now), Cancel);

    private static ClientReport Report(FederationState state, string client)
    {
        var key = new AssignmentKey(state.Round!.Number, client);
        return new ClientReport(key, state.Version, 10, new float[] { 0.5f, -1.25f, key.Round, 1 }, []);
    }

    private static ScalarsReportedEntry ReportEntry(FederationState state, string client) =>
        ((ReportVerdict.Accept)FederationDecisions.Judge(state, Report(state, client), TimeProvider.System.GetUtcNow())).Entry;

    /// <summary>What was drawn of them is the same too.</summary>
    private static void AssertSame(FederationState expected, FederationState actual)
    {
        Assert.Equal(StateCheckpoint.Write(expected), StateCheckpoint.Write(actual));
        Assert.Equal(expected.Head, actual.Head);
        Assert.Equal(Accumulators.Digest(expected.Accumulators.Span), Accumulators.Digest(actual.Accumulators.Span));
        Assert.Equal(
            Enumerable.Range(0, 64).Select(expected.Distribution!.ProbabilityOf),
            Enumerable.Range(0, 64).Select(actual.Distribution!.ProbabilityOf));
        Assert.Equal(expected.BestVersion, actual.BestVersion);
    }

    private static string Key(string federation, string name) => $"fedkseed:{{{federation}}}:{name}";

    private FederationBook Book(string federation) => new(
        new RedisFederationLog(redis.Of(federation).Client, federation), TimeProvider.System, NullLogger<FederationBook>.Instance);
}
