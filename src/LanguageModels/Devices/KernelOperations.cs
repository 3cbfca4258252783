using FedKSeed.LanguageModels.Architectures;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Cuda;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Devices;

/// <summary>
/// By our kernels, a launch each: a call into torch costs 10 to 30 µs, more than most of this work. All tensors that come in are
/// contiguous. Activations and weights of one set are joined with those of more as <see cref="IWeights"/> says.
/// </summary>
internal sealed class KernelOperations(IKernelDevice device, ComputeType type) : IOperations
{
    private readonly DeviceActivations _activations = new(device, type.Stored());

    public Tensor Normalise(Tensor x, Tensor weight, double epsilon) =>
        Normalise(x.InSets(weight.shape[0]), added: null, weight, epsilon);

    public Tensor AddAndNormalise(Tensor x, Tensor added, Tensor weight, double epsilon) => added.shape[0] < weight.shape[0]
        ? Normalise(added.Add(x), weight, epsilon) // the sum stays of one set
        : Normalise(x.InSets(added.shape[0]), added, weight, epsilon);

    public void NormaliseHeads(Tensor x, int first, int count, int size, Tensor weight, double epsilon)
    {
        var shape = x.shape; // [S, N, heads·D]
        var start = x.Address() + (nint)first * size * type.Size();
        _activations.NormaliseHeads(
            start, weight.Address(), shape[0] * shape[1], RowsPerSet(shape, weight), shape[2], count, size, epsilon);
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
        var labels = targets.shape[0];
        Tensor? state = null;
        foreach ((var first, var logits) in weights.MultiplyByRows(hidden, head)) // [S, M, some rows]
        {
            var rows = logits.shape[0] * labels; // of hidden, or of two where the output layer is what differs first
            state ??= zeros(rows, DeviceActivations.LogitsStateSize, ScalarType.Float32, hidden.device);
            _activations.TakeLogits(logits.Address(), targets.Address(), state.Address(), rows, labels, first, (int)logits.shape[2]);
            logits.Dispose();
        }
        return state!.narrow(1, 1, 1).log().Add(state.narrow(1, 0, 1)).sub_(state.narrow(1, 2, 1)).view(-1); // [S·M]
    }

    private Tensor Normalise(Tensor x, Tensor? added, Tensor weight, double epsilon)
    {
        var shape = x.shape; // [S, N, H]
        var target = empty_like(x);
        _activations.Normalise(
            x.Address(), added?.Address() ?? 0, weight.Address(), target.Address(), shape[0] * shape[1], RowsPerSet(shape, weight),
            (int)shape[2], epsilon);
        return target;
    }

    /// <summary>Of x [S, N, …], how many rows take the same weights: N, or all of them where those are of one set.</summary>
    private static long RowsPerSet(long[] shape, Tensor weight) => weight.shape[0] == 1 ? shape[0] * shape[1] : shape[1];
}
