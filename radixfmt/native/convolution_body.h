/* The kernels of convolutions, in vectors of LANES floats, RUN of which stay in registers. */

/* Vectors V of sums. */
INLINE void run(const float *x, const uint32_t *offsets, const float *weights, size_t taps,
                const float *bias, float *sums, const int V) {
    vec sum[RUN];
#pragma GCC unroll 16
    for (int v = 0; v < V; v++) sum[v] = bias ? all(*bias) : load(sums + v * LANES);
    for (size_t t = 0; t < taps; t++) {
        const float *from = x + offsets[t];
        const vec weight = all(weights[t]);
#pragma GCC unroll 16
        for (int v = 0; v < V; v++) sum[v] += weight * load(from + v * LANES);
    }
#pragma GCC unroll 16
    for (int v = 0; v < V; v++) store(sums + v * LANES, sum[v]);
}

#define OF(V)                                                                                     \
    case V:                                                                                       \
        run(x, offsets, weights, taps, bias, sums, V);                                            \
        break;

static void taps(const float *x, const uint32_t *offsets, const float *weights, size_t taps,
                 const float *bias, float *sums, size_t count) {
    const size_t vectors = (count + LANES - 1) / LANES, runs = (vectors + RUN - 1) / RUN;
    for (size_t i = 0; i < runs; i++) {
        const size_t size = vectors * (i + 1) / runs - vectors * i / runs;
        switch (size) {
            OF(1) OF(2) OF(3) OF(4) OF(5) OF(6) OF(7) OF(8)
#if RUN > 8
            OF(9) OF(10) OF(11) OF(12)
#endif
#if RUN > 12
            OF(13) OF(14) OF(15) OF(16)
#endif
        }
        x += size * LANES;
        sums += size * LANES;
    }
}

/* One row: in vectors, the last of which overlaps the one before. */
INLINE void copy_row(const rx_rows *rows, const float *from, float *to, size_t count) {
    for (size_t i = 0; i < count; i += LANES) {
        const size_t at = i + LANES < count ? i : count - LANES;
        __builtin_prefetch(from + i + rows->from_ahead);
        __builtin_prefetch(to + i + rows->to_ahead, 1);
        store(to + at, bounded(load(from + at), rows->low, rows->high));
    }
}

/* Every second value is what compilers have instructions for, once they know that it is. */
INLINE void thin_row(const float *from, float *to, size_t count, size_t step) {
    for (size_t i = 0; i < count; i++) to[i] = from[i * step];
}

static void copy(const rx_rows *given) {
    const size_t stride = given->stride, to_stride = given->to_stride, step = given->step;
    size_t rows = given->rows, count = given->count;
    const float *from = given->from;
    float *to = given->to;
    if (stride == count && to_stride == count && step == 1) count *= rows, rows = 1;
    /* a whole vector, where what it reads and writes beyond the row belongs to later rows */
    const size_t gap = stride < to_stride ? stride : to_stride;
    while (step == 1 && count < LANES && (rows - 1) * gap >= LANES) {
        __builtin_prefetch(from + given->from_ahead);
        __builtin_prefetch(to + given->to_ahead, 1);
        store(to, bounded(load(from), given->low, given->high));
        from += stride, to += to_stride, rows--;
    }
    for (; rows; rows--, from += stride, to += to_stride)
        if (step == 1 && count >= LANES) copy_row(given, from, to, count);
        else if (step == 1)
            for (size_t i = 0; i < count; i++)
                to[i] = bounded_one(from[i], given->low, given->high);
        else if (step == 2) thin_row(from, to, count, 2);
        else thin_row(from, to, count, step);
}
