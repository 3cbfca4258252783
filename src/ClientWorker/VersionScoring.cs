using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels.Evaluation;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>Scores versions on held-out data. Remembers the last one, so that a repeated request costs nothing.</summary>
public sealed class VersionScoring
{
    private readonly RebuiltVersions _versions;
    private readonly Evaluator _evaluator;
    private (ModelVersion Version, EvaluationResult Evaluation)? _last;

    public VersionScoring(
        BaseModel model, RebuiltVersions versions, IOptions<EvaluatorOptions> options, IOptions<WorkerOptions> worker)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(versions);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(worker);
        var examples = DataFile.Load(options.Value.Data!, worker.Value.Reading());
        _versions = versions;
        _evaluator = new Evaluator(
            model.Model, model.Encoder, EvenlySpaced.Of(examples, options.Value.Limit), options.Value.MaximumNewTokens);
    }

    public async Task<EvaluationResult> ScoreAsync(ModelVersion version, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(version);
        if (_last is { } last && last.Version == version)
            return last.Evaluation;
        var evaluation = await Task.Run(
            () =>
            {
                var held = _versions.Hold(version, isForOnce: true);
                try
                {
                    return _evaluator.Evaluate(held.Weights, cancellation: cancel);
                }
                finally
                {
                    held.LetGo();
                }
            },
            cancel);
        _last = (version, evaluation);
        return evaluation;
    }
}
