/* The operators of the domain ai.radixfmt, version 1. */
#ifndef RADIXFMT_OPERATOR_H
#define RADIXFMT_OPERATOR_H

#include "ort_api.h"
#include "stack.h"

#define RX_FIELDS 5        /* integers per layer in the attribute `layers` of a stack */
#define RX_LAYERS (1 << 16) /* layers of a stack */

#define RX_OPERATORS 6     /* three on the CPU, then the same on CUDA */

struct rx_form {
    const char *name;
    int form;
    size_t inputs;
    OrtStatus *(*read)(OrtApi api, const OrtKernelInfo *info, int form, rx_stack **stack);
};
extern const OrtCustomOp rx_operators[RX_OPERATORS];

typedef struct {
    const float *x; /* [batch, n_in] */
    float *y;       /* [batch, n_out] */
    size_t batch;
} rx_tensors;

OrtStatus *rx_refuse(OrtApi api, const char *format, ...) __attribute__((format(printf, 2, 3)));
OrtStatus *rx_read_layer(OrtApi api, const OrtKernelInfo *info, int form, rx_stack **stack);
OrtStatus *rx_read_stack(OrtApi api, const OrtKernelInfo *info, int form, rx_stack **stack);

/* X as it has to be, and room for Y. */
OrtStatus *rx_read_tensors(OrtApi api, OrtKernelContext *context, uint32_t n_in, uint32_t n_out,
                           rx_tensors *tensors);

const char *rx_cuda_provider(const OrtCustomOp *op);
int rx_cuda_memory(const OrtCustomOp *op, size_t input);
OrtStatus *rx_cuda_create(const OrtCustomOp *op, OrtApi api, const OrtKernelInfo *info,
                          void **made);
OrtStatus *rx_cuda_compute(void *made, OrtKernelContext *context);
void rx_cuda_destroy(void *made);

#endif
