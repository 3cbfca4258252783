using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>
/// The vector operations that the kernels are written in, so that each kernel exists once for both widths. A vector holds 32-bit
/// lanes; operations named 64 see pairs of lanes. One Philox call belongs to a pair, so a vector works on <see cref="Blocks"/> blocks.
/// </summary>
internal interface ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    static abstract bool IsSupported { get; }

    /// <summary>64-bit lanes in a vector, each a block of four elements: two vectors hold the elements of that many blocks.</summary>
    static abstract int Blocks { get; }

    /// <summary>Seeds whose partial sums one <see cref="Lookup"/> adds up: log₂ of the 32-bit lanes.</summary>
    static abstract int LookupBits { get; }

    static abstract TBits Broadcast(uint value);
    static abstract TBits Broadcast64(ulong value);

    /// <summary>
    /// <paramref name="first"/> and the block numbers after it, in the order that <see cref="UnpackLow64"/> and its kin undo: the lower
    /// halves of the 128-bit lanes, then the upper ones.
    /// </summary>
    static abstract TBits BlockNumbers(ulong first);

    /// <summary>Even lanes of a and b multiplied to 64 bits; odd lanes are ignored.</summary>
    static abstract TBits MultiplyEven(TBits a, TBits b);
    static abstract TBits Xor(TBits a, TBits b);
    static abstract TBits Xor(TBits a, TBits b, TBits c);
    static abstract TBits And(TBits a, TBits b);
    static abstract TBits Or(TBits a, TBits b);
    static abstract TBits Add(TBits a, TBits b);
    static abstract TBits Subtract(TBits a, TBits b);
    static abstract TBits ShiftLeft(TBits a, int count);
    static abstract TBits ShiftRight(TBits a, int count);
    static abstract TBits ShiftRightArithmetic(TBits a, int count);
    static abstract TBits ShiftLeft64(TBits a, int count);
    static abstract TBits ShiftRight64(TBits a, int count);

    /// <summary>Even lanes of a, odd lanes of b.</summary>
    static abstract TBits EvenOdd(TBits a, TBits b);

    /// <summary>All bits of a lane where it is zero, none elsewhere.</summary>
    static abstract TBits IsZero(TBits a);
    static abstract TReal Select(TBits mask, TReal whereSet, TReal elsewhere);

    static abstract TBits UnpackLow64(TBits a, TBits b);
    static abstract TBits UnpackHigh64(TBits a, TBits b);
    static abstract TBits UnpackLow(TBits a, TBits b);
    static abstract TBits UnpackHigh(TBits a, TBits b);

    /// <summary>table[index mod lanes] in every lane.</summary>
    static abstract TBits Lookup(TBits table, TBits index);

    static abstract TBits AsBits(TReal a);
    static abstract TReal AsReal(TBits a);

    /// <summary>Signed integers to float32, rounded to nearest even.</summary>
    static abstract TReal ToReal(TBits a);
    static abstract TReal Broadcast(float value);
    static abstract TReal Add(TReal a, TReal b);
    static abstract TReal Multiply(TReal a, TReal b);

    /// <summary>a·b + c, rounded once.</summary>
    static abstract TReal Fma(TReal a, TReal b, TReal c);
    static abstract TReal Sqrt(TReal a);

    /// <summary>Adds factor × the lower (then upper) half of a's signed lanes, widened to 64 bits; factor's low halves count.</summary>
    static abstract TBits AddWideLower(TBits sum, TBits a, TBits factor);
    static abstract TBits AddWideUpper(TBits sum, TBits a, TBits factor);

    static abstract unsafe TBits Load(uint* source);
    static abstract unsafe void Store(TBits a, uint* target);
    static abstract unsafe TReal Load(float* source);
    static abstract unsafe void Store(TReal a, float* target);

    /// <summary>Stores past the caches, which saves reading the line first; the target lies on a whole vector.</summary>
    static abstract unsafe void StoreThrough(TReal a, float* target);
}

/// <summary>Eight blocks at a time.</summary>
internal readonly struct Avx512Lanes : ISimd<Vector512<uint>, Vector512<float>>
{
    public static bool IsSupported => Avx512F.IsSupported;
    public static int Blocks => 8;
    public static int LookupBits => 4;
    public static Vector512<uint> Broadcast(uint value) => Vector512.Create(value);
    public static Vector512<uint> Broadcast64(ulong value) => Vector512.Create(value).AsUInt32();
    public static Vector512<uint> BlockNumbers(ulong first) =>
        (Vector512.Create(first) + Vector512.Create(0UL, 4, 1, 5, 2, 6, 3, 7)).AsUInt32();
    public static Vector512<uint> MultiplyEven(Vector512<uint> a, Vector512<uint> b) => Avx512F.Multiply(a, b).AsUInt32();
    public static Vector512<uint> Xor(Vector512<uint> a, Vector512<uint> b) => a ^ b;
    public static Vector512<uint> Xor(Vector512<uint> a, Vector512<uint> b, Vector512<uint> c) => Avx512F.TernaryLogic(a, b, c, 0x96);
    public static Vector512<uint> And(Vector512<uint> a, Vector512<uint> b) => a & b;
    public static Vector512<uint> Or(Vector512<uint> a, Vector512<uint> b) => a | b;
    public static Vector512<uint> Add(Vector512<uint> a, Vector512<uint> b) => a + b;
    public static Vector512<uint> Subtract(Vector512<uint> a, Vector512<uint> b) => a - b;
    public static Vector512<uint> ShiftLeft(Vector512<uint> a, int count) => a << count;
    public static Vector512<uint> ShiftRight(Vector512<uint> a, int count) => a >>> count;
    public static Vector512<uint> ShiftRightArithmetic(Vector512<uint> a, int count) => (a.AsInt32() >> count).AsUInt32();
    public static Vector512<uint> ShiftLeft64(Vector512<uint> a, int count) => (a.AsUInt64() << count).AsUInt32();
    public static Vector512<uint> ShiftRight64(Vector512<uint> a, int count) => (a.AsUInt64() >>> count).AsUInt32();

    public static Vector512<uint> EvenOdd(Vector512<uint> a, Vector512<uint> b) =>
        Vector512.ConditionalSelect(Vector512.Create(0x0000_0000_FFFF_FFFFUL).AsUInt32(), a, b);

    public static Vector512<uint> IsZero(Vector512<uint> a) => Vector512.Equals(a, Vector512<uint>.Zero);

    public static Vector512<float> Select(Vector512<uint> mask, Vector512<float> whereSet, Vector512<float> elsewhere) =>
        Vector512.ConditionalSelect(mask.AsSingle(), whereSet, elsewhere);

    public static Vector512<uint> UnpackLow64(Vector512<uint> a, Vector512<uint> b) =>
        Avx512F.UnpackLow(a.AsUInt64(), b.AsUInt64()).AsUInt32();
    public static Vector512<uint> UnpackHigh64(Vector512<uint> a, Vector512<uint> b) =>
        Avx512F.UnpackHigh(a.AsUInt64(), b.AsUInt64()).AsUInt32();
    public static Vector512<uint> UnpackLow(Vector512<uint> a, Vector512<uint> b) => Avx512F.UnpackLow(a, b);
    public static Vector512<uint> UnpackHigh(Vector512<uint> a, Vector512<uint> b) => Avx512F.UnpackHigh(a, b);
    public static Vector512<uint> Lookup(Vector512<uint> table, Vector512<uint> index) => Avx512F.PermuteVar16x32(table, index);
    public static Vector512<uint> AsBits(Vector512<float> a) => a.AsUInt32();
    public static Vector512<float> AsReal(Vector512<uint> a) => a.AsSingle();
    public static Vector512<float> ToReal(Vector512<uint> a) => Vector512.ConvertToSingle(a.AsInt32());
    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;
    public static Vector512<float> Fma(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Vector512.FusedMultiplyAdd(a, b, c);
    public static Vector512<float> Sqrt(Vector512<float> a) => Vector512.Sqrt(a);

    public static Vector512<uint> AddWideLower(Vector512<uint> sum, Vector512<uint> a, Vector512<uint> factor) =>
        (sum.AsInt64() + Avx512F.Multiply(Vector512.WidenLower(a.AsInt32()).AsInt32(), factor.AsInt32())).AsUInt32();

    public static Vector512<uint> AddWideUpper(Vector512<uint> sum, Vector512<uint> a, Vector512<uint> factor) =>
        (sum.AsInt64() + Avx512F.Multiply(Vector512.WidenUpper(a.AsInt32()).AsInt32(), factor.AsInt32())).AsUInt32();

    public static unsafe Vector512<uint> Load(uint* source) => Vector512.Load(source);
    public static unsafe void Store(Vector512<uint> a, uint* target) => a.Store(target);
    public static unsafe Vector512<float> Load(float* source) => Vector512.Load(source);
    public static unsafe void Store(Vector512<float> a, float* target) => a.Store(target);
    public static unsafe void StoreThrough(Vector512<float> a, float* target) => a.StoreAlignedNonTemporal(target);
}

/// <summary>Four blocks at a time.</summary>
internal readonly struct Avx2Lanes : ISimd<Vector256<uint>, Vector256<float>>
{
    public static bool IsSupported => Avx2.IsSupported && System.Runtime.Intrinsics.X86.Fma.IsSupported;
    public static int Blocks => 4;
    public static int LookupBits => 3;
    public static Vector256<uint> Broadcast(uint value) => Vector256.Create(value);
    public static Vector256<uint> Broadcast64(ulong value) => Vector256.Create(value).AsUInt32();
    public static Vector256<uint> BlockNumbers(ulong first) => (Vector256.Create(first) + Vector256.Create(0UL, 2, 1, 3)).AsUInt32();
    public static Vector256<uint> MultiplyEven(Vector256<uint> a, Vector256<uint> b) => Avx2.Multiply(a, b).AsUInt32();
    public static Vector256<uint> Xor(Vector256<uint> a, Vector256<uint> b) => a ^ b;
    public static Vector256<uint> Xor(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c) => a ^ (b ^ c);
    public static Vector256<uint> And(Vector256<uint> a, Vector256<uint> b) => a & b;
    public static Vector256<uint> Or(Vector256<uint> a, Vector256<uint> b) => a | b;
    public static Vector256<uint> Add(Vector256<uint> a, Vector256<uint> b) => a + b;
    public static Vector256<uint> Subtract(Vector256<uint> a, Vector256<uint> b) => a - b;
    public static Vector256<uint> ShiftLeft(Vector256<uint> a, int count) => a << count;
    public static Vector256<uint> ShiftRight(Vector256<uint> a, int count) => a >>> count;
    public static Vector256<uint> ShiftRightArithmetic(Vector256<uint> a, int count) => (a.AsInt32() >> count).AsUInt32();
    public static Vector256<uint> ShiftLeft64(Vector256<uint> a, int count) => (a.AsUInt64() << count).AsUInt32();
    public static Vector256<uint> ShiftRight64(Vector256<uint> a, int count) => (a.AsUInt64() >>> count).AsUInt32();
    public static Vector256<uint> EvenOdd(Vector256<uint> a, Vector256<uint> b) => Avx2.Blend(a, b, 0b1010_1010);
    public static Vector256<uint> IsZero(Vector256<uint> a) => Vector256.Equals(a, Vector256<uint>.Zero);

    public static Vector256<float> Select(Vector256<uint> mask, Vector256<float> whereSet, Vector256<float> elsewhere) =>
        Vector256.ConditionalSelect(mask.AsSingle(), whereSet, elsewhere);

    public static Vector256<uint> UnpackLow64(Vector256<uint> a, Vector256<uint> b) =>
        Avx2.UnpackLow(a.AsUInt64(), b.AsUInt64()).AsUInt32();
    public static Vector256<uint> UnpackHigh64(Vector256<uint> a, Vector256<uint> b) =>
        Avx2.UnpackHigh(a.AsUInt64(), b.AsUInt64()).AsUInt32();
    public static Vector256<uint> UnpackLow(Vector256<uint> a, Vector256<uint> b) => Avx2.UnpackLow(a, b);
    public static Vector256<uint> UnpackHigh(Vector256<uint> a, Vector256<uint> b) => Avx2.UnpackHigh(a, b);
    public static Vector256<uint> Lookup(Vector256<uint> table, Vector256<uint> index) => Avx2.PermuteVar8x32(table, index);
    public static Vector256<uint> AsBits(Vector256<float> a) => a.AsUInt32();
    public static Vector256<float> AsReal(Vector256<uint> a) => a.AsSingle();
    public static Vector256<float> ToReal(Vector256<uint> a) => Vector256.ConvertToSingle(a.AsInt32());
    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;
    public static Vector256<float> Fma(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.FusedMultiplyAdd(a, b, c);
    public static Vector256<float> Sqrt(Vector256<float> a) => Vector256.Sqrt(a);

    public static Vector256<uint> AddWideLower(Vector256<uint> sum, Vector256<uint> a, Vector256<uint> factor) =>
        (sum.AsInt64() + Avx2.Multiply(Vector256.WidenLower(a.AsInt32()).AsInt32(), factor.AsInt32())).AsUInt32();

    public static Vector256<uint> AddWideUpper(Vector256<uint> sum, Vector256<uint> a, Vector256<uint> factor) =>
        (sum.AsInt64() + Avx2.Multiply(Vector256.WidenUpper(a.AsInt32()).AsInt32(), factor.AsInt32())).AsUInt32();

    public static unsafe Vector256<uint> Load(uint* source) => Vector256.Load(source);
    public static unsafe void Store(Vector256<uint> a, uint* target) => a.Store(target);
    public static unsafe Vector256<float> Load(float* source) => Vector256.Load(source);
    public static unsafe void Store(Vector256<float> a, float* target) => a.Store(target);
    public static unsafe void StoreThrough(Vector256<float> a, float* target) => a.StoreAlignedNonTemporal(target);
}
