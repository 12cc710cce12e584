/* What a stack is copied to the GPU in: all arrays lie in one piece of memory, which is made on the
   host first. */
#ifndef RADIXFMT_CUDA_PIECE_H
#define RADIXFMT_CUDA_PIECE_H

#include "cuda.h"

typedef struct {
    char *host; /* NULL: only the sizes count */
    size_t bytes;
    rx_address device;
    uint32_t *order; /* room for the inputs of a group */
} rx_piece;

/* Take room for an array; return where it is on the GPU, and on the host through `host`. */
void *rx_piece_take(rx_piece *piece, size_t count, size_t size, void *host);

/* A layer's blocks for tensor cores; `none` is the slot of a row of zeros. */
void rx_lay_tensor(rx_piece *piece, const rx_layer *from, uint32_t none, rx_cuda_layer *to);

/* Multiply-adds of such a layer for one sample; 0: float32 is as fast. */
double rx_tensor_work(const rx_layer *layer);

#endif
