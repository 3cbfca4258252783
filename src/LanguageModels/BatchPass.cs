using FedKSeed.LanguageModels.Architectures;
using FedKSeed.LanguageModels.Weights;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels;

/// <summary>
/// What one pass of a batch through S sets of weights came to, before the output layer: M label positions, H hidden, V vocabulary. Good as
/// long as the call that it is handed to; see <see cref="CausalLanguageModel.Measure"/>.
/// </summary>
public sealed class BatchPass
{
    private readonly Decoder _decoder;
    private readonly IWeights _weights;
    private readonly Tensor _hidden; // [S or 1, M, H]

    internal BatchPass(Decoder decoder, IWeights weights, TokenBatch batch, Tensor hidden)
    {
        (_decoder, _weights, Batch, _hidden) = (decoder, weights, batch, hidden);
        Targets = tensor(batch.Targets, device: weights.Device.Torch);
    }

    /// <summary>The examples.</summary>
    public TokenBatch Batch { get; }

    /// <summary>S.</summary>
    public int Sets => _weights.Sets;

    /// <summary>[S, M, H] at the label positions, in the compute type.</summary>
    public Tensor Hidden => _hidden.expand(Sets, -1, -1);

    /// <summary>int64 [M], the ids to be predicted.</summary>
    public Tensor Targets { get; }

    /// <summary>[S, M] in nats, float32 or better: −log of the probability that each set gives each label.</summary>
    public Tensor CrossEntropies() =>
        _weights.Operations.CrossEntropy(_weights, _hidden, _decoder.Head, Targets).view(-1, Targets.shape[0]).expand(Sets, -1);

    /// <summary>[S, M, V] in the compute type. All at once: <see cref="CrossEntropies"/> needs less memory where it will do.</summary>
    public Tensor Logits() =>
        cat([.. _weights.MultiplyByRows(_hidden, _decoder.Head).Select(piece => piece.Product)], -1).expand(Sets, -1, -1);
}
