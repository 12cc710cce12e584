/* A sparse convolution, one tile of outputs at a time. */
#include <math.h>
#include <string.h>

#include "convolution.h"
#include "kernels.h"

#define LEAST 384    /* floats of a plane that a tile is made for, where there are many planes */
#define MOST 1024    /* and where there are few */
#define CACHE 9216   /* floats that the planes of a block take together, if they can be so small */
#define BLOCK 24     /* planes of a block, about */
#define FEWEST 128   /* floats of several images' planes, at least */
#define WIDEST 256   /* columns of a tile */
#define PART 128     /* outputs whose sums wait for the next block of planes */
#define SLACK 64     /* floats behind an array that a vector may reach */
#define ALONE 64     /* taps that read a plane, from which on another thread copies it again */
#define UNITS 4      /* pieces of work that a call is cut into, if that costs little */

typedef struct {
    rx_convolution *conv;
    const rx_kernels *kernels;
    const float *x;
    float *y;
    size_t batch, in[RX_AXES], out[RX_AXES];
    size_t images, rows, columns; /* of a tile */
    size_t pitch, image, plane;   /* floats of a row, of an image's rows, of all images' */
    size_t down, across, shares;  /* tiles of an image's height and width; shares of the outputs */
    uint32_t *offsets;            /* of each tap in the planes */
    int failed;
} rx_call;

/* One tile. */
typedef struct {
    size_t sample, depth, top, left;
    size_t images, rows, columns;
} rx_tile;

static size_t parts(size_t whole, size_t piece) { return (whole + piece - 1) / piece; }

/* Along one axis, the places of a plane that lie in the input: from `start` to below `end`, the
   first of them being place `from` of the input. */
typedef struct {
    size_t start, end, from;
} rx_span;

static rx_span span(const rx_axis *axis, int64_t first, size_t place, size_t count, size_t size) {
    const int64_t begin = (int64_t)place * axis->stride + first - axis->before;
    const int64_t start = begin >= 0 ? 0 : (-begin + axis->stride - 1) / axis->stride;
    const int64_t left = (int64_t)size - begin;
    int64_t end = left <= 0 ? 0 : (left + axis->stride - 1) / axis->stride;
    if (end > (int64_t)count) end = (int64_t)count;
    if (start >= end) return (rx_span){0, 0, 0};
    return (rx_span){(size_t)start, (size_t)end, (size_t)(begin + start * axis->stride)};
}

/* Copy what one image has of a plane. */
static void copy_image(const rx_call *call, const rx_plane *plane, const rx_tile *tile,
                       size_t sample, float *to) {
    const rx_axis *axes = call->conv->axes;
    const size_t width = call->in[RX_WIDTH], pitch = call->pitch;
    const size_t rows = call->rows + call->conv->down;
    const rx_span depth =
        span(axes, plane->first[RX_DEPTH], tile->depth, 1, call->in[RX_DEPTH]);
    const rx_span row = span(axes + RX_HEIGHT, plane->first[RX_HEIGHT], tile->top, rows,
                             call->in[RX_HEIGHT]);
    const rx_span column =
        span(axes + RX_WIDTH, plane->first[RX_WIDTH], tile->left, pitch, width);
    if (depth.start == depth.end || row.start == row.end || column.start == column.end) {
        memset(to, 0, rows * pitch * 4);
        return;
    }
    const size_t channel = sample * (size_t)call->conv->channels + plane->channel;
    const size_t slice = channel * call->in[RX_DEPTH] + depth.from;
    const size_t kept = row.end - row.start;
    float *first = to + row.start * pitch;
    memset(to, 0, row.start * pitch * 4);
    const rx_rows copied = {
        .from = call->x + (slice * call->in[RX_HEIGHT] + row.from) * width + column.from,
        .to = first + column.start,
        .rows = kept,
        .count = column.end - column.start,
        .stride = (size_t)axes[RX_HEIGHT].stride * width,
        .to_stride = pitch,
        .step = (size_t)axes[RX_WIDTH].stride,
        .from_ahead = call->in[RX_DEPTH] * call->in[RX_HEIGHT] * width,
        .low = -INFINITY,
        .high = INFINITY,
    };
    call->kernels->copy(&copied);
    for (size_t r = 0; r < kept; r++) {
        for (size_t c = 0; c < column.start; c++) first[r * pitch + c] = 0;
        for (size_t c = column.end; c < pitch; c++) first[r * pitch + c] = 0;
    }
    memset(to + row.end * pitch, 0, (rows - row.end) * pitch * 4);
}

/* The sums of outputs `begin` to below `end`, one after another. */
static void sum(const rx_call *call, const float *planes, size_t begin, size_t end,
                size_t positions, size_t stride, float *sums) {
    const rx_convolution *conv = call->conv;
    for (size_t block = 0; block < conv->blocks; block++) {
        const uint32_t *starts = conv->starts + block * conv->n_out;
        for (size_t o = begin; o < end; o++) {
            const size_t first = starts[o], taps = starts[o + 1] - first;
            if (taps || !block)
                call->kernels->taps(planes, call->offsets + first, conv->weights + first, taps,
                                    block ? NULL : conv->bias + o, sums + (o - begin) * stride,
                                    positions);
        }
    }
}

/* Write one output's sums to where they belong. */
static void finish(const rx_call *call, const rx_tile *tile, size_t output, const float *sums) {
    const rx_convolution *conv = call->conv;
    const size_t height = call->out[RX_HEIGHT], width = call->out[RX_WIDTH];
    for (size_t i = 0; i < tile->images; i++) {
        const size_t channel = (tile->sample + i) * conv->n_out + output;
        const size_t slice = channel * call->out[RX_DEPTH] + tile->depth;
        rx_rows rows = {
            .from = sums + i * call->image,
            .to = call->y + (slice * height + tile->top) * width + tile->left,
            .rows = tile->rows,
            .count = tile->columns,
            .stride = call->pitch,
            .to_stride = width,
            .step = 1,
            .to_ahead = call->out[RX_DEPTH] * height * width,
            .low = conv->low,
            .high = conv->high,
        };
        if (call->across > 1) { /* between the rows lie other tiles */
            rows.rows = 1;
            for (size_t r = 1; r < tile->rows; r++) {
                call->kernels->copy(&rows);
                rows.from += rows.stride, rows.to += rows.to_stride;
            }
        }
        call->kernels->copy(&rows);
    }
}

static rx_tile tile_of(const rx_call *call, size_t i) {
    rx_tile tile;
    tile.left = i % call->across * call->columns, i /= call->across;
    tile.top = i % call->down * call->rows, i /= call->down;
    tile.depth = i % call->out[RX_DEPTH], i /= call->out[RX_DEPTH];
    tile.sample = i * call->images;
    tile.images = call->batch - tile.sample;
    tile.rows = call->out[RX_HEIGHT] - tile.top;
    tile.columns = call->out[RX_WIDTH] - tile.left;
    if (tile.images > call->images) tile.images = call->images;
    if (tile.rows > call->rows) tile.rows = call->rows;
    if (tile.columns > call->columns) tile.columns = call->columns;
    return tile;
}

static void work(void *data, size_t i) {
    rx_call *call = data;
    rx_convolution *conv = call->conv;
    const rx_tile tile = tile_of(call, i / call->shares);
    const size_t share = i % call->shares, n = conv->n_out;
    const size_t begin = n * share / call->shares, end = n * (share + 1) / call->shares;
    const size_t positions = (tile.images - 1) * call->image + (tile.rows - 1) * call->pitch +
                             tile.columns;
    const size_t stride = parts(positions, SLACK) * SLACK;
    const size_t part = conv->blocks == 1 ? 1 : PART;
    const size_t most = end - begin < part ? end - begin : part;
    const size_t copied = conv->planes * call->plane;
    rx_buffer *buffer = rx_take(&conv->work, copied + SLACK + most * stride + SLACK);
    if (!buffer) {
        __atomic_store_n(&call->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    float *planes = buffer->floats, *sums = planes + parts(copied + SLACK, SLACK) * SLACK;
    for (size_t p = 0; p < conv->planes; p++)
        for (size_t k = 0; k < tile.images; k++)
            copy_image(call, conv->plane + p, &tile, tile.sample + k,
                       planes + p * call->plane + k * call->image);
    memset(planes + copied, 0, SLACK * 4);
    for (size_t o = begin; o < end; o += part) {
        const size_t stop = o + part < end ? o + part : end;
        sum(call, planes, o, stop, positions, stride, sums);
        for (size_t each = o; each < stop; each++)
            finish(call, &tile, each, sums + (each - o) * stride);
    }
    rx_give(&conv->work, buffer);
}

/* Choose the tile: as many rows, or images, as the planes of a block may have in the cache. */
static void choose(rx_call *call) {
    const rx_convolution *conv = call->conv;
    const size_t height = call->out[RX_HEIGHT], width = call->out[RX_WIDTH];
    size_t floats = CACHE / (conv->planes < BLOCK ? conv->planes + 1 : BLOCK);
    if (floats < LEAST) floats = LEAST;
    if (floats > MOST) floats = MOST;
    call->across = parts(width, WIDEST);
    call->columns = parts(width, call->across);
    call->pitch = call->columns + conv->right;
    size_t rows = floats / call->pitch;
    rows = rows > conv->down + 1 ? rows - conv->down : 1;
    if (rows > height) rows = height;
    call->down = parts(height, rows);
    call->rows = parts(height, call->down);
    call->image = (call->rows + conv->down) * call->pitch;
    call->images = 1;
    if (call->across == 1 && call->down == 1 && call->image * 2 <= floats) {
        const size_t fair = parts(call->batch, UNITS), few = parts(FEWEST, call->image);
        call->images = floats / call->image;
        if (call->images > fair) call->images = fair > few ? fair : few;
        if (call->images > call->batch) call->images = call->batch;
    }
    call->plane = call->images * call->image;
}

/* Fill in where each tap's values are: as the last call had it, where sizes have not changed. */
static void place(const rx_call *call, rx_buffer *buffer) {
    const rx_convolution *conv = call->conv;
    const uint64_t key = (uint64_t)call->plane << 32 | call->pitch;
    if (buffer->key == key) return;
    uint32_t *offsets = (uint32_t *)buffer->floats;
    const uint32_t plane = (uint32_t)call->plane, pitch = (uint32_t)call->pitch;
    for (size_t t = 0; t < conv->starts[(size_t)conv->blocks * conv->n_out]; t++)
        offsets[t] = conv->read[t] * plane + conv->row[t] * pitch + conv->column[t];
    buffer->key = key;
}

int rx_conv_run(rx_convolution *conv, const float *x, float *y, size_t batch,
                const int64_t in[RX_AXES], const rx_pool *pool) {
    rx_call call = {.conv = conv, .kernels = rx_best(), .x = x, .y = y, .batch = batch};
    if (!batch || !conv->n_out) return 0;
    for (int i = 0; i < RX_AXES; i++) {
        call.in[i] = (size_t)in[i];
        call.out[i] = (size_t)rx_conv_outputs(conv->axes + i, in[i]);
    }
    choose(&call);
    const size_t taps = conv->starts[(size_t)conv->blocks * conv->n_out];
    const size_t tiles = parts(batch, call.images) * call.out[RX_DEPTH] * call.down * call.across;
    const size_t worth_it = taps / ALONE / (conv->planes + 1);
    call.shares = 1; /* as many as threads are likely to be: two, or four */
    while (call.shares * tiles < UNITS && call.shares * 2 <= worth_it) call.shares *= 2;
    if (call.plane * conv->planes > RX_LARGEST) return -1;
    rx_buffer *offsets = rx_take(&conv->offsets, taps);
    if (!offsets) return -1;
    place(&call, offsets);
    call.offsets = (uint32_t *)offsets->floats;
    rx_each(pool, work, tiles * call.shares, &call);
    rx_give(&conv->offsets, offsets);
    return call.failed ? -1 : 0;
}
