/* A run of sparse layers, as the kernels want it: what check.c lets in, prepare.c makes. */
#ifndef RADIXFMT_STACK_H
#define RADIXFMT_STACK_H

#include <stddef.h>
#include <stdint.h>

#include "buffers.h"

#define RX_ROWS 0   /* each output has inputs of its own (CSR by output) */
#define RX_BLOCKS 1 /* groups of m outputs share k inputs */

#define RX_LARGEST 0x7fffff00 /* of any number of neurons, cells, edges */
#define RX_MESSAGE 160        /* bytes of an error message */

/* ONNX's numbers of element types. */
enum { RX_FLOAT = 1, RX_INT8 = 3, RX_INT32 = 6, RX_INT64 = 7, RX_HALF = 10, RX_BFLOAT = 16 };

/* An array of the model: nothing in it has been believed yet. */
typedef struct {
    const void *data;
    int64_t size; /* elements */
    int type;     /* RX_FLOAT … */
} rx_array;

/* One layer as the model gives it. */
typedef struct {
    int form;
    const char *width; /* what n_in is called in the model; NULL: n_in */
    int64_t n_in, n_out;
    int64_t groups, m, k; /* blocks */
    rx_array weights;     /* rows: [edges]; blocks: [groups, m, k] */
    rx_array inputs;      /* rows: [edges]; blocks: [groups, k] */
    rx_array outputs;     /* rows: pointers [n_out + 1]; blocks: row of groups · m of each output */
    rx_array bias;        /* float [n_out] */
    rx_array scale;       /* float [1] or [n_out] */
    float low, high;
} rx_given;

/* One layer as the kernels take it. Neurons are named by their slots: the order in which their rows
   lie in a tile of activations, chosen so that rows which are read together lie together. */
typedef struct {
    int form;
    uint32_t n_in, n_out;
    uint32_t groups, m, k;
    uint32_t *starts; /* rows: [n_out + 1] */
    uint32_t *inputs; /* rows: [edges]; blocks: [groups · k] */
    uint32_t *outputs; /* rows: [n_out]; blocks: [groups · m], n_out where no output takes a row */
    float *weights;    /* rows: [edges]; blocks: [groups][k][m] */
    float *bias;       /* beside outputs */
    float low, high;
} rx_layer;

typedef struct {
    int count;
    rx_layer *layers;
    uint32_t n_in, n_out, widest;
    uint32_t *first; /* slot of each input; NULL: its own number */
    int rows;        /* layers of rows, in which one sample alone is slow */
    rx_buffers buffers;
} rx_stack;

/* Runs `work(data, i)` for i below `count`, in any order and on any thread. */
typedef struct {
    void (*each)(void *context, void (*work)(void *data, size_t i), size_t count, void *data);
    void *context;
} rx_pool;

/* The same, here and now where there is no pool or little to do. */
void rx_each(const rx_pool *pool, void (*work)(void *, size_t), size_t count, void *data);

/* Return NULL, or what is wrong with the layer; n_in and n_out have been settled by then. */
const char *rx_check(const rx_given *given, char message[RX_MESSAGE]);

/* Return the stack, or NULL with a message; every layer has been checked. */
rx_stack *rx_prepare(const rx_given *given, int count, char message[RX_MESSAGE]);
void rx_release(rx_stack *stack);

/* y [batch, n_out] = the stack of x [batch, n_in]; 0, or -1 where memory is short. */
int rx_run(rx_stack *stack, const float *x, float *y, size_t batch, const rx_pool *pool);

int64_t rx_index(const rx_array *array, int64_t i);
float rx_value(const rx_array *array, int64_t i);

/* The scale of an output, which may be all outputs'. */
float rx_scale(const rx_given *given, int64_t output);

#endif
