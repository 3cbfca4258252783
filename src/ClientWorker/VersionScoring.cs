using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Evaluation;

namespace FedKSeed.ClientWorker;

/// <summary>
/// Scores versions of one federation on held-out data. Remembers the last one, so that a repeated request costs nothing. Safe to call from
/// any thread; one version of all that a process evaluates is scored at a time.
/// </summary>
public sealed class VersionScoring
{
    private readonly FederationModel _model;
    private readonly RebuiltVersions _versions;
    private readonly SemaphoreSlim _turn;
    private readonly Func<CausalLanguageModel, Evaluator> _evaluatorOf;
    private (CausalLanguageModel Model, Evaluator Evaluator) _evaluator;
    private (ModelVersion Version, EvaluationResult Evaluation)? _last;

    private VersionScoring(
        MembershipOptions options, IReadOnlyList<Example> examples, FederationModel model, RebuiltVersions versions, SemaphoreSlim turn)
    {
        (Evaluator, Examples, _model, _versions, _turn) = (options.EvaluatorName!, examples.Count, model, versions, turn);
        _evaluatorOf = of => new Evaluator(of, model.Encoder, examples, options.Evaluator.MaximumNewTokens);
        _evaluator = (model.Base.Model, _evaluatorOf(model.Base.Model));
    }

    /// <summary>Names the queue that its requests come from.</summary>
    public string Evaluator { get; }

    /// <summary>Number of held-out examples that a version is scored on.</summary>
    public int Examples { get; }

    /// <param name="turn">Of one, and of this process.</param>
    /// <param name="model">Null, with its versions, where there is none, and the file is only to be looked at.</param>
    /// <returns>Null where there is no model.</returns>
    /// <exception cref="InvalidDataException">The held-out data is broken, or nothing that this model can be scored on.</exception>
    internal static VersionScoring? Load(
        MembershipOptions options, DataReading reading, FederationModel? model, RebuiltVersions? versions, SemaphoreSlim turn)
    {
        var examples = DataFile.Load(options.Evaluator.Data!, reading);
        return model is null || versions is null
            ? null
            : new VersionScoring(options, EvenlySpaced.Of(examples, options.Evaluator.Limit), model, versions, turn);
    }

    public async Task<EvaluationResult> ScoreAsync(ModelVersion version, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(version);
        await _turn.WaitAsync(cancel);
        try
        {
            if (_last is { } last && last.Version == version)
                return last.Evaluation;
            var evaluation = await Task.Run(() => Score(version, cancel), cancel);
            _last = (version, evaluation);
            return evaluation;
        }
        finally
        {
            _turn.Release();
        }
    }

    private EvaluationResult Score(ModelVersion version, CancellationToken cancel)
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
    }

    private Evaluator EvaluatorOf(CausalLanguageModel model)
    {
        if (_evaluator.Model != model)
            _evaluator = (model, _evaluatorOf(model));
        return _evaluator.Evaluator;
    }
}
