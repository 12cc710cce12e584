/* The kernels, in vectors of LANES floats: included once for each instruction set.

   All tiles add up an output's terms in the same order, so that a sample's numbers do not depend on
   the tile that it is in. One sample alone (`single`) is added up in another order. */

#include <string.h>

#include "kernels.h"

typedef float vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

#define UNROLLED _Pragma("GCC unroll 4")
#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const float *at) { return *(const vec *)at; }
INLINE void store(float *at, vec value) { *(vec *)at = value; }
INLINE vec all(float value) { return value - (vec){0}; }

/* A NaN stays one: the second operand is what comes out where one is. */
INLINE vec bounded(vec value, float low, float high) {
    return smaller(all(high), larger(all(low), value));
}

INLINE float bounded_one(float value, float low, float high) {
    value = value < low ? low : value;
    return value > high ? high : value;
}

/* Sums are named variables, not an array: compilers keep these in registers. F(o, v) stands for
   vector v of samples of output o. */
#define VECTORS_1(F, o) F(o, 0)
#define VECTORS_2(F, o) VECTORS_1(F, o) F(o, 1)
#define VECTORS_4(F, o) VECTORS_2(F, o) F(o, 2) F(o, 3)
#define OUTPUTS_1(V, F) V(F, 0)
#define OUTPUTS_2(V, F) OUTPUTS_1(V, F) V(F, 1)
#define OUTPUTS_4(V, F) OUTPUTS_2(V, F) V(F, 2) V(F, 3)
#define OUTPUTS_6(V, F) OUTPUTS_4(V, F) V(F, 4) V(F, 5)
#define OUTPUTS_8(V, F) OUTPUTS_6(V, F) V(F, 6) V(F, 7)

#define ZERO(o, v) vec sum##o##v = {0};
#define PART(o, v) const vec part##v = load(row + v * LANES);
#define ADD(o, v) sum##o##v += weight * part##v;
#define BIAS(o, v) vec sum##o##v = all(bias[o]);
#define STORE(o, v)                                                                               \
    store(y + outputs[o] * tile + v * LANES, bounded(sum##o##v, layer->low, layer->high));

/* Groups, over vectors of samples, by which weights are fetched ahead: a processor's own
   prefetching stops at the end of a page. */
#define AHEAD 8

/* A weight is fetched when its sums are due: all at once would leave fewer registers for sums. */
#define TERM(V, o)                                                                                \
    {                                                                                             \
        const vec weight = all(w[o]);                                                             \
        V(ADD, o)                                                                                 \
    }

/* MO outputs of one group by NV vectors of samples. */
#define BLOCK(MO, NV)                                                                             \
    INLINE void block_##MO##_##NV(const rx_layer *layer, const float *x, const uint32_t *inputs,  \
                                  const float *w, const uint32_t *outputs, const float *bias,     \
                                  float *y) {                                                     \
        const size_t tile = NV * LANES, m = layer->m, k = layer->k;                               \
        OUTPUTS_##MO(VECTORS_##NV, BIAS)                                                          \
        UNROLLED for (size_t i = 0; i < k; i++, w += m) {                                         \
            const float *row = x + inputs[i] * tile;                                              \
            VECTORS_##NV(PART, )                                                                  \
            __builtin_prefetch(w + AHEAD / NV * m * k);                                           \
            OUTPUTS_##MO(TERM, VECTORS_##NV)                                                      \
        }                                                                                         \
        OUTPUTS_##MO(VECTORS_##NV, STORE)                                                         \
    }

/* All groups, as many outputs at a time as the sums of HEIGHTS fit into registers. */
#define TAKE(MO, NV)                                                                              \
    for (; o + MO <= m; o += MO)                                                                  \
        block_##MO##_##NV(layer, x, inputs, w + o, outputs + o, bias + o, y);

#define BLOCKS(HEIGHTS, NV)                                                                       \
    HEIGHTS(BLOCK, NV)                                                                            \
    static void blocks_##NV(const rx_layer *layer, const float *x, float *y) {                    \
        const size_t m = layer->m, k = layer->k;                                                  \
        for (size_t g = 0; g < layer->groups; g++) {                                              \
            const uint32_t *inputs = layer->inputs + g * k, *outputs = layer->outputs + g * m;    \
            const float *w = layer->weights + g * m * k, *bias = layer->bias + g * m;             \
            size_t o = 0;                                                                         \
            HEIGHTS(TAKE, NV)                                                                     \
        }                                                                                         \
    }

#define UP_TO_2(F, NV) F(2, NV) F(1, NV)
#define UP_TO_4(F, NV) F(4, NV) UP_TO_2(F, NV)
#define UP_TO_6(F, NV) F(6, NV) UP_TO_4(F, NV)
#define UP_TO_8(F, NV) F(8, NV) UP_TO_4(F, NV)

#define EDGE(F, c)                                                                                \
    {                                                                                             \
        const float *row = x + layer->inputs[e + c] * tile;                                       \
        const vec weight##c = all(layer->weights[e + c]);                                         \
        F(ADD_ROW, c)                                                                             \
    }
#define ADD_ROW(c, v) sum##c##v += weight##c * load(row + v * LANES);
#define EDGES_4(V) EDGE(V, 0) EDGE(V, 1) EDGE(V, 2) EDGE(V, 3)
#define STORE_ROW(o, v)                                                                           \
    store(row + v * LANES,                                                                        \
          bounded((sum0##v + sum1##v) + (sum2##v + sum3##v) + layer->bias[o], layer->low,         \
                  layer->high));

/* Each output has four sums for every vector of samples: one alone would wait for itself. */
#define ROWS(NV)                                                                                  \
    static void rows_##NV(const rx_layer *layer, const float *x, float *y) {                      \
        const size_t tile = NV * LANES;                                                           \
        for (size_t o = 0; o < layer->n_out; o++) {                                               \
            OUTPUTS_4(VECTORS_##NV, ZERO)                                                         \
            size_t e = layer->starts[o];                                                          \
            const size_t end = layer->starts[o + 1];                                              \
            for (; e + 4 <= end; e += 4) {                                                        \
                EDGES_4(VECTORS_##NV)                                                             \
            }                                                                                     \
            for (; e < end; e++) EDGE(VECTORS_##NV, 0)                                            \
            float *row = y + layer->outputs[o] * tile;                                            \
            VECTORS_##NV(STORE_ROW, o)                                                            \
        }                                                                                         \
    }

TILES

static void layer_of_tile(const rx_layer *layer, const float *x, float *y, int tile) {
    const int vectors = tile / LANES;
    if (layer->form == RX_BLOCKS) (vectors == 4   ? blocks_4
                                   : vectors == 2 ? blocks_2
                                                  : blocks_1)(layer, x, y);
    else (vectors == 4 ? rows_4 : vectors == 2 ? rows_2 : rows_1)(layer, x, y);
}

#define TIMES(F, c) sum##c##0 += all(x[inputs[c * k + i]]) * load(w + (c * k + i) * m);
#define SCATTER(F, c)                                                                             \
    {                                                                                             \
        const size_t at = (g + c) * m + o;                                                        \
        vec made = bounded(sum##c##0 + load(layer->bias + at), layer->low, layer->high);          \
        for (int i = 0; i < LANES; i++) y[layer->outputs[at + i]] = made[i];                      \
    }

/* NG groups at a time, of each a vector of outputs, for one sample. */
#define SINGLE(NG)                                                                                \
    INLINE void single_##NG(const rx_layer *layer, const float *x, float *y, size_t g) {          \
        const size_t m = layer->m, k = layer->k;                                                  \
        const uint32_t *inputs = layer->inputs + g * k;                                           \
        size_t o = 0;                                                                             \
        for (; o + LANES <= m; o += LANES) {                                                      \
            const float *w = layer->weights + g * m * k + o;                                      \
            OUTPUTS_##NG(VECTORS_1, ZERO)                                                         \
            for (size_t i = 0; i < k; i++) {                                                      \
                OUTPUTS_##NG(TIMES, )                                                             \
            }                                                                                     \
            OUTPUTS_##NG(SCATTER, )                                                               \
        }                                                                                         \
        for (; o < m; o++)                                                                        \
            for (size_t c = g; c < g + NG; c++) {                                                 \
                const float *w = layer->weights + c * m * k + o;                                  \
                float sum = 0;                                                                    \
                for (size_t i = 0; i < k; i++) sum += x[layer->inputs[c * k + i]] * w[i * m];     \
                const size_t at = c * m + o;                                                      \
                y[layer->outputs[at]] =                                                           \
                    bounded_one(sum + layer->bias[at], layer->low, layer->high);                  \
            }                                                                                     \
    }

SINGLE(1)
SINGLE(4)

static void layer_of_one(const rx_layer *layer, const float *x, float *y) {
    if (layer->form == RX_BLOCKS) {
        size_t g = 0;
        for (; g + 4 <= layer->groups; g += 4) single_4(layer, x, y, g);
        for (; g < layer->groups; g++) single_1(layer, x, y, g);
        return;
    }
    for (size_t o = 0; o < layer->n_out; o++) {
        size_t e = layer->starts[o], end = layer->starts[o + 1];
        vec sum = {0};
        for (; e + LANES <= end; e += LANES)
            sum += gathered(x, layer->inputs + e) * load(layer->weights + e);
        float rest = 0;
        for (; e < end; e++) rest += x[layer->inputs[e]] * layer->weights[e];
        float whole = summed(sum) + rest + layer->bias[o];
        y[layer->outputs[o]] = bounded_one(whole, layer->low, layer->high);
    }
}

#ifdef __clang__
#define SHUFFLED(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLED(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif

/* Of two rows, h apart in a square: what becomes of the first, and of the other. */
#if LANES == 16
#define HALF(a, b, h) \
    (h == 1 ? SHUFFLED(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30) \
   : h == 2 ? SHUFFLED(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) \
   : h == 4 ? SHUFFLED(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27) \
            : SHUFFLED(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23))
#define OTHER(a, b, h) \
    (h == 1 ? SHUFFLED(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31) \
   : h == 2 ? SHUFFLED(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31) \
   : h == 4 ? SHUFFLED(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31) \
            : SHUFFLED(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
#elif LANES == 8
#define HALF(a, b, h) \
    (h == 1 ? SHUFFLED(a, b, 0, 8, 2, 10, 4, 12, 6, 14) \
   : h == 2 ? SHUFFLED(a, b, 0, 1, 8, 9, 4, 5, 12, 13) \
            : SHUFFLED(a, b, 0, 1, 2, 3, 8, 9, 10, 11))
#define OTHER(a, b, h) \
    (h == 1 ? SHUFFLED(a, b, 1, 9, 3, 11, 5, 13, 7, 15) \
   : h == 2 ? SHUFFLED(a, b, 2, 3, 10, 11, 6, 7, 14, 15) \
            : SHUFFLED(a, b, 4, 5, 6, 7, 12, 13, 14, 15))
#else
#define HALF(a, b, h) \
    (h == 1 ? SHUFFLED(a, b, 0, 4, 2, 6) : SHUFFLED(a, b, 0, 1, 4, 5))
#define OTHER(a, b, h) \
    (h == 1 ? SHUFFLED(a, b, 1, 5, 3, 7) : SHUFFLED(a, b, 2, 3, 6, 7))
#endif

/* Turn a square of LANES vectors. */
INLINE void turn(vec v[LANES]) {
#pragma GCC unroll 8
    for (int h = 1; h < LANES; h *= 2)
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            if (!(i & h)) {
                vec a = v[i], b = v[i + h];
                v[i] = HALF(a, b, h);
                v[i + h] = OTHER(a, b, h);
            }
}

static void turn_in(const float *x, size_t stride, size_t n, int rows, const uint32_t *slot,
                    float *out, int tile) {
    const size_t whole = n / LANES * LANES;
    for (int t = 0; t < tile; t += LANES) /* so many streams of memory at a time */
        for (size_t i = 0; i < whole; i += LANES) {
            vec v[LANES];
            if (t + LANES <= rows)
#pragma GCC unroll 16
                for (int j = 0; j < LANES; j++) v[j] = load(x + (t + j) * stride + i);
            else
                for (int j = 0; j < LANES; j++)
                    v[j] = t + j < rows ? load(x + (t + j) * stride + i) : (vec){0};
            turn(v);
            if (slot)
                for (int j = 0; j < LANES; j++) store(out + slot[i + j] * (size_t)tile + t, v[j]);
            else
#pragma GCC unroll 16
                for (int j = 0; j < LANES; j++) store(out + (i + j) * tile + t, v[j]);
        }
    for (size_t i = whole; i < n; i++) {
        float *row = out + (slot ? slot[i] : i) * (size_t)tile;
        for (int t = 0; t < tile; t++) row[t] = t < rows ? x[t * stride + i] : 0;
    }
}

static void turn_out(const float *x, size_t n, int rows, float *out, size_t stride, int tile) {
    const size_t whole = n / LANES * LANES;
    for (int t = 0; t < rows; t += LANES)
        for (size_t i = 0; i < whole; i += LANES) {
            vec v[LANES];
#pragma GCC unroll 16
            for (int j = 0; j < LANES; j++) v[j] = load(x + (i + j) * tile + t);
            turn(v);
            if (t + LANES <= rows)
#pragma GCC unroll 16
                for (int j = 0; j < LANES; j++) store(out + (t + j) * stride + i, v[j]);
            else
                for (int j = 0; t + j < rows; j++) store(out + (t + j) * stride + i, v[j]);
        }
    for (size_t i = whole; i < n; i++)
        for (int t = 0; t < rows; t++) out[t * stride + i] = x[i * tile + t];
}

#include "convolution_body.h"

const rx_kernels KERNELS = {NAME,    TILE,     layer_of_tile, layer_of_one,
                            turn_in, turn_out, taps,          copy};
