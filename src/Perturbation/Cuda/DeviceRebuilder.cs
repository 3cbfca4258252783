using System.Numerics;
using System.Runtime.InteropServices;
using FedKSeed.Checkpoints;

namespace FedKSeed.Perturbation.Cuda;

/// <summary>How a device sums the seeds of a rebuild. All forms give the bits of <see cref="Rebuilder"/>.</summary>
internal enum RebuildForm
{
    /// <summary>Seed by seed; for schemes without a binary form the only one.</summary>
    Plain,

    /// <summary>Sign bits and bit planes of q, multiplied by the tensor cores.</summary>
    TensorCores,
}

/// <summary>
/// <see cref="Rebuilder"/> on a device: one version, whose accumulators lie in the device's memory, ready to rebuild any range of any
/// tensor there. Launches only; nothing waits for the result.
/// </summary>
public sealed class DeviceRebuilder : IDisposable
{
    private const int SeedsPerWord = 32, SeedsPerStep = 256, PlanesPerTile = 8;
    private const int WordsPerStep = SeedsPerStep / SeedsPerWord;
    private const int Lanes = 32;

    // Elements that one block of the launch does.
    private const int PlainElements = 4 * IKernelDevice.BlockSize, TensorCoreElements = 2 * IKernelDevice.BlockSize;

    private readonly IKernelDevice _device;
    private readonly Rebuilder _rebuilder;
    private readonly DeviceMemory _version;
    private readonly string _kernel;
    private readonly uint _steps;
    private readonly int _blockElements;
    private readonly int _total;

    /// <param name="device">Where to rebuild.</param>
    /// <param name="rebuilder">The version.</param>
    public DeviceRebuilder(IKernelDevice device, Rebuilder rebuilder)
        : this(device, rebuilder, device is { HasBinaryTensorCores: true } ? RebuildForm.TensorCores : RebuildForm.Plain)
    {
    }

    internal DeviceRebuilder(IKernelDevice device, Rebuilder rebuilder, RebuildForm form)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(rebuilder);
        (_device, _rebuilder) = (device, rebuilder);
        var quantised = rebuilder.Quantised;
        foreach (var q in quantised)
            _total += q;
        int[] version;
        var kernels = DeviceKernels.Of(rebuilder.Pool);
        if (form == RebuildForm.Plain || !kernels.HasBinaryForm)
        {
            _steps = (uint)((quantised.Length + kernels.SeedsPerStep - 1) / kernels.SeedsPerStep);
            (_kernel, _blockElements) = ($"rebuild_{kernels.Name}", PlainElements);
            version = new int[_steps * kernels.SeedsPerStep];
            quantised.CopyTo(version);
        }
        else
        {
            var tiles = (PlaneCount(quantised) + PlanesPerTile - 1) / PlanesPerTile;
            (_kernel, _blockElements) = ($"rebuild_{kernels.Name}_mma{tiles}", TensorCoreElements);
            version = BitPlanes(quantised, tiles);
            _steps = (uint)((quantised.Length + SeedsPerStep - 1) / SeedsPerStep);
        }
        _version = new DeviceMemory(device, MemoryMarshal.AsBytes(version.AsSpan()));
    }

    /// <summary>W of a range, rounded once to float32 and once more to the target's type where that is another.</summary>
    /// <param name="tensor">The tensor's ordinal.</param>
    /// <param name="firstElement">Where in the tensor the range begins.</param>
    /// <param name="count">Its elements.</param>
    /// <param name="baseType">F32, F16 or BF16.</param>
    /// <param name="baseElements">Device address of w0 of the range.</param>
    /// <param name="targetType">F32, F16 or BF16.</param>
    /// <param name="target">Device address for W; may be the base's where the types are of one size.</param>
    /// <exception cref="ArgumentException">A type is not one of weights.</exception>
    public void Rebuild(
        int tensor, long firstElement, long count, TensorType baseType, nint baseElements, TensorType targetType, nint target)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tensor);
        ArgumentOutOfRangeException.ThrowIfNegative(firstElement);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ThrowIfNotOfWeights(baseType);
        ThrowIfNotOfWeights(targetType);
        if (count == 0)
            return;
        var elements = count + (firstElement & 3); // a Philox block is done as a whole
        _device.Launch(_kernel, (elements + _blockElements - 1) / _blockElements, new RebuildArguments
        {
            Base = baseElements,
            Target = target,
            Version = _version.Address,
            Key = _rebuilder.Pool.PoolKey,
            First = firstElement,
            Count = count,
            Steps = _steps,
            Tensor = (uint)tensor,
            Total = _total,
            Factor = _rebuilder.UnitWeight,
            BaseType = (int)baseType,
            TargetType = (int)targetType,
        });
    }

    public void Dispose() => _version.Dispose();

    internal static void ThrowIfNotOfWeights(TensorType type)
    {
        if (type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16))
            throw new ArgumentException($"{type.Name()} is not a type of weights.", nameof(type));
    }

    /// <summary>Bits of the widest q in two's complement.</summary>
    private static int PlaneCount(ReadOnlySpan<int> quantised)
    {
        var bits = 1;
        foreach (var q in quantised)
            bits = Math.Max(bits, 33 - BitOperations.LeadingZeroCount((uint)(q < 0 ? ~q : q)));
        return bits;
    }

    /// <summary>
    /// q by bits, in the order in which the lanes of a warp hold the second factor of m16n8k256: for each 256 seeds and each 8 planes two
    /// words a lane; lane l holds plane l/4, and of it the seeds of words l%4 and l%4 + 4.
    /// </summary>
    private static int[] BitPlanes(ReadOnlySpan<int> quantised, int tiles)
    {
        var steps = (quantised.Length + SeedsPerStep - 1) / SeedsPerStep;
        var words = new uint[steps * tiles * 2 * Lanes];
        for (var seed = 0; seed < quantised.Length; seed++)
        {
            (var step, var word, var bit) = (seed / SeedsPerStep, seed / SeedsPerWord % WordsPerStep, seed % SeedsPerWord);
            for (var plane = 0; plane < tiles * PlanesPerTile; plane++)
            {
                var isSet = (uint)(quantised[seed] >> plane) & 1;
                var lane = plane % PlanesPerTile * 4 + word % 4;
                words[((step * tiles + plane / PlanesPerTile) * 2 + word / 4) * Lanes + lane] |= isSet << bit;
            }
        }
        return MemoryMarshal.Cast<uint, int>(words).ToArray();
    }
}
