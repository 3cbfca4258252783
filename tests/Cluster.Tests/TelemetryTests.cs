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

        var round = activities.Single(activity => activity.OperationName == "round commit" && (string?)activity.GetTagItem("fedkseed.federation") == "traced");
        var assignments = activities.Single(activity => activity.OperationName == "round assignments" && (string?)activity.GetTagItem("fedkseed.federation") == "traced");
        Assert.Equal(round.TraceId, assignments.TraceId);
        Assert.Contains(activities, activity => activity.Source.Name == "MassTransit" && activity.ParentSpanId == assignments.SpanId);
        Assert.Contains(round.TraceId.ToHexString(), System.Text.Encoding.UTF8.GetString(commit.Body.Span) + string.Join(' ', commit.BasicProperties.Headers!.Values.OfType<byte[]>().Select(System.Text.Encoding.UTF8.GetString)), StringComparison.Ordinal);
        foreach (var (name, unit) in new[] { ("fedkseed.reports.accepted", "{report}"), ("fedkseed.reports.rejected", "{report}"), ("fedkseed.rounds.committed", "{round}"), ("fedkseed.reports.size", "By"), ("fedkseed.commit.duration", "s") })
            Assert.Contains(measured, item => item.Instrument == name && item.Unit == unit && item.Value > 0);
    }

    private static void Enable(Instrument instrument, MeterListener listener)
    {
        if (instrument.Meter.Name == "FedKSeed")
            listener.EnableMeasurementEvents(instrument);
    }
}
