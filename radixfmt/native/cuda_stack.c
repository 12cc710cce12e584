/* A stack of layers on a GPU: in one kernel per tile of samples, or in one kernel per layer. */
#include <stdio.h>
#include <stdlib.h>

#include "cuda_stack.h"

/* Cycles; estimates from arithmetic, not measured. */
#define TILE_SPEED 64.0   /* multiply-adds of a processor per cycle, of at most 128, in a tile */
#define TENSOR_SPEED 128.0 /* the same on tensor cores; see tensor.cu */
#define LAYER_SPEED 40.0  /* the same where activations lie in the L2 cache */
#define LAYER_START 1000.0 /* a layer in a tile, until the first weights have come */
#define LAUNCH 4000.0     /* a kernel of its own */

#define STACK_THREADS 512
#define THREADS 128
#define SQUARE_THREADS 256
#define SQUARE (32 * 33 * 4) /* bytes of shared memory in which squares are turned */
#define COLUMNS 4096         /* samples of which layers are computed at once, at most */
#define SMALLEST_SCRATCH ((size_t)1 << 20)

typedef struct {
    rx_gpu_stack *stack;
    void *stream;
    char *message;
} rx_call;

/* How many steps reach so far. */
static size_t up(size_t value, size_t step) { return (value + step - 1) / step; }

static int launch(const rx_call *call, int kernel, size_t x, size_t y, unsigned threads,
                  size_t shared, void **arguments) {
    const rx_gpu *gpu = call->stack->gpu;
    if (!x || !y) return 1;
    const int code =
        gpu->driver->launch(gpu->kernels[kernel], (unsigned)x, (unsigned)y, 1, threads, 1, 1,
                            (unsigned)shared, call->stream, arguments, NULL);
    return !rx_failed(gpu->driver, code, "a kernel does not start", call->message);
}

/* Floats of a layer's activations in a tile; see Tile in samples.cu, and `stack` in kernels.cu. */
static size_t half_of(const rx_gpu_stack *stack, int tile) {
    if (!stack->tensor) return (size_t)stack->widest * (size_t)tile;
    return ((size_t)stack->widest + 1) * (size_t)(tile % 8 ? tile : tile + 4);
}

/* Samples of the tiles that blocks take through all layers in shared memory; 0 where a kernel for
   each layer is estimated to be faster (few tiles leave most of the GPU idle), or must be. */
static int tile_of(const rx_gpu_stack *stack, size_t batch) {
    static const int tiles[] = {28, 64};
    const rx_gpu *gpu = stack->gpu;
    const double processors = gpu->processors, layers = stack->count;
    double best = (layers + 2) * LAUNCH * (double)up(batch, COLUMNS) +
                  stack->work * (double)batch / (processors * LAYER_SPEED);
    int chosen = 0;
    for (int i = 0; i < 2; i++) {
        if (half_of(stack, tiles[i]) > gpu->shared / 8) continue;
        const size_t waves = up(up(batch, (size_t)tiles[i]), (size_t)gpu->processors);
        const double steps = stack->alone / TILE_SPEED + stack->tensor / TENSOR_SPEED;
        const double one = steps * tiles[i] + layers * LAYER_START;
        if (LAUNCH + (double)waves * one < best) {
            best = LAUNCH + (double)waves * one;
            chosen = tiles[i];
        }
    }
    return chosen;
}

static int run_tiles(const rx_call *call, int tile, const float *x, float *y, size_t batch) {
    rx_gpu_stack *stack = call->stack;
    unsigned half = (unsigned)half_of(stack, tile);
    const int kernel = stack->tensor ? RX_TENSOR_28 : RX_STACK_28;
    void *arguments[] = {&stack->there, &stack->count, &stack->first, &x, &y,
                         &batch,        &stack->n_in,  &stack->n_out, &half};
    return launch(call, kernel + (tile == 64), up(batch, (size_t)tile), 1, STACK_THREADS,
                  8 * (size_t)half, arguments);
}

/* Scratch memory of the stream, which is ordered; 0: there is none. Memory that has become too
   small is kept: graphs that were recorded with it are replayed with it. */
static rx_address scratch(const rx_call *call, size_t bytes) {
    rx_gpu *gpu = call->stack->gpu;
    size_t size = SMALLEST_SCRATCH;
    for (rx_scratch *one = gpu->scratch; one; one = one->next)
        if (one->stream == call->stream && one->bytes >= bytes) return one->memory;
    while (size < bytes) size *= 2;
    rx_scratch *made = calloc(1, sizeof *made);
    if (!made) return snprintf(call->message, RX_MESSAGE, "not enough memory"), 0;
    const int code = gpu->driver->allocate(&made->memory, size);
    if (rx_failed(gpu->driver, code, "no memory for activations", call->message))
        return free(made), 0;
    made->stream = call->stream;
    made->bytes = size;
    made->next = gpu->scratch;
    gpu->scratch = made;
    return made->memory;
}

/* Warps that compute a layer for one tile; see `compute` in kernels.cu. */
static size_t warps_of(const rx_cuda_layer *layer, int tile) {
    const size_t lanes = tile == 1 ? 1 : tile == 64 && !layer->blocks ? 32 : 8;
    const size_t outputs = tile == 1 ? 1 : tile == 8 || layer->m % 8 ? 4 : 8;
    const size_t items = layer->blocks ? layer->groups * (size_t)layer->m / outputs : layer->n_out;
    return up(items * lanes, 32);
}

/* Samples of which both buffers fill three quarters of the L2 cache, or as few as a tile holds. */
static size_t columns_of(const rx_gpu_stack *stack) {
    const size_t widest = stack->widest ? stack->widest : 1;
    const size_t fitting = stack->gpu->cache / 4 * 3 / (8 * widest) / 64 * 64;
    return fitting < 64 ? 64 : fitting > COLUMNS ? COLUMNS : fitting;
}

/* All layers of up to columns_of samples. */
static int run_layers(const rx_call *call, const float *x, float *y, size_t batch) {
    rx_gpu_stack *stack = call->stack;
    const int tile = batch == 1 ? 1 : batch <= 32 ? 8 : 64;
    const int kernel = tile == 1 ? RX_LAYER_1 : tile == 8 ? RX_LAYER_8 : RX_LAYER_64;
    size_t tiles = up(batch, (size_t)tile), stride = tiles * (size_t)tile;
    unsigned samples = (unsigned)batch, width = (unsigned)stride;
    const size_t bytes = stack->widest * stride * 4;
    rx_address from = scratch(call, 2 * bytes);
    if (!from) return 0;
    rx_address to = from + bytes;
    void *in[] = {&x, &from, &stack->first, &samples, &stack->n_in, &width, &stride};
    if (!launch(call, RX_TURN_IN, up(stack->n_in, 32), up(stride, 32), SQUARE_THREADS, SQUARE, in))
        return 0;
    for (int i = 0; i < stack->count; i++) {
        rx_cuda_layer *layer = stack->layers + i;
        void *arguments[] = {layer, &from, &to, &stride};
        const size_t blocks = up(warps_of(layer, tile), THREADS / 32);
        if (!launch(call, kernel, blocks, tiles, THREADS, 0, arguments)) return 0;
        const rx_address made = to;
        to = from;
        from = made;
    }
    void *out[] = {&from, &y, &samples, &stack->n_out, &stride};
    return launch(call, RX_TURN_OUT, up(stack->n_out, 32), up(batch, 32), SQUARE_THREADS, SQUARE,
                  out);
}

static int run(const rx_call *call, const float *x, float *y, size_t batch) {
    const rx_gpu_stack *stack = call->stack;
    const int tile = tile_of(stack, batch);
    if (tile) return run_tiles(call, tile, x, y, batch);
    const size_t columns = columns_of(stack);
    for (size_t start = 0; start < batch; start += columns) {
        const size_t left = batch - start, samples = left < columns ? left : columns;
        if (!run_layers(call, x + start * stack->n_in, y + start * stack->n_out, samples)) return 0;
    }
    return 1;
}

int rx_gpu_run(rx_gpu_stack *stack, const float *x, float *y, size_t batch, void *stream,
               char message[RX_MESSAGE]) {
    const rx_call call = {stack, stream, message};
    rx_gpu *gpu = stack->gpu;
    void *popped;
    if (batch == 0 || stack->n_out == 0) return 0;
    if (rx_failed(gpu->driver, gpu->driver->push(gpu->context), "no context", message)) return -1;
    /* another thread's kernels on this stream must not come between, they share its memory */
    rx_lock(&gpu->lock);
    const int done = run(&call, x, y, batch);
    rx_unlock(&gpu->lock);
    gpu->driver->pop(&popped);
    return done ? 0 : -1;
}
