using FedKSeed.Contracts;
using FedKSeed.Tests;
using FedKSeed.Versions;

namespace FedKSeed.Observation.Tests;

public sealed class FederationViewTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly FederationView _start = new() { Rounds = 4 };

    [Fact]
    public void A_run_that_goes_on_shows_what_it_had_come_to()
    {
        using var sample = new SampleLog();
        var metrics = new RunMetrics();
        metrics.TakeOver(
            [], [RunMetrics.ClientHeader, "1,client-1,0,2.5,100,1000", "1,client-2,0,1.5,100,1000", "2,client-1,0,1,100,1000"]);
        foreach (var entry in LogFile.Read(sample.Log))
            metrics.Apply(entry);

        var view = FederationView.Of(metrics, 10, DateTimeOffset.UnixEpoch);

        Assert.Equal((3, 10), (view.Version, view.Rounds));
        Assert.Equal([1, 2, 3], view.HeldOutLoss.Select(point => point.Version));
        Assert.Equal([3, 1.5, 1], view.HeldOutLoss.Select(point => point.Value));
        Assert.Equal(3, view.ExactMatch.Count);
        // Only round 1 was measured whole.
        Assert.Equal(new VersionPoint(1, 2), Assert.Single(view.TrainingLoss));
        Assert.Equal((300L, 3000L), (view.BytesUp, view.BytesDown));
        Assert.Equal(new FederationView { Rounds = 5 }.Version, FederationView.Of(new RunMetrics(), 5, DateTimeOffset.UnixEpoch).Version);
    }

    [Fact]
    public void A_client_goes_from_idle_through_training_to_reported()
    {
        var view = Fold(Started(1));
        Assert.Equal(ClientActivity.Idle, view.Clients["a"].Activity);
        view = view.After(Progress("a", 1, 5), Noon);
        Assert.Equal((ClientActivity.Training, 5), (view.Clients["a"].Activity, view.Clients["a"].Step));
        view = view.After(Accepted("a", 1), Noon);
        Assert.Equal(ClientActivity.Reported, view.Clients["a"].Activity);
        Assert.Equal(1, view.Reported);
        Assert.Equal(0.5, view.RoundProgress);
    }

    [Fact]
    public void A_rejected_report_shows() =>
        Assert.Equal(ClientActivity.Rejected, Fold(Started(1), Progress("a", 1, 10),
            new ReportRejected { Federation = "f", Assignment = new AssignmentKey(1, "a"), Reason = "x" }).Clients["a"].Activity);

    [Fact]
    public void A_client_that_was_not_heard_of_for_long_is_gone()
    {
        var view = Fold(Announced("a"));

        Assert.Equal(ClientActivity.Idle, FederationView.ActivityOf(view.Clients["a"], Noon.AddSeconds(14)));
        Assert.Equal(ClientActivity.Gone, FederationView.ActivityOf(view.Clients["a"], Noon.AddSeconds(16)));
    }

    [Fact]
    public void Repeated_and_late_messages_change_nothing()
    {
        object[] messages = [Started(1), Progress("a", 1, 0), Progress("a", 1, 10), Accepted("a", 1), Progress("b", 1, 10),
            Accepted("b", 1), Committed(1), Evaluated(1)];
        var once = Fold(messages);

        var again = messages.Aggregate(once, (view, message) => view.After(message, Noon));

        Assert.Equal(
            (once.Version, once.Round, once.BytesUp, once.BytesDown), (again.Version, again.Round, again.BytesUp, again.BytesDown));
        Assert.Equal((200, 2000), (again.BytesUp, again.BytesDown));
        Assert.Equal(
            once.Clients.Values.Select(client => (client.Activity, client.Step)),
            again.Clients.Values.Select(client => (client.Activity, client.Step)));
        Assert.Equal(once.HeldOutLoss, again.HeldOutLoss);
        Assert.Equal(once.TrainingLoss, again.TrainingLoss);
    }

    [Fact]
    public void A_second_assignment_of_a_client_in_a_round_counts_as_one_more()
    {
        var view = Fold(
            Started(1), Progress("a", 1, 0), Progress("a", 1, 10), Accepted("a", 1), Progress(
                "a",
                1,
                0) with
            { Assignment = new AssignmentKey(1, "a", 1) },
            Progress("a", 1, 4) with { Assignment = new AssignmentKey(1, "a", 1) }, Progress("a", 1, 10));

        Assert.Equal((1, 3), (view.Reported, view.Assigned));
        Assert.Equal((ClientActivity.Training, 4), (view.Clients["a"].Activity, view.Clients["a"].Step));
        view = view.After(Accepted("a", 1) with { Assignment = new AssignmentKey(1, "a", 1) }, Noon);
        Assert.Equal((2, 200, 2000), (view.Reported, view.BytesUp, view.BytesDown));
    }

    [Fact]
    public void Bytes_add_up_over_rounds()
    {
        var view = Fold(
            Started(1), Progress("a", 1, 0), Progress("a", 1, 10), Accepted("a", 1), Committed(1), Started(2), Progress("a", 2, 0),
            Accepted("a", 2));

        Assert.Equal((200, 2000), (view.BytesUp, view.BytesDown));
    }

    [Fact]
    public void The_end_is_estimated_from_the_pace_of_the_latest_rounds()
    {
        var view = _start.After(Started(1), Noon).After(Committed(1), Noon.AddSeconds(10)).After(Started(2), Noon.AddSeconds(10))
            .After(Committed(2), Noon.AddSeconds(20));

        Assert.Null(_start.Remaining(Noon));
        Assert.Equal(TimeSpan.FromSeconds(15), view.Remaining(Noon.AddSeconds(25)));
    }

    private FederationView Fold(params object[] messages) => messages.Aggregate(_start, (view, message) => view.After(message, Noon));

    private static ClientAnnounced Announced(string client) =>
        new() { Federation = "f", Client = client, Worker = "w", Examples = 5, Device = "cpu" };

    private static RoundStarted Started(int round) => new() { Federation = "f", Round = round, Participants = ["a", "b"] };

    private static LocalProgress Progress(string client, int round, int step) => new()
    {
        Federation = "f",
        Assignment = new AssignmentKey(round, client),
        Worker = "w",
        Step = step,
        Steps = 10,
        Loss = 2,
        AssignmentBytes = 1000,
    };

    private static ReportAccepted Accepted(string client, int round) =>
        new() { Federation = "f", Assignment = new AssignmentKey(round, client), ReportBytes = 100 };

    private static RoundCommitted Committed(int round) => new() { Federation = "f", Round = round, Version = round, Reports = 2 };

    private static ModelEvaluated Evaluated(int version) =>
        new() { Federation = "f", Version = version, Examples = 4, Loss = 1.5, ExactMatch = 0.25, RougeL = 0.5 };
}
