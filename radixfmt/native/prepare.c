/* From arrays that have been checked to what the kernels take. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack.h"

static float bits(uint32_t value) {
    float made;
    memcpy(&made, &value, 4);
    return made;
}

static float half(uint16_t value) {
    const uint32_t sign = (uint32_t)(value & 0x8000) << 16, fraction = value & 0x3ff;
    const uint32_t exponent = (value >> 10) & 31;
    if (exponent == 31) return bits(sign | 0x7f800000 | fraction << 13);
    if (exponent) return bits(sign | (exponent + 112) << 23 | fraction << 13);
    const float small = (float)fraction * 0x1p-24f;
    return sign ? -small : small;
}

float rx_value(const rx_array *array, int64_t i) {
    const char *data = array->data;
    uint16_t narrow;
    float value;
    switch (array->type) {
    case RX_INT8:
        return (float)((const int8_t *)data)[i];
    case RX_HALF:
        memcpy(&narrow, data + 2 * i, 2);
        return half(narrow);
    case RX_BFLOAT:
        memcpy(&narrow, data + 2 * i, 2);
        return bits((uint32_t)narrow << 16);
    default:
        memcpy(&value, data + 4 * i, 4);
        return value;
    }
}

float rx_scale(const rx_given *given, int64_t output) {
    return rx_value(&given->scale, given->scale.size == 1 ? 0 : output);
}

typedef struct {
    uint32_t group, row;
    uint64_t readers;
} rx_read;

static int by_readers(const void *one, const void *other) {
    const rx_read *a = one, *b = other;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    if (a->readers != b->readers) return a->readers < b->readers ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* Return the slot of each of a layer's inputs: those that the same groups read lie together,
   because rows at a distance of a power of two would share few places in the cache. */
static uint32_t *slots(const rx_given *reader) {
    const int64_t n = reader->n_in;
    uint32_t *slot = rx_room((size_t)n, sizeof *slot);
    if (!slot) return NULL;
    if (reader->form != RX_BLOCKS) {
        for (int64_t i = 0; i < n; i++) slot[i] = (uint32_t)i;
        return slot;
    }
    rx_read *read = rx_room((size_t)n, sizeof *read);
    if (!read) return free(slot), NULL;
    for (int64_t i = 0; i < n; i++) read[i] = (rx_read){UINT32_MAX, (uint32_t)i, 0};
    for (int64_t i = 0; i < reader->groups * reader->k; i++) {
        rx_read *row = read + rx_index(&reader->inputs, i);
        uint32_t group = (uint32_t)(i / reader->k);
        if (row->group == UINT32_MAX) row->group = group;
        row->readers = (row->readers ^ group) * 0x9e3779b97f4a7c15u + 1;
    }
    qsort(read, (size_t)n, sizeof *read, by_readers);
    for (int64_t i = 0; i < n; i++) slot[read[i].row] = (uint32_t)i;
    free(read);
    return slot;
}

typedef struct {
    uint32_t slot, cell;
} rx_cell;

static int by_slot(const void *one, const void *other) {
    const rx_cell *a = one, *b = other;
    if (a->slot != b->slot) return a->slot < b->slot ? -1 : 1;
    return a->cell < b->cell ? -1 : a->cell > b->cell;
}

#define SLOT(table, i) ((table) ? (table)[i] : (uint32_t)(i))

static int make_rows(rx_layer *layer, const rx_given *given, const uint32_t *in,
                     const uint32_t *out) {
    const size_t n = layer->n_out, edges = (size_t)given->inputs.size;
    layer->starts = rx_room(n + 1, 4);
    layer->inputs = rx_room(edges, 4);
    layer->outputs = rx_room(n, 4);
    layer->weights = rx_room(edges, 4);
    layer->bias = rx_room(n, 4);
    if (!layer->starts || !layer->inputs || !layer->outputs || !layer->weights || !layer->bias)
        return 0;
    layer->starts[0] = 0;
    for (size_t o = 0; o < n; o++) {
        const float scale = rx_scale(given, (int64_t)o);
        layer->starts[o + 1] = (uint32_t)rx_index(&given->outputs, (int64_t)o + 1);
        layer->outputs[o] = SLOT(out, o);
        layer->bias[o] = rx_value(&given->bias, (int64_t)o);
        for (size_t e = layer->starts[o]; e < layer->starts[o + 1]; e++) {
            layer->inputs[e] = SLOT(in, rx_index(&given->inputs, (int64_t)e));
            layer->weights[e] = rx_value(&given->weights, (int64_t)e) * scale;
        }
    }
    return 1;
}

static int make_blocks(rx_layer *layer, const rx_given *given, const uint32_t *in,
                       const uint32_t *out) {
    const size_t groups = layer->groups, m = layer->m, k = layer->k, n = layer->n_out;
    const size_t rows = groups * m;
    float *scale = rx_room(rows, 4);
    rx_cell *order = rx_room(k, sizeof *order);
    layer->inputs = rx_room(groups * k, 4);
    layer->outputs = rx_room(rows, 4);
    layer->weights = rx_room(rows * k, 4);
    layer->bias = rx_room(rows, 4);
    const int made =
        scale && order && layer->inputs && layer->outputs && layer->weights && layer->bias;
    if (made) {
        for (size_t i = 0; i < rows; i++) {
            layer->outputs[i] = layer->n_out; /* a row behind the last, which nobody reads */
            layer->bias[i] = scale[i] = 0;
        }
        for (size_t o = 0; o < n; o++) {
            const size_t place = (size_t)rx_index(&given->outputs, (int64_t)o);
            layer->outputs[place] = SLOT(out, o);
            layer->bias[place] = rx_value(&given->bias, (int64_t)o);
            scale[place] = rx_scale(given, (int64_t)o);
        }
        for (size_t g = 0; g < groups; g++) {
            for (size_t i = 0; i < k; i++) {
                int64_t input = rx_index(&given->inputs, (int64_t)(g * k + i));
                order[i] = (rx_cell){SLOT(in, input), (uint32_t)i};
            }
            qsort(order, k, sizeof *order, by_slot);
            for (size_t i = 0; i < k; i++) {
                layer->inputs[g * k + i] = order[i].slot;
                for (size_t o = 0; o < m; o++) {
                    const int64_t cell = (int64_t)((g * m + o) * k + order[i].cell);
                    layer->weights[(g * k + i) * m + o] =
                        rx_value(&given->weights, cell) * scale[g * m + o];
                }
            }
        }
    }
    free(scale);
    free(order);
    return made;
}

static int make(rx_layer *layer, const rx_given *given, const uint32_t *in, const uint32_t *out) {
    layer->form = given->form;
    layer->n_in = (uint32_t)given->n_in;
    layer->n_out = (uint32_t)given->n_out;
    layer->low = given->low;
    layer->high = given->high;
    if (given->form == RX_ROWS) return make_rows(layer, given, in, out);
    layer->groups = (uint32_t)given->groups;
    layer->m = (uint32_t)given->m;
    layer->k = (uint32_t)given->k;
    return make_blocks(layer, given, in, out);
}

rx_stack *rx_prepare(const rx_given *given, int count, char message[RX_MESSAGE]) {
    rx_stack *stack = calloc(1, sizeof *stack);
    if (stack) stack->layers = calloc((size_t)count, sizeof *stack->layers);
    int made = stack && stack->layers;
    uint32_t *in = NULL;
    if (made) {
        stack->count = count;
        stack->n_in = stack->widest = (uint32_t)given[0].n_in;
        stack->n_out = (uint32_t)given[count - 1].n_out;
        /* n_in has nothing behind it but an attribute: no memory for it unless weights are many */
        if (given[0].form == RX_BLOCKS && given[0].n_in <= given[0].inputs.size)
            made = (in = stack->first = slots(given)) != NULL;
    }
    for (int i = 0; made && i < count; i++) {
        uint32_t *out = NULL;
        if (i + 1 < count) made = (out = slots(given + i + 1)) != NULL;
        made = made && make(stack->layers + i, given + i, in, out);
        if (i) free(in);
        in = out;
        stack->rows += given[i].form == RX_ROWS;
        if (given[i].n_out > stack->widest) stack->widest = (uint32_t)given[i].n_out;
    }
    if (made) return stack;
    if (in && stack && in != stack->first) free(in);
    rx_release(stack);
    snprintf(message, RX_MESSAGE, "not enough memory for the layers");
    return NULL;
}

void rx_release(rx_stack *stack) {
    if (!stack) return;
    for (int i = 0; i < stack->count; i++) {
        rx_layer *layer = stack->layers + i;
        free(layer->starts);
        free(layer->inputs);
        free(layer->outputs);
        free(layer->weights);
        free(layer->bias);
    }
    rx_drop(&stack->buffers);
    free(stack->layers);
    free(stack->first);
    free(stack);
}
