using FedKSeed.LanguageModels.Architectures;
using FedKSeed.LanguageModels.Weights;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Devices;

/// <summary>By torch, on any device.</summary>
internal sealed class TorchOperations : IOperations
{
    public Tensor Normalise(Tensor x, Tensor weight, double epsilon)
    {
        var wide = x.to(ScalarType.Float32); // whatever the compute type, as in the reference
        var scale = (wide * wide).mean([-1], keepdim: true).Add(epsilon).rsqrt_(); // [S, …, 1]
        return (wide * scale).to(x.dtype).TimesSets(weight);
    }

    public Tensor AddAndNormalise(Tensor x, Tensor added, Tensor weight, double epsilon) => Normalise(added.Add(x), weight, epsilon);

    public void NormaliseHeads(Tensor x, int first, int count, int size, Tensor weight, double epsilon)
    {
        var heads = x.view(x.shape[0], x.shape[1], -1, size).narrow(2, first, count); // [S, N, count, D]
        heads.copy_(Normalise(heads, weight.unsqueeze(1), epsilon));
    }

    public Tensor Rotate(Tensor heads, int count, Rotation rotation) => rotation.Apply(heads.narrow(2, 0, count));

    public Tensor Gate(Tensor gateUp)
    {
        var columns = gateUp.shape[2] / 2;
        Tensor gate = gateUp.narrow(2, 0, columns), up = gateUp.narrow(2, columns, columns); // [S, N, F]
        return gate.silu().mul_(up);
    }

    public Tensor CrossEntropy(IWeights weights, Tensor hidden, Parameter head, Tensor targets)
    {
        var logits = weights.Multiply(hidden, head).AtLeastFloat32(); // [S, M, V]
        var all = targets.expand(logits.shape[0], targets.shape[0]).reshape(-1); // [S·M]
        return nn.functional.cross_entropy(logits.view(-1, head.Rows), all, reduction: nn.Reduction.None); // [S·M]
    }
}
