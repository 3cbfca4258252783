// Lets g++ compile kernels.cu for the CPU and runs it as a GPU does: 32 lanes of a warp, each with a stack of its own, that go on together
// from one warp-wide operation to the next. A warp whose lanes do not all come to the same operation is reported, not guessed at.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <ucontext.h>
#include <vector>

#define DEVICE static inline
#define DEVICE_MEMBER static inline
#define HAS_BINARY_MMA 1
#define KERNEL(name, Arguments) \
    static void name##_lane(const Arguments &a); \
    extern "C" void name(const void *arguments) { name##_lane(*(const Arguments *)arguments); } \
    static void name##_lane(const Arguments &a)

namespace emulation
{
constexpr int Lanes = 32;
constexpr size_t StackBytes = 256 << 10;

struct Index
{
    unsigned x;
};

struct Exchange
{
    uint32_t words[6];
};

// One warp at a time runs on a host thread. A lane gets its stack by setcontext; from then on control is passed by longjmp, which, unlike
// swapcontext, does not ask the operating system.
struct Warp
{
    jmp_buf scheduler;
    jmp_buf lanes[Lanes];
    bool is_done[Lanes];
    unsigned operations[Lanes];   // warp-wide operations that the lane has come to
    Exchange exchanged[2][Lanes]; // alternately, so that a lane that runs ahead overwrites nothing that another still reads
    std::vector<char> stacks = std::vector<char>(Lanes * StackBytes);
    void (*kernel)(const void *);
    const void *arguments;
    int lane;
};

inline thread_local Warp *warp;
inline thread_local Index thread, block, block_size;

inline void leave_lane(int lane)
{
    if (!_setjmp(warp->lanes[lane]))
        _longjmp(warp->scheduler, 1);
}

inline void enter_lane(int lane)
{
    warp->lane = lane;
    thread.x = thread.x / Lanes * Lanes + lane;
    if (!_setjmp(warp->scheduler))
        _longjmp(warp->lanes[lane], 1);
}

inline void live(int lane)
{
    for (;;)
    {
        leave_lane(lane);
        warp->kernel(warp->arguments);
        warp->is_done[lane] = true;
    }
}

inline void start_lanes(Warp &w)
{
    warp = &w;
    for (int lane = 0; lane < Lanes; lane++)
    {
        ucontext_t context;
        getcontext(&context);
        context.uc_stack.ss_sp = w.stacks.data() + lane * StackBytes;
        context.uc_stack.ss_size = StackBytes;
        context.uc_link = nullptr;
        makecontext(&context, (void (*)())live, 1, lane);
        if (!_setjmp(w.scheduler))
            setcontext(&context);
    }
}

inline void run_warp(Warp &w, unsigned first_thread)
{
    thread.x = first_thread;
    std::fill_n(w.is_done, Lanes, false);
    std::fill_n(w.operations, Lanes, 0);
    do
    {
        for (int lane = 0; lane < Lanes; lane++)
            enter_lane(lane);
        for (int lane = 1; lane < Lanes; lane++)
        {
            if (w.is_done[lane] != w.is_done[0] || w.operations[lane] != w.operations[0])
            {
                std::fprintf(stderr, "Lanes 0 and %d of a warp parted at a warp-wide operation.\n", lane);
                std::abort();
            }
        }
    } while (!w.is_done[0]);
}

// What every lane of the warp brings to this operation.
inline const Exchange *meet(const Exchange &own)
{
    Warp &w = *warp;
    Exchange *shared = w.exchanged[w.operations[w.lane]++ & 1];
    shared[w.lane] = own;
    leave_lane(w.lane);
    return shared;
}
}

#define threadIdx emulation::thread
#define blockIdx emulation::block
#define blockDim emulation::block_size

template <class To, class From>
inline To bits_as(From from)
{
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

inline uint32_t f32_bits(float value) { return bits_as<uint32_t>(value); }
inline float f32_of_bits(uint32_t bits) { return bits_as<float>(bits); }
inline uint16_t f32_to_f16(float value) { return bits_as<uint16_t>((_Float16)value); }
inline float f16_to_f32(uint16_t half) { return (float)bits_as<_Float16>(half); }

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fmaf(a, b, c); }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __int2float_rn(int a) { return (float)a; }
inline float __ll2float_rn(long long a) { return (float)a; }
inline float rsqrtf(float a) { return 1 / std::sqrt(a); }

template <class T>
inline T __shfl_xor_sync(unsigned, T value, int mask)
{
    static_assert(sizeof(T) == 4);
    int lane = emulation::warp->lane;
    return bits_as<T>(emulation::meet({{bits_as<uint32_t>(value)}})[lane ^ mask].words[0]);
}

// PTX ISA, "Matrix fragments for mma.m16n8k256": with quad = lane / 4 and t = lane % 4, a0…a3 are the words t, t, t + 4, t + 4
// (32 columns each) of the rows quad, quad + 8, quad, quad + 8; b0 and b1 the words t and t + 4 of column quad; c0…c3 the columns
// 2t, 2t + 1 of rows quad, quad, quad + 8, quad + 8.
inline void and_popcount(uint32_t (&c)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0, uint32_t b1)
{
    int lane = emulation::warp->lane;
    const emulation::Exchange *warp = emulation::meet({{a0, a1, a2, a3, b0, b1}});
    for (int i = 0; i < 4; i++)
    {
        int row = lane / 4 + (i >= 2 ? 8 : 0), column = lane % 4 * 2 + (i & 1);
        for (int word = 0; word < 8; word++)
        {
            uint32_t a = warp[row % 8 * 4 + word % 4].words[(row >= 8 ? 1 : 0) + (word >= 4 ? 2 : 0)];
            uint32_t b = warp[column * 4 + word % 4].words[word >= 4 ? 5 : 4];
            c[i] += __builtin_popcount(a & b);
        }
    }
}

// Runs a grid of blocks. Host threads of its own: the caller's runtime never sees a stack that it did not make.
extern "C" void launch_grid(void (*kernel)(const void *), unsigned blocks, unsigned threads, const void *arguments)
{
    std::atomic<unsigned> next{0};
    auto work = [&] {
        emulation::Warp warp;
        warp.kernel = kernel;
        warp.arguments = arguments;
        emulation::start_lanes(warp);
        emulation::block_size.x = threads;
        for (unsigned block; (block = next++) < blocks;)
        {
            emulation::block.x = block;
            for (unsigned first = 0; first < threads; first += emulation::Lanes)
                emulation::run_warp(warp, first);
        }
    };
    std::vector<std::thread> pool;
    unsigned count = std::min(std::max(std::thread::hardware_concurrency(), 1u), blocks);
    for (unsigned i = 0; i < count; i++)
        pool.emplace_back(work);
    for (std::thread &thread : pool)
        thread.join();
}
