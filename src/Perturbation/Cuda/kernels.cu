// FedKSeed's kernels for NVIDIA GPUs. NVRTC compiles this file at run time for the card at hand; the tests also compile it as C++, with
// tests/CudaEmulation/lanes.h in front, and run it lane by lane on the CPU. That is why every kernel takes one struct (its twin is in
// KernelArguments.cs), uses no shared memory, and why threads meet only within their warp, by shuffle and mma.
//
// Every result is defined to the bit by SPEC.md and equals the CPU's: integers, and float operations that are correctly rounded. What
// others bring (KernelSource), the activations of LanguageModels, say, is compiled behind this file, as one program with it.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#ifdef __CUDACC__

#define DEVICE static __device__ __forceinline__
#define DEVICE_MEMBER static __device__ __forceinline__
// At most 128 registers a thread, so that 16 warps share a multiprocessor.
#define KERNEL(name, Arguments) extern "C" __global__ void __launch_bounds__(256, 2) name(const Arguments a)

DEVICE u32 f32_bits(float value) { return __float_as_uint(value); }
DEVICE float f32_of_bits(u32 bits) { return __uint_as_float(bits); }

DEVICE u16 f32_to_f16(float value)
{
    u16 half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
    return half;
}

DEVICE float f16_to_f32(u16 half)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
    return value;
}

#if __CUDA_ARCH__ >= 800 && __CUDA_ARCH__ < 1000 // as CudaDevice.HasBinaryTensorCores says
#define HAS_BINARY_MMA 1

// c[16, 8] += popcount(A[16, 256 bits] & B[8, 256 bits]), spread over the warp's registers as the PTX manual says of m16n8k256.
DEVICE void and_popcount(u32 (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1)
{
    asm("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
#endif

#if __CUDA_ARCH__ >= 800

DEVICE u32 f32_to_bf16_pair(float low, float high)
{
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

DEVICE u32 f32_to_f16_pair(float low, float high)
{
    u32 pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
#endif

#endif // __CUDACC__

// ---------------------------------------------------------------------------------------------------------------- Philox4x32-10

struct Words
{
    u32 w[4];
};

DEVICE Words philox(u32 c0, u32 c1, u32 c2, u32 c3, u64 key)
{
    u32 k0 = (u32)key, k1 = (u32)(key >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++)
    {
        u64 product0 = (u64)0xD2511F53u * c0, product1 = (u64)0xCD9E8D57u * c2;
        c0 = (u32)(product1 >> 32) ^ c1 ^ k0;
        c1 = (u32)product1;
        c2 = (u32)(product0 >> 32) ^ c3 ^ k1;
        c3 = (u32)product0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// -------------------------------------------------------------------------------------------------------------------- directions

// SPEC 2 and 3. `seed` is a seed index; `block` is an element's index divided by four.
DEVICE Words rademacher_words(u64 key, u64 block, u32 seed, u32 tensor)
{
    return philox((u32)block, (u32)(block >> 32), seed >> 5, tensor, key);
}

// docs/GAUSSIAN.md: n of the four elements of a block, z = n·2⁻¹². Every operation is correctly rounded; the order is the definition.
struct Multiples
{
    int n[4];
};

DEVICE float gaussian_radius(u32 word)
{
    float scaled = __fadd_rn(__int2float_rn((int)(word >> 1)), 0.5f);
    int bits = (int)f32_bits(scaled);
    int exponent = (bits - 0x3F3504F3) >> 23;
    float f = __fadd_rn(f32_of_bits((u32)(bits - exponent * (1 << 23))), -1.0f);
    float p = __fmaf_rn(f32_of_bits(0x3E4AA823u), f, f32_of_bits(0xBEA521FEu));
    p = __fmaf_rn(p, f, f32_of_bits(0x3EB0EDC8u));
    p = __fmaf_rn(p, f, f32_of_bits(0xBECBE9A6u));
    p = __fmaf_rn(p, f, f32_of_bits(0x3EFFAE7Eu));
    p = __fmaf_rn(p, f, f32_of_bits(0xBF2AAC56u));
    p = __fmaf_rn(p, f, f32_of_bits(0x3F80003Fu));
    p = __fmaf_rn(p, f, f32_of_bits(0xBFFFFFFFu));
    float minus_two_ln = __fmaf_rn(__int2float_rn(exponent - 31), f32_of_bits(0xBFB17218u), __fmul_rn(p, f));
    return __fmul_rn(__fsqrt_rn(minus_two_ln), 4096.0f);
}

DEVICE void gaussian_pair(u32 radius_word, u32 angle_word, int &first, int &second)
{
    const float round_to_integer = 12582912.0f; // 1.5·2²³
    float radius = gaussian_radius(radius_word);
    u32 quadrant = (angle_word + 0x20000000u) >> 30;
    float v = __fmul_rn(__int2float_rn((int)(angle_word - (quadrant << 30))), 1.0f / 536870912.0f);
    float q = __fmul_rn(v, v);
    float s = __fmaf_rn(f32_of_bits(0xB816CDA0u), q, f32_of_bits(0x3B232F62u));
    s = __fmaf_rn(s, q, f32_of_bits(0xBDA55DDDu));
    s = __fmul_rn(__fmaf_rn(s, q, f32_of_bits(0x3F490FDBu)), v);
    float c = __fmaf_rn(f32_of_bits(0xB9A81C81u), q, f32_of_bits(0x3C81DCC7u));
    c = __fmaf_rn(c, q, f32_of_bits(0xBE9DE9E3u));
    c = __fmaf_rn(c, q, 1.0f);
    // (c, s), (−s, c), (−c, −s), (s, −c)
    bool is_turned = quadrant & 1;
    u32 cos = f32_bits(is_turned ? s : c) ^ (((quadrant + 1) & 2) << 30);
    u32 sin = f32_bits(is_turned ? c : s) ^ ((quadrant & 2) << 30);
    first = (int)f32_bits(__fmaf_rn(radius, f32_of_bits(cos), round_to_integer)) - 0x4B400000;
    second = (int)f32_bits(__fmaf_rn(radius, f32_of_bits(sin), round_to_integer)) - 0x4B400000;
}

DEVICE Multiples gaussian_multiples(u64 key, u64 block, u32 seed, u32 tensor)
{
    Words words = philox((u32)block, (u32)(block >> 32), seed, tensor | 0x80000000u, key);
    Multiples multiples;
    gaussian_pair(words.w[0], words.w[1], multiples.n[0], multiples.n[1]);
    gaussian_pair(words.w[2], words.w[3], multiples.n[2], multiples.n[3]);
    return multiples;
}

// How directions see a tensor: SPEC 8.
struct Directed
{
    i64 columns; // of a matrix of rank 1 or more
    u32 tensor;
    u32 rank;    // 0 without structure
    float scale; // what ε and η·g are multiplied with, a power of two; 0 where the tensor is frozen
    u32 unused;
};

// SPEC 9: signs of four rows or columns lie in blocks of their own, whose upper half says which factor of which product they are.
enum { RowFactors = 0x40000000, ColumnFactors = 0x60000000 };

DEVICE u64 factor_block(u32 factors, u32 product, u64 index) { return (u64)(factors | product) << 32 | index >> 2; }

DEVICE u32 word_of(const Words &words, u64 index)
{
    u32 even = index & 2 ? words.w[2] : words.w[0], odd = index & 2 ? words.w[3] : words.w[1];
    return index & 1 ? odd : even;
}

// z of the four elements of a block, which may lie in several rows.
DEVICE Multiples rank_multiples(u64 key, u64 block, u32 seed, const Directed &of)
{
    Multiples z = {{0, 0, 0, 0}};
    u64 columns = (u64)of.columns, first_row = 4 * block / columns, first_column = 4 * block % columns;
    for (u32 product = 0; product < of.rank; product++)
    {
        u64 row = first_row, column = first_column;
        Words u = rademacher_words(key, factor_block(RowFactors, product, row), seed, of.tensor);
        Words v = rademacher_words(key, factor_block(ColumnFactors, product, column), seed, of.tensor);
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            z.n[i] += (word_of(u, row) ^ word_of(v, column)) >> (seed & 31) & 1 ? -1 : 1;
            bool is_last = ++column == columns;
            if (is_last)
            {
                column = 0;
                row++;
                u = rademacher_words(key, factor_block(RowFactors, product, row), seed, of.tensor);
            }
            if (is_last || (column & 3) == 0)
                v = rademacher_words(key, factor_block(ColumnFactors, product, column), seed, of.tensor);
        }
    }
    return z;
}

// ------------------------------------------------------------------------------------------------------------------ element types

struct alignas(16) Quad
{
    u32 w[4];
};

DEVICE bool is_nan(float value) { return value != value; }
DEVICE bool is_finite(float value) { return fabsf(value) <= 3.402823466e38f; }

struct F32
{
    typedef float Stored;

    DEVICE_MEMBER float widen(float value) { return value; }
    DEVICE_MEMBER float narrow(float value) { return value; }
};

struct BF16
{
    typedef u16 Stored;

    DEVICE_MEMBER float widen(u16 value) { return f32_of_bits((u32)value << 16); }

    // To nearest even; a NaN keeps its upper bits and becomes quiet, as on the CPU.
    DEVICE_MEMBER u16 narrow(float value)
    {
        u32 bits = f32_bits(value);
        return (u16)(is_nan(value) ? (bits >> 16) | 0x40u : (bits + 0x7FFFu + ((bits >> 16) & 1)) >> 16);
    }

    // Of numbers: the instruction has one NaN for all.
    DEVICE_MEMBER u32 narrow_pair(float low, float high)
    {
#if __CUDA_ARCH__ >= 800
        return f32_to_bf16_pair(low, high);
#else
        return narrow(low) | (u32)narrow(high) << 16;
#endif
    }

    // Adding 16 random bits carries with the probability of the fraction that is cut off. For finite values.
    DEVICE_MEMBER u16 narrow_stochastically(float value, u32 random) { return (u16)((f32_bits(value) + random) >> 16); }
};

struct F16
{
    typedef u16 Stored;

    DEVICE_MEMBER float widen(u16 value) { return f16_to_f32(value); }

    DEVICE_MEMBER u16 narrow(float value)
    {
        u32 bits = f32_bits(value);
        return is_nan(value) ? (u16)((bits >> 16 & 0x8000u) | 0x7E00u | (bits >> 13 & 0x3FFu)) : f32_to_f16(value);
    }

    // Of numbers.
    DEVICE_MEMBER u32 narrow_pair(float low, float high)
    {
#if __CUDA_ARCH__ >= 800
        return f32_to_f16_pair(low, high);
#else
        return f32_to_f16(low) | (u32)f32_to_f16(high) << 16;
#endif
    }

    // For finite values.
    DEVICE_MEMBER u16 narrow_stochastically(float value, u32 random)
    {
        u32 bits = f32_bits(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu, exponent = magnitude >> 23;
        if (exponent >= 113) // normal in float16, too: 13 bits are cut off
        {
            u32 carried = (magnitude + (random >> 3)) >> 13;
            return (u16)(sign | (carried >= (143u << 10) ? 0x7C00u : carried - (112u << 10)));
        }
        int cut = 126 - (int)exponent; // bits below 2⁻²⁴, at least 14
        if (cut > 47)
            return (u16)sign;
        u64 significand = (magnitude & 0x7FFFFFu) | 0x800000u;
        u64 added = cut < 16 ? random >> (16 - cut) : (u64)random << (cut - 16);
        return (u16)(sign | (u32)((significand + added) >> cut));
    }
};

// Eight elements that begin at a 16-byte boundary.
DEVICE void load_eight(const float *from, float (&to)[8])
{
    Quad first = ((const Quad *)from)[0], second = ((const Quad *)from)[1];
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        to[i] = f32_of_bits(first.w[i]);
        to[i + 4] = f32_of_bits(second.w[i]);
    }
}

DEVICE void store_eight(float *to, const float (&from)[8])
{
    Quad first, second;
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        first.w[i] = f32_bits(from[i]);
        second.w[i] = f32_bits(from[i + 4]);
    }
    ((Quad *)to)[0] = first;
    ((Quad *)to)[1] = second;
}

DEVICE void load_eight(const u16 *from, u16 (&to)[8])
{
    Quad packed = *(const Quad *)from;
#pragma unroll
    for (int i = 0; i < 8; i++)
        to[i] = (u16)(packed.w[i >> 1] >> (16 * (i & 1)));
}

DEVICE void store_eight(u16 *to, const u16 (&from)[8])
{
    Quad packed;
#pragma unroll
    for (int i = 0; i < 4; i++)
        packed.w[i] = from[2 * i] | (u32)from[2 * i + 1] << 16;
    *(Quad *)to = packed;
}

DEVICE void narrow_eight(F32, const float (&values)[8], float (&to)[8])
{
#pragma unroll
    for (int i = 0; i < 8; i++)
        to[i] = values[i];
}

template <class Type>
DEVICE void narrow_eight(Type, const float (&values)[8], u16 (&to)[8])
{
    bool are_numbers = true;
#pragma unroll
    for (int i = 0; i < 8; i++)
        are_numbers = are_numbers && !is_nan(values[i]);
#pragma unroll
    for (int i = 0; i < 8; i += 2)
    {
        u32 pair = Type::narrow_pair(values[i], values[i + 1]);
        to[i] = (u16)pair;
        to[i + 1] = (u16)(pair >> 16);
    }
    if (are_numbers)
        return;
#pragma unroll
    for (int i = 0; i < 8; i++)
        to[i] = Type::narrow(values[i]);
}

// Weights that have moved. No direction's block index reaches this counter's top bit. StochasticRounding.cs has the same on the CPU.
template <class Type>
DEVICE void narrow_moved(Type, const float (&values)[8], u64 group, u32 draw, u32 tensor, u64 key, u16 (&to)[8])
{
    Words random = philox((u32)group, (u32)(group >> 32) | 0x80000000u, draw, tensor, key);
    bool are_finite = true;
#pragma unroll
    for (int i = 0; i < 8; i++)
        are_finite = are_finite && is_finite(values[i]);
#pragma unroll
    for (int i = 0; i < 8; i++)
        to[i] = Type::narrow_stochastically(values[i], random.w[i >> 1] >> (16 * (i & 1)) & 0xFFFFu);
    if (are_finite)
        return;
#pragma unroll
    for (int i = 0; i < 8; i++)
        to[i] = is_finite(values[i]) ? to[i] : Type::narrow(values[i]);
}

DEVICE void narrow_moved(F32, const float (&values)[8], u64, u32, u32, u64, float (&to)[8]) { narrow_eight(F32(), values, to); }

DEVICE bool is_on_boundary(const void *address) { return ((u64)address & 15) == 0; }

// Eight elements at `from`, of which those in [first, last) exist; the others read as zero.
template <class Type>
DEVICE void read_eight(const typename Type::Stored *from, int first, int last, float (&values)[8])
{
    typename Type::Stored stored[8];
    if (first <= 0 && last >= 8 && is_on_boundary(from))
    {
        load_eight(from, stored);
    }
    else
    {
#pragma unroll
        for (int i = 0; i < 8; i++)
            stored[i] = i >= first && i < last ? from[i] : 0;
    }
#pragma unroll
    for (int i = 0; i < 8; i++)
        values[i] = Type::widen(stored[i]);
}

template <class Stored>
DEVICE void write_eight(Stored *to, int first, int last, const Stored (&stored)[8])
{
    if (first <= 0 && last >= 8 && is_on_boundary(to))
    {
        store_eight(to, stored);
        return;
    }
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        if (i >= first && i < last)
            to[i] = stored[i];
    }
}

// ------------------------------------------------------------------------------------------------------------------------ rebuild

enum ElementType { TypeF32 = 0, TypeF16 = 1, TypeBF16 = 2 }; // as in TensorType.cs

struct RebuildArguments
{
    const void *base;   // w0 of the range
    void *target;       // may be the base's memory where the types are of one size
    const u32 *version; // what the kernel needs of q: DeviceRebuilder.cs says in which order
    u64 key;
    i64 first;          // element of the tensor where the range begins
    i64 count;
    u32 steps;          // of 256 seeds for mma, of 32 for the plain kernel; the number of seeds for Gaussian
    u32 tensor;
    int total;          // Σ q, times the rank where that is above 0
    float factor;       // −2^(s−40+e), Gaussian −2^(s−52+e)
    int base_type;
    int target_type;
};

DEVICE float base_element(const RebuildArguments &a, i64 index)
{
    return a.base_type == TypeF32 ? ((const float *)a.base)[index]
        : a.base_type == TypeF16 ? F16::widen(((const u16 *)a.base)[index])
        : BF16::widen(((const u16 *)a.base)[index]);
}

DEVICE void write_element(const RebuildArguments &a, i64 index, float weight)
{
    if (a.target_type == TypeF32)
        ((float *)a.target)[index] = weight;
    else
        ((u16 *)a.target)[index] = a.target_type == TypeF16 ? F16::narrow(weight) : BF16::narrow(weight);
}

// W of one element: SPEC 6. `sum` is acc as float32.
DEVICE void rebuild_element(const RebuildArguments &a, i64 index, float sum)
{
    if (index >= 0 && index < a.count)
        write_element(a, index, __fmaf_rn(a.factor, sum, base_element(a, index)));
}

// acc = Σ q·z = 2·Σ q·bit − Σ q; what lies between may wrap, acc does not.
DEVICE float rademacher_sum(u32 sum_of_ones, int total) { return __int2float_rn((int)(2 * sum_of_ones - (u32)total)); }

DEVICE i64 thread_index() { return (i64)blockIdx.x * blockDim.x + threadIdx.x; }

// What is frozen: four elements a thread.
KERNEL(rebuild_frozen, RebuildArguments)
{
    for (i64 index = 4 * thread_index(), end = index + 4; index < end && index < a.count; index++)
        write_element(a, index, base_element(a, index));
}

// Adds the q of 32 seeds to four elements' sums where their bits of the signs are set.
DEVICE void add_ones(const Words &signs, const Quad *quantised, u32 (&sums)[4])
{
#pragma unroll
    for (int four = 0; four < 8; four++)
    {
        Quad q = quantised[four];
#pragma unroll
        for (int j = 0; j < 4; j++)
        {
#pragma unroll
            for (int i = 0; i < 4; i++)
            {
                if (signs.w[i] >> (4 * four + j) & 1)
                    sums[i] += q.w[j];
            }
        }
    }
}

// One block of four elements a thread.
KERNEL(rebuild_rademacher, RebuildArguments)
{
    u64 block = (u64)(a.first >> 2) + (u64)thread_index();
    i64 index = (i64)(block << 2) - a.first;
    if (index >= a.count)
        return;
    u32 sums[4] = {0, 0, 0, 0};
    for (u32 group = 0; group < a.steps; group++)
    {
        Words signs = philox((u32)block, (u32)(block >> 32), group, a.tensor, a.key);
        add_ones(signs, (const Quad *)a.version + group * 8, sums);
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
        rebuild_element(a, index + i, rademacher_sum(sums[i], a.total));
}

KERNEL(rebuild_gaussian, RebuildArguments)
{
    u64 block = (u64)(a.first >> 2) + (u64)thread_index();
    i64 index = (i64)(block << 2) - a.first;
    if (index >= a.count)
        return;
    i64 sums[4] = {0, 0, 0, 0};
    for (u32 seed = 0; seed < a.steps; seed++)
    {
        int q = (int)a.version[seed];
        if (q == 0)
            continue;
        Multiples multiples = gaussian_multiples(a.key, block, seed, a.tensor);
#pragma unroll
        for (int i = 0; i < 4; i++)
            sums[i] += (i64)q * multiples.n[i];
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
        rebuild_element(a, index + i, __ll2float_rn(sums[i]));
}

// Sums of products of signs: 32 seeds' signs of a row or a column are a word, the word of an element is NOT(u XOR v), and so two tables,
// made once, stand in for Philox.

struct FactorWordsArguments
{
    u32 *words;      // takes [rank, groups, 4 · blocks]
    u64 key;
    i64 first_block; // four rows, or columns, are a block
    i64 blocks;
    u32 groups;      // of 32 seeds
    u32 rank;
    u32 tensor;
    u32 factors;     // RowFactors or ColumnFactors
};

// One block of one group a thread.
KERNEL(factor_words, FactorWordsArguments)
{
    i64 block = thread_index() % a.blocks, line = thread_index() / a.blocks;
    if (line >= (i64)a.rank * a.groups)
        return;
    u64 at = factor_block(a.factors, (u32)(line / a.groups), (u64)(a.first_block + block) << 2);
    Words words = philox((u32)at, (u32)(at >> 32), (u32)(line % a.groups), a.tensor, a.key);
    ((Quad *)a.words)[thread_index()] = {{words.w[0], words.w[1], words.w[2], words.w[3]}};
}

struct RankRebuildArguments
{
    RebuildArguments range;
    const u32 *row_words;    // [rank, groups, 4 · row_blocks]: those of the rows from first_row on
    const u32 *column_words; // [rank, groups, 4 · column_blocks]: those of all columns
    i64 first_row;           // a multiple of four
    i64 rows;                // what a launch does
    i64 columns;
    i64 row_blocks;
    i64 column_blocks;       // a multiple of eight
    u32 rank;
    u32 groups;              // of 32 seeds: what the tables have
};

DEVICE Words element_words(const RankRebuildArguments &a, u32 line, i64 row, i64 column_block)
{
    u32 u = a.row_words[line * 4 * a.row_blocks + row];
    Quad v = ((const Quad *)a.column_words)[line * a.column_blocks + column_block];
    return {{~(u ^ v.w[0]), ~(u ^ v.w[1]), ~(u ^ v.w[2]), ~(u ^ v.w[3])}};
}

// Where an element lies in the range; it may be none of it.
DEVICE i64 index_in_range(const RankRebuildArguments &a, i64 row, i64 column)
{
    return column < a.columns ? (a.first_row + row) * a.columns + column - a.range.first : -1;
}

// Four columns of a row a thread.
KERNEL(rebuild_rank, RankRebuildArguments)
{
    i64 row = thread_index() / a.column_blocks, block = thread_index() % a.column_blocks;
    if (row >= a.rows)
        return;
    u32 sums[4] = {0, 0, 0, 0};
    for (u32 line = 0; line < a.rank * a.groups; line++)
        add_ones(element_words(a, line, row, block), (const Quad *)a.range.version + line % a.groups * 8, sums);
#pragma unroll
    for (int i = 0; i < 4; i++)
        rebuild_element(a.range, index_in_range(a, row, 4 * block + i), rademacher_sum(sums[i], a.range.total));
}

#ifdef HAS_BINARY_MMA

// Signs times q on the tensor cores. A row of A is an element, its 256 columns are the sign bits of 256 seeds; a column of B is a bit plane
// of q (two's complement, 8·TILES planes); so C counts, for each element and plane, the seeds with both bits set. A lane holds two rows of
// A in each tile, a word (32 seeds) at a time; with the rows of two tiles these are four, to which the four words of a block of elements
// belong: rows quad and quad + 8 of tile m are elements 4·block + 2m and 4·block + 2m + 1. A warp does SPANS times 8 blocks.
template <int TILES>
struct Planes
{
    u32 w[TILES][2];
};

template <int TILES>
DEVICE Planes<TILES> planes_of(const u32 *version, u32 step)
{
    Planes<TILES> planes;
#pragma unroll
    for (int i = 0; i < 2 * TILES; i++)
        planes.w[i >> 1][i & 1] = version[(step * 2 * TILES + i) * 32 + (threadIdx.x & 31)];
    return planes;
}

// `low` and `high` are the words of groups in_quad and in_quad + 4 of the step, of the lane's block.
template <int TILES>
DEVICE void count_ones(u32 (&counts)[2][TILES][4], const Words &low, const Words &high, const Planes<TILES> &planes)
{
#pragma unroll
    for (int m = 0; m < 2; m++)
    {
#pragma unroll
        for (int tile = 0; tile < TILES; tile++)
        {
            and_popcount(counts[m][tile], low.w[2 * m], low.w[2 * m + 1], high.w[2 * m], high.w[2 * m + 1],
                planes.w[tile][0], planes.w[tile][1]);
        }
    }
}

// Σ q over the ones of the warp's 32 elements, a lane each.
template <int TILES>
DEVICE u32 sum_of_ones(const u32 (&counts)[2][TILES][4])
{
    u32 in_quad = threadIdx.x & 3;
    u32 sums[4];
#pragma unroll
    for (int i = 0; i < 4; i++) // element of the block: tile i / 2, row quad + 8·(i % 2)
    {
        u32 sum = 0;
#pragma unroll
        for (int tile = 0; tile < TILES; tile++)
        {
#pragma unroll
            for (int column = 0; column < 2; column++)
            {
                u32 plane = tile * 8 + in_quad * 2 + column;
                u32 value = counts[i >> 1][tile][(i & 1) * 2 + column] << plane;
                sum += plane == 8 * TILES - 1 ? 0 - value : value; // the sign's plane
            }
        }
        sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 1);
        sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
        sums[i] = sum;
    }
    // All four lanes of the quad have all four sums; each takes one, so that the warp writes 32 elements in a row.
    return in_quad == 0 ? sums[0] : in_quad == 1 ? sums[1] : in_quad == 2 ? sums[2] : sums[3];
}

template <int TILES, int SPANS>
DEVICE void rebuild_by_mma(const RebuildArguments &a)
{
    u32 lane = threadIdx.x & 31, quad = lane >> 2, in_quad = lane & 3;
    u64 first_block = (u64)(a.first >> 2) + (u64)(thread_index() >> 5) * (8 * SPANS);
    if ((i64)(first_block << 2) - a.first >= a.count)
        return;
    u32 counts[SPANS][2][TILES][4] = {};
    for (u32 step = 0; step < a.steps; step++)
    {
        Planes<TILES> planes = planes_of<TILES>(a.version, step);
#pragma unroll
        for (int span = 0; span < SPANS; span++)
        {
            u64 block = first_block + span * 8 + quad;
            Words low = philox((u32)block, (u32)(block >> 32), step * 8 + in_quad, a.tensor, a.key);
            Words high = philox((u32)block, (u32)(block >> 32), step * 8 + 4 + in_quad, a.tensor, a.key);
            count_ones<TILES>(counts[span], low, high, planes);
        }
    }
#pragma unroll
    for (int span = 0; span < SPANS; span++)
    {
        u32 sum = sum_of_ones<TILES>(counts[span]);
        rebuild_element(a, (i64)((first_block + span * 8) << 2) - a.first + lane, rademacher_sum(sum, a.total));
    }
}

// 32 columns of SPANS rows a warp: the columns' words are read once for all of the rows.
template <int TILES, int SPANS>
DEVICE void rebuild_rank_by_mma(const RankRebuildArguments &a)
{
    u32 lane = threadIdx.x & 31, quad = lane >> 2, in_quad = lane & 3;
    i64 tiles = a.column_blocks / 8, row = (thread_index() >> 5) / tiles * SPANS, block = (thread_index() >> 5) % tiles * 8;
    if (row >= a.rows)
        return;
    u32 counts[SPANS][2][TILES][4] = {};
    for (u32 product = 0; product < a.rank; product++)
    {
        for (u32 step = 0; step < a.range.steps; step++)
        {
            Planes<TILES> planes = planes_of<TILES>(a.range.version, step);
            u32 line = product * a.groups + step * 8 + in_quad;
#pragma unroll
            for (int span = 0; span < SPANS; span++)
            {
                Words low = element_words(a, line, row + span, block + quad), high = element_words(a, line + 4, row + span, block + quad);
                count_ones<TILES>(counts[span], low, high, planes);
            }
        }
    }
#pragma unroll
    for (int span = 0; span < SPANS; span++)
    {
        u32 sum = sum_of_ones<TILES>(counts[span]);
        if (row + span < a.rows)
            rebuild_element(a.range, index_in_range(a, row + span, 4 * block + lane), rademacher_sum(sum, a.range.total));
    }
}

KERNEL(rebuild_rademacher_mma1, RebuildArguments) { rebuild_by_mma<1, 2>(a); }
KERNEL(rebuild_rademacher_mma2, RebuildArguments) { rebuild_by_mma<2, 2>(a); }
KERNEL(rebuild_rademacher_mma3, RebuildArguments) { rebuild_by_mma<3, 2>(a); }
KERNEL(rebuild_rademacher_mma4, RebuildArguments) { rebuild_by_mma<4, 2>(a); }
KERNEL(rebuild_rank_mma1, RankRebuildArguments) { rebuild_rank_by_mma<1, 2>(a); }
KERNEL(rebuild_rank_mma2, RankRebuildArguments) { rebuild_rank_by_mma<2, 2>(a); }
KERNEL(rebuild_rank_mma3, RankRebuildArguments) { rebuild_rank_by_mma<3, 2>(a); }
KERNEL(rebuild_rank_mma4, RankRebuildArguments) { rebuild_rank_by_mma<4, 2>(a); }

#endif // HAS_BINARY_MMA

// ------------------------------------------------------------------------------------------------------------------------ perturb

// A range of one tensor, and where it lies in the buffers of weights and of perturbed weights, in elements.
struct Segment
{
    i64 first_tile; // tiles of all segments before this one
    i64 first;      // element of the tensor where the range begins
    i64 count;
    i64 weights;
    i64 plus;
    i64 minus;
    Directed of;
};

struct PerturbArguments
{
    const Segment *segments;
    void *weights;
    void *perturbed;
    u64 key;
    u32 segment_count;
    u32 previous;            // seed whose update is pending
    float step;              // −η·g of that update
    u32 draw;                // which random bits round that update
    u32 next;                // seed of the signs to be written
    float epsilon;
};

struct RowsArguments
{
    const i64 *ids; // [rows]
    const void *weights;
    void *plus;     // [rows, columns]
    void *minus;    // [rows, columns]
    u64 key;
    i64 rows;
    i64 columns;
    Directed of;
    u32 seed;
    float epsilon;
};

enum { Advance = 1, Signs = 2 }; // what a kernel does; both: with one read of the weights
enum { GroupSize = 8, TileGroups = 256 };
enum Scheme { Rademacher, Gaussian, Rank };

// ±scale by a sign bit: one operation where fma(scale, ±1, w) would be two, with the same bits.
DEVICE float with_sign(float scale, u32 word, u32 bit) { return f32_of_bits(f32_bits(scale) ^ ((~word >> bit & 1) << 31)); }

// `scale` is that of the tensor's own already.
template <Scheme SCHEME>
DEVICE void add_direction(
    float scale, u64 key, u64 block, u32 seed, const Directed &of, const float *weights, float *sums, float *differences)
{
    if (SCHEME == Gaussian || (SCHEME == Rank && of.rank > 0))
    {
        Multiples multiples = SCHEME == Gaussian ? gaussian_multiples(key, block, seed, of.tensor) : rank_multiples(key, block, seed, of);
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            float z = __fmul_rn(__int2float_rn(multiples.n[i]), SCHEME == Gaussian ? 1.0f / 4096 : 1.0f);
            sums[i] = __fmaf_rn(scale, z, weights[i]);
            if (differences)
                differences[i] = __fmaf_rn(-scale, z, weights[i]);
        }
        return;
    }
    Words words = rademacher_words(key, block, seed, of.tensor);
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        float shift = with_sign(scale, words.w[i], seed & 31);
        sums[i] = __fadd_rn(weights[i], shift);
        if (differences)
            differences[i] = __fadd_rn(weights[i], -shift);
    }
}

// Eight elements of a tensor: SPEC 4. The pointers are those of the group's first element; elements [first, last) of it are in the range.
template <class Weight, class Perturbed, int Work, Scheme SCHEME>
DEVICE void perturb_group(const PerturbArguments &a, const Directed &of, u64 group, int first, int last,
    typename Weight::Stored *weights, typename Perturbed::Stored *plus, typename Perturbed::Stored *minus)
{
    float w[8];
    read_eight<Weight>(weights, first, last, w);
    bool is_frozen = of.scale == 0;
    if ((Work & Advance) && !is_frozen)
    {
        float moved[8], step = __fmul_rn(a.step, of.scale);
        add_direction<SCHEME>(step, a.key, 2 * group, a.previous, of, w, moved, 0);
        add_direction<SCHEME>(step, a.key, 2 * group + 1, a.previous, of, w + 4, moved + 4, 0);
        typename Weight::Stored stored[8];
        narrow_moved(Weight(), moved, group, a.draw, of.tensor, a.key, stored);
        write_eight(weights, first, last, stored);
#pragma unroll
        for (int i = 0; i < 8; i++)
            w[i] = Weight::widen(stored[i]);
    }
    if (Work & Signs)
    {
        typename Perturbed::Stored stored[8];
        if (is_frozen)
        {
            narrow_eight(Perturbed(), w, stored);
            write_eight(plus, first, last, stored);
            write_eight(minus, first, last, stored);
            return;
        }
        float sums[8], differences[8], epsilon = __fmul_rn(a.epsilon, of.scale);
        add_direction<SCHEME>(epsilon, a.key, 2 * group, a.next, of, w, sums, differences);
        add_direction<SCHEME>(epsilon, a.key, 2 * group + 1, a.next, of, w + 4, sums + 4, differences + 4);
        narrow_eight(Perturbed(), sums, stored);
        write_eight(plus, first, last, stored);
        narrow_eight(Perturbed(), differences, stored);
        write_eight(minus, first, last, stored);
    }
}

// The segment of this thread's block: the last one that begins at or before its tile.
DEVICE Segment segment_of_block(const PerturbArguments &a, i64 &tile)
{
    tile = a.segments[0].first_tile + blockIdx.x;
    u32 low = 0, high = a.segment_count;
    while (high - low > 1)
    {
        u32 middle = (low + high) / 2;
        if (a.segments[middle].first_tile <= tile)
            low = middle;
        else
            high = middle;
    }
    return a.segments[low];
}

template <class Weight, class Perturbed, int Work, Scheme SCHEME>
DEVICE void perturb(const PerturbArguments &a)
{
    i64 tile;
    Segment segment = segment_of_block(a, tile);
    u64 group = (u64)(segment.first >> 3) + (u64)(tile - segment.first_tile) * TileGroups + threadIdx.x;
    i64 begin = (i64)(group << 3) - segment.first; // of the group, in the segment; negative where the segment begins within it
    if (begin >= segment.count)
        return;
    int first = begin < 0 ? (int)-begin : 0, last = segment.count - begin < GroupSize ? (int)(segment.count - begin) : GroupSize;
    perturb_group<Weight, Perturbed, Work, SCHEME>(a, segment.of, group, first, last,
        (typename Weight::Stored *)a.weights + segment.weights + begin,
        (typename Perturbed::Stored *)a.perturbed + segment.plus + begin,
        (typename Perturbed::Stored *)a.perturbed + segment.minus + begin);
}

// Rows of a matrix that are looked up: only those in use are perturbed, and they lie in the order of use.
template <class Weight, class Perturbed, Scheme SCHEME>
DEVICE void perturb_rows(const RowsArguments &rows)
{
    i64 groups_per_row = (rows.columns + 14) / GroupSize; // one more where the row begins within a group
    i64 row = thread_index() / groups_per_row;
    if (row >= rows.rows)
        return;
    i64 start = rows.ids[row] * rows.columns;
    u64 group = (u64)(start >> 3) + (u64)(thread_index() % groups_per_row);
    i64 begin = (i64)(group << 3) - start;
    if (begin >= rows.columns)
        return;
    int first = begin < 0 ? (int)-begin : 0, last = rows.columns - begin < GroupSize ? (int)(rows.columns - begin) : GroupSize;
    PerturbArguments a = {};
    a.key = rows.key;
    a.next = rows.seed;
    a.epsilon = rows.epsilon;
    perturb_group<Weight, Perturbed, Signs, SCHEME>(a, rows.of, group, first, last,
        (typename Weight::Stored *)rows.weights + start + begin,
        (typename Perturbed::Stored *)rows.plus + row * rows.columns + begin,
        (typename Perturbed::Stored *)rows.minus + row * rows.columns + begin);
}

#define ADVANCE_KERNELS_OF(scheme, SCHEME, name, Weight) \
    KERNEL(advance_##scheme##_##name, PerturbArguments) { perturb<Weight, F32, Advance, SCHEME>(a); }

#define SIGNS_KERNELS_OF(scheme, SCHEME, name, Weight, Perturbed) \
    KERNEL(signs_##scheme##_##name, PerturbArguments) { perturb<Weight, Perturbed, Signs, SCHEME>(a); } \
    KERNEL(advance_signs_##scheme##_##name, PerturbArguments) { perturb<Weight, Perturbed, Advance | Signs, SCHEME>(a); } \
    KERNEL(rows_##scheme##_##name, RowsArguments) { perturb_rows<Weight, Perturbed, SCHEME>(a); }

#define ADVANCE_KERNELS(name, Weight) \
    ADVANCE_KERNELS_OF(rademacher, Rademacher, name, Weight) \
    ADVANCE_KERNELS_OF(gaussian, Gaussian, name, Weight) \
    ADVANCE_KERNELS_OF(rank, Rank, name, Weight)

#define SIGNS_KERNELS(name, Weight, Perturbed) \
    SIGNS_KERNELS_OF(rademacher, Rademacher, name, Weight, Perturbed) \
    SIGNS_KERNELS_OF(gaussian, Gaussian, name, Weight, Perturbed) \
    SIGNS_KERNELS_OF(rank, Rank, name, Weight, Perturbed)

ADVANCE_KERNELS(f32, F32)
ADVANCE_KERNELS(f16, F16)
ADVANCE_KERNELS(bf16, BF16)
SIGNS_KERNELS(f32_f32, F32, F32)
SIGNS_KERNELS(f32_f16, F32, F16)
SIGNS_KERNELS(f32_bf16, F32, BF16)
SIGNS_KERNELS(f16_f16, F16, F16)
SIGNS_KERNELS(bf16_bf16, BF16, BF16)

// ------------------------------------------------------------------------------------------------------------------------ factors

struct FactorsArguments
{
    void *target;     // takes [seeds · rank, count]
    const u32 *seeds; // seed indices
    u64 key;
    i64 count;        // rows, or columns, from the first one on
    u32 seed_count;
    u32 rank;
    u32 tensor;
    u32 factors;      // RowFactors or ColumnFactors
};

// u or v of each seed and each of its products, ±1, for products that never write z down; four a thread.
template <class Type>
DEVICE void write_factors(const FactorsArguments &a)
{
    i64 blocks = (a.count + 3) / 4, line = thread_index() / blocks, index = thread_index() % blocks * 4;
    if (line >= (i64)a.seed_count * a.rank)
        return;
    u32 seed = a.seeds[line / a.rank];
    Words words = rademacher_words(a.key, factor_block(a.factors, (u32)(line % a.rank), (u64)index), seed, a.tensor);
    typename Type::Stored *target = (typename Type::Stored *)a.target + line * a.count + index;
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        if (index + i < a.count)
            target[i] = Type::narrow(with_sign(1.0f, words.w[i], seed & 31));
    }
}

KERNEL(factors_f32, FactorsArguments) { write_factors<F32>(a); }
KERNEL(factors_f16, FactorsArguments) { write_factors<F16>(a); }
KERNEL(factors_bf16, FactorsArguments) { write_factors<BF16>(a); }
