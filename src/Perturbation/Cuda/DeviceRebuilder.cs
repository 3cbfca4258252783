using System.Numerics;
using System.Runtime.InteropServices;
using FedKSeed.Checkpoints;
using FedKSeed.Perturbation.Directions;

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

    // Rows of a matrix of some rank that a launch does: what its table of signs holds.
    private const int RowsAtOnce = 1024;

    // Rows and columns that a warp does, or a thread without tensor cores.
    private const int RowsPerWarp = 2, ColumnsPerWarp = 32, IndicesPerBlock = 4;

    private readonly IKernelDevice _device;
    private readonly Rebuilder _rebuilder;
    private readonly DeviceMemory _version;
    private readonly string _plain, _rank;
    private readonly uint _steps;
    private readonly uint _groups; // of 32 seeds
    private readonly int _blockElements;
    private readonly int _total;
    private readonly bool _isBinary;

    private FactorTable? _rows, _columns;

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
        _isBinary = form == RebuildForm.TensorCores && kernels.HasBinaryForm;
        if (!_isBinary)
        {
            _groups = _steps = (uint)((quantised.Length + kernels.SeedsPerStep - 1) / kernels.SeedsPerStep);
            (_plain, _rank, _blockElements) = ($"rebuild_{kernels.Rebuild}", "rebuild_rank", PlainElements);
            version = new int[_steps * kernels.SeedsPerStep];
            quantised.CopyTo(version);
        }
        else
        {
            var tiles = (PlaneCount(quantised) + PlanesPerTile - 1) / PlanesPerTile;
            (_plain, _rank) = ($"rebuild_{kernels.Rebuild}_mma{tiles}", $"rebuild_rank_mma{tiles}");
            _blockElements = TensorCoreElements;
            version = BitPlanes(quantised, tiles);
            _steps = (uint)((quantised.Length + SeedsPerStep - 1) / SeedsPerStep);
            _groups = _steps * WordsPerStep;
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
    /// <param name="columns">Of a matrix as it is stored; needed where its rank is above 0.</param>
    /// <exception cref="ArgumentException">A type is not one of weights.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Columns are needed and not given.</exception>
    public void Rebuild(
        int tensor, long firstElement, long count, TensorType baseType, nint baseElements, TensorType targetType, nint target,
        long columns = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tensor);
        ArgumentOutOfRangeException.ThrowIfNegative(firstElement);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ThrowIfNotOfWeights(baseType);
        ThrowIfNotOfWeights(targetType);
        if (count == 0)
            return;
        var directed = _rebuilder.Pool.Directed(tensor, columns);
        RebuildArguments range = new()
        {
            Base = baseElements,
            Target = target,
            Version = _version.Address,
            Key = _rebuilder.Pool.PoolKey,
            First = firstElement,
            Count = count,
            Steps = _steps,
            Tensor = (uint)tensor,
            Total = _total * Math.Max(1, directed?.Rank ?? 0),
            Factor = MathF.ScaleB(_rebuilder.UnitWeight, directed?.Exponent ?? 0),
            BaseType = (int)baseType,
            TargetType = (int)targetType,
        };
        if (directed is not { } of)
            _device.Launch("rebuild_frozen", Blocks(count, PlainElements), range);
        else if (of.Rank == 0)
            _device.Launch(_plain, Blocks(count + (firstElement & 3), _blockElements), range); // a Philox block is done as a whole
        else
            RebuildProducts(of, range);
    }

    public void Dispose()
    {
        _rows?.Dispose();
        _columns?.Dispose();
        _version.Dispose();
    }

    /// <summary>A matrix that moves along products of signs: tables of its rows' and columns' signs, then some rows at a time.</summary>
    private void RebuildProducts(DirectedTensor of, in RebuildArguments range)
    {
        var columnBlocks = Blocks(of.Columns, ColumnsPerWarp) * (ColumnsPerWarp / IndicesPerBlock);
        FactorWords(ref _columns, of, LowRankScheme.ColumnFactors, firstBlock: 0, columnBlocks);
        var last = (range.First + range.Count - 1) / of.Columns;
        for (var row = range.First / of.Columns / IndicesPerBlock * IndicesPerBlock; row <= last; row += RowsAtOnce)
        {
            var rows = Math.Min(RowsAtOnce, last + 1 - row);
            var rowBlocks = Blocks(rows, IndicesPerBlock);
            FactorWords(ref _rows, of, LowRankScheme.RowFactors, row / IndicesPerBlock, rowBlocks);
            var threads = _isBinary
                ? Blocks(rows, RowsPerWarp) * (columnBlocks * IndicesPerBlock / ColumnsPerWarp) * Lanes
                : rows * columnBlocks;
            _device.Launch(_rank, Blocks(threads, IKernelDevice.BlockSize), new RankRebuildArguments
            {
                Range = range,
                RowWords = _rows!.Memory.Address,
                ColumnWords = _columns!.Memory.Address,
                FirstRow = row,
                Rows = rows,
                Columns = of.Columns,
                RowBlocks = rowBlocks,
                ColumnBlocks = columnBlocks,
                Rank = (uint)of.Rank,
                Groups = _groups,
            });
        }
    }

    /// <summary>Writes a table, unless it is there already; memory that is large enough is used again.</summary>
    private void FactorWords(ref FactorTable? table, DirectedTensor of, uint factors, long firstBlock, long blocks)
    {
        var bytes = of.Rank * _groups * blocks * IndicesPerBlock * sizeof(uint);
        if (table?.Of == of && table.FirstBlock == firstBlock && table.Blocks == blocks)
            return;
        var memory = table?.Memory;
        if (memory is null || table!.Bytes < bytes)
        {
            memory?.Dispose();
            memory = new DeviceMemory(_device, bytes);
        }
        table = new FactorTable(memory, Math.Max(bytes, table?.Bytes ?? 0), of, firstBlock, blocks);
        _device.Launch("factor_words", Blocks(of.Rank * _groups * blocks, IKernelDevice.BlockSize), new FactorWordsArguments
        {
            Words = memory.Address,
            Key = _rebuilder.Pool.PoolKey,
            FirstBlock = firstBlock,
            Blocks = blocks,
            Groups = _groups,
            Rank = (uint)of.Rank,
            Tensor = (uint)of.Ordinal,
            Factors = factors,
        });
    }

    private static long Blocks(long elements, int size) => (elements + size - 1) / size;

    /// <summary>Words of the signs of some rows, or of all columns, of a tensor.</summary>
    private sealed record FactorTable(DeviceMemory Memory, long Bytes, DirectedTensor Of, long FirstBlock, long Blocks) : IDisposable
    {
        public void Dispose() => Memory.Dispose();
    }

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
