using System.Runtime.InteropServices;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cuda;

// Twins of the structs in kernels.cu, field by field.

[StructLayout(LayoutKind.Sequential)]
internal struct RebuildArguments
{
    public nint Base;
    public nint Target;
    public nint Version;
    public ulong Key;
    public long First;
    public long Count;
    public uint Steps;
    public uint Tensor;
    public int Total;
    public float Factor;
    public int BaseType;
    public int TargetType;
}

[StructLayout(LayoutKind.Sequential)]
internal struct FactorWordsArguments
{
    public nint Words;
    public ulong Key;
    public long FirstBlock;
    public long Blocks;
    public uint Groups;
    public uint Rank;
    public uint Tensor;
    public uint Factors;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RankRebuildArguments
{
    public RebuildArguments Range;
    public nint RowWords;
    public nint ColumnWords;
    public long FirstRow;
    public long Rows;
    public long Columns;
    public long RowBlocks;
    public long ColumnBlocks;
    public uint Rank;
    public uint Groups;
}

[StructLayout(LayoutKind.Sequential)]
internal struct DirectedArguments
{
    public long Columns;
    public uint Tensor;
    public uint Rank;
    public float Scale;
    public uint Unused;

    /// <param name="of">Null where the tensor is frozen.</param>
    public static DirectedArguments Of(DirectedTensor? of) => of is not { } directed ? default : new()
    {
        Columns = directed.Columns,
        Tensor = (uint)directed.Ordinal,
        Rank = (uint)directed.Rank,
        Scale = MathF.ScaleB(1, directed.Exponent),
    };
}

[StructLayout(LayoutKind.Sequential)]
internal struct SegmentArguments
{
    public long FirstTile;
    public long First;
    public long Count;
    public long Weights;
    public long Plus;
    public long Minus;
    public DirectedArguments Of;
}

[StructLayout(LayoutKind.Sequential)]
internal struct PerturbArguments
{
    public nint Segments;
    public nint Weights;
    public nint Perturbed;
    public ulong Key;
    public uint SegmentCount;
    public uint Previous;
    public float Step;
    public uint Draw;
    public uint Next;
    public float Epsilon;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RowsArguments
{
    public nint Ids;
    public nint Weights;
    public nint Plus;
    public nint Minus;
    public ulong Key;
    public long Rows;
    public long Columns;
    public DirectedArguments Of;
    public uint Seed;
    public float Epsilon;
}

[StructLayout(LayoutKind.Sequential)]
internal struct FactorsArguments
{
    public nint Target;
    public nint Seeds;
    public ulong Key;
    public long Count;
    public uint SeedCount;
    public uint Rank;
    public uint Tensor;
    public uint Factors;
}
