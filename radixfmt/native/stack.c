/* A stack of layers, one tile of samples at a time: activations never leave the cache. */
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

#define SMALLEST 16               /* samples of the smallest tile */
#define NARROW 32                 /* of the smallest one that still makes good use of weights */
#define CACHE ((size_t)1 << 20)   /* bytes that the activations of a layer should stay below */
#define FEW 3                     /* samples up to which each is computed alone, in blocks */

const rx_kernels *rx_best(void) {
    static const rx_kernels *best;
    const rx_kernels *found = __atomic_load_n(&best, __ATOMIC_ACQUIRE);
    if (found) return found;
    found = &rx_generic;
#if defined(__x86_64__)
    const char *wanted = getenv("RADIXFMT_NATIVE_ISA");
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const int avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512bw");
    if (avx2 && !(wanted && !strcmp(wanted, "generic"))) found = &rx_avx2;
    if (avx512 && !(wanted && (!strcmp(wanted, "generic") || !strcmp(wanted, "avx2"))))
        found = &rx_avx512;
#endif
    __atomic_store_n(&best, found, __ATOMIC_RELEASE);
    return found;
}

typedef struct {
    rx_stack *stack;
    const rx_kernels *kernels;
    const float *x;
    float *y;
    size_t batch, tile;
    int failed;
} rx_call;

/* Half of a buffer, with a row for outputs that do not exist; never a power of two apart. */
static size_t half_of(const rx_stack *stack, size_t tile) {
    return (((size_t)stack->widest + 1) * tile + 15) / 16 * 16 + 16 * 5;
}

void rx_each(const rx_pool *pool, void (*work)(void *, size_t), size_t count, void *data) {
    if (count > 1 && pool) pool->each(pool->context, work, count, data);
    else
        for (size_t i = 0; i < count; i++) work(data, i);
}

static void work(void *data, size_t i) {
    rx_call *call = data;
    rx_stack *stack = call->stack;
    const size_t tile = call->tile, start = i * tile, n_in = stack->n_in, n_out = stack->n_out;
    const size_t left = call->batch - start, rows = left < tile ? left : tile;
    size_t used = tile; /* a short tile at the end is computed as the shortest that holds it */
    while (used > SMALLEST && used / 2 >= rows) used /= 2;
    const size_t half = half_of(stack, used);
    rx_buffer *buffer = rx_take(&stack->buffers, 2 * half);
    if (!buffer) {
        __atomic_store_n(&call->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    float *x = buffer->floats, *y = x + half;
    const float *in = call->x + start * n_in;
    float *out = call->y + start * n_out;
    if (tile == 1) {
        const float *from = in;
        if (stack->first) {
            for (size_t j = 0; j < n_in; j++) x[stack->first[j]] = in[j];
            from = x;
        }
        for (int l = 0; l < stack->count; l++) {
            float *to = from == y ? x : y;
            call->kernels->single(stack->layers + l, from, to);
            from = to;
        }
        memcpy(out, from, n_out * sizeof *out);
    } else {
        call->kernels->turn_in(in, n_in, n_in, (int)rows, stack->first, x, (int)used);
        for (int l = 0; l < stack->count; l++) {
            call->kernels->layer(stack->layers + l, x, y, (int)used);
            float *made = y;
            y = x;
            x = made;
        }
        call->kernels->turn_out(x, n_out, (int)rows, out, n_out, (int)used);
    }
    rx_give(&stack->buffers, buffer);
}

int rx_run(rx_stack *stack, const float *x, float *y, size_t batch, const rx_pool *pool) {
    if (batch == 0 || stack->n_out == 0) return 0;
    const rx_kernels *kernels = rx_best();
    size_t tile = (size_t)kernels->tile;
    while (tile > NARROW && stack->widest * tile * 4 > CACHE) tile /= 2;
    while (tile > NARROW && batch <= 2 * tile) tile /= 2; /* something for several threads */
    while (tile > SMALLEST && tile / 2 >= batch) tile /= 2;
    if (batch <= (stack->rows ? 1 : FEW)) tile = 1;
    rx_call call = {stack, kernels, x, y, batch, tile, 0};
    const size_t count = (batch + tile - 1) / tile;
    rx_each(pool, work, count, &call);
    return call.failed ? -1 : 0;
}
