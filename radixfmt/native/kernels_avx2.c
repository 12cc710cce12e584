/* Kernels for x86 machines with AVX2 and FMA. */
#if defined(__x86_64__)
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

static inline float quarter_sum(__m128 four) {
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#define LANES 8
#define TILE 16
#define RUN 12
#define TILES BLOCKS(UP_TO_8, 1) BLOCKS(UP_TO_6, 2) BLOCKS(UP_TO_2, 4) ROWS(1) ROWS(2) ROWS(4)
#define KERNELS rx_avx2
#define NAME "avx2"
#define gathered(x, at) ((vec)_mm256_i32gather_ps((x), _mm256_loadu_si256((const void *)(at)), 4))
#define larger(a, b) ((vec)_mm256_max_ps(a, b))
#define smaller(a, b) ((vec)_mm256_min_ps(a, b))
#define summed(v) quarter_sum(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)))

#include "kernels_body.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
