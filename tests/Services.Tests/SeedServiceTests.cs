using System.Runtime.InteropServices;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Rounds;

namespace FedKSeed.Services.Tests;

public class SeedServiceTests(RedisServer redis)
{
    [Fact]
    public async Task A_started_round_sends_each_participant_its_seeds_as_the_log_has_them()
    {
        await using var services = await ServiceHost.StartAsync(redis, "assigns");
        var assignment = await StartRound(services);

        var state = await services.Book.RefreshAsync(TestContext.Current.CancellationToken);
        Assert.Equal(
            state.Assignments[new AssignmentKey(1, "a")].Seeds.ToArray(),
            PackedIntegers.UnpackUnsigned(assignment.Seeds, assignment.Steps, PackedIntegers.BitsForIndexBelow(4096)));
        Assert.Equal(10_240, assignment.Model!.Quantised.Length);
    }

    [Fact]
    public async Task A_report_is_accepted_once_however_often_it_comes()
    {
        await using var services = await ServiceHost.StartAsync(redis, "repeats");
        var report = ReportOn(await StartRound(services));
        await services.Publish(report);
        await services.Publish(report);
        await services.Published.WaitFor<ReportAccepted>(accepted => accepted.Assignment.Client == "a", count: 2);
        await services.Publish(new RoundClosed { Federation = "repeats", Round = 1, Reason = "Quorum" });
        await services.Published.WaitFor<RoundCommitted>(committed => committed.Reports == 1);
        await services.Publish(report);
        await services.Published.WaitFor<ReportAccepted>(accepted => accepted.Assignment.Client == "a", count: 3);

        var lines = await services.Book.Log.ReadAsync(0, TestContext.Current.CancellationToken)
            .ToListAsync(TestContext.Current.CancellationToken);
        Assert.Single(lines, line => line.Contains("\"kind\":\"ScalarsReported\"", StringComparison.Ordinal));
        Assert.Empty(await services.Book.Log.ReadInHandAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_round_that_is_closed_twice_is_committed_once_and_announced_twice()
    {
        await using var services = await ServiceHost.StartAsync(redis, "closes");
        await services.Publish(ReportOn(await StartRound(services)));
        await services.Published.WaitFor<ReportAccepted>(_ => true);
        var closed = new RoundClosed { Federation = "closes", Round = 1, Reason = "Quorum" };
        await services.Publish(closed);
        await services.Publish(closed);
        await services.Published.WaitFor<RoundCommitted>(committed => committed.Version == 1, count: 2);
        Assert.Equal(1, (await services.Book.RefreshAsync(TestContext.Current.CancellationToken)).Version);
    }

    [Fact]
    public async Task A_wrong_report_changes_nothing_and_its_client_is_told_why()
    {
        await using var services = await ServiceHost.StartAsync(redis, "refuses");
        var assignment = await StartRound(services);
        await services.Publish(ReportOn(assignment) with { Scalars = new byte[12] });
        await services.Publish(ReportOn(assignment) with { Scalars = new byte[13] });
        await services.Publish(ReportOn(assignment) with { Assignment = assignment.Assignment with { Client = "mallory" } });

        await services.Client.WaitFor<ReportRejected>(rejected => rejected.Reason.Contains("are not 200 steps", StringComparison.Ordinal));
        await services.Client.WaitFor<ReportRejected>(rejected => rejected.Reason.Contains("whole number", StringComparison.Ordinal));
        await services.Published.WaitFor<ReportRejected>(rejected => rejected.Assignment.Client == "mallory");
        Assert.Empty(await services.Book.Log.ReadInHandAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_restarted_service_continues_from_the_log()
    {
        ScalarsReported report;
        await using (var before = await ServiceHost.StartAsync(redis, "restarts"))
        {
            report = ReportOn(await StartRound(before));
            await before.Publish(report);
            await before.Published.WaitFor<ReportAccepted>(_ => true);
        }
        await using var after = await ServiceHost.StartAsync(redis, "restarts");
        await after.Publish(new RoundClosed { Federation = "restarts", Round = 1, Reason = "Quorum" });
        var committed = await after.Published.WaitFor<RoundCommitted>(_ => true);
        Assert.Equal((1, 1), (committed.Version, committed.Reports));
    }

    [Fact]
    public async Task Other_settings_for_a_federation_that_is_open_are_refused()
    {
        await using (await ServiceHost.StartAsync(redis, "settled"))
        {
        }
        var fault = await Assert.ThrowsAnyAsync<InvalidOperationException>(
            () => ServiceHost.StartAsync(redis, "settled", settings: ("Federation:Epsilon", "0.01")));
        Assert.Contains("other settings", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_seeds_that_matter_most_stand_first_in_the_sorted_set()
    {
        await using var services = await ServiceHost.StartAsync(redis, "ranks");
        var assignment = await StartRound(services);
        var scalars = new float[200];
        Array.Fill(scalars, 0.5f);
        scalars[7] = -9;
        await services.Publish(ReportOn(assignment) with { Scalars = MemoryMarshal.AsBytes(scalars.AsSpan()).ToArray() });
        await services.Published.WaitFor<ReportAccepted>(_ => true);
        await services.Publish(new RoundClosed { Federation = "ranks", Round = 1, Reason = "Quorum" });
        await services.Published.WaitFor<RoundCommitted>(_ => true);

        var first = (await redis.Of("ranks").Client.GetDatabase().SortedSetRangeByRankWithScoresAsync(
            "fedkseed:{ranks}:importance", 0, 0, StackExchange.Redis.Order.Descending)).Single();
        var seeds = PackedIntegers.UnpackUnsigned(assignment.Seeds, 200, 12);
        Assert.Equal(seeds[7], (int)first.Element);
    }

    /// <summary>The paper's own arithmetic for a client and a round; ours is with envelopes.</summary>
    [Fact]
    public async Task A_client_s_round_takes_less_than_18_kilobytes_at_4096_seeds_and_200_steps()
    {
        await using var services = await ServiceHost.StartAsync(redis, "weighs");
        var assignment = await StartRound(services);
        var scalars = new float[200];
        for (var step = 0; step < scalars.Length; step++)
            scalars[step] = MathF.Sin(step) * 3;
        await services.Publish(ReportOn(assignment) with { Scalars = MemoryMarshal.AsBytes(scalars.AsSpan()).ToArray() });
        await services.Published.WaitFor<ScalarsReported>(_ => true);
        var down = services.Client.BytesOf<SeedsAssigned>(_ => true);
        var up = services.Published.BytesOf<ScalarsReported>(_ => true);
        Assert.InRange(down + up, 14_000, 17_988);
    }

    [Fact]
    public async Task A_client_is_sent_what_changed_and_the_whole_when_it_asks()
    {
        await using var services = await ServiceHost.StartAsync(redis, "changes");
        await RunRoundAsync(await SeedServiceTests.StartRound(services), 0.5f);
        var first = await StartRound(2);
        await RunRoundAsync(first, 0.001f);
        var delta = await StartRound(3);

        Assert.Null(delta.Model);
        Assert.Equal(delta.VersionDigest, delta.Delta!.Apply(first.Model!, delta.Version).Digest());

        await services.Publish(new VersionRequested { Federation = "changes", Assignment = delta.Assignment });
        var whole = await services.Client.WaitFor<SeedsAssigned>(
            assigned => assigned is { Assignment: { Round: 3, Client: "a" }, Model: not null });
        Assert.Equal(delta.VersionDigest, whole.Model!.Digest());
        Assert.Equal(delta.Seeds, whole.Seeds);
        Assert.InRange(delta.Delta.Gaps.Length + delta.Delta.Changes.Length, 1, whole.Model.Quantised.Length / 10);

        async Task<SeedsAssigned> StartRound(int round)
        {
            await services.Publish(new RoundStarted { Federation = "changes", Round = round, Participants = ["a", "b"] });
            return await services.Client.WaitFor<SeedsAssigned>(
                assigned => assigned.Assignment.Round == round && assigned.Assignment.Client == "a");
        }

        async Task RunRoundAsync(SeedsAssigned assignment, float scalar)
        {
            var scalars = new float[assignment.Steps];
            Array.Fill(scalars, scalar);
            await services.Publish(ReportOn(assignment) with { Scalars = MemoryMarshal.AsBytes(scalars.AsSpan()).ToArray() });
            var round = assignment.Assignment.Round;
            await services.Published.WaitFor<ReportAccepted>(accepted => accepted.Assignment.Round == round);
            await services.Publish(new RoundClosed { Federation = "changes", Round = round, Reason = "Quorum" });
            await services.Published.WaitFor<RoundCommitted>(committed => committed.Round == round);
        }
    }

    [Fact]
    public async Task Where_rates_go_by_losses_reports_are_asked_for_them_and_the_next_assignment_has_the_rate_that_follows()
    {
        await using var services = await ServiceHost.StartAsync(
            redis, "rates", settings: [("Federation:ClientRates", "Loss"), ("Federation:Schedule", "Constant")]);
        await services.Publish(new RoundStarted { Federation = "rates", Round = 1, Participants = ["a", "b"] });
        var first = await services.Client.WaitFor<SeedsAssigned>(assigned => assigned.Assignment.Round == 1);
        Assert.True(first.WithLoss);
        var report = ReportOn(first) with { MeanLoss = 3 };
        var other = report with { Assignment = new(1, "b"), MeanLoss = 1 };

        foreach (var loss in new float?[] { null, -1, 2e6f })
            await services.Publish(report with { MeanLoss = loss });
        await services.Client.WaitFor<ReportRejected>(
            rejected => rejected.Reason.Contains("mean loss", StringComparison.Ordinal), count: 3);
        await services.Publish(report);
        await services.Publish(other);
        await services.Published.WaitFor<ReportAccepted>(_ => true, count: 2);
        await services.Publish(new RoundClosed { Federation = "rates", Round = 1, Reason = "Quorum" });
        await services.Published.WaitFor<RoundCommitted>(_ => true);
        await services.Publish(new RoundStarted { Federation = "rates", Round = 2, Participants = ["a", "b"] });

        var second = await services.Client.WaitFor<SeedsAssigned>(assigned => assigned.Assignment.Round == 2);
        Assert.Equal(("a", 1.5 * first.LearningRate), (second.Assignment.Client, second.LearningRate));
    }

    [Fact]
    public async Task A_report_that_dropout_takes_is_answered_by_nothing()
    {
        var settings = new FederationSettings { Dropout = 0.5 };
        var clients = Enumerable.Range(0, 20).Select(k => new AssignmentKey(1, $"client-{k}")).ToArray();
        var (lost, kept) = (clients.First(key => Dropout.Takes(settings, key)), clients.First(key => !Dropout.Takes(settings, key)));
        await using var services = await ServiceHost.StartAsync(redis, "loses", settings: ("Federation:Dropout", "0.5"));
        await services.Publish(
            new RoundStarted { Federation = "loses", Round = 1, Participants = [.. clients.Select(key => key.Client)] });
        var state = await services.Book.RefreshAsync(TestContext.Current.CancellationToken);
        while (state.Round is null)
            state = await services.Book.RefreshAsync(TestContext.Current.CancellationToken);
        ScalarsReported report = new()
        {
            Federation = "loses",
            Assignment = lost,
            BaseVersion = 0,
            Examples = 100,
            Scalars = new byte[200 * sizeof(float)],
            SkippedSteps = [],
        };

        await services.Publish(report);
        await services.Publish(report with { Assignment = kept });
        await services.Published.WaitFor<ReportAccepted>(_ => true);
        await services.Publish(new RoundClosed { Federation = "loses", Round = 1, Reason = "Deadline" });
        await services.Published.WaitFor<RoundCommitted>(committed => committed.Reports == 1);

        Assert.Equal(kept, Assert.Single(services.Published.All<ReportAccepted>()).Assignment);
        Assert.Empty(services.Published.All<ReportRejected>());
    }

    private static async Task<SeedsAssigned> StartRound(ServiceHost services)
    {
        await services.Publish(new RoundStarted { Federation = services.Federation, Round = 1, Participants = ["a"] });
        return await services.Client.WaitFor<SeedsAssigned>(assigned => assigned.Assignment.Round == 1);
    }

    private static ScalarsReported ReportOn(SeedsAssigned assignment) => new()
    {
        Federation = assignment.Federation,
        Assignment = assignment.Assignment,
        BaseVersion = assignment.Version,
        Examples = 100,
        Scalars = new byte[assignment.Steps * sizeof(float)],
        SkippedSteps = [],
    };
}
