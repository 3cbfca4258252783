using System.Runtime.InteropServices;

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
internal struct SegmentArguments
{
    public long FirstTile;
    public long First;
    public long Count;
    public long Weights;
    public long Plus;
    public long Minus;
    public uint Tensor;
    public uint Unused;
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
    public uint Tensor;
    public uint Seed;
    public float Epsilon;
    public uint Unused;
}
