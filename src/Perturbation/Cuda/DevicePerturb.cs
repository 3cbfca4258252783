using System.Runtime.InteropServices;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cuda;

/// <summary>A local update that has not been applied yet: w ← w + <see cref="Step"/>·z.</summary>
/// <param name="Seed">Whose direction.</param>
/// <param name="Step">−η·g.</param>
/// <param name="Draw">
/// Which random bits round the result, where the weights are of 16 bits: another number for every update of the same weights.
/// </param>
public readonly record struct PendingUpdate(int Seed, float Step, uint Draw);

/// <summary>A range of one tensor, and where it lies in the buffers of weights and of perturbed weights, in elements.</summary>
/// <param name="Of">The tensor, as <see cref="DirectionSpaces.Directed"/> says it; null where it is frozen.</param>
/// <param name="First">Element of the tensor where the range begins.</param>
/// <param name="Count">Elements of the range.</param>
/// <param name="Weights">Its first element in the buffer of weights.</param>
/// <param name="Plus">Where the first element of w + ε·z goes in the buffer of perturbed weights.</param>
/// <param name="Minus">Where the first element of w − ε·z goes in the buffer of perturbed weights.</param>
public readonly record struct Segment(DirectedTensor? Of, long First, long Count, long Weights, long Plus, long Minus)
{
    /// <summary>Blocks of a launch that does all of it.</summary>
    internal long Tiles
    {
        get
        {
            const int groupSize = 8; // a tile is a group of eight elements for each thread of a block
            var groups = (First + Count + groupSize - 1) / groupSize - First / groupSize;
            return Count == 0 ? 0 : (groups + IKernelDevice.BlockSize - 1) / IKernelDevice.BlockSize;
        }
    }
}

/// <summary>Segments in a device's memory: what one launch perturbs.</summary>
public sealed class SegmentTable : IDisposable
{
    private readonly DeviceMemory _memory;
    private readonly long[] _firstTiles; // and behind the last the number of all

    public SegmentTable(IKernelDevice device, ReadOnlySpan<Segment> segments)
    {
        var placed = new SegmentArguments[segments.Length];
        _firstTiles = new long[placed.Length + 1];
        for (var i = 0; i < placed.Length; i++)
        {
            (var of, var first, var count, var weights, var plus, var minus) = segments[i];
            placed[i] = new SegmentArguments
            {
                FirstTile = _firstTiles[i],
                First = first,
                Count = count,
                Weights = weights,
                Plus = plus,
                Minus = minus,
                Of = DirectedArguments.Of(of),
            };
            _firstTiles[i + 1] = _firstTiles[i] + segments[i].Tiles;
        }
        _memory = new DeviceMemory(device, MemoryMarshal.AsBytes(placed.AsSpan()));
    }

    /// <summary>Segments [first, first + count) of the table.</summary>
    public unsafe SegmentRange Range(int first, int count) =>
        new(_memory.Address + first * sizeof(SegmentArguments), (uint)count, _firstTiles[first + count] - _firstTiles[first]);

    public void Dispose() => _memory.Dispose();
}

/// <summary>Consecutive segments of a table.</summary>
/// <param name="Address">Of the first, in the device's memory.</param>
/// <param name="Count">How many.</param>
/// <param name="Tiles">Blocks of a launch that does all of them.</param>
public readonly record struct SegmentRange(nint Address, uint Count, long Tiles);

/// <summary>
/// <see cref="Perturb"/> on a device, for weights of float32, and for weights of 16 bits whose updates are rounded stochastically
/// (<see cref="StochasticRounding"/>). Launches only; nothing waits for the result.
/// </summary>
/// <param name="device">Where.</param>
/// <param name="pool">Whose directions.</param>
/// <param name="weights">Type of the weights.</param>
/// <param name="perturbed">Type of w ± ε·z: the weights' own, or any where the weights are float32.</param>
public sealed class DevicePerturb(IKernelDevice device, DirectionSpace pool, TensorType weights, TensorType perturbed)
{
    private readonly string _advance = $"advance_{DeviceKernels.Of(pool).Perturb}_{NameOf(weights)}";
    private readonly string _signs = $"signs_{DeviceKernels.Of(pool).Perturb}_{NameOf(weights, perturbed)}";
    private readonly string _advanceAndSigns = $"advance_signs_{DeviceKernels.Of(pool).Perturb}_{NameOf(weights, perturbed)}";
    private readonly string _rows = $"rows_{DeviceKernels.Of(pool).Perturb}_{NameOf(weights, perturbed)}";

    /// <summary>w ← w + step·z.</summary>
    public void Advance(in SegmentRange segments, PendingUpdate update, nint weights) =>
        Launch(_advance, segments, update, next: 0, epsilon: 0, weights, perturbed: 0);

    /// <summary>w⁺ = w + ε·z and w⁻ = w − ε·z, with what is pending applied to w before, all with one read of w.</summary>
    public void BothSigns(in SegmentRange segments, PendingUpdate? pending, int seed, float epsilon, nint weights, nint perturbed) =>
        Launch(pending is null ? _signs : _advanceAndSigns, segments, pending ?? default, seed, epsilon, weights, perturbed);

    /// <summary>Both signs of rows of a matrix, in the order of <paramref name="ids"/>; the weights stay as they are.</summary>
    /// <param name="tensor">The matrix's ordinal.</param>
    /// <param name="ids">Device address of the rows' int64 indices.</param>
    /// <param name="rows">How many they are.</param>
    /// <param name="columns">The matrix's columns.</param>
    /// <param name="plus">Takes [rows, columns].</param>
    /// <param name="minus">Takes [rows, columns].</param>
    public void BothSignsOfRows(int tensor, nint ids, long rows, long columns, int seed, float epsilon, nint weights, nint plus, nint minus)
    {
        var groups = rows * ((columns + 14) / 8); // of eight elements; a row may begin within one
        device.Launch(_rows, (groups + IKernelDevice.BlockSize - 1) / IKernelDevice.BlockSize, new RowsArguments
        {
            Ids = ids,
            Weights = weights,
            Plus = plus,
            Minus = minus,
            Key = pool.PoolKey,
            Rows = rows,
            Columns = columns,
            Of = DirectedArguments.Of(pool.Directed(tensor, columns)),
            Seed = (uint)seed,
            Epsilon = epsilon,
        });
    }

    private void Launch(
        string kernel, in SegmentRange segments, PendingUpdate update, int next, float epsilon, nint weights, nint perturbed) =>
        device.Launch(kernel, segments.Tiles, new PerturbArguments
        {
            Segments = segments.Address,
            Weights = weights,
            Perturbed = perturbed,
            Key = pool.PoolKey,
            SegmentCount = segments.Count,
            Previous = (uint)update.Seed,
            Step = update.Step,
            Draw = update.Draw,
            Next = (uint)next,
            Epsilon = epsilon,
        });

    /// <summary>What the names of kernels call a type of weights or activations: f32, f16 or bf16.</summary>
    /// <exception cref="ArgumentException">There are no kernels for it.</exception>
    public static string NameOf(TensorType type)
    {
        DeviceRebuilder.ThrowIfNotOfWeights(type);
        return type switch
        {
            TensorType.F16 => "f16",
            TensorType.BF16 => "bf16",
            _ => "f32",
        };
    }

    private static string NameOf(TensorType weights, TensorType perturbed) => weights == TensorType.F32 || weights == perturbed
        ? $"{NameOf(weights)}_{NameOf(perturbed)}"
        : throw new ArgumentException($"Weights of {weights.Name()} are not perturbed to {perturbed.Name()}.", nameof(perturbed));
}
