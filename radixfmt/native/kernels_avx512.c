/* Kernels for x86 machines with AVX-512. */
#if defined(__x86_64__)
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,fma,prefer-vector-width=512")
#endif

#define LANES 16
#define TILE 64
#define RUN 16
#define TILES BLOCKS(UP_TO_8, 1) BLOCKS(UP_TO_8, 2) BLOCKS(UP_TO_6, 4) ROWS(1) ROWS(2) ROWS(4)
#define KERNELS rx_avx512
#define NAME "avx512"
#define gathered(x, at) ((vec)_mm512_i32gather_ps(_mm512_loadu_si512(at), (x), 4))
#define larger(a, b) ((vec)_mm512_max_ps(a, b))
#define smaller(a, b) ((vec)_mm512_min_ps(a, b))
#define summed(v) _mm512_reduce_add_ps(v)

#include "kernels_body.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
