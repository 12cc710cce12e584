// CUDA C++ on a host, as far as the kernels use it.
//
// The threads of a block are fibres: one runs until it waits for the others, of its block or, where
// they multiply on tensor cores, of its warp.
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct dim3 { unsigned x, y, z; };
static dim3 threadIdx, blockIdx, blockDim, gridDim;
template <class T> static T __ldg(const T *from) { return *from; }
static float __uint_as_float(unsigned bits) { float value; return memcpy(&value, &bits, 4), value; }

#define __device__
#define __global__
#define __shared__
#define __forceinline__ inline
#define __launch_bounds__(...)

constexpr unsigned LANES = 32, STACK = 1 << 15;

// Opens when so many have come, again and again.
struct Barrier { unsigned wanted, come, opened; };
static Barrier block;
struct Warp { Barrier barrier; float factors[2][LANES][6]; };
static Warp warps[1024 / LANES];

static ucontext_t scheduler;
struct Fibre {
    ucontext_t context;
    bool done;
    char *stack;
    const Barrier *before; // where it waits, if anywhere
    unsigned opened, products;
};
static std::vector<Fibre> fibres;
static size_t running;
static std::function<void()> *body;

static void wait(Barrier &barrier) {
    Fibre &fibre = fibres[running];
    if (++barrier.come == barrier.wanted) {
        barrier.come = 0;
        barrier.opened++;
        return;
    }
    fibre.before = &barrier;
    fibre.opened = barrier.opened;
    swapcontext(&fibre.context, &scheduler);
    fibre.before = nullptr;
}

static void __syncthreads() { wait(block); }
static void __syncwarp() { wait(warps[running / LANES].barrier); }

static void entry() {
    (*body)();
    fibres[running].done = true;
    swapcontext(&fibres[running].context, &scheduler);
}

// --- tensor cores

template <bool HIGH> static float widened(unsigned pair) {
    const unsigned bits = HIGH ? pair >> 16 : pair & 0xffff, fraction = bits & 0x3ff;
    const int exponent = bits >> 10 & 31;
    const float value = exponent == 31 ? (fraction ? NAN : INFINITY)
                        : exponent     ? ldexpf(fraction | 0x400, exponent - 25)
                                       : ldexpf(fraction, -24);
    return bits & 0x8000 ? -value : value;
}

static float tf32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return std::isnan(value) ? NAN : __uint_as_float((bits + 0x1000) & ~0x1fffu);
}

// What a lane brings has to be rounded, and lies where the manual of mma.m16n8k8 says.
static void multiply(float sum[4], const float4 &weights, float upper, float lower) {
    const unsigned lane = running % LANES, row = lane / 4, column = lane % 4 * 2;
    Warp &warp = warps[running / LANES];
    float(*factors)[6] = warp.factors[fibres[running].products++ % 2];
    const float mine[6] = {weights.x, weights.y, weights.z, weights.w, upper, lower};
    for (float factor : mine)
        if (!std::isnan(factor) && factor != tf32(factor))
            fprintf(stderr, "%a is not rounded\n", factor), abort();
    memcpy(factors[lane], mine, sizeof mine);
    wait(warp.barrier);
    for (unsigned k = 0; k < 8; k++)
        for (unsigned i = 0; i < 4; i++) {
            const float weight = factors[row * 4 + k % 4][k / 4 * 2 + i / 2];
            sum[i] += weight * factors[(column + i % 2) * 4 + k % 4][4 + k / 4];
        }
}

// --- blocks

static void run_block(unsigned threads, bool backwards) {
    while (fibres.size() < threads) fibres.push_back({{}, true, (char *)malloc(STACK)});
    for (unsigned i = 0; i < threads; i++) {
        Fibre &fibre = fibres[i];
        getcontext(&fibre.context);
        fibre.context.uc_stack.ss_sp = fibre.stack;
        fibre.context.uc_stack.ss_size = STACK;
        fibre.done = false;
        fibre.before = nullptr;
        fibre.products = 0;
        makecontext(&fibre.context, entry, 0);
    }
    block = {threads, 0, 0};
    for (Warp &warp : warps) warp.barrier = {LANES, 0, 0};
    for (unsigned left = threads; left;) {
        bool moved = false;
        for (unsigned i = 0; i < threads; i++) {
            running = backwards ? threads - 1 - i : i;
            Fibre &fibre = fibres[running];
            if (fibre.done || (fibre.before && fibre.opened == fibre.before->opened)) continue;
            threadIdx = {(unsigned)running, 0, 0};
            swapcontext(&scheduler, &fibre.context);
            left -= fibre.done;
            moved = true;
        }
        if (!moved) fprintf(stderr, "%u threads wait for others\n", left), abort();
    }
}
