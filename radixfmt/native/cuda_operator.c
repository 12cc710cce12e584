/* The operators on ONNX Runtime's CUDA provider: the same names, inputs and checks. */
#include <stdlib.h>

#include "cuda.h"
#include "operator.h"

#define ON_THE_HOST (-2) /* OrtMemTypeCPUInput */

typedef struct {
    OrtApi api;
    uint32_t n_in, n_out;
    rx_gpu_stack *stack;
} rx_kernel;

const char *rx_cuda_provider(const OrtCustomOp *op) { return (void)op, "CUDAExecutionProvider"; }

/* Constants are read and checked here, and copied to the GPU in another form. */
int rx_cuda_memory(const OrtCustomOp *op, size_t i) { return (void)op, i ? ON_THE_HOST : 0; }

OrtStatus *rx_cuda_create(const OrtCustomOp *op, OrtApi api, const OrtKernelInfo *info,
                          void **made) {
    char message[RX_MESSAGE];
    void *read = NULL;
    OrtStatus *status = op->form->read(api, info, op->form->form, &read);
    if (status) return status;
    rx_stack *stack = read;
    rx_kernel *kernel = calloc(1, sizeof *kernel);
    if (!kernel) {
        rx_release(stack);
        return rx_refuse(api, "not enough memory");
    }
    kernel->api = api;
    kernel->n_in = stack->n_in;
    kernel->n_out = stack->n_out;
    rx_gpu *gpu = rx_gpu_here(message);
    if (gpu) kernel->stack = rx_gpu_prepare(gpu, stack, op->tf32, message);
    rx_release(stack);
    if (kernel->stack) return *made = kernel, NULL;
    free(kernel);
    return rx_refuse(api, "%s", message);
}

OrtStatus *rx_cuda_compute(void *made, OrtKernelContext *context) {
    const rx_kernel *kernel = made;
    OrtApi api = kernel->api;
    char message[RX_MESSAGE];
    void *stream = NULL;
    rx_tensors tensors;
    OrtStatus *status = rx_read_tensors(api, context, kernel->n_in, kernel->n_out, &tensors);
    if (!status) status = KernelContext_GetGPUComputeStream(api)(context, &stream);
    if (status) return status;
    if (rx_gpu_run(kernel->stack, tensors.x, tensors.y, tensors.batch, stream, message))
        return rx_refuse(api, "%s", message);
    return NULL;
}

void rx_cuda_destroy(void *made) {
    rx_kernel *kernel = made;
    rx_gpu_release(kernel->stack);
    free(kernel);
}
