/* Layers as ONNX Runtime sees them: `SparseLinear`, `BlockLinear`, `SparseStack`. */
#include <stdlib.h>

#include "operator.h"

OrtStatus *rx_read_tensors(OrtApi api, OrtKernelContext *context, uint32_t n_in, uint32_t n_out,
                           rx_tensors *tensors) {
    const OrtValue *x = NULL;
    OrtValue *y = NULL;
    OrtShape *shape = NULL;
    size_t rank = 0;
    int64_t sizes[2] = {0, 0};
    OrtStatus *status = KernelContext_GetInput(api)(context, 0, &x);
    if (!status) status = GetTensorTypeAndShape(api)(x, &shape);
    if (status) return status;
    status = GetDimensionsCount(api)(shape, &rank);
    if (!status && rank == 2) status = GetDimensions(api)(shape, sizes, 2);
    ReleaseShape(api)(shape);
    if (status) return status;
    if (rank != 2 || sizes[1] != n_in || sizes[0] < 0)
        return rx_refuse(api, "X: expected [B, %u], got rank %d, [%lld, %lld]", n_in, (int)rank,
                         (long long)sizes[0], (long long)sizes[1]);
    sizes[1] = n_out;
    tensors->batch = (size_t)sizes[0];
    status = KernelContext_GetOutput(api)(context, 0, sizes, 2, &y);
    if (!status) status = GetTensorMutableData(api)(x, (void **)&tensors->x);
    if (!status) status = GetTensorMutableData(api)(y, (void **)&tensors->y);
    return status;
}

OrtStatus *rx_compute_stack(OrtApi api, void *made, OrtKernelContext *context) {
    rx_stack *stack = made;
    rx_tensors tensors;
    OrtStatus *status = rx_read_tensors(api, context, stack->n_in, stack->n_out, &tensors);
    if (status) return status;
    rx_threads threads = {api, context, NULL};
    const rx_pool pool = rx_pool_of(&threads);
    const int failed = rx_run(stack, tensors.x, tensors.y, tensors.batch, &pool);
    if (threads.status) return threads.status;
    return failed ? rx_refuse(api, "not enough memory for the activations") : NULL;
}

/* Neurons of the output: the length of the bias, or of a stack the last layer's. */
static int64_t width(OrtApi api, int form, OrtShapeInferContext *context) {
    OrtStatus *status = NULL;
    int64_t found = -1;
    if (form >= 0) {
        OrtShape *bias = NULL;
        size_t rank = 0;
        status = ShapeInferContext_GetInputTypeShape(api)(context, 4, &bias);
        if (!status) status = GetDimensionsCount(api)(bias, &rank);
        if (!status && rank == 1) status = GetDimensions(api)(bias, &found, 1);
    } else {
        const OrtOpAttr *layers = NULL;
        size_t bytes = 0;
        status = ShapeInferContext_GetAttribute(api)(context, "layers", &layers);
        if (!status) {
            OrtStatus *asked = ReadOpAttr(api)(layers, ORT_ATTRIBUTE_INTS, NULL, 0, &bytes);
            if (asked) ReleaseStatus(api)(asked); /* it says how many, and complains of no room */
            int64_t *rows = bytes >= RX_FIELDS * 8 ? malloc(bytes) : NULL;
            if (rows) status = ReadOpAttr(api)(layers, ORT_ATTRIBUTE_INTS, rows, bytes, &bytes);
            if (rows && !status) found = rows[bytes / 8 / RX_FIELDS * RX_FIELDS - RX_FIELDS + 1];
            free(rows);
        }
    }
    if (status) ReleaseStatus(api)(status);
    return found < 0 || found > RX_LARGEST ? -1 : found;
}

int rx_shape_stack(OrtApi api, int form, OrtShapeInferContext *context, size_t rank,
                   int64_t sizes[], const char *names[]) {
    if (rank != 2 || (sizes[1] = width(api, form, context)) < 0) return 0;
    names[1] = "";
    return 1;
}
