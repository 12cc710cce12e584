/* Rows of samples: where they lie, and a thread's share of them. After layer.h. */

#define DEVICE static __device__ __forceinline__
#define KERNEL extern "C" __global__ void
#define WARP 32

/* PTX; an emulation of a GPU brings its own. */
#ifdef __CUDACC__
/* To the 10 bits of mantissa that tensor cores look at. */
DEVICE float tf32(float value) {
#if __CUDA_ARCH__ >= 800
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return __uint_as_float(bits);
#else
    return value;
#endif
}

/* One of two float16: the low one, or the high one. */
template <bool HIGH> DEVICE float widened(unsigned pair) {
    float value;
    if constexpr (HIGH)
        asm("{.reg .b16 low, high; mov.b32 {low, high}, %1; cvt.f32.f16 %0, high;}"
            : "=f"(value) : "r"(pair));
    else
        asm("{.reg .b16 low, high; mov.b32 {low, high}, %1; cvt.f32.f16 %0, low;}"
            : "=f"(value) : "r"(pair));
    return value;
}

/* A warp adds the product of 16 x 8 weights and 8 x 8 samples to 16 x 8 sums. */
DEVICE void multiply(float sum[4], const float4 &weights, float upper, float lower) {
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(__float_as_uint(weights.x)), "r"(__float_as_uint(weights.y)),
                   "r"(__float_as_uint(weights.z)), "r"(__float_as_uint(weights.w)),
                   "r"(__float_as_uint(upper)), "r"(__float_as_uint(lower)));
#endif
}
#endif

/* A tile of samples in shared memory. Where tensor cores take samples as columns, rows begin an odd
   number of fours of banks apart, and outputs may be rounded for them. */
template <int TILE, bool TENSOR> struct Tile {
    static constexpr int PITCH = TENSOR && TILE % 8 == 0 ? TILE + 4 : TILE;
    static constexpr bool ROUNDS = TENSOR;
    float *data;
    __device__ __forceinline__ float *row(unsigned slot) const { return data + slot * PITCH; }
};

/* The same in global memory, `stride` samples wide. */
struct Columns {
    static constexpr bool ROUNDS = false;
    float *data;
    size_t stride;
    __device__ __forceinline__ float *row(unsigned slot) const { return data + slot * stride; }
};

template <int N> DEVICE void load_weights(const float *from, float to[N]) {
    if constexpr (N % 4 == 0) {
#pragma unroll
        for (int i = 0; i < N; i += 4) {
            const float4 four = __ldg((const float4 *)(from + i));
            to[i] = four.x, to[i + 1] = four.y, to[i + 2] = four.z, to[i + 3] = four.w;
        }
    } else {
#pragma unroll
        for (int i = 0; i < N; i++) to[i] = __ldg(from + i);
    }
}

/* A thread's samples of a row: fours of neighbours, or else one of each run of LANES. */
template <int LANES, int SAMPLES>
DEVICE void load_samples(const float *row, unsigned lane, float to[SAMPLES]) {
    if constexpr (SAMPLES % 4 == 0) {
#pragma unroll
        for (int i = 0; i < SAMPLES; i += 4) {
            const float4 four = *(const float4 *)(row + i * LANES + 4 * lane);
            to[i] = four.x, to[i + 1] = four.y, to[i + 2] = four.z, to[i + 3] = four.w;
        }
    } else {
#pragma unroll
        for (int i = 0; i < SAMPLES; i++) to[i] = row[i * LANES + lane];
    }
}

/* NaN stays NaN. */
DEVICE float bounded(float value, const rx_cuda_layer &layer) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("max.NaN.f32 %0, %0, %1;" : "+f"(value) : "f"(layer.low));
    asm("min.NaN.f32 %0, %0, %1;" : "+f"(value) : "f"(layer.high));
    return value;
#else
    value = value < layer.low ? layer.low : value;
    return value > layer.high ? layer.high : value;
#endif
}

/* What becomes of a sum. */
template <bool ROUNDS> DEVICE float finished(float sum, const rx_cuda_layer &layer) {
    const float value = bounded(sum, layer);
    if constexpr (ROUNDS) return layer.rounds ? tf32(value) : value;
    return value;
}

template <int LANES, int SAMPLES, bool ROUNDS>
DEVICE void store_samples(float *row, unsigned lane, const float sum[SAMPLES],
                          const rx_cuda_layer &layer) {
    if constexpr (SAMPLES % 4 == 0) {
#pragma unroll
        for (int i = 0; i < SAMPLES; i += 4) {
            const float4 four = {
                finished<ROUNDS>(sum[i], layer), finished<ROUNDS>(sum[i + 1], layer),
                finished<ROUNDS>(sum[i + 2], layer), finished<ROUNDS>(sum[i + 3], layer)};
            *(float4 *)(row + i * LANES + 4 * lane) = four;
        }
    } else {
#pragma unroll
        for (int i = 0; i < SAMPLES; i++) row[i * LANES + lane] = finished<ROUNDS>(sum[i], layer);
    }
}
