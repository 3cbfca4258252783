using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.ClientWorker;

/// <summary>
/// A base model as one federation uses it: with its prompt, its longest example, and the adapter that its directions add. Safe to use from
/// any thread.
/// </summary>
public sealed class FederationModel
{
    private readonly int _degreeOfParallelism;
    private readonly Lock _lock = new();
    private (DirectionSpace Space, CausalLanguageModel Model)? _adapted;

    /// <param name="degreeOfParallelism">Threads that rebuild a version.</param>
    /// <exception cref="InvalidDataException">Prompt or tokenizer are missing, broken or not supported.</exception>
    public FederationModel(BaseModel baseModel, MembershipOptions options, int degreeOfParallelism)
    {
        ArgumentNullException.ThrowIfNull(baseModel);
        ArgumentNullException.ThrowIfNull(options);
        (Base, _degreeOfParallelism) = (baseModel, degreeOfParallelism);
        var prompt = ModelPrompt.Of(options.ModelFolder, options.PromptFile, options.ChatForm);
        var longest = Math.Min(options.MaximumTokens, baseModel.Model.MaxLength - options.VirtualTokens);
        Encoder = baseModel.Model.Encoder(prompt.Template, longest, prompt.Chat) with { WhenTooLong = options.LongExamples };
    }

    public BaseModel Base { get; }

    public ExampleEncoder Encoder { get; }

    /// <summary>The model that a space's versions are versions of: the base, or with the adapter that the space adds.</summary>
    /// <exception cref="FormatException">
    /// The space trains other tensors than its groups name in this base, or has another adapter than its settings make for it.
    /// </exception>
    /// <exception cref="InvalidDataException">The model has no room for the adapter.</exception>
    public CausalLanguageModel For(DirectionSpace space)
    {
        ArgumentNullException.ThrowIfNull(space);
        lock (_lock)
        {
            if (_adapted is { } known && known.Space == space)
                return known.Model;
            space.RequireResolved(Base.Model.Checkpoint);
            var model = Base.Model.With(space);
            _adapted = (space, model);
            return model;
        }
    }

    /// <summary>All weights of a version of this model, in the compute type; of an adapter, too.</summary>
    /// <inheritdoc cref="For"/>
    public ModelWeights Rebuild(ModelVersion version)
    {
        ArgumentNullException.ThrowIfNull(version);
        return For(version.Directions).Rebuild(
            new Rebuilder(version.Directions, version.Values(), version.Shift), _degreeOfParallelism);
    }
}
