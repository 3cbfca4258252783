using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Tests;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace FedKSeed.ClientWorker.Tests;

/// <summary>A process that is a member of several federations.</summary>
public sealed class MembershipsTests
{
    private const int Steps = 3;

    private static readonly DirectionSpace Directions = new() { PoolKey = 42, SeedCount = 64 };
    private static readonly string Digest = DigestOfBase();

    [Fact]
    public async Task A_client_trains_on_the_data_that_it_has_in_each_federation_as_a_worker_of_that_one_alone_would()
    {
        var (one, other) = (Membership("one", "client-1"), Membership("other", "client-2", at: 1));
        await using var both = await WorkerOnBus.StartAsync(one.Concat(other));

        var (inOne, inOther) = (await ReportAsync(both, "one"), await ReportAsync(both, "other"));

        Assert.Equal(("one", "other"), (inOne.Federation, inOther.Federation));
        Assert.Equal(Steps * sizeof(float), inOne.Scalars.Length);
        Assert.NotEqual(inOne.Scalars, inOther.Scalars);
        await using var onlyOne = await WorkerOnBus.StartAsync(Membership("one", "client-1"));
        Assert.Equal(inOne.Scalars, (await ReportAsync(onlyOne, "one")).Scalars);
        await using var onlyOther = await WorkerOnBus.StartAsync(Membership("other", "client-2"));
        Assert.Equal(inOther.Scalars, (await ReportAsync(onlyOther, "other")).Scalars);
    }

    [Fact]
    public async Task A_client_is_announced_to_each_of_its_federations_and_an_evaluator_to_its_own()
    {
        await using var worker = await WorkerOnBus.StartAsync(
            [.. Membership("one", "client-1"), .. Membership("other", "client-2", at: 1), .. Evaluator(at: 1)]);

        var announced = new HashSet<(string, string)>();
        while (announced.Count < 2)
            announced.Add(await worker.NextAsync<ClientAnnounced>() is var said ? (said.Federation, said.Client) : default);
        var evaluator = await worker.NextAsync<EvaluatorAnnounced>();

        Assert.Equal([("one", "hospital"), ("other", "hospital")], announced.Order());
        Assert.Equal(
            new EvaluatorAnnounced { Federation = "other", Evaluator = "other", Worker = "worker", Examples = 1, Device = "cpu" },
            evaluator);
    }

    [Fact]
    public async Task Memberships_with_one_model_folder_share_its_weights_whatever_their_prompts_are()
    {
        using TemporaryFolder folder = new();
        var prompt = folder.Write("prompt.json", """{"withInput": "{input} {instruction} =", "withoutInput": "{instruction} ="}""");
        await using var worker = await WorkerOnBus.StartAsync(
        [
            .. Membership("one", "client-1"),
            .. Membership("other", "client-2", at: 1, ("ModelFolder", Samples.Model + Path.DirectorySeparatorChar), ("PromptFile", prompt)),
        ]);

        var (one, other) = (worker.Memberships.Of("one"), worker.Memberships.Of("other"));
        Assert.Equal(1, worker.Models.Count);
        Assert.Same(one.Model.Base, other.Model.Base);
        Assert.NotEqual(one.Model.Encoder, other.Model.Encoder);
    }

    /// <summary>The versions of both are the same, so that what was held for one would do for the other if anybody took it.</summary>
    [Fact]
    public async Task A_delta_of_one_federation_is_never_applied_to_a_version_held_for_another()
    {
        await using var worker = await WorkerOnBus.StartAsync(Membership("one", "client-1").Concat(Membership("other", "client-1", at: 1)));
        var (first, second) = (Version(1, 1000), Version(2, 1003));
        await ReportAsync(worker, "one", first);
        var delta = Assignment("one", second) with { Model = null, Delta = ModelDelta.Between(first, second)! };

        await worker.AssignAsync(delta with { Federation = "other" });
        var asked = await worker.NextAsync<VersionRequested>();
        await worker.AssignAsync(delta);
        var report = await worker.NextAsync<ScalarsReported>();

        Assert.Equal("other", asked.Federation);
        Assert.Equal(("one", 2), (report.Federation, report.BaseVersion));
    }

    /// <summary>The same client, round and version in two federations is two assignments.</summary>
    [Fact]
    public async Task A_report_for_one_federation_does_not_answer_for_another()
    {
        await using var worker = await WorkerOnBus.StartAsync(Membership("one", "client-1").Concat(Membership("other", "client-2", at: 1)));

        var first = await ReportAsync(worker, "one");
        await ReportAsync(worker, "other");
        var again = await ReportAsync(worker, "one");

        Assert.Equal((first.Federation, first.Examples), (again.Federation, again.Examples));
        Assert.Equal(first.Scalars, again.Scalars);
    }

    [Fact]
    public async Task A_wrong_base_model_in_one_federation_leaves_the_others_at_work()
    {
        await using var worker = await WorkerOnBus.StartAsync(
        [
            .. Membership("right", "client-1", at: 0, ("BaseModelDigest", Digest)),
            .. Membership("wrong", "client-1", at: 1, ("BaseModelDigest", new string('b', 64))),
            .. Evaluator(at: 1),
        ]);

        Assert.Equal("right", (await ReportAsync(worker, "right")).Federation);
        await worker.AssignAsync(Assignment("wrong", Version(0, 0)));
        Assert.Contains("Federation wrong has another base model", await worker.NextFaultAsync<SeedsAssigned>(), StringComparison.Ordinal);
        for (var heartbeat = 0; heartbeat < 3; heartbeat++)
            Assert.Equal("right", (await worker.NextAsync<ClientAnnounced>()).Federation);
        var said = Assert.Single(worker.Critical);
        Assert.Contains("federation wrong", said, StringComparison.Ordinal);
        var readiness = await worker.ReadinessAsync();
        Assert.Equal(HealthStatus.Unhealthy, readiness.Status);
        Assert.Equal("the base model here is not that of wrong", readiness.Entries["clients"].Description);
    }

    [Fact]
    public async Task What_is_of_a_federation_or_a_client_that_it_does_not_work_for_is_put_aside_with_the_reason()
    {
        await using var worker = await WorkerOnBus.StartAsync(Membership("one", "client-1").Concat(Evaluator()));
        var assignment = Assignment("one", Version(0, 0));

        await worker.AssignAsync(assignment with { Federation = "third" });
        Assert.Contains("no member of federation 'third'", await worker.NextFaultAsync<SeedsAssigned>(), StringComparison.Ordinal);
        await worker.AssignAsync(assignment with { Assignment = new AssignmentKey(1, "client-9") });
        Assert.Contains("no client 'client-9' in federation 'one'", await worker.NextFaultAsync<SeedsAssigned>(), StringComparison.Ordinal);
        Assert.Equal(HealthStatus.Healthy, (await worker.ReadinessAsync()).Status);
    }

    [Fact]
    public async Task An_evaluator_scores_versions_of_its_own_federations_and_of_no_other()
    {
        await using var worker = await WorkerOnBus.StartAsync(
            [.. Membership("one", "client-1"), .. Evaluator(), .. Membership("other", "client-2", at: 1)]);
        var queue = QueueNames.OfEvaluator("one");

        await worker.SendAsync(queue, new EvaluationRequested { Federation = "other", Model = Version(1, 10) });
        await worker.SendAsync(queue, new EvaluationRequested { Federation = "third", Model = Version(1, 10) });
        await worker.SendAsync(queue, new EvaluationRequested { Federation = "one", Model = Version(2, 10) });

        Assert.Contains(
            "evaluates nothing of federation 'other'", await worker.NextFaultAsync<EvaluationRequested>(), StringComparison.Ordinal);
        Assert.Contains("no member of federation 'third'", await worker.NextFaultAsync<EvaluationRequested>(), StringComparison.Ordinal);
        var evaluated = await worker.NextAsync<ModelEvaluated>();
        Assert.Equal(("one", 2, 1), (evaluated.Federation, evaluated.Version, evaluated.Examples));
    }

    [Fact]
    public void Every_broken_file_of_every_membership_is_named_at_once()
    {
        using TemporaryFolder folder = new();
        var broken = folder.Write("broken.jsonl", "{\n");
        var one = Samples.MembershipOf("one", "client-1");
        one.Clients = [new ClientOptions { Name = "a", Data = broken }, new ClientOptions { Name = "b", Data = "/nowhere/b.jsonl" }];
        var other = Samples.MembershipOf("other", "client-1");
        other.ModelFolder = "/nowhere/model";
        other.Clients = [new ClientOptions { Name = "c", Data = "/nowhere/c.jsonl" }];
        var third = Samples.MembershipOf("third", "client-1");
        third.Evaluator.Data = "/nowhere/held-out.jsonl";

        var said = Assert.Throws<InvalidDataException>(() => new Samples(one, other, third)).Message;

        Assert.All(
            new[] { broken, "/nowhere/b.jsonl", "/nowhere/model", "/nowhere/c.jsonl", "/nowhere/held-out.jsonl" },
            file => Assert.Contains(file, said, StringComparison.Ordinal));
    }

    private static Dictionary<string, string?> Membership(
        string federation, string data, int at = 0, params (string Key, string Value)[] more) =>
        WorkerOnBus.Membership(at, federation, Samples.Data(data), more);

    private static Dictionary<string, string?> Evaluator(int at = 0) => new()
    {
        [$"Memberships:{at}:Evaluator:Data"] = Samples.Data("held-out"),
        [$"Memberships:{at}:Evaluator:Limit"] = "1",
        [$"Memberships:{at}:Evaluator:MaximumNewTokens"] = "1",
    };

    private static async Task<ScalarsReported> ReportAsync(WorkerOnBus worker, string federation, ModelVersion? version = null)
    {
        await worker.AssignAsync(Assignment(federation, version ?? Version(0, 0)));
        return await worker.NextAsync<ScalarsReported>();
    }

    private static SeedsAssigned Assignment(string federation, ModelVersion version) =>
        Samples.Assignment(federation, "hospital", version, Steps, limit: 1e4);

    private static ModelVersion Version(int number, long of) =>
        ModelVersion.Of(number, Digest, Directions, [of, .. new long[Directions.SeedCount - 1]]);

    private static string DigestOfBase()
    {
        using Samples samples = new(Samples.MembershipOf("test", "client-1"));
        return samples.Memberships.Of("test").Model.Base.Digest;
    }
}
