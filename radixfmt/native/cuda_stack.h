/* A stack of layers in a GPU's memory. */
#ifndef RADIXFMT_CUDA_STACK_H
#define RADIXFMT_CUDA_STACK_H

#include "cuda.h"

struct rx_gpu_stack {
    rx_gpu *gpu;
    rx_address memory;          /* of all arrays */
    int count;
    rx_cuda_layer *layers;      /* here, with addresses there */
    const rx_cuda_layer *there; /* the same in the GPU's memory */
    const unsigned *first;      /* there: slot of each input; NULL: its own number */
    uint32_t n_in, n_out, widest;
    double work;                /* multiply-adds for one sample */
    double tensor, alone;       /* on tensor cores, and those of other layers beside them */
};

#endif
