using System.Runtime.InteropServices;

namespace FedKSeed.LanguageModels.Devices;

// Twins of the structs in activations.cu, field by field.

[StructLayout(LayoutKind.Sequential)]
internal struct NormArguments
{
    public nint X;
    public nint Added;
    public nint Weight;
    public nint Target;
    public long Rows;
    public long RowsPerSet;
    public long Stride;
    public int Heads;
    public int Columns;
    public float Epsilon;
    public uint Unused;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RotateArguments
{
    public nint X;
    public nint Cos;
    public nint Sin;
    public long Rows;
    public long Stride;
    public int Length;
    public int Heads;
    public int Size;
    public uint Unused;
}

[StructLayout(LayoutKind.Sequential)]
internal struct GateArguments
{
    public nint GateUp;
    public nint Target;
    public long Rows;
    public long Columns;
}

[StructLayout(LayoutKind.Sequential)]
internal struct LogitsArguments
{
    public nint Logits;
    public nint Targets;
    public nint State;
    public long Rows;
    public long Labels;
    public long FirstColumn;
    public int Columns;
    public int IsFirst;
}
