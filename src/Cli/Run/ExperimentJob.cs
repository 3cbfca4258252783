using System.Globalization;
using FedKSeed.Checkpoints;
using FedKSeed.Cli.Display;
using FedKSeed.Experiments;
using FedKSeed.Federation.Log;
using FedKSeed.Perturbation.Adapters;

namespace FedKSeed.Cli.Run;

/// <summary>
/// The runs of an experiment, one after another, each a whole federation with a folder of its own: its log, its model and its report
/// stay, and verify, replay and evaluate take them. What was done is not done again.
/// </summary>
/// <param name="folder">This process alone writes into it.</param>
internal sealed class ExperimentJob(Experiment experiment, string folder, int threads, Screen screen)
{
    private readonly OutcomesFile _outcomes = new(Path.Combine(folder, "outcomes.jsonl"));

    public string Page => Path.Combine(folder, "results.md");

    public async Task<IReadOnlyList<Outcome>> RunAsync(CancellationToken cancel)
    {
        List<Outcome> outcomes = [.. _outcomes.Read()];
        while (new Progress(experiment, outcomes).Next() is { } due)
        {
            var outcome = await RunAsync(due, cancel);
            _outcomes.Append(outcome);
            outcomes.Add(outcome);
            Write(outcomes);
            screen.Line(Said(due, outcome, new Progress(experiment, outcomes)));
        }
        Write(outcomes);
        return outcomes;
    }

    private static string Said(DueRun due, Outcome outcome, Progress progress)
    {
        var learned = outcome.Loss is { } loss
            ? string.Create(CultureInfo.InvariantCulture, $"loss {loss:f3}, exact match {outcome.ExactMatch:P1}")
            : "diverged";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{progress.Done} of {progress.Total}: {due.Arm.Name}, key {due.Key}, η {due.Rate:0.#####}: {learned}, {outcome.Seconds:f0} s");
    }

    private void Write(IReadOnlyList<Outcome> outcomes)
    {
        File.WriteAllText(Page, ResultsPage.Of(experiment, outcomes));
        File.WriteAllText(Path.Combine(folder, ResultsPage.Plot), LossPlot.Of(experiment, outcomes));
    }

    private async Task<Outcome> RunAsync(DueRun due, CancellationToken cancel)
    {
        var run = new RunFolder(Path.Combine(folder, "runs", FileName($"{due.Arm.Name}, key {due.Key}, rate {due.Rate:0.#####}")));
        // What is there was interrupted: a run of an experiment is short.
        if (Directory.Exists(run.Path))
            Directory.Delete(run.Path, recursive: true);
        Directory.CreateDirectory(run.Path);
        var plan = RunPlan.New with { Threads = threads, Federation = experiment.SettingsOf(due) };
        var data = experiment.Alpha is { } alpha
            ? SharedOutData.Write(
                plan.Data, Path.Combine(folder, "data", $"key-{due.Key}"), plan.ClientFiles().Count, alpha, (ulong)due.Key)
            : null;
        plan = plan with { Data = data?.Folder ?? plan.Data };
        if (plan.Faults() is { Count: > 0 } faults)
            throw new UsageException(faults);
        using var times = new RunTimes();
        var summary = await new FederationJob(run, Screen.Silent(), TimeProvider.System).RunAsync(
            plan, new OneProcess(redisPort: null, isVerbose: false), isResumed: false, () => { }, cancel);
        var hasDiverged = summary.Reason == FederationEnd.Diverged;
        double? worst = data is null || hasDiverged ? null : data.WorstClient(data.HeldOutByTask.ToDictionary(
            task => task.Key, task => LossOf(run.Model, plan with { Data = Path.GetDirectoryName(task.Value)! }, cancel)));
        return new Outcome(
            due.Arm.Name, due.Key, due.Rate, plan.Federation.Rounds, hasDiverged ? null : summary.After.Loss,
            summary.After.ExactMatch, worst,
            Trained(plan, cancel), summary.BytesUp, summary.BytesDown, times.MeanStep, times.MeanRebuild, summary.Seconds, summary.LogHash);
    }

    private static double LossOf(string model, RunPlan plan, CancellationToken cancel) =>
        HeldOutScoring.Score(model, plan, progress: null, cancel).Loss ?? double.NaN;

    private static long Trained(RunPlan plan, CancellationToken cancel)
    {
        var directions = plan.Resolve(cancel).Federation.Directions;
        using var model = Checkpoint.Open(plan.Model);
        var tuned = directions.Adapter is { } adapter
            ? model.With(AdapterContent.Initial(adapter, directions.PoolKey, model).Tensors)
            : model;
        return directions.Tensors is { } tensors ? tensors.Sum(tensor => tuned.Weights[tensor.Ordinal].ElementCount) : tuned.WeightCount;
    }

    /// <summary>Every run of letters and digits, joined by hyphens.</summary>
    private static string FileName(string name) => string.Join(
        '-', new string([.. name.Select(letter => char.IsAsciiLetterOrDigit(letter) || letter == '.' ? letter : ' ')])
            .Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
