/* From a convolution that the model gives to one that the kernel takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convolution.h"

#define NEAR 32       /* strides between taps that still share a plane */
#define TOGETHER 24   /* planes of a block */
#define WORTH_IT 8    /* taps of an output in a block, on average, from which on blocks pay */
#define LONG(value) ((long long)(value))
#define REFUSE(...) return snprintf(message, RX_MESSAGE, __VA_ARGS__), message

int64_t rx_conv_outputs(const rx_axis *axis, int64_t size) {
    const int64_t reach = (axis->kernel - 1) * axis->dilation + 1;
    const int64_t left = size + axis->before + axis->after - reach;
    return left < 0 ? 0 : left / axis->stride + 1;
}

static int fits(int64_t value, int64_t least) { return value >= least && value <= RX_LARGEST; }

int rx_conv_valid(const rx_axis *axis) {
    return fits(axis->kernel, 1) && fits(axis->stride, 1) && fits(axis->dilation, 1) &&
           fits(axis->before, 0) && fits(axis->after, 0);
}

const char *rx_conv_check(const rx_conv_given *given, char message[RX_MESSAGE]) {
    rx_given taps = given->taps;
    const int64_t group = given->group, channels = given->channels;
    if (!fits(channels, 0) || !fits(group, 1) || channels % group || taps.n_out % group)
        REFUSE("group: expected one that divides n_in = %lld and n_out = %lld, got %lld",
               LONG(channels), LONG(taps.n_out), LONG(group));
    taps.n_in = channels / group;
    for (int i = 0; i < RX_AXES; i++) {
        const rx_axis *axis = given->axes + i;
        if (!rx_conv_valid(axis))
            REFUSE("kernel_shape, strides, dilations, pads: expected 1 to %d, pads from 0, got "
                   "%lld, %lld, %lld, %lld and %lld",
                   RX_LARGEST, LONG(axis->kernel), LONG(axis->stride), LONG(axis->dilation),
                   LONG(axis->before), LONG(axis->after));
        taps.n_in *= axis->kernel; /* of two numbers that fit */
        if (!fits(taps.n_in, 0))
            REFUSE("kernel_shape: expected at most %d cells, got %lld or more", RX_LARGEST,
                   LONG(taps.n_in));
    }
    return rx_check(&taps, message);
}

/* Where along an axis a tap of the kernel is: the place at which its plane begins, and the distance
   of the tap from there in strides. Taps far apart have planes of their own, and so have all along
   the depth. */
typedef struct {
    int64_t first, steps;
} rx_place;

static rx_place place(const rx_axis *axes, int i, int64_t tap) {
    const rx_axis *axis = axes + i;
    const int64_t far = tap * axis->dilation;
    if (i == RX_DEPTH || (axis->kernel - 1) * axis->dilation / axis->stride > NEAR)
        return (rx_place){far, 0};
    return (rx_place){far % axis->stride, far / axis->stride};
}

typedef struct {
    rx_plane plane;
    uint16_t row, column;
} rx_tap;

static rx_tap tap(const rx_conv_given *given, int64_t output, int64_t edge) {
    const int64_t width = given->channels / given->group;
    const int64_t group = output / (given->taps.n_out / given->group);
    int64_t cell = rx_index(&given->taps.inputs, edge);
    rx_place places[RX_AXES];
    for (int i = RX_AXES - 1; i >= 0; i--) {
        places[i] = place(given->axes, i, cell % given->axes[i].kernel);
        cell /= given->axes[i].kernel;
    }
    rx_tap found = {{(uint32_t)(group * width + cell), {0}},
                    (uint16_t)places[RX_HEIGHT].steps,
                    (uint16_t)places[RX_WIDTH].steps};
    for (int i = 0; i < RX_AXES; i++) found.plane.first[i] = places[i].first;
    return found;
}

static int by_place(const void *one, const void *other) {
    const rx_plane *a = one, *b = other;
    if (a->channel != b->channel) return a->channel < b->channel ? -1 : 1;
    for (int i = 0; i < RX_AXES; i++)
        if (a->first[i] != b->first[i]) return a->first[i] < b->first[i] ? -1 : 1;
    return 0;
}

/* Write each tap's place to `row`, `column`, `read`, in the order of the model; 0: no memory. */
static int find_planes(rx_convolution *conv, const rx_conv_given *given, uint16_t *row,
                       uint16_t *column, uint32_t *read) {
    const size_t edges = (size_t)given->taps.inputs.size;
    rx_plane *all = rx_room(edges, sizeof *all), *kept;
    size_t count = 0;
    if (!all) return 0;
    for (int64_t o = 0; o < given->taps.n_out; o++)
        for (int64_t e = rx_index(&given->taps.outputs, o);
             e < rx_index(&given->taps.outputs, o + 1); e++) {
            const rx_tap found = tap(given, o, e);
            row[e] = found.row, column[e] = found.column;
            if (found.row > conv->down) conv->down = found.row;
            if (found.column > conv->right) conv->right = found.column;
            /* taps of one channel follow each other: most need no sorting */
            if (!count || by_place(all + count - 1, &found.plane)) all[count++] = found.plane;
        }
    qsort(all, count, sizeof *all, by_place);
    for (size_t i = 0; i < count; i++)
        if (!i || by_place(all + conv->planes - 1, all + i)) all[conv->planes++] = all[i];
    conv->plane = kept = rx_room(conv->planes, sizeof *kept);
    if (kept) memcpy(kept, all, conv->planes * sizeof *kept);
    free(all);
    if (!kept) return 0;
    for (int64_t o = 0; o < given->taps.n_out; o++)
        for (int64_t e = rx_index(&given->taps.outputs, o);
             e < rx_index(&given->taps.outputs, o + 1); e++) {
            const rx_tap found = tap(given, o, e);
            const rx_plane *at =
                bsearch(&found.plane, kept, conv->planes, sizeof *kept, by_place);
            read[e] = (uint32_t)(at - kept);
        }
    return 1;
}

/* Put the taps in order: block by block of planes, and in each output by output. */
static int sort_taps(rx_convolution *conv, const rx_conv_given *given, const uint16_t *row,
                     const uint16_t *column, const uint32_t *read) {
    const size_t edges = (size_t)given->taps.inputs.size, n = conv->n_out;
    const size_t most = n ? edges / n / WORTH_IT : 0;
    size_t blocks = (conv->planes + TOGETHER - 1) / TOGETHER;
    if (blocks > most) blocks = most;
    if (!blocks) blocks = 1;
    const size_t planes = conv->planes / blocks + 1;
    conv->blocks = (uint32_t)blocks;
    conv->starts = rx_room(blocks * n + 1, 4);
    conv->row = rx_room(edges, 2);
    conv->column = rx_room(edges, 2);
    conv->read = rx_room(edges, 4);
    conv->weights = rx_room(edges, 4);
    conv->bias = rx_room(n, 4);
    uint32_t *next = rx_room(blocks * n, 4);
    if (!conv->starts || !conv->row || !conv->column || !conv->read || !conv->weights ||
        !conv->bias || !next)
        return free(next), 0;
    memset(conv->starts, 0, (blocks * n + 1) * 4);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t o = 0; o < n; o++) {
            const float scale = rx_scale(&given->taps, (int64_t)o);
            conv->bias[o] = rx_value(&given->taps.bias, (int64_t)o);
            for (int64_t e = rx_index(&given->taps.outputs, (int64_t)o);
                 e < rx_index(&given->taps.outputs, (int64_t)o + 1); e++) {
                const size_t part = read[e] / planes * n + o;
                if (!pass) {
                    conv->starts[part + 1]++;
                    continue;
                }
                const uint32_t to = next[part]++;
                conv->row[to] = row[e], conv->column[to] = column[e], conv->read[to] = read[e];
                conv->weights[to] = rx_value(&given->taps.weights, e) * scale;
            }
        }
        if (pass) break;
        for (size_t i = 0; i < blocks * n; i++) conv->starts[i + 1] += conv->starts[i];
        memcpy(next, conv->starts, blocks * n * 4);
    }
    free(next);
    return 1;
}

rx_convolution *rx_conv_prepare(const rx_conv_given *given) {
    const size_t edges = (size_t)given->taps.inputs.size;
    rx_convolution *conv = calloc(1, sizeof *conv);
    uint16_t *row = rx_room(edges, 2), *column = rx_room(edges, 2);
    uint32_t *read = rx_room(edges, 4);
    int made = conv && row && column && read;
    if (made) {
        conv->channels = given->channels;
        memcpy(conv->axes, given->axes, sizeof conv->axes);
        conv->n_out = (uint32_t)given->taps.n_out;
        conv->low = given->taps.low, conv->high = given->taps.high;
        made = find_planes(conv, given, row, column, read) &&
               sort_taps(conv, given, row, column, read);
    }
    free(row);
    free(column);
    free(read);
    if (made) return conv;
    rx_conv_release(conv);
    return NULL;
}

void rx_conv_release(rx_convolution *conv) {
    if (!conv) return;
    rx_drop(&conv->offsets);
    rx_drop(&conv->work);
    free(conv->plane);
    free(conv->starts);
    free(conv->read);
    free(conv->row);
    free(conv->column);
    free(conv->weights);
    free(conv->bias);
    free(conv);
}
