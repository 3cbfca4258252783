using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using FedKSeed.Contracts;

namespace FedKSeed.Cluster.Tests;

public sealed class TelemetryTests(Servers servers)
{
    [Fact]
    public async Task A_round_is_one_trace_across_messages_and_its_instruments_say_what_happened()
    {
        var activities = new ConcurrentQueue<Activity>();
        using var traces = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "MassTransit" or "FedKSeed",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activities.Enqueue,
        };
        ActivitySource.AddActivityListener(traces);
        var measured = new ConcurrentQueue<(string Instrument, string? Unit, double Value)>();
        using var meters = new MeterListener { InstrumentPublished = (instrument, listener) => Enable(instrument, listener) };
        meters.SetMeasurementEventCallback<long>((instrument, value, _, _) => measured.Enqueue((instrument.Name, instrument.Unit, value)));
        meters.SetMeasurementEventCallback<double>((instrument, value, _, _) => measured.Enqueue((instrument.Name, instrument.Unit, value)));
        meters.Start();

        await using var service = await SeedServiceOnBroker.StartAsync(servers, "traced");
        var (accepted, rejected, committed) = (await service.Tap<ReportAccepted>(), await service.Tap<ReportRejected>(), await service.Tap<RoundCommitted>());
        var assignment = await service.StartRound();
        var report = new ScalarsReported
        {
            Federation = "traced",
            Round = 1,
            Client = assignment.Client,
            BaseVersion = 0,
            Examples = 1,
            Scalars = new byte[800],
            SkippedSteps = [],
        };
        await service.Publish(report with { Examples = 0 });
        await service.Next(rejected);
        await service.Publish(report);
        await service.Next(accepted);
        await service.Publish(new RoundClosed { Federation = "traced", Round = 1, Reason = "Quorum" });
        var commit = await service.Next(committed);

        var round = await StoppedAsync(activities, "round commit", "traced");
        var assignments = await StoppedAsync(activities, "round assignments", "traced");
        Assert.Equal(round.TraceId, assignments.TraceId);
        Assert.Contains(activities, activity => activity.Source.Name == "MassTransit" && activity.ParentSpanId == assignments.SpanId);
        Assert.Contains(round.TraceId.ToHexString(), System.Text.Encoding.UTF8.GetString(commit.Body.Span) + string.Join(' ', commit.BasicProperties.Headers!.Values.OfType<byte[]>().Select(System.Text.Encoding.UTF8.GetString)), StringComparison.Ordinal);
        foreach (var (name, unit) in new[] { ("fedkseed.reports.accepted", "{report}"), ("fedkseed.reports.rejected", "{report}"), ("fedkseed.rounds.committed", "{round}"), ("fedkseed.reports.size", "By"), ("fedkseed.commit.duration", "s") })
            Assert.Contains(measured, item => item.Instrument == name && item.Unit == unit && item.Value > 0);
    }

    [Fact]
    public async Task A_round_is_one_trace_from_the_clock_through_seed_service_and_worker_to_its_commit()
    {
        var activities = new ConcurrentQueue<Activity>();
        using var traces = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "MassTransit" or "FedKSeed",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activities.Enqueue,
        };
        ActivitySource.AddActivityListener(traces);
        await using var services = await SeedServiceOnBroker.StartAsync(
            servers, "one-trace", ("HasClock", "true"), ("Federation:BaseModelDigest", WorkerOnBroker.Digest), ("Federation:StepsPerRound", "2"), ("Federation:Rounds", "1"));
        var closed = await services.Tap<FederationClosed>();
        await using var worker = await WorkerOnBroker.StartAsync(servers, "one-trace");
        await services.Next(closed);

        var trace = (await StoppedAsync(activities, "round commit", "one-trace")).TraceId;
        string[] parts =
        [
            "round decision", "RoundStarted send", "round-started process", "round assignments", "client-client-1 send", "client-client-1 process",
            "ScalarsReported send", "scalars-reported process", "ReportAccepted send", "RoundClosed send", "round-closed process", "RoundCommitted send",
        ];
        foreach (var part in parts)
            await StoppedAsync(activities, activity => activity.TraceId == trace && activity.DisplayName.Contains(part, StringComparison.Ordinal));
    }

    private static Task<Activity> StoppedAsync(ConcurrentQueue<Activity> activities, string part, string federation) =>
        StoppedAsync(activities, activity => activity.OperationName == part && (string?)activity.GetTagItem("fedkseed.federation") == federation);

    /// <summary>An activity once it is over: what it sent may arrive before.</summary>
    private static async Task<Activity> StoppedAsync(ConcurrentQueue<Activity> activities, Func<Activity, bool> isIt)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            if (activities.FirstOrDefault(isIt) is { } found)
                return found;
            await Task.Delay(10, timeout.Token);
        }
    }

    private static void Enable(Instrument instrument, MeterListener listener)
    {
        if (instrument.Meter.Name == "FedKSeed")
            listener.EnableMeasurementEvents(instrument);
    }
}
