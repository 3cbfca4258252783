using System.Text.Json;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using MassTransit;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;

namespace FedKSeed.Services.Tests;

/// <summary>One set of services, and federations that come and go.</summary>
public class ManyFederationsTests(RedisServer redis)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_message_of_a_federation_that_the_store_does_not_have_reaches_no_consumer()
    {
        await using var services = await ServiceHost.StartAsync(redis, "ours", rounds: true);
        await services.Publish(new RoundStarted { Federation = "theirs", Round = 1, Participants = ["a"] });
        // A consumer that saw this would fail on it, and say so.
        await services.Publish(new RoundStarted { Federation = "theirs", Round = 1, Participants = ["../etc"] });
        await services.Publish(
            new ClientAnnounced { Federation = "theirs", Client = "a", Worker = "w", Examples = 1, Device = "cpu" });
        await services.Publish(new RoundClosed { Federation = "../etc", Round = 1, Reason = "17" });

        await services.Publish(new RoundStarted { Federation = "ours", Round = 1, Participants = ["a"] });
        await services.Client.WaitFor<SeedsAssigned>(assigned => assigned.Federation == "ours");
        await services.Publish(new RoundClosed { Federation = "ours", Round = 1, Reason = "17" });
        await services.Published.WaitFor<Fault<RoundClosed>>(fault => fault.Message.Federation == "ours");

        Assert.Single(services.Published.All<Fault<RoundClosed>>());
        Assert.Empty(services.Published.All<Fault<RoundStarted>>());
        Assert.Single(services.Client.All<SeedsAssigned>());
        Assert.False((await services.Book.RefreshAsync(Cancel)).HasAssigned("../etc"));
        Assert.False(await redis.Of("ours").Client.GetDatabase().KeyExistsAsync("fedkseed:{theirs}:presence"));
    }

    [Fact]
    public async Task A_federation_is_opened_by_a_message_and_runs_beside_another_with_a_client_of_the_same_name()
    {
        await using var services = await ServiceHost.StartAsync(redis, "first", rounds: true, ("Federation:Rounds", "1"));
        await services.Publish(Open("second"));
        await services.Published.WaitFor<FederationOpened>(opened => opened.Federation == "second");

        foreach (var federation in (string[])["first", "second"])
            await services.Publish(Announcement(federation));
        foreach (var federation in (string[])["second", "first"])
            await services.Publish(ReportOn(await services.Client.WaitFor<SeedsAssigned>(assigned => assigned.Federation == federation)));

        foreach (var federation in (string[])["first", "second"])
            await services.Published.WaitFor<FederationClosed>(closed => closed.Federation == federation && closed.Version == 1);
        var book = await services.Books.OfAsync("second", Cancel);
        Assert.Equal(8, (await book.RefreshAsync(Cancel)).Settings!.StepsPerRound);
    }

    [Fact]
    public async Task A_federation_that_is_open_is_opened_again_with_the_same_settings_only()
    {
        await using var services = await ServiceHost.StartAsync(redis, "opened-once");
        await services.Publish(Open("opened-twice"));
        await services.Publish(Open("opened-twice"));
        await services.Published.WaitFor<FederationOpened>(opened => opened.Federation == "opened-twice", count: 2);
        Assert.Single(await LinesAsync("opened-twice"));

        await services.Publish(Open("opened-twice") with { Settings = Settings("opened-twice", steps: 9) });
        await services.Publish(Open("opened-twice") with { Settings = Settings("another") });
        await services.Publish(Open("opened-twice") with { Settings = "{\"rounds\":0}" });
        await services.Publish(Open("opened-twice") with { Settings = "[]" });
        await services.Published.WaitFor<Fault<OpenFederation>>(Says("other settings"));
        await services.Published.WaitFor<Fault<OpenFederation>>(Says("of a federation 'another'"));
        await services.Published.WaitFor<Fault<OpenFederation>>(Says("Rounds must be between"));
        await services.Published.WaitFor<Fault<OpenFederation>>(Says("cannot be read"));
        Assert.Single(await LinesAsync("opened-twice"));
    }

    [Fact]
    public async Task A_closed_federation_is_removed_with_all_that_the_store_holds_of_it_and_its_name_is_free()
    {
        await using var services = await ServiceHost.StartAsync(redis, "removed", rounds: true, ("Federation:Rounds", "1"));
        await services.Publish(new RemoveFederation { Federation = "removed", Actor = "alice" });
        await services.Published.WaitFor<Fault<RemoveFederation>>(
            fault => fault.Exceptions[0].Message.Contains("is not closed", StringComparison.Ordinal));

        await services.Publish(Announcement("removed"));
        var assignment = await services.Client.WaitFor<SeedsAssigned>(_ => true);
        await services.Publish(ReportOn(assignment));
        await services.Published.WaitFor<FederationClosed>(_ => true);
        await services.Publish(new RemoveFederation { Federation = "removed", Actor = "alice" });
        var database = redis.Of("removed").Client.GetDatabase();
        await UntilAsync(async () => ((RedisResult[])(await database.ExecuteAsync("KEYS", "fedkseed:{removed}:*"))!).Length == 0);

        // Late messages of it change nothing, and leave nothing behind.
        await services.Publish(ReportOn(assignment));
        await services.Publish(Announcement("removed"));
        await services.Publish(Open("removed"));
        await services.Published.WaitFor<FederationOpened>(opened => opened.Federation == "removed");
        var state = await (await services.Books.OfAsync("removed", Cancel)).RefreshAsync(Cancel);
        Assert.Equal((0, 8), (state.Version, state.Settings!.StepsPerRound));
    }

    [Fact]
    public async Task The_registry_is_repaired_from_the_logs()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var registry = new FederationRegistry(redis.Of("repaired").Client, time);
        var database = redis.Of("repaired").Client.GetDatabase();
        // A log as an earlier release, or a restored backup, has it; a name that was taken and never used; keys beside a log that is gone.
        await database.ListRightPushAsync("fedkseed:{no-name}:log", "a line");
        await registry.AddAsync("no-log", Cancel);
        await database.SortedSetAddAsync("fedkseed:{left-over}:presence", "a", 1);

        var first = await registry.RepairAsync(Cancel);
        Assert.Contains(first, done => done.Contains("'no-name'", StringComparison.Ordinal));
        Assert.Contains(first, done => done.Contains("'left-over'", StringComparison.Ordinal));
        Assert.DoesNotContain(first, done => done.Contains("'no-log'", StringComparison.Ordinal));
        Assert.NotNull(await registry.FindAsync("no-name", Cancel));
        Assert.False(await database.KeyExistsAsync("fedkseed:{left-over}:presence"));

        time.Advance(TimeSpan.FromMinutes(11));
        Assert.Contains(await registry.RepairAsync(Cancel), done => done.Contains("'no-log'", StringComparison.Ordinal));
        Assert.Null(await registry.FindAsync("no-log", Cancel));
        Assert.NotNull(await registry.FindAsync("no-name", Cancel));
    }

    [Fact]
    public async Task A_federation_that_has_the_name_of_one_that_was_closed_is_open_however_late_that_is_said()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var registry = new FederationRegistry(redis.Of("renamed").Client, time);
        await registry.AddAsync("renamed", Cancel);
        var first = (await registry.FindAsync("renamed", Cancel))!;
        await registry.CloseAsync(first, Cancel);
        Assert.True((await registry.FindAsync("renamed", Cancel))!.IsClosed);

        await registry.RemoveAsync("renamed", Cancel);
        time.Advance(TimeSpan.FromMilliseconds(5));
        await registry.AddAsync("renamed", Cancel);
        await registry.CloseAsync(first, Cancel);

        var second = (await registry.FindAsync("renamed", Cancel))!;
        Assert.NotEqual(first.Since, second.Since);
        Assert.False(second.IsClosed);
    }

    [Fact]
    public async Task An_evaluator_is_asked_when_it_says_that_it_is_alive_and_at_each_version_once()
    {
        await using var services = await ServiceHost.StartAsync(
            redis, "evaluated", rounds: true, ("Federation:Rounds", "1"), ("Federation:EvaluateEvery", "1"));
        await services.Publish(Evaluator("evaluated"));
        Assert.Equal(0, (await services.Evaluator.WaitFor<EvaluationRequested>(_ => true)).Model.Version);
        await services.Publish(Evaluator("evaluated"));
        await services.Publish(Evaluated("evaluated", 0));

        await services.Publish(Announcement("evaluated"));
        await services.Publish(ReportOn(await services.Client.WaitFor<SeedsAssigned>(_ => true)));
        await services.Evaluator.WaitFor<EvaluationRequested>(request => request.Model.Version == 1);
        await services.Publish(Evaluated("evaluated", 1));
        await services.Published.WaitFor<FederationClosed>(_ => true);
        Assert.Equal([0, 1], services.Evaluator.All<EvaluationRequested>().Select(request => request.Model.Version));
    }

    [Fact]
    public async Task A_federation_whose_log_is_broken_stands_still_and_no_other()
    {
        var database = redis.Of("sound").Client.GetDatabase();
        await database.ListRightPushAsync("fedkseed:{spoiled}:log", "no entry");
        await database.SortedSetAddAsync("fedkseed:federations", "spoiled", 1);
        await using var services = await ServiceHost.StartAsync(redis, "sound", rounds: true, ("Federation:Rounds", "1"));
        await services.Publish(Announcement("spoiled"));
        await services.Publish(Announcement("sound"));
        await services.Publish(ReportOn(await services.Client.WaitFor<SeedsAssigned>(assigned => assigned.Federation == "sound")));
        await services.Published.WaitFor<FederationClosed>(closed => closed.Federation == "sound");
        Assert.DoesNotContain(services.Published.All<RoundStarted>(), started => started.Federation == "spoiled");
    }

    [Fact]
    public async Task The_clocks_are_spread_over_the_round_services_and_one_that_ends_leaves_its_own_to_the_others()
    {
        string[] federations = [.. Enumerable.Range(0, 12).Select(number => $"spread-{number}")];
        await using var first = await ServiceHost.StartAsync(redis, "spread", rounds: true);
        foreach (var federation in federations)
            await first.Publish(Open(federation));
        await using (var second = await ServiceHost.StartAsync(redis, "spread", rounds: true))
        {
            await UntilAsync(async () =>
            {
                var holders = await HoldersAsync(federations);
                return !holders.Contains(null) && holders.Distinct().Count() == 2;
            });
        }
        await UntilAsync(async () =>
        {
            var holders = await HoldersAsync(federations);
            return !holders.Contains(null) && holders.Distinct().Count() == 1;
        });
    }

    [Fact]
    public async Task Reports_of_one_federation_that_wait_by_the_thousand_do_not_hold_up_another_s()
    {
        const int Waiting = 4_000;
        await using var services = await ServiceHost.StartAsync(redis, "busy", settings: ("Federation:StepsPerRound", "25"));
        string[] clients = [.. Enumerable.Range(0, Waiting).Select(number => $"client-{number:D5}")];
        var state = await services.Book.AppendAsync((state, now) => FederationDecisions.StartRound(state, 1, clients, now), Cancel);
        await services.Publish(Open("quiet"));
        await services.Published.WaitFor<FederationOpened>(_ => true);
        await (await services.Books.OfAsync("quiet", Cancel)).AppendAsync(
            (state, now) => FederationDecisions.StartRound(state, 1, ["a"], now), Cancel);

        await Task.WhenAll(clients[..(Waiting / 2)].Select(client => services.Publish(Report("busy", client, steps: 25))));
        await services.Publish(Report("quiet", "a", steps: 8));
        await Task.WhenAll(clients[(Waiting / 2)..].Select(client => services.Publish(Report("busy", client, steps: 25))));

        await services.Published.WaitFor<ReportAccepted>(accepted => accepted.Federation == "quiet");
        var before = services.Published.All<ReportAccepted>().Count(accepted => accepted.Federation == "busy");
        // Those that came before it, and what the service has under way at once.
        Assert.InRange(before, 0, Waiting / 2 + 1000);
        await services.Published.WaitFor<ReportAccepted>(accepted => accepted.Federation == "busy", Waiting);
    }

    private async Task<string?[]> HoldersAsync(IEnumerable<string> federations) => await Task.WhenAll(federations.Select(
        async federation => (string?)await redis.Of("spread").Client.GetDatabase().StringGetAsync($"fedkseed:{{{federation}}}:clock")));

    private async Task<RedisValue[]> LinesAsync(string federation) =>
        await redis.Of("opened-once").Client.GetDatabase().ListRangeAsync($"fedkseed:{{{federation}}}:log");

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!await holds())
            await Task.Delay(20, timeout.Token);
    }

    private static Func<Fault<OpenFederation>, bool> Says(string text) =>
        fault => fault.Exceptions[0].Message.Contains(text, StringComparison.Ordinal);

    private static OpenFederation Open(string federation) =>
        new() { Federation = federation, Settings = Settings(federation), Actor = "alice" };

    private static string Settings(string federation, int steps = 8) => JsonSerializer.Serialize(
        new FederationSettings
        {
            Name = federation,
            BaseModelDigest = new string('b', 64),
            StepsPerRound = steps,
            Rounds = 1,
            EvaluateEvery = 0
        },
        EventLog.Json);

    private static ClientAnnounced Announcement(string federation) =>
        new() { Federation = federation, Client = "a", Worker = "test", Examples = 10, Device = "cpu" };

    private static EvaluatorAnnounced Evaluator(string federation) =>
        new() { Federation = federation, Evaluator = "e", Worker = "test", Examples = 10, Device = "cpu" };

    private static ModelEvaluated Evaluated(string federation, int version) =>
        new() { Federation = federation, Version = version, Examples = 10, Loss = 1, ExactMatch = 0, RougeL = 0 };

    private static ScalarsReported Report(string federation, string client, int steps) => new()
    {
        Federation = federation,
        Assignment = new AssignmentKey(1, client),
        BaseVersion = 0,
        Examples = 10,
        Scalars = new byte[steps * sizeof(float)],
        SkippedSteps = [],
    };

    private static ScalarsReported ReportOn(SeedsAssigned assignment) => new()
    {
        Federation = assignment.Federation,
        Assignment = assignment.Assignment,
        BaseVersion = assignment.Version,
        Examples = 10,
        Scalars = new byte[assignment.Steps * sizeof(float)],
        SkippedSteps = [],
    };
}
