// What lies between the products of a transformer: activations of a type, arithmetic in float32, rounded to the type where torch rounds.
// It is compiled behind kernels.cu of Perturbation, as one program with it, and uses its types, reads and writes; kernels are bound by the
// same rules. Each takes one struct, whose twin is in ActivationArguments.cs. Unlike there, a result is ordinary floating point: sums are
// in another order than torch's.

struct NormArguments
{
    const void *x;      // rows of `columns` elements: row r begins at r / heads · stride + r % heads · columns
    void *added;        // null, or as x but with heads = 1: takes x + added, which is then what is normalised
    const void *weight; // [sets, columns]
    void *target;       // as x; may be x
    i64 rows;
    i64 rows_per_set;
    i64 stride;
    int heads;
    int columns;
    float epsilon;
    u32 unused;
};

DEVICE float warp_sum(float value)
{
#pragma unroll
    for (int mask = 16; mask > 0; mask /= 2)
        value = __fadd_rn(value, __shfl_xor_sync(0xFFFFFFFFu, value, mask));
    return value;
}

DEVICE float warp_max(float value)
{
#pragma unroll
    for (int mask = 16; mask > 0; mask /= 2)
    {
        float other = __shfl_xor_sync(0xFFFFFFFFu, value, mask);
        value = other > value || is_nan(other) ? other : value;
    }
    return value;
}

template <class Type>
DEVICE float rounded(float value) { return Type::widen(Type::narrow(value)); }

// RMSNorm (Zhang and Sennrich 2019) of x, or of the residual sum x + added: a row a warp.
template <class Type>
DEVICE void normalise(const NormArguments &a)
{
    typedef typename Type::Stored Stored;
    i64 row = thread_index() >> 5;
    if (row >= a.rows)
        return;
    i64 start = row / a.heads * a.stride + row % a.heads * a.columns;
    const Stored *x = (const Stored *)a.x + start;
    Stored *added = a.added ? (Stored *)a.added + start : 0;
    const Stored *weight = (const Stored *)a.weight + row / a.rows_per_set * a.columns;
    Stored *target = (Stored *)a.target + start;
    int lane = threadIdx.x & 31;
    float squares = 0;
    for (int column = 8 * lane; column < a.columns; column += 8 * 32)
    {
        float values[8];
        read_eight<Type>(x + column, 0, a.columns - column, values);
        if (added)
        {
            float more[8];
            Stored sums[8];
            read_eight<Type>(added + column, 0, a.columns - column, more);
#pragma unroll
            for (int i = 0; i < 8; i++)
                values[i] = __fadd_rn(values[i], more[i]);
            narrow_eight(Type(), values, sums);
            write_eight(added + column, 0, a.columns - column, sums);
#pragma unroll
            for (int i = 0; i < 8; i++)
                values[i] = Type::widen(sums[i]);
        }
#pragma unroll
        for (int i = 0; i < 8; i++)
            squares = __fmaf_rn(values[i], values[i], squares);
    }
    float scale = rsqrtf(warp_sum(squares) / (float)a.columns + a.epsilon);
    const Stored *source = added ? added : x;
    for (int column = 8 * lane; column < a.columns; column += 8 * 32)
    {
        float values[8], weights[8];
        Stored stored[8];
        read_eight<Type>(source + column, 0, a.columns - column, values);
        read_eight<Type>(weight + column, 0, a.columns - column, weights);
#pragma unroll
        for (int i = 0; i < 8; i++)
            values[i] = __fmul_rn(rounded<Type>(__fmul_rn(values[i], scale)), weights[i]);
        narrow_eight(Type(), values, stored);
        write_eight(target + column, 0, a.columns - column, stored);
    }
}

struct RotateArguments
{
    void *x;         // [rows, …] of `stride` elements a row, which begin with `heads` heads of `size` elements
    const void *cos; // [length, size]
    const void *sin; // [length, size], the first half negated
    i64 rows;        // row r is at position r % length
    i64 stride;
    int length;
    int heads;
    int size;
    u32 unused;
};

// Rotary position embedding in place: (a, b) → (a·cos − b·sin, b·cos + a·sin), a and b the halves of a head; a pair a thread.
template <class Type>
DEVICE void rotate(const RotateArguments &a)
{
    typedef typename Type::Stored Stored;
    int half = a.size / 2;
    i64 pairs = (i64)a.heads * half, row = thread_index() / pairs;
    if (row >= a.rows)
        return;
    int pair = (int)(thread_index() % pairs), at = pair % half;
    Stored *first = (Stored *)a.x + row * a.stride + pair / half * a.size + at, *second = first + half;
    i64 position = row % a.length * a.size + at;
    const Stored *cos = (const Stored *)a.cos + position, *sin = (const Stored *)a.sin + position;
    float low = Type::widen(*first), high = Type::widen(*second);
    float turned_low = __fmaf_rn(high, Type::widen(sin[0]), rounded<Type>(__fmul_rn(low, Type::widen(cos[0]))));
    float turned_high = __fmaf_rn(low, Type::widen(sin[half]), rounded<Type>(__fmul_rn(high, Type::widen(cos[half]))));
    *first = Type::narrow(turned_low);
    *second = Type::narrow(turned_high);
}

struct GateArguments
{
    const void *gate_up; // [rows, 2·columns]: gate, then up
    void *target;        // [rows, columns]
    i64 rows;
    i64 columns;
};

// SwiGLU (Shazeer 2020): gate / (1 + e^−gate) · up; eight elements a thread.
template <class Type>
DEVICE void gate(const GateArguments &a)
{
    typedef typename Type::Stored Stored;
    i64 groups = (a.columns + 7) / 8, row = thread_index() / groups;
    if (row >= a.rows)
        return;
    i64 column = thread_index() % groups * 8;
    int last = a.columns - column < 8 ? (int)(a.columns - column) : 8;
    const Stored *from = (const Stored *)a.gate_up + row * 2 * a.columns + column;
    float gates[8], ups[8];
    Stored stored[8];
    read_eight<Type>(from, 0, last, gates);
    read_eight<Type>(from + a.columns, 0, last, ups);
#pragma unroll
    for (int i = 0; i < 8; i++)
        gates[i] = __fmul_rn(rounded<Type>(gates[i] / (1.0f + expf(-gates[i]))), ups[i]);
    narrow_eight(Type(), gates, stored);
    write_eight((Stored *)a.target + row * a.columns + column, 0, last, stored);
}

struct LogitsArguments
{
    const void *logits;  // [rows, columns]: those of the vocabulary from first_column on
    const i64 *targets;  // [labels]; row r has target r % labels
    float *state;        // [rows, 3]: largest logit so far, Σ e^(logit − largest), the target's logit
    i64 rows;
    i64 labels;
    i64 first_column;
    int columns;
    int is_first;        // whether the state is still empty
};

// What a chunk of the vocabulary adds to each row's cross-entropy, log Σ e^logit − target's logit: a row a warp.
template <class Type>
DEVICE void take_logits(const LogitsArguments &a)
{
    typedef typename Type::Stored Stored;
    i64 row = thread_index() >> 5;
    if (row >= a.rows)
        return;
    int lane = threadIdx.x & 31;
    const Stored *logits = (const Stored *)a.logits + row * a.columns;
    const float minus_infinity = f32_of_bits(0xFF800000u);
    float largest = minus_infinity;
    for (int column = lane; column < a.columns; column += 32)
    {
        float logit = Type::widen(logits[column]);
        largest = logit > largest || is_nan(logit) ? logit : largest;
    }
    largest = warp_max(largest);
    float *state = a.state + 3 * row;
    float before = a.is_first ? minus_infinity : state[0];
    if (before > largest || is_nan(before))
        largest = before;
    float sum = 0;
    for (int column = lane; column < a.columns; column += 32)
        sum = __fadd_rn(sum, expf(Type::widen(logits[column]) - largest));
    sum = warp_sum(sum);
    if (lane != 0)
        return;
    if (!a.is_first)
        sum += state[1] * expf(before - largest);
    state[0] = largest;
    state[1] = sum;
    i64 target = a.targets[row % a.labels] - a.first_column;
    if (target >= 0 && target < a.columns)
        state[2] = Type::widen(logits[target]);
}

#define STEP_KERNELS(name, Type) \
    KERNEL(normalise_##name, NormArguments) { normalise<Type>(a); } \
    KERNEL(rotate_##name, RotateArguments) { rotate<Type>(a); } \
    KERNEL(gate_##name, GateArguments) { gate<Type>(a); } \
    KERNEL(take_logits_##name, LogitsArguments) { take_logits<Type>(a); }

STEP_KERNELS(f32, F32)
STEP_KERNELS(f16, F16)
STEP_KERNELS(bf16, BF16)
