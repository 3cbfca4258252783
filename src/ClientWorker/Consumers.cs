using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Training;
using MassTransit;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>Works off an assignment of one of this process's clients and reports its scalars.</summary>
public sealed class SeedsAssignedConsumer(
    LocalTraining training, LocalClients clients, FederationBase baseModel, FinishedReports finished, WorkerMetrics metrics,
    IOptions<WorkerOptions> options, TimeProvider time)
    : IConsumer<SeedsAssigned>
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(500);

    public async Task Consume(ConsumeContext<SeedsAssigned> context)
    {
        var assignment = context.Message;
        baseModel.Require(assignment.Model);
        RequireSound(assignment);
        metrics.Assigned(context.ReceiveContext.Body.Length ?? 0);
        if (finished.Find(assignment) is not { } report)
        {
            var client = clients[assignment.Assignment.Client];
            var run = new AssignmentRun(assignment, client.Sequences.Count);
            var shown = time.GetTimestamp();
            await TellProgressAsync(context, run);
            await foreach (var step in training.RunAsync(assignment, client, context.CancellationToken))
            {
                run.Add(step);
                if (time.GetElapsedTime(shown) < ProgressInterval && run.Steps < assignment.Steps)
                    continue;
                shown = time.GetTimestamp();
                await TellProgressAsync(context, run);
            }
            report = run.Report();
            finished.Keep(report);
        }
        await context.PublishInTimeAsync(report, context.CancellationToken);
    }

    /// <summary>Bounds of what a federation's settings allow: an assignment beyond them would exhaust this process.</summary>
    private void RequireSound(SeedsAssigned assignment)
    {
        if (clients.All.All(client => client.Name != assignment.Assignment.Client))
            throw new FormatException($"this worker works for no client '{assignment.Assignment.Client}'");
        if (assignment.Steps is < 1 or > Limits.Steps || assignment.BatchSize is < 1 or > Limits.BatchSize
            || assignment.Model.Directions.SeedCount is < 1 or > Limits.Seeds
            || !double.IsFinite(assignment.LearningRate) || !float.IsFinite(assignment.Epsilon))
            throw new FormatException(
                $"{assignment.Steps} steps of {assignment.BatchSize} examples over "
                    + $"{assignment.Model.Directions.SeedCount} seeds are no assignment");
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
        BaseVersion = assignment.Model.Version,
        Examples = examples,
        Scalars = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_scalars)).ToArray(),
        SkippedSteps = _skipped,
    };
}

/// <summary>The last report of each client: a repeated assignment is answered with it instead of being worked off again.</summary>
public sealed class FinishedReports
{
    private readonly ConcurrentDictionary<string, ScalarsReported> _byClient = new(StringComparer.Ordinal);

    public ScalarsReported? Find(SeedsAssigned assignment) =>
        _byClient.TryGetValue(assignment.Assignment.Client, out var report)
            && report.Assignment == assignment.Assignment && report.Federation == assignment.Federation
            ? report
            : null;

    public void Keep(ScalarsReported report) => _byClient[report.Assignment.Client] = report;
}

/// <summary>Tells the operator of a client that its report did not count.</summary>
public sealed partial class ReportRejectedConsumer(ILogger<ReportRejectedConsumer> log) : IConsumer<ReportRejected>
{
    public Task Consume(ConsumeContext<ReportRejected> context)
    {
        Rejected(context.Message.Assignment.Client, context.Message.Assignment.Round, context.Message.Reason);
        return Task.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The report of {Client} for round {Round} was rejected: {Reason}")]
    private partial void Rejected(string client, int round, string reason);
}

/// <summary>Scores a version on the held-out data, each version once.</summary>
public sealed class EvaluationRequestedConsumer(
    VersionScoring scoring, FederationBase baseModel, FederationName federation) : IConsumer<EvaluationRequested>
{
    public async Task Consume(ConsumeContext<EvaluationRequested> context)
    {
        var request = context.Message;
        if (request.Federation != federation.Value)
            return;
        baseModel.Require(request.Model);
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
    }
}

/// <summary>One evaluation at a time; others wait in the queue.</summary>
public sealed class EvaluationRequestedConsumerDefinition : ConsumerDefinition<EvaluationRequestedConsumer>
{
    public EvaluationRequestedConsumerDefinition() =>
        Endpoint(endpoint => (endpoint.PrefetchCount, endpoint.ConcurrentMessageLimit) = (1, 1));
}
