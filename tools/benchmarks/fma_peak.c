/* Multiply-adds per second that this machine's vector units can do at most, and bytes per second
   that they can read of the second-level cache, on one thread: the limits of every kernel. Built and
   called by native.py. */
#include <immintrin.h>
#include <time.h>

#define SUMS 16
#define ROUNDS 200000

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#define CACHED (1 << 18) /* floats: 1 MiB, more than a first-level cache and less than a second */
#define PASSES 400

static float cached[CACHED] __attribute__((aligned(64)));

#define PEAK(NAME, ISA, LANES, VECTOR, SET, FMA)                                                  \
    __attribute__((target(ISA))) double NAME(void) {                                              \
        VECTOR sum[SUMS], x = SET(0.999f), y = SET(0.001f);                                       \
        volatile float kept = 0;                                                                  \
        for (int i = 0; i < SUMS; i++) sum[i] = SET((float)i);                                    \
        const double began = seconds();                                                           \
        for (int n = 0; n < ROUNDS; n++)                                                          \
            for (int i = 0; i < SUMS; i++) sum[i] = FMA(sum[i], x, y);                            \
        const double taken = seconds() - began;                                                   \
        for (int i = 0; i < SUMS; i++) kept += sum[i][0];                                         \
        return (double)ROUNDS * SUMS * LANES / taken;                                             \
    }

#define READ(NAME, ISA, LANES, VECTOR, SET, LOAD, ADD)                                            \
    __attribute__((target(ISA))) double NAME(void) {                                              \
        VECTOR sum[SUMS];                                                                         \
        volatile float kept = 0;                                                                  \
        for (int i = 0; i < SUMS; i++) sum[i] = SET(0.0f);                                        \
        const double began = seconds();                                                           \
        for (int n = 0; n < PASSES; n++)                                                          \
            for (int at = 0; at < CACHED; at += SUMS * LANES)                                     \
                for (int i = 0; i < SUMS; i++)                                                    \
                    sum[i] = ADD(sum[i], LOAD(cached + at + i * LANES));                          \
        const double taken = seconds() - began;                                                   \
        for (int i = 0; i < SUMS; i++) kept += sum[i][0];                                         \
        return (double)PASSES * sizeof cached / taken;                                            \
    }

PEAK(avx512, "avx512f", 16, __m512, _mm512_set1_ps, _mm512_fmadd_ps)
PEAK(avx2, "avx2,fma", 8, __m256, _mm256_set1_ps, _mm256_fmadd_ps)
READ(avx512_read, "avx512f", 16, __m512, _mm512_set1_ps, _mm512_load_ps, _mm512_add_ps)
READ(avx2_read, "avx2,fma", 8, __m256, _mm256_set1_ps, _mm256_load_ps, _mm256_add_ps)
