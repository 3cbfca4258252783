namespace FedKSeed.Reliability.Tests;

/// <summary>
/// Three clients with two workers, whose rounds take seconds and cannot end before every client has reported: the deadline is far away. So
/// an assignment that changes hands does so because the broker gives it to another worker, not because a round was given up.
/// </summary>
public sealed class SlowFederation : IAsyncLifetime
{
    public static readonly WorkerGroup Clients = new(["client-1", "client-2", "client-3"], 2);

    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-scale-").FullName;
    private FederationServers _servers = null!;

    public ServiceFleet Fleet { get; private set; } = null!;

    public Witness Witness { get; private set; } = null!;

    internal ProgressTap Progress { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var cancel = CancellationToken.None;
        _servers = await FederationServers.StartAsync(_folder, cancel: cancel);
        var plan = new FleetPlan
        {
            Samples = Samples.Folder,
            Folder = _folder,
            WorkerGroups = [Clients],
            // A worker that is told to end has a second, in which it must not get through.
            Federation = FleetPlan.TinyFederation with { StepsPerRound = 300, Quorum = 1, RoundDeadline = TimeSpan.FromMinutes(20) },
        };
        Witness = await Witness.StartAsync(_servers.Addresses, plan.Federation.Name, TimeProvider.System, cancel);
        Progress = await ProgressTap.ListenAsync(_servers.Broker.Address, cancel);
        Fleet = await ServiceFleet.StartAsync(plan, _servers.Addresses, cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await Fleet.DisposeAsync();
        await Progress.DisposeAsync();
        await Witness.DisposeAsync();
        await _servers.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

public sealed class ScaleOutTests(SlowFederation federation) : IClassFixture<SlowFederation>
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Within five seconds on a machine with nothing else to do; the test prints what it took.</summary>
    [Fact]
    public async Task The_assignment_of_a_killed_worker_runs_on_another_worker_of_its_client()
    {
        var cancel = TestContext.Current.CancellationToken;
        federation.Progress.Forget();
        var begun = await federation.Progress.NextAsync(progress => progress.Step == 0, Patience, cancel);
        var killed = federation.Fleet.Workers.Single(worker => worker.Name == begun.Worker);
        var since = TimeProvider.System.GetTimestamp();

        await killed.KillAsync();
        var taken = await federation.Progress.NextAsync(
            progress => progress.Assignment.Round == begun.Assignment.Round && progress.Assignment.Client == begun.Assignment.Client
                && progress.Worker != begun.Worker, Patience, cancel);

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{begun.Assignment.Client} of round {begun.Assignment.Round}: {begun.Worker} was killed, "
                + $"{taken.Worker} began {TimeProvider.System.GetElapsedTime(since).TotalSeconds:F2} s later");
        await federation.Witness.UntilCommittedAsync(begun.Assignment.Round, Patience, cancel);
        await federation.Witness.AuditAsync(cancel);
    }

    [Fact]
    public async Task A_worker_that_is_added_takes_work_and_one_that_leaves_gives_its_work_back()
    {
        var cancel = TestContext.Current.CancellationToken;
        federation.Progress.Forget();
        var added = federation.Fleet.AddWorker(SlowFederation.Clients);
        var taken = await federation.Progress.NextAsync(progress => progress.Worker == added.Name && progress.Step == 0, Patience, cancel);

        Assert.Equal(0, await added.RetireAsync());

        var again = await federation.Progress.NextAsync(
            progress => progress.Assignment.Round == taken.Assignment.Round && progress.Assignment.Client == taken.Assignment.Client
                && progress.Worker != added.Name, Patience, cancel);
        Assert.NotEqual(added.Name, again.Worker);
        await federation.Witness.UntilCommittedAsync(taken.Assignment.Round, Patience, cancel);
        await federation.Witness.AuditAsync(cancel);
    }

    [Theory]
    [InlineData(ServiceKind.Worker)]
    [InlineData(ServiceKind.SeedService)]
    [InlineData(ServiceKind.RoundService)]
    public async Task A_service_that_is_told_to_end_while_it_works_does_so_in_order_and_in_time(ServiceKind kind)
    {
        var cancel = TestContext.Current.CancellationToken;
        var replica = federation.Fleet.Replicas.First(replica => replica.Kind == kind);
        await replica.UntilReadyAsync(Patience, cancel);
        federation.Progress.Forget();
        var working = await federation.Progress.NextAsync(progress => progress.Step == 0, Patience, cancel);
        var since = TimeProvider.System.GetTimestamp();

        // A host that needs more than its ten seconds gives up with another exit code.
        Assert.Equal(0, await replica.TerminateAsync());

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{replica.Name} ended {TimeProvider.System.GetElapsedTime(since).TotalSeconds:F2} s after SIGTERM");
        await federation.Witness.UntilCommittedAsync(working.Assignment.Round, Patience, cancel);
        await federation.Witness.AuditAsync(cancel);
    }
}
