/* What is used of CUDA's driver and of NVRTC, declared here and found at run time: the library
   builds and loads where there is no CUDA. */
#ifndef RADIXFMT_CUDA_H
#define RADIXFMT_CUDA_H

#include "cuda/layer.h"
#include "stack.h"

typedef uint64_t rx_address; /* in a GPU's memory */

/* Functions of libcuda.so.1; each returns 0 or an error's number. */
typedef struct {
    int (*init)(unsigned flags);
    int (*error)(int code, const char **text);
    int (*device)(int *device, int number);
    int (*attribute)(int *value, int attribute, int device);
    int (*retain)(void **context, int device);
    int (*current)(void **context);
    int (*current_device)(int *device);
    int (*push)(void *context);
    int (*pop)(void **context);
    int (*load)(void **module, const void *image);
    int (*function)(void **function, void *module, const char *name);
    int (*set)(void *function, int attribute, int value);
    int (*allocate)(rx_address *address, size_t bytes);
    int (*release)(rx_address address);
    int (*upload)(rx_address to, const void *from, size_t bytes);
    int (*wait)(void *stream);
    int (*launch)(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                  unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                  void *stream, void **arguments, void **extra);
} rx_driver;

/* The kernels of cuda/kernels.cu. */
enum {
    RX_STACK_28,
    RX_STACK_64,
    RX_TENSOR_28,
    RX_TENSOR_64,
    RX_LAYER_1,
    RX_LAYER_8,
    RX_LAYER_64,
    RX_TURN_IN,
    RX_TURN_OUT,
    RX_KERNELS
};

/* Activations of one stream, whose kernels follow each other. */
typedef struct rx_scratch {
    struct rx_scratch *next;
    void *stream;
    size_t bytes;
    rx_address memory;
} rx_scratch;

/* A GPU, as seen from one context; made once, kept for good. */
typedef struct rx_gpu {
    struct rx_gpu *next;
    const rx_driver *driver;
    void *context;
    void *kernels[RX_KERNELS];
    int processors;
    size_t shared; /* bytes of shared memory for a block */
    size_t cache;  /* bytes of the L2 cache */
    int tensor;    /* it has tensor cores for TF32 */
    int lock;      /* of scratch, and of a run's kernels */
    rx_scratch *scratch;
} rx_gpu;

/* A stack of layers in a GPU's memory. */
typedef struct rx_gpu_stack rx_gpu_stack;

/* 1, with a message, where a call of the driver's failed. */
int rx_failed(const rx_driver *driver, int code, const char *what, char message[RX_MESSAGE]);

void rx_lock(int *lock);
void rx_unlock(int *lock);

/* The GPU that is current, with kernels made for it; NULL with a message. */
rx_gpu *rx_gpu_here(char message[RX_MESSAGE]);

/* Machine code for a GPU of this compute capability (90: 9.0), to be freed; NULL with a message. */
char *rx_compile(int capability, char message[RX_MESSAGE]);

/* NULL with a message. `tf32`: factors may be rounded to TF32 where that is faster. */
rx_gpu_stack *rx_gpu_prepare(rx_gpu *gpu, const rx_stack *stack, int tf32,
                             char message[RX_MESSAGE]);
void rx_gpu_release(rx_gpu_stack *stack);

/* As rx_run, with x and y in the GPU's memory: enqueued, not waited for. -1 with a message. */
int rx_gpu_run(rx_gpu_stack *stack, const float *x, float *y, size_t batch, void *stream,
               char message[RX_MESSAGE]);

#endif
