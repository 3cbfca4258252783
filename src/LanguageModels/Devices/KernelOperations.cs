using FedKSeed.LanguageModels.Architectures;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Cuda;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Devices;

/// <summary>
/// By our kernels, a launch each: a call into torch costs 10 to 30 µs, more than most of this work. All tensors that come in are
/// contiguous.
/// </summary>
internal sealed class KernelOperations(IKernelDevice device, ComputeType type) : IOperations
{
    private readonly DeviceActivations _activations = new(device, type.Stored());

    public Tensor Normalise(Tensor x, Tensor weight, double epsilon) => Normalise(x, added: null, weight, epsilon);

    public Tensor AddAndNormalise(Tensor x, Tensor added, Tensor weight, double epsilon) => Normalise(x, added, weight, epsilon);

    public void NormaliseHeads(Tensor x, int first, int count, int size, Tensor weight, double epsilon)
    {
        var shape = x.shape; // [S, N, heads·D]
        var start = x.Address() + (nint)first * size * type.Size();
        _activations.NormaliseHeads(start, weight.Address(), shape[0] * shape[1], shape[1], shape[2], count, size, epsilon);
    }

    public Tensor Rotate(Tensor heads, int count, Rotation rotation)
    {
        var shape = heads.shape; // [S·B, T, heads, D]
        (var rows, var size) = (shape[0] * shape[1], (int)shape[3]);
        _activations.Rotate(
            heads.Address(), rotation.Cos.Address(), rotation.Sin.Address(), rows, shape[2] * size, (int)shape[1], count, size);
        return heads.narrow(2, 0, count);
    }

    public Tensor Gate(Tensor gateUp)
    {
        var shape = gateUp.shape; // [S, N, 2F]
        var gated = empty(shape[0], shape[1], shape[2] / 2, gateUp.dtype, gateUp.device);
        _activations.Gate(gateUp.Address(), gated.Address(), shape[0] * shape[1], shape[2] / 2);
        return gated;
    }

    public Tensor CrossEntropy(IWeights weights, Tensor hidden, Parameter head, Tensor targets)
    {
        (var sets, var labels) = (hidden.shape[0], targets.shape[0]);
        var state = zeros(sets * labels, DeviceActivations.LogitsStateSize, ScalarType.Float32, hidden.device);
        foreach ((var first, var rows) in weights.TransposedByRows(head))
        {
            using var logits = bmm(hidden, rows); // [S, M, rows]
            _activations.TakeLogits(logits.Address(), targets.Address(), state.Address(), sets * labels, labels, first, (int)rows.shape[2]);
        }
        return state.narrow(1, 1, 1).log().add_(state.narrow(1, 0, 1)).sub_(state.narrow(1, 2, 1)).view(-1); // [S·M]
    }

    private Tensor Normalise(Tensor x, Tensor? added, Tensor weight, double epsilon)
    {
        var shape = x.shape; // [S, N, H]
        var target = empty_like(x);
        _activations.Normalise(
            x.Address(), added?.Address() ?? 0, weight.Address(), target.Address(), shape[0] * shape[1], shape[1], (int)shape[2], epsilon);
        return target;
    }
}
