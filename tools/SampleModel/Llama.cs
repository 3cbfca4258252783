using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace FedKSeed.SampleModel;

/// <summary>Shape of the sample model, in the words of Hugging Face's LlamaConfig.</summary>
internal sealed record LlamaShape(
    int VocabularySize, int Hidden = 128, int Intermediate = 384, int Layers = 4, int Heads = 4, int KeyValueHeads = 2,
    int MaxPositions = 256, float RopeTheta = 10_000f, float NormEpsilon = 1e-5f)
{
    public int HeadSize => Hidden / Heads;

    /// <summary>Name and shape of every parameter, in the order of the checkpoint.</summary>
    public IEnumerable<(string Name, long[] Shape)> Parameters()
    {
        yield return ("model.embed_tokens.weight", [VocabularySize, Hidden]);
        for (var layer = 0; layer < Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            yield return (prefix + "input_layernorm.weight", [Hidden]);
            yield return (prefix + "self_attn.q_proj.weight", [Heads * HeadSize, Hidden]);
            yield return (prefix + "self_attn.k_proj.weight", [KeyValueHeads * HeadSize, Hidden]);
            yield return (prefix + "self_attn.v_proj.weight", [KeyValueHeads * HeadSize, Hidden]);
            yield return (prefix + "self_attn.o_proj.weight", [Hidden, Heads * HeadSize]);
            yield return (prefix + "post_attention_layernorm.weight", [Hidden]);
            yield return (prefix + "mlp.gate_proj.weight", [Intermediate, Hidden]);
            yield return (prefix + "mlp.up_proj.weight", [Intermediate, Hidden]);
            yield return (prefix + "mlp.down_proj.weight", [Hidden, Intermediate]);
        }
        yield return ("model.norm.weight", [Hidden]);
    }

    public long ParameterCount => Parameters().Sum(parameter => parameter.Shape.Aggregate(1L, (a, b) => a * b));
}

/// <summary>
/// LLaMA's forward pass as plain functions of the parameters, so that autograd runs through it. The output matrix is the
/// embedding's transpose (tied).
/// </summary>
internal sealed class Llama(LlamaShape shape, IReadOnlyDictionary<string, Tensor> parameters) : IDisposable
{
    private readonly (Tensor Cos, Tensor Sin) rotary = Rotary(shape);

    public LlamaShape Shape => shape;

    /// <summary>Hidden states [B, T, H] after the last norm for token ids [B, T].</summary>
    public Tensor Hidden(Tensor ids)
    {
        var x = parameters["model.embed_tokens.weight"].index_select(0, ids.view(-1)).view(ids.shape[0], ids.shape[1], shape.Hidden);
        for (var layer = 0; layer < shape.Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            x = x + Attention(Norm(x, parameters[prefix + "input_layernorm.weight"]), prefix + "self_attn.");
            x = x + FeedForward(Norm(x, parameters[prefix + "post_attention_layernorm.weight"]), prefix + "mlp.");
        }
        return Norm(x, parameters["model.norm.weight"]);
    }

    /// <summary>Logits [N, V] at the flat positions [N] of a batch of token ids [B, T].</summary>
    public Tensor Logits(Tensor ids, Tensor positions) =>
        F.linear(Hidden(ids).view(-1, shape.Hidden).index_select(0, positions), parameters["model.embed_tokens.weight"]);

    public void Dispose()
    {
        rotary.Cos.Dispose();
        rotary.Sin.Dispose();
    }

    private Tensor Attention(Tensor x, string prefix)
    {
        (var batch, var length) = (x.shape[0], x.shape[1]);
        Tensor Project(string name, int heads) =>
            F.linear(x, parameters[prefix + name]).view(batch, length, heads, shape.HeadSize).transpose(1, 2);

        var queries = Rotate(Project("q_proj.weight", shape.Heads), length); // [B, heads, T, d]
        var keys = Rotate(Project("k_proj.weight", shape.KeyValueHeads), length);
        var values = Project("v_proj.weight", shape.KeyValueHeads);
        var repeat = shape.Heads / shape.KeyValueHeads;
        keys = keys.repeat_interleave(repeat, 1);
        values = values.repeat_interleave(repeat, 1);
        var mixed = F.scaled_dot_product_attention(queries, keys, values, is_casual: true);
        return F.linear(mixed.transpose(1, 2).reshape(batch, length, shape.Hidden), parameters[prefix + "o_proj.weight"]);
    }

    private Tensor FeedForward(Tensor x, string prefix) =>
        F.linear(F.silu(F.linear(x, parameters[prefix + "gate_proj.weight"])) * F.linear(x, parameters[prefix + "up_proj.weight"]),
            parameters[prefix + "down_proj.weight"]);

    private Tensor Norm(Tensor x, Tensor weight) =>
        x * (x * x).mean([-1], keepdim: true).add(shape.NormEpsilon).rsqrt() * weight;

    /// <summary>Rotates the halves of every head, as Hugging Face lays them out.</summary>
    private Tensor Rotate(Tensor x, long length)
    {
        var halves = x.chunk(2, -1);
        return x * rotary.Cos.narrow(0, 0, length) + cat([-halves[1], halves[0]], -1) * rotary.Sin.narrow(0, 0, length);
    }

    private static (Tensor, Tensor) Rotary(LlamaShape shape)
    {
        using var scope = NewDisposeScope();
        var frequencies = pow(shape.RopeTheta, arange(0, shape.HeadSize, 2, ScalarType.Float32).div(-shape.HeadSize));
        var angles = outer(arange(shape.MaxPositions, ScalarType.Float32), frequencies);
        angles = cat([angles, angles], -1);
        return (angles.cos().DetachFromDisposeScope(), angles.sin().DetachFromDisposeScope());
    }
}
