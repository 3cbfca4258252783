using System.Text.Json;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.LanguageModels.Architectures;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.LanguageModels;

/// <summary>The shape of a LLaMA: what measurements need of a model.</summary>
/// <param name="Name">As <c>fedkseed bench --shape</c> has it.</param>
/// <param name="Heads">Attention heads; keys and values have as many.</param>
public sealed record ModelShape(string Name, int Hidden, int Intermediate, int Layers, int Heads, int Vocabulary)
{
    /// <summary>The sizes of the FedKSeed paper and its successors, and one for trying out.</summary>
    public static IReadOnlyList<ModelShape> Known { get; } =
    [
        new("tiny", 256, 688, 4, 4, 4096),
        new("1.3b", 2048, 5504, 24, 16, 32_000),
        new("3b", 3200, 8640, 26, 32, 32_000),
        new("7b", 4096, 11_008, 32, 32, 32_000),
    ];

    /// <summary>Weights of one layer: attention, feed-forward and two norms.</summary>
    public long LayerWeights => 4L * Hidden * Hidden + 3L * Hidden * Intermediate + 2L * Hidden;

    /// <summary>All weights; the embedding and the output layer are two.</summary>
    public long Weights => Layers * LayerWeights + 2L * Vocabulary * Hidden + Hidden;

    /// <summary>Weights that a forward pass multiplies each token with: all but the embedding.</summary>
    public long MultipliedWeights => Weights - (long)Vocabulary * Hidden;

    internal IEnumerable<TensorShape> Tensors()
    {
        TensorShape Matrix(string name, int rows, int columns) => new(name, TensorType.BF16, [rows, columns]);
        TensorShape Vector(string name) => new(name, TensorType.BF16, [Hidden]);

        yield return Matrix("model.embed_tokens.weight", Vocabulary, Hidden);
        for (var i = 0; i < Layers; i++)
        {
            var layer = $"model.layers.{i}";
            yield return Vector($"{layer}.input_layernorm.weight");
            foreach (var name in new[] { "q", "k", "v", "o" })
                yield return Matrix($"{layer}.self_attn.{name}_proj.weight", Hidden, Hidden);
            yield return Vector($"{layer}.post_attention_layernorm.weight");
            yield return Matrix($"{layer}.mlp.gate_proj.weight", Intermediate, Hidden);
            yield return Matrix($"{layer}.mlp.up_proj.weight", Intermediate, Hidden);
            yield return Matrix($"{layer}.mlp.down_proj.weight", Hidden, Intermediate);
        }
        yield return Vector("model.norm.weight");
        yield return Matrix("lm_head.weight", Vocabulary, Hidden);
    }

    internal object Config() => new
    {
        model_type = "llama",
        vocab_size = Vocabulary,
        hidden_size = Hidden,
        intermediate_size = Intermediate,
        num_hidden_layers = Layers,
        num_attention_heads = Heads,
    };
}

/// <summary>
/// A model of a shape with made-up weights, for measurements. Its checkpoint is a sparse file of zeros in a temporary folder, which takes
/// no room;
/// <see cref="Fill"/> gives weights that are not zero.
/// </summary>
public sealed class SyntheticModel : IDisposable
{
    // About what trained models have.
    private const float Size = 0.02f;

    private static readonly DirectionSpace Pool = new() { PoolKey = 0x5EED, SeedCount = 1 };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fedkseed-shape-");

    public SyntheticModel(ModelShape shape, ComputeType type = ComputeType.F32, ModelDevice? device = null)
    {
        ArgumentNullException.ThrowIfNull(shape);
        WriteCheckpoint(shape, _folder.FullName);
        Model = CausalLanguageModel.Load(_folder.FullName, type, device);
    }

    public CausalLanguageModel Model { get; }

    /// <summary>Writes configuration and weights, all of them zero, into a folder.</summary>
    public static void WriteCheckpoint(ModelShape shape, string folder)
    {
        ArgumentNullException.ThrowIfNull(shape);
        File.WriteAllText(Path.Combine(folder, ModelConfig.FileName), JsonSerializer.Serialize(shape.Config()));
        CheckpointWriter.WriteZeros(Path.Combine(folder, Checkpoint.SingleFile), shape.Tensors());
    }

    /// <summary>Adds ±0.02 to every weight, and 1 to those of norms.</summary>
    public static void Fill(ModelWeights weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        var values = new float[1 << 16];
        foreach (var parameter in weights.Layout.Parameters)
        {
            foreach (var tensor in weights.Layout.Tensors(parameter))
            {
                for (long first = 0; first < tensor.Count; first += values.Length)
                {
                    var piece = values.AsSpan(0, (int)Math.Min(values.Length, tensor.Count - first));
                    weights.Buffer.Read(tensor.Offset + first, piece);
                    for (var i = 0; parameter.IsVector && i < piece.Length; i++)
                        piece[i] += 1;
                    Perturb.Advance(Pool.Direction(0, tensor.Ordinal), Size, first, piece);
                    weights.Buffer.Write(tensor.Offset + first, piece);
                }
            }
        }
    }

    public void Dispose()
    {
        Model.Dispose();
        _folder.Delete(recursive: true);
    }
}
