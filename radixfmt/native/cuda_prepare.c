/* From a stack of layers as the CPU takes it to one in a GPU's memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_piece.h"
#include "cuda_stack.h"

void *rx_piece_take(rx_piece *piece, size_t count, size_t size, void *host) {
    const size_t at = piece->bytes;
    piece->bytes = (at + count * size + 255) / 256 * 256;
    void *here = piece->host ? piece->host + at : NULL;
    memcpy(host, &here, sizeof here);
    return (void *)(uintptr_t)(piece->device + at);
}

static const void *copied(rx_piece *piece, const void *from, size_t count, size_t size) {
    void *here;
    const void *there = rx_piece_take(piece, count, size, &here);
    if (here) memcpy(here, from, count * size);
    return there;
}

static void lay_rows(rx_piece *piece, const rx_layer *from, rx_cuda_layer *to) {
    const size_t n = from->n_out, edges = from->starts[n];
    rx_edge *edge;
    to->starts = copied(piece, from->starts, n + 1, 4);
    to->outputs = copied(piece, from->outputs, n, 4);
    to->bias = copied(piece, from->bias, n, 4);
    to->edges = rx_piece_take(piece, edges, sizeof *edge, &edge);
    for (size_t i = 0; edge && i < edges; i++)
        edge[i] = (rx_edge){from->inputs[i], from->weights[i]};
}

/* Outputs come in fours or eights; what lies behind the last group is read and left. Groups that a
   warp computes side by side begin at different inputs: rows of a tile of 28 samples whose slots are
   8 apart, or 32, would share banks of shared memory. */
static void lay_blocks(rx_piece *piece, const rx_layer *from, rx_cuda_layer *to) {
    const size_t groups = from->groups, k = from->k, m = from->m;
    const size_t wide = m <= 4 ? 4 : (m + 7) / 8 * 8;
    float *weights, *bias;
    uint32_t *inputs, *outputs;
    to->blocks = 1;
    to->groups = from->groups;
    to->k = from->k;
    to->m = (uint32_t)wide;
    to->inputs = rx_piece_take(piece, groups * k + 1, 4, &inputs);
    to->weights = rx_piece_take(piece, (groups * k + 1) * wide, 4, &weights);
    to->outputs = rx_piece_take(piece, groups * wide, 4, &outputs);
    to->bias = rx_piece_take(piece, groups * wide, 4, &bias);
    if (!inputs) return;
    for (size_t g = 0; g < groups; g++) {
        for (size_t i = 0; i < k; i++) {
            const size_t to_row = g * k + i, from_row = g * k + (i + g % 8) % k;
            inputs[to_row] = from->inputs[from_row];
            memcpy(weights + to_row * wide, from->weights + from_row * m, m * 4);
        }
        for (size_t o = 0; o < wide; o++) outputs[g * wide + o] = from->n_out;
        memcpy(outputs + g * wide, from->outputs + g * m, m * 4);
        memcpy(bias + g * wide, from->bias + g * m, m * 4);
    }
}

/* What tensor cores read is rounded where all layers are computed in a tile. A kernel for each layer
   takes its layer from `to`, and computes in float32. */
static void lay(rx_piece *piece, const rx_stack *from, rx_gpu_stack *to) {
    rx_cuda_layer *here;
    to->there = rx_piece_take(piece, (size_t)from->count, sizeof *to->layers, &here);
    to->first = from->first ? copied(piece, from->first, from->n_in, 4) : NULL;
    for (int i = 0; i < from->count; i++) {
        const rx_layer *layer = from->layers + i;
        to->layers[i] = (rx_cuda_layer){
            .n_out = layer->n_out, .low = layer->low, .high = layer->high};
        (layer->form == RX_ROWS ? lay_rows : lay_blocks)(piece, layer, to->layers + i);
        if (to->tensor && rx_tensor_work(layer)) {
            rx_lay_tensor(piece, layer, from->widest, to->layers + i);
            if (i) to->layers[i - 1].rounds = 1;
        }
    }
    if (here) memcpy(here, to->layers, (size_t)from->count * sizeof *to->layers);
}

/* Count multiply-adds for one sample; 0 where threads could not be counted. */
static int count(const rx_stack *stack, int tf32, rx_gpu_stack *to) {
    for (int i = 0; i < stack->count; i++) {
        const rx_layer *layer = stack->layers + i;
        const double wide = layer->m <= 4 ? 4 : (layer->m + 7) / 8 * 8;
        const double tensor = tf32 ? rx_tensor_work(layer) : 0;
        double work = layer->groups * wide * layer->k;
        if (layer->form == RX_ROWS) work = layer->starts[layer->n_out];
        else if (layer->groups * wide > RX_LARGEST) return 0;
        to->work += work;
        to->tensor += tensor;
        to->alone += tensor ? 0 : work;
    }
    return 1;
}

/* Inputs of a group, at most. */
static size_t deepest(const rx_stack *stack) {
    size_t most = 1;
    for (int i = 0; i < stack->count; i++)
        if (stack->layers[i].k > most) most = stack->layers[i].k;
    return most;
}

/* With the GPU's context current. */
static int move(rx_gpu_stack *made, const rx_stack *stack, char *message) {
    const rx_driver *driver = made->gpu->driver;
    rx_piece piece = {0};
    lay(&piece, stack, made);
    const size_t bytes = piece.bytes;
    if (rx_failed(driver, driver->allocate(&made->memory, bytes), "no memory for weights", message))
        return 0;
    piece = (rx_piece){calloc(1, bytes), 0, made->memory, malloc(deepest(stack) * 4)};
    const int room = piece.host && piece.order;
    int code = 0;
    if (room) {
        lay(&piece, stack, made);
        code = driver->upload(made->memory, piece.host, bytes);
        if (!code) code = driver->wait(NULL); /* ONNX Runtime's streams do not wait for this one */
    }
    free(piece.host);
    free(piece.order);
    if (!room) return snprintf(message, RX_MESSAGE, "not enough memory for the layers"), 0;
    return !rx_failed(driver, code, "weights cannot be copied", message);
}

rx_gpu_stack *rx_gpu_prepare(rx_gpu *gpu, const rx_stack *stack, int tf32,
                             char message[RX_MESSAGE]) {
    void *popped;
    rx_gpu_stack *made = calloc(1, sizeof *made);
    if (made) made->layers = calloc((size_t)stack->count, sizeof *made->layers);
    snprintf(message, RX_MESSAGE, "not enough memory for the layers");
    if (made && made->layers && count(stack, tf32 && gpu->tensor, made)) {
        made->gpu = gpu;
        made->count = stack->count;
        made->n_in = stack->n_in;
        made->n_out = stack->n_out;
        made->widest = stack->widest;
        if (!rx_failed(gpu->driver, gpu->driver->push(gpu->context), "no context", message)) {
            const int moved = move(made, stack, message);
            gpu->driver->pop(&popped);
            if (moved) return made;
        }
    }
    rx_gpu_release(made);
    return NULL;
}

void rx_gpu_release(rx_gpu_stack *stack) {
    void *popped;
    if (!stack) return;
    if (stack->memory && !stack->gpu->driver->push(stack->gpu->context)) {
        stack->gpu->driver->release(stack->memory);
        stack->gpu->driver->pop(&popped);
    }
    free(stack->layers);
    free(stack);
}
