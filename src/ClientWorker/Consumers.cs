using System.Runtime.InteropServices;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Training;
using MassTransit;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>Works off an assignment of one of this process's clients and reports its scalars.</summary>
public sealed partial class SeedsAssignedConsumer(
    Memberships memberships, LocalTraining training, WorkerMetrics metrics, IOptions<WorkerOptions> options, TimeProvider time,
    ILogger<SeedsAssignedConsumer> log)
    : IConsumer<SeedsAssigned>
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(500);

    public async Task Consume(ConsumeContext<SeedsAssigned> context)
    {
        var assignment = context.Message;
        IncomingMessages.RequireSound(assignment);
        var membership = memberships.Of(assignment.Federation);
        var client = membership.Client(assignment.Assignment.Client);
        membership.Base.Require(assignment.Model);
        metrics.Assigned(context.ReceiveContext.Body.Length ?? 0);
        if (membership.Held.Of(assignment) is not { } version)
        {
            Missing(client.Name, assignment.Federation, assignment.Version, assignment.Delta!.Since);
            await context.PublishInTimeAsync(
                new VersionRequested { Federation = assignment.Federation, Assignment = assignment.Assignment }, context.CancellationToken);
            return;
        }
        IncomingMessages.RequireSeeds(assignment, version);
        var report = membership.Finished.Find(assignment);
        if (report is null)
        {
            report = await WorkOffAsync(context, membership, client, version);
            membership.Finished.Keep(assignment, report);
        }
        await context.PublishInTimeAsync(report, context.CancellationToken);
    }

    private async Task<ScalarsReported> WorkOffAsync(
        ConsumeContext<SeedsAssigned> context, Membership membership, LocalClient client, ModelVersion version)
    {
        var assignment = context.Message;
        var run = new AssignmentRun(assignment, client.Sequences.Count);
        var began = time.GetTimestamp();
        var shown = began;
        await TellProgressAsync(context, run);
        await foreach (var step in training.RunAsync(assignment, version, membership, client, context.CancellationToken))
        {
            run.Add(step);
            if (time.GetElapsedTime(shown) < ProgressInterval && run.Steps < assignment.Steps)
                continue;
            shown = time.GetTimestamp();
            await TellProgressAsync(context, run);
        }
        var report = run.Report();
        var seconds = time.GetElapsedTime(began).TotalSeconds;
        var (loss, skipped) = (run.MeanLoss, report.SkippedSteps.Count);
        Done(client.Name, membership.Federation, assignment.Assignment.Round, assignment.Version, run.Steps, skipped, loss, seconds);
        return report;
    }

    /// <summary>For those who look on: an assignment does not fail because nobody hears of it.</summary>
    private async Task TellProgressAsync(ConsumeContext<SeedsAssigned> context, AssignmentRun run)
    {
        try
        {
            await context.PublishInTimeAsync(Progress(context, run), context.CancellationToken);
        }
        catch (Exception fault) when (FederationBus.IsBusAway(fault))
        {
            // The report will wait for the broker.
        }
    }

    private LocalProgress Progress(ConsumeContext<SeedsAssigned> context, AssignmentRun run) => new()
    {
        Federation = context.Message.Federation,
        Assignment = context.Message.Assignment,
        Worker = options.Value.Name,
        Step = run.Steps,
        Steps = context.Message.Steps,
        Loss = run.MeanLoss,
        AssignmentBytes = context.ReceiveContext.Body.Length ?? 0,
    };

    [LoggerMessage(
        Level = LogLevel.Debug,
        Message = "{Client} of {Federation}: version {Version} comes as a delta since {Since}, which this worker does not hold: it asks "
            + "for the whole")]
    private partial void Missing(string client, string federation, int version, int since);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "{Client} of {Federation} did round {Round} from version {Version}: {Steps} steps, {Skipped} skipped, loss {Loss:F4}, "
            + "{Seconds:F1} s")]
    private partial void Done(
        string client, string federation, int round, int version, int steps, int skipped, double? loss, double seconds);
}

/// <summary>The scalars of an assignment so far.</summary>
internal sealed class AssignmentRun(SeedsAssigned assignment, int examples)
{
    private readonly List<float> _scalars = [];
    private readonly List<int> _skipped = [];
    private double _lossSum;

    public int Steps => _scalars.Count + _skipped.Count;

    public double? MeanLoss => _scalars.Count == 0 ? null : _lossSum / _scalars.Count;

    public void Add(StepResult step)
    {
        if (step.Scalar is { } scalar)
        {
            _scalars.Add(scalar);
            _lossSum += (step.LossPlus + step.LossMinus) / 2;
        }
        else
        {
            _skipped.Add(Steps);
        }
    }

    public ScalarsReported Report() => new()
    {
        Federation = assignment.Federation,
        Assignment = assignment.Assignment,
        BaseVersion = assignment.Version,
        Examples = examples,
        Scalars = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_scalars)).ToArray(),
        SkippedSteps = _skipped,
        MeanLoss = assignment.WithLoss ? (float?)MeanLoss : null,
    };
}

/// <summary>Tells the operator of a client that its report did not count.</summary>
public sealed partial class ReportRejectedConsumer(Memberships memberships, ILogger<ReportRejectedConsumer> log)
    : IConsumer<ReportRejected>
{
    public Task Consume(ConsumeContext<ReportRejected> context)
    {
        var rejected = context.Message;
        var membership = memberships.Of(rejected.Federation);
        var client = membership.Client(rejected.Assignment.Client);
        Rejected(client.Name, membership.Federation, rejected.Assignment.Round, rejected.Reason);
        return Task.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The report of {Client} of {Federation} for round {Round} was rejected: {Reason}")]
    private partial void Rejected(string client, string federation, int round, string reason);
}

/// <summary>Scores a version of a federation on the held-out data that this process has for it, each version once.</summary>
public sealed partial class EvaluationRequestedConsumer(Memberships memberships, ILogger<EvaluationRequestedConsumer> log)
    : IConsumer<EvaluationRequested>
{
    public async Task Consume(ConsumeContext<EvaluationRequested> context)
    {
        var request = context.Message;
        IncomingMessages.RequireSound(request.Model);
        var membership = memberships.Of(request.Federation);
        membership.Base.Require(request.Model);
        var scoring = membership.Scoring
            ?? throw new FormatException($"this worker evaluates nothing of federation '{membership.Federation}'");
        var evaluation = await scoring.ScoreAsync(request.Model, context.CancellationToken);
        var evaluated = new ModelEvaluated
        {
            Federation = request.Federation,
            Version = request.Model.Version,
            Examples = evaluation.Answers.Count,
            Loss = double.IsFinite(evaluation.Loss) ? evaluation.Loss : null,
            ExactMatch = evaluation.ExactMatch,
            RougeL = evaluation.RougeL,
        };
        await context.PublishInTimeAsync(evaluated, context.CancellationToken);
        Scored(membership.Federation, request.Model.Version, evaluated.Loss, evaluated.ExactMatch, evaluated.RougeL);
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Scored version {Version} of {Federation}: loss {Loss:F4}, exact match {ExactMatch:P1}, ROUGE-L {RougeL:F3}")]
    private partial void Scored(string federation, int version, double? loss, double exactMatch, double rougeL);
}
