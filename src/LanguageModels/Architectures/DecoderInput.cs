using FedKSeed.LanguageModels.Devices;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Architectures;

/// <summary>Tokens to be run through a model: N in all, in B texts of at most T; index tensors are int64.</summary>
public sealed record DecoderInput
{
    /// <summary>B.</summary>
    public required long Rows { get; init; }

    /// <summary>T.</summary>
    public required long Length { get; init; }

    /// <summary>[N], token ids, text after text.</summary>
    public required Tensor Ids { get; init; }

    /// <summary>[M], indices into <see cref="Ids"/> where logits are wanted.</summary>
    public required Tensor Positions { get; init; }

    /// <summary>[B·T], the token in each cell of attention's rectangle; null where the texts fill it, N = B·T.</summary>
    public Tensor? Cells { get; init; }

    /// <summary>[N], the cell of each token; null where the texts fill the rectangle.</summary>
    public Tensor? TokenCells { get; init; }

    internal static DecoderInput Of(TokenBatch batch, ModelDevice device)
    {
        var isPadded = batch.TokenCount < batch.Cells.Length;
        return new DecoderInput
        {
            Rows = batch.Rows,
            Length = batch.Length,
            Ids = tensor(batch.Ids, device: device.Torch),
            Positions = tensor(batch.Positions, device: device.Torch),
            Cells = isPadded ? tensor(batch.Cells, device: device.Torch) : null,
            TokenCells = isPadded ? tensor(batch.TokenCells, device: device.Torch) : null,
        };
    }
}
