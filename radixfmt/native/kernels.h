/* The compute kernels, once for each instruction set. */
#ifndef RADIXFMT_KERNELS_H
#define RADIXFMT_KERNELS_H

#include "stack.h"

/* Rows to be copied. Between those of `to`, anything may be written. */
typedef struct {
    const float *from;
    float *to;
    size_t rows, count;          /* rows of `count` values */
    size_t stride, to_stride;    /* from row to row */
    size_t step;                 /* between values of `from`; beyond 1, bounds are not looked at */
    size_t from_ahead, to_ahead; /* how far behind each lies what is copied next; 0: none */
    float low, high;             /* bounds of the values */
} rx_rows;

typedef struct {
    const char *name;
    int tile; /* samples per tile at most; lesser ones are halves, down to a vector */
    /* `y` rows of `tile` samples from `x` rows of `tile` samples. */
    void (*layer)(const rx_layer *layer, const float *x, float *y, int tile);
    /* The same for one sample: `y` and `x` are vectors of slots. */
    void (*single)(const rx_layer *layer, const float *x, float *y);
    /* Samples [rows, n], `stride` apart, to rows [slot][tile]; samples from `rows` on are zero. */
    void (*turn_in)(const float *x, size_t stride, size_t n, int rows, const uint32_t *slot,
                    float *out, int tile);
    void (*turn_out)(const float *x, size_t n, int rows, float *out, size_t stride, int tile);
    /* sums[i] = bias + Σ over `taps` t of weights[t] · x[offsets[t] + i], for i below `count`; NULL
       for bias adds to the sums that are there. Up to a vector more is read and written. */
    void (*taps)(const float *x, const uint32_t *offsets, const float *weights, size_t taps,
                 const float *bias, float *sums, size_t count);
    void (*copy)(const rx_rows *rows);
} rx_kernels;

extern const rx_kernels rx_generic;
#if defined(__x86_64__)
extern const rx_kernels rx_avx2, rx_avx512;
#endif

/* The fastest kernels of this machine; RADIXFMT_NATIVE_ISA=generic or =avx2 asks for lesser ones. */
const rx_kernels *rx_best(void);

#endif
