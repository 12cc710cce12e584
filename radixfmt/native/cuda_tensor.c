/* Blocks as tensor cores take them; see cuda/tensor.cu. */
#include <string.h>

#include "cuda_piece.h"

#define STEP 16 /* outputs of an item, and inputs of a step */

static size_t steps_of(size_t count) { return (count + STEP - 1) / STEP; }

/* Where weights would fill less than half of the steps, tensor cores win nothing. */
double rx_tensor_work(const rx_layer *layer) {
    if (layer->form != RX_BLOCKS) return 0;
    const double m = (double)steps_of(layer->m) * STEP, k = (double)steps_of(layer->k) * STEP;
    return 2.0 * layer->m * layer->k < m * k ? 0 : layer->groups * m * k;
}

static float power_of_two(int exponent) {
    const uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* To the nearest number with 10 bits of mantissa, away from zero between two, as TF32; and, below
   2^-14, to a multiple of 2^-24. */
static uint16_t half_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x7f800000) return (uint16_t)(sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00));
    memcpy(&value, &magnitude, 4);
    if (value < 0x1p-14f) return (uint16_t)(sign | (uint32_t)(value * 0x1p24f + 0.5f));
    return (uint16_t)(sign | ((magnitude + 0x1000 - (112u << 23)) >> 13));
}

/* Order the inputs of a group so that each four of them share no bank of shared memory: slots of
   one parity that differ modulo 8, as long as there are such. */
static void order(const uint32_t *slots, size_t k, uint32_t *ordered) {
    size_t left[8] = {0}, at[8] = {0}, parity = 0;
    for (size_t i = 0; i < k; i++) left[slots[i] % 8]++;
    for (size_t i = 0; i < k; i++) {
        size_t most = 0;
        for (size_t r = 1; r < 8; r++)
            if (left[r] > left[most]) most = r;
        if (i % 4 == 0) parity = most % 2;
        size_t chosen = i % 4 * 2 + parity;
        if (!left[chosen]) chosen = most;
        while (slots[at[chosen]] % 8 != chosen) at[chosen]++;
        ordered[i] = (uint32_t)at[chosen]++;
        left[chosen]--;
    }
}

typedef struct {
    const rx_layer *layer;
    size_t group, top; /* output of the first row */
    const uint32_t *order;
} rx_item;

static float weight(const rx_item *item, size_t row, size_t input) {
    const size_t k = item->layer->k, m = item->layer->m, output = item->top + row;
    if (output >= m || input >= k) return 0;
    return item->layer->weights[(item->group * k + item->order[input]) * m + output];
}

/* The power of two by which the weights of an output become less than 2^9, so that they lose nothing
   but what is 2^-33 of the largest. It does not bring its sums near infinity. */
static int exponent_of(const rx_item *item, size_t row) {
    uint32_t most = 0;
    for (size_t input = 0; input < item->layer->k; input++) {
        const float value = weight(item, row, input);
        uint32_t bits;
        memcpy(&bits, &value, 4);
        bits &= 0x7fffffff;
        if (bits > most) most = bits; /* what is infinite or NaN makes the output so */
    }
    const int found = (int)(most >> 23) - 127;
    return 8 - (found < -118 ? -118 : found);
}

/* Lane by lane: rows 0 to 7 and 8 to 15 of an input, then of another. */
static void lay_record(const rx_item *item, const float scales[STEP], size_t first, uint32_t none,
                       rx_record *record) {
    const size_t k = item->layer->k;
    const uint32_t *inputs = item->layer->inputs + item->group * k;
    for (size_t lane = 0; lane < 32; lane++)
        for (size_t i = 0; i < 4; i++)
            for (size_t product = 0; product < 2; product++) {
                const size_t row = lane / 4 + i % 2 * 8, input = i / 2 * 4 + lane % 4 + product * 8;
                record->weights[lane][i][product] =
                    half_of(weight(item, row, first + input) * scales[row]);
            }
    for (size_t lane = 0; lane < 4; lane++)
        for (size_t i = 0; i < 4; i++) {
            const size_t input = first + i * 4 + lane;
            record->slots[lane][i] = input < k ? inputs[item->order[input]] : none;
        }
}

void rx_lay_tensor(rx_piece *piece, const rx_layer *from, uint32_t none, rx_cuda_layer *to) {
    const size_t parts = steps_of(from->m), items = from->groups * parts, steps = steps_of(from->k);
    rx_record *record;
    rx_end *end;
    to->items = (unsigned)items;
    to->steps = (unsigned)steps;
    to->records = rx_piece_take(piece, items * steps, sizeof *record, &record);
    to->ends = rx_piece_take(piece, items * STEP, sizeof *end, &end);
    if (!record) return;
    for (size_t i = 0; i < items; i++) {
        const rx_item item = {from, i / parts, i % parts * STEP, piece->order};
        if (item.top == 0) order(from->inputs + item.group * from->k, from->k, piece->order);
        float scales[STEP];
        for (size_t row = 0; row < STEP; row++, end++) {
            const size_t output = item.group * from->m + item.top + row;
            const int exponent = exponent_of(&item, row);
            scales[row] = power_of_two(exponent);
            *end = (rx_end){.output = from->n_out, .scale = power_of_two(-exponent)};
            if (item.top + row >= from->m) continue;
            end->output = from->outputs[output];
            end->bias = from->bias[output];
        }
        for (size_t step = 0; step < steps; step++)
            lay_record(&item, scales, step * STEP, none, record++);
    }
}
