using FedKSeed.Checkpoints;
using FedKSeed.Cli.Display;
using FedKSeed.Federation.Log;
using FedKSeed.Observation;
using FedKSeed.Versions;

namespace FedKSeed.Cli.Run;

/// <summary>A federation from the base model to the report, wherever its services live.</summary>
/// <param name="folder">This process alone writes into it.</param>
internal sealed class FederationJob(RunFolder folder, Screen screen, TimeProvider time)
{
    /// <param name="isResumed">The folder holds a part of the federation already.</param>
    /// <param name="resumable">Called once enough is on disk for the run to be continued.</param>
    public async Task<RunSummary> RunAsync(
        RunPlan given, IFederationPlace place, bool isResumed, Action resumable, CancellationToken cancel)
    {
        var started = time.GetTimestamp();
        var plan = given.WithWholeBase(folder.Base, cancel).Resolve(cancel);
        folder.RequireSpace();
        HeldOutScore before;
        RunMetrics metrics;
        await using (place)
        {
            var connection = await place.OpenStoreAsync(plan, folder, cancel);
            await RunStore.ReconcileAsync(plan, folder, isResumed, connection, cancel);
            plan.Write(folder.Plan);
            resumable();
            foreach (var line in screen.During("Reading the data", progress => RunData.Notes(plan, progress, cancel)))
                screen.Line(line);
            before = screen.During("Scoring the base model", progress => HeldOutScoring.Score(plan.Model, plan, progress, cancel));
            metrics = await FederateAsync(plan, place, cancel);
        }
        var closed = metrics.State.Closed!;
        using var source = Checkpoint.Open(plan.Model);
        screen.During($"Rebuilding version {closed.Version} from the log", _ =>
            ReplayedVersion.Read(folder.Log, closed.Version).Write(source, folder.Model, plan.Threads, null, null, cancel));
        (plan.ModelPrompt() with { IsConversation = RunData.IsConversation(plan) }).Write(folder.Model);
        var after = screen.During("Scoring the tuned model", progress => HeldOutScoring.Score(folder.Model, plan, progress, cancel));
        var summary = RunSummary.Of(
            metrics, before, after, source.Weights.Sum(tensor => tensor.ByteCount), time.GetElapsedTime(started), folder.Path);
        if (closed.Reason == FederationEnd.Diverged || closed.Version == 0)
            summary = summary with { Advice = DivergenceAdvice.Of(LogFile.Read(folder.Log)) };
        await File.WriteAllTextAsync(folder.Report, HtmlReport.Of(LogFile.Read(folder.Log), metrics, summary), cancel);
        return summary;
    }

    /// <summary>From the first round, or the one in which an earlier run was interrupted, to the last.</summary>
    private async Task<RunMetrics> FederateAsync(RunPlan plan, IFederationPlace place, CancellationToken cancel)
    {
        var watch = new FederationWatch(FederationView.Of(Recorded(cancel), plan.Federation.Rounds, time.GetUtcNow()), time);
        var recorder = await place.StartAsync(plan, folder, watch, cancel);
        return await screen.WatchAsync(watch, recorder.Closed, time, cancel);
    }

    /// <summary>What an earlier process left, if one did.</summary>
    private RunMetrics Recorded(CancellationToken cancel)
    {
        var metrics = RunRecorder.TakenOver(folder);
        foreach (var entry in File.Exists(folder.Log) ? LogFile.Read(folder.Log) : [])
        {
            cancel.ThrowIfCancellationRequested();
            metrics.Apply(entry);
        }
        return metrics;
    }
}
