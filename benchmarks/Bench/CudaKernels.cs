using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Perturbation.Directions;
using TorchSharp;

namespace FedKSeed.Bench;

/// <summary>The kernels on a card, weights and perturbed weights of 16 bits, as a step keeps them there.</summary>
internal sealed class CudaKernels : IMeasuredKernels
{
    // 256 MiB of weights: more than the second-level cache of any card.
    private const int Elements = 1 << 27;
    private const int Tensor = 3;

    private readonly int _seeds;
    private readonly RepeatedTiming _timing;
    private readonly CudaDevice _device;
    private readonly torch.Tensor _source, _target; // of the copy
    private readonly DeviceMemory _weights, _perturbed;
    private readonly SegmentTable _segments;
    private readonly DevicePerturb _perturb;
    private uint _draw;

    /// <param name="device">Of torch, opened already: its context is the one that our kernels join.</param>
    public CudaKernels(torch.Device device, IReadOnlyList<string> libraryFolders, int seeds, RepeatedTiming timing)
    {
        (_seeds, _timing) = (seeds, timing);
        _source = torch.full([Elements], 0.02, torch.ScalarType.BFloat16, device);
        _target = torch.empty_like(_source);
        _device = new CudaDevice(device.index, [], libraryFolders);
        _weights = new DeviceMemory(_device, new byte[sizeof(ushort) * Elements]);
        _perturbed = new DeviceMemory(_device, 2L * sizeof(ushort) * Elements);
        _segments = new SegmentTable(
            _device, [new Segment(Pool.Directed(Tensor), First: 0, Elements, Weights: 0, Plus: 0, Minus: Elements)]);
        _perturb = new DevicePerturb(_device, Pool, TensorType.BF16, TensorType.BF16);
    }

    public string Path => _device.HasBinaryTensorCores ? "CUDA kernels, rebuild on tensor cores" : "CUDA kernels";

    public string PerturbSlice => $"{Elements >> 20} Mi elements, scaled";

    public string RebuildSlice => PerturbSlice;

    public int BytesPerWeight => sizeof(ushort);

    public int BytesPerPerturbedWeight => sizeof(ushort);

    public long? MemoryTaken => _device.MemoryTaken();

    private DirectionSpace Pool => new() { PoolKey = 0x9E37_79B9_7F4A_7C15, SeedCount = _seeds };

    public double Copy(IProgress<double> progress) => 2.0 * Elements * sizeof(ushort) / Seconds(() => _target.copy_(_source), progress);

    public double Rebuild(IProgress<double> progress) => Rebuild(Pool, progress);

    public double RebuildRankOne(IProgress<double> progress) => Rebuild(IMeasuredKernels.RankOne(Pool, Tensor), progress);

    public double BothSigns(IProgress<double> progress) =>
        Seconds(() => _perturb.BothSigns(_segments.Range(0, 1), null, 0, 1e-3f, _weights.Address, _perturbed.Address), progress) / Elements;

    public double Update(IProgress<double> progress) =>
        Seconds(() => _perturb.Advance(_segments.Range(0, 1), Pending(), _weights.Address), progress) / Elements;

    public double UpdateAndBothSigns(IProgress<double> progress) =>
        Seconds(
            () => _perturb.BothSigns(_segments.Range(0, 1), Pending(), _seeds - 1, 1e-3f, _weights.Address, _perturbed.Address),
            progress) / Elements;

    public void Dispose()
    {
        _segments.Dispose();
        _weights.Dispose();
        _perturbed.Dispose();
        _device.Dispose();
        _source.Dispose();
        _target.Dispose();
    }

    private double Rebuild(DirectionSpace pool, IProgress<double> progress)
    {
        using var rebuilder = new DeviceRebuilder(_device, new Rebuilder(pool, IMeasuredKernels.Quantised(_seeds), 10));
        return Seconds(
            () => rebuilder.Rebuild(
                Tensor, 0, Elements, TensorType.BF16, _weights.Address, TensorType.BF16, _perturbed.Address, IMeasuredKernels.Columns),
            progress) / Elements;
    }

    private PendingUpdate Pending() => new(0, 1e-9f, _draw++);

    private double Seconds(Action launch, IProgress<double> progress) =>
        _timing.Best(
            () =>
            {
                launch();
                _device.Synchronise();
            },
            progress);
}
