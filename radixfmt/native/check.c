/* What a layer must be before anything is made of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack.h"

#define REFUSE(...) return snprintf(message, RX_MESSAGE, __VA_ARGS__), message
#define LONG(value) ((long long)(value))

int64_t rx_index(const rx_array *array, int64_t i) {
    int64_t value = 0;
    if (array->type == RX_INT64) {
        memcpy(&value, (const char *)array->data + 8 * i, 8);
        return value;
    }
    int32_t narrow;
    memcpy(&narrow, (const char *)array->data + 4 * i, 4);
    return narrow;
}

static int integers(const rx_array *array) {
    return array->type == RX_INT32 || array->type == RX_INT64;
}

/* Mark `value` in a set of bits; 1 where it was there before. */
static int mark(uint8_t *bits, int64_t value) {
    uint8_t bit = (uint8_t)(1 << (value & 7));
    if (bits[value >> 3] & bit) return 1;
    bits[value >> 3] |= bit;
    return 0;
}

static const char *check_rows(const rx_given *given, char *message) {
    const int64_t edges = given->inputs.size;
    if (given->outputs.size != given->n_out + 1)
        REFUSE("pointers: expected n_out + 1 = %lld, got %lld", LONG(given->n_out + 1),
               LONG(given->outputs.size));
    if (given->weights.size != edges)
        REFUSE("weights: expected %lld, one for each input index, got %lld", LONG(edges),
               LONG(given->weights.size));
    if (rx_index(&given->outputs, 0) != 0)
        REFUSE("pointers[0]: expected 0, got %lld", LONG(rx_index(&given->outputs, 0)));
    int64_t start = 0;
    for (int64_t o = 0; o < given->n_out; o++) {
        int64_t end = rx_index(&given->outputs, o + 1), before = -1;
        if (end < start || end > edges)
            REFUSE("pointers[%lld]: expected %lld to %lld, got %lld", LONG(o + 1), LONG(start),
                   LONG(edges), LONG(end));
        for (; start < end; start++) {
            int64_t input = rx_index(&given->inputs, start);
            if (input <= before || input >= given->n_in)
                REFUSE("inputs[%lld]: expected above %lld and below %s = %lld, got %lld",
                       LONG(start), LONG(before), given->width ? given->width : "n_in",
                       LONG(given->n_in), LONG(input));
            before = input;
        }
    }
    if (start != edges)
        REFUSE("pointers: expected to end at %lld, the number of inputs, got %lld", LONG(edges),
               LONG(start));
    return NULL;
}

static const char *check_blocks(const rx_given *given, char *message) {
    const int64_t groups = given->groups, m = given->m, k = given->k;
    if (groups < 0 || m < 1 || k < 1 || groups > RX_LARGEST || m > RX_LARGEST || k > RX_LARGEST)
        REFUSE("groups: expected sizes from 1 to %d, got %lld groups of %lld by %lld", RX_LARGEST,
               LONG(groups), LONG(m), LONG(k));
    /* no product of two overflows, and of three only after the first has been refused */
    if (groups * m > RX_LARGEST || groups * k > RX_LARGEST || m * k > RX_LARGEST ||
        (groups && m * k > RX_LARGEST / groups))
        REFUSE("groups: expected at most %d cells, got %lld groups of %lld by %lld", RX_LARGEST,
               LONG(groups), LONG(m), LONG(k));
    if (given->weights.size != groups * m * k)
        REFUSE("weights: expected %lld, got %lld", LONG(groups * m * k), LONG(given->weights.size));
    if (given->inputs.size != groups * k)
        REFUSE("inputs: expected %lld, got %lld", LONG(groups * k), LONG(given->inputs.size));
    if (given->outputs.size != given->n_out)
        REFUSE("place: expected n_out = %lld, got %lld", LONG(given->n_out),
               LONG(given->outputs.size));
    for (int64_t i = 0; i < groups * k; i++) {
        int64_t input = rx_index(&given->inputs, i);
        if (input < 0 || input >= given->n_in)
            REFUSE("inputs[%lld]: expected 0 to below n_in = %lld, got %lld", LONG(i),
                   LONG(given->n_in), LONG(input));
    }
    uint8_t *seen = calloc((size_t)(groups * m) / 8 + 1, 1);
    if (!seen) REFUSE("not enough memory");
    for (int64_t o = 0; o < given->n_out; o++) {
        int64_t place = rx_index(&given->outputs, o);
        if (place < 0 || place >= groups * m || mark(seen, place)) {
            free(seen);
            REFUSE("place[%lld]: expected a row of its own below %lld, got %lld", LONG(o),
                   LONG(groups * m), LONG(place));
        }
    }
    free(seen);
    return NULL;
}

const char *rx_check(const rx_given *given, char message[RX_MESSAGE]) {
    if (given->n_in < 0 || given->n_in > RX_LARGEST || given->n_out < 0 ||
        given->n_out > RX_LARGEST)
        REFUSE("neurons: expected 0 to %d, got n_in = %lld, n_out = %lld", RX_LARGEST,
               LONG(given->n_in), LONG(given->n_out));
    if (given->inputs.size > RX_LARGEST || given->weights.size > RX_LARGEST)
        REFUSE("edges: expected at most %d, got %lld", RX_LARGEST, LONG(given->weights.size));
    if (!integers(&given->inputs) || !integers(&given->outputs))
        REFUSE("indices: expected int32 or int64, got element types %d and %d", given->inputs.type,
               given->outputs.type);
    const int type = given->weights.type;
    if (type != RX_FLOAT && type != RX_HALF && type != RX_BFLOAT && type != RX_INT8)
        REFUSE("weights: expected float, float16, bfloat16 or int8, got element type %d", type);
    if (given->bias.type != RX_FLOAT || given->bias.size != given->n_out)
        REFUSE("bias: expected %lld floats, got %lld of element type %d", LONG(given->n_out),
               LONG(given->bias.size), given->bias.type);
    if (given->scale.type != RX_FLOAT ||
        (given->scale.size != 1 && given->scale.size != given->n_out))
        REFUSE("scale: expected 1 or %lld floats, got %lld of element type %d", LONG(given->n_out),
               LONG(given->scale.size), given->scale.type);
    if (!(given->low <= given->high))
        REFUSE("min, max: expected min <= max, got %g and %g", given->low, given->high);
    if (given->form == RX_ROWS) return check_rows(given, message);
    if (given->form == RX_BLOCKS) return check_blocks(given, message);
    REFUSE("form: expected 0 (rows) or 1 (blocks), got %d", given->form);
}
