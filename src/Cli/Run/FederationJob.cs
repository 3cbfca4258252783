using FedKSeed.Checkpoints;
using FedKSeed.Cli.Display;
using FedKSeed.Cli.Report;

namespace FedKSeed.Cli.Run;

/// <summary>A federation from the base model to the report, wherever its services live.</summary>
internal sealed class FederationJob(RunFolder folder, Screen screen, TimeProvider time)
{
    /// <param name="resume">The command that continues it, for whoever stops it.</param>
    public async Task<RunSummary> RunAsync(RunPlan given, IFederationPlace place, string resume, CancellationToken cancel)
    {
        var started = time.GetTimestamp();
        var plan = given.Resolve(cancel);
        Directory.CreateDirectory(folder.Path);
        folder.RequireSpace();
        plan.Write(folder.Plan);
        foreach (var line in screen.During("Reading the data", progress => RunData.Notes(plan, progress, cancel)))
            screen.Line(line);
        var before = screen.During("Scoring the base model", progress => HeldOutScore.Of(plan.Model, plan, progress, cancel));
        var metrics = await FederateAsync(plan, place, resume, cancel);

        var closed = metrics.State.Closed!;
        using var source = Checkpoint.Open(plan.Model);
        screen.During($"Rebuilding version {closed.Version} from the log", _ =>
            ReplayedVersion.Read(folder.Log, closed.Version).Write(source, folder.Model, plan.Threads, null, cancel));
        plan.ModelPrompt().Write(folder.Model);
        var after = screen.During("Scoring the tuned model", progress => HeldOutScore.Of(folder.Model, plan, progress, cancel));
        var summary = RunSummary.Of(metrics, before, after, source, time.GetElapsedTime(started), folder);
        await File.WriteAllTextAsync(folder.Report, HtmlReport.Of(LogFile.Read(folder.Log), metrics.Rows, summary), cancel);
        return summary;
    }

    /// <summary>From the first round, or the one in which an earlier run was interrupted, to the last.</summary>
    private async Task<RunMetrics> FederateAsync(RunPlan plan, IFederationPlace place, string resume, CancellationToken cancel)
    {
        var watch = new FederationWatch(plan.Federation.Rounds, time);
        await using var _ = place;
        try
        {
            var recorder = await place.StartAsync(plan, folder, watch, cancel);
            return await screen.WatchAsync(watch, recorder.Closed, time, cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            throw new FailureException($"stopped at version {watch.View.Version}. Continue with: {resume}");
        }
    }
}
