/* The operators of the domain ai.radixfmt, version 1. */
#ifndef RADIXFMT_OPERATOR_H
#define RADIXFMT_OPERATOR_H

#include "ort_api.h"
#include "stack.h"

#define RX_FIELDS 5         /* integers per layer in the attribute `layers` of a stack */
#define RX_RANK 5           /* of X at most */
#define RX_LAYERS (1 << 16) /* layers of a stack */

#define RX_TF32 "ai.radixfmt.tf32" /* session configuration entry; "1": CUDA may use TF32 */

#define RX_OPERATORS 10 /* four on the CPU, those of linear layers on CUDA, the same with TF32 */

struct rx_form {
    const char *name;
    int form;
    size_t inputs;
    OrtStatus *(*read)(OrtApi api, const OrtKernelInfo *info, int form, void **made);
    void (*release)(void *made);
    OrtStatus *(*compute)(OrtApi api, void *made, OrtKernelContext *context);
    int (*shape)(OrtApi api, int form, OrtShapeInferContext *context, size_t rank,
                 int64_t sizes[], const char *names[]);
};
extern const OrtCustomOp rx_operators[RX_OPERATORS];

OrtStatus *rx_refuse(OrtApi api, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A constant input: its elements, and its shape where one of `rank` is expected. */
OrtStatus *rx_constant(OrtApi api, const OrtKernelInfo *info, size_t i, const char *name,
                       size_t rank, rx_array *array, int64_t shape[]);

/* What a kernel is made of: an rx_stack, or an rx_convolution. */
OrtStatus *rx_read_layer(OrtApi api, const OrtKernelInfo *info, int form, void **made);
OrtStatus *rx_read_stack(OrtApi api, const OrtKernelInfo *info, int form, void **made);
OrtStatus *rx_read_convolution(OrtApi api, const OrtKernelInfo *info, int form, void **made);

/* Compute with it, in a call of ONNX Runtime's. */
OrtStatus *rx_compute_stack(OrtApi api, void *made, OrtKernelContext *context);
OrtStatus *rx_compute_convolution(OrtApi api, void *made, OrtKernelContext *context);

typedef struct {
    const float *x; /* [batch, n_in] */
    float *y;       /* [batch, n_out] */
    size_t batch;
} rx_tensors;

/* X as it has to be, and room for Y. */
OrtStatus *rx_read_tensors(OrtApi api, OrtKernelContext *context, uint32_t n_in, uint32_t n_out,
                           rx_tensors *tensors);

/* A pool of a call's threads. */
typedef struct {
    OrtApi api;
    OrtKernelContext *context;
    OrtStatus *status; /* of the pool's own trouble */
} rx_threads;
rx_pool rx_pool_of(rx_threads *threads);

/* Turn the sizes of X, -1 where one is open and has a name, into those of Y; 0: one is unknown. */
int rx_shape_stack(OrtApi api, int form, OrtShapeInferContext *context, size_t rank,
                   int64_t sizes[], const char *names[]);
int rx_shape_convolution(OrtApi api, int form, OrtShapeInferContext *context, size_t rank,
                         int64_t sizes[], const char *names[]);

const char *rx_cuda_provider(const OrtCustomOp *op);
int rx_cuda_memory(const OrtCustomOp *op, size_t input);
OrtStatus *rx_cuda_create(const OrtCustomOp *op, OrtApi api, const OrtKernelInfo *info,
                          void **made);
OrtStatus *rx_cuda_compute(void *made, OrtKernelContext *context);
void rx_cuda_destroy(void *made);

#endif
