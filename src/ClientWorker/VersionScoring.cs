using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Evaluation;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>Scores versions on held-out data. Remembers the last one, so that a repeated request costs nothing.</summary>
public sealed class VersionScoring
{
    private readonly RebuiltVersions _versions;
    private readonly BaseModel _model;
    private readonly Func<CausalLanguageModel, Evaluator> _evaluatorOf;
    private (CausalLanguageModel Model, Evaluator Evaluator) _evaluator;
    private (ModelVersion Version, EvaluationResult Evaluation)? _last;

    public VersionScoring(
        BaseModel model, RebuiltVersions versions, IOptions<EvaluatorOptions> options, IOptions<WorkerOptions> worker)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(versions);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(worker);
        var examples = DataFile.Load(options.Value.Data!, worker.Value.Reading());
        (_model, _versions) = (model, versions);
        _evaluatorOf = of => new Evaluator(
            of, model.Encoder, EvenlySpaced.Of(examples, options.Value.Limit), options.Value.MaximumNewTokens);
        _evaluator = (model.Model, _evaluatorOf(model.Model));
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
                    return EvaluatorOf(_model.For(version.Directions)).Evaluate(held.Weights, cancellation: cancel);
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

    private Evaluator EvaluatorOf(CausalLanguageModel model)
    {
        if (_evaluator.Model != model)
            _evaluator = (model, _evaluatorOf(model));
        return _evaluator.Evaluator;
    }
}
