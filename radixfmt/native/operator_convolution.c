/* `SparseConv` as ONNX Runtime sees it. */
#include <stdlib.h>

#include "convolution.h"
#include "operator.h"

#define LONG(value) ((long long)(value))
#define FEWEST (1 << 16) /* outputs per channel that any input may have … */
#define TIMES 8          /* … and per input; more would be padding, which a model only states */

/* A convolution's attributes, of `rank` axes. */
typedef struct {
    size_t rank;
    int64_t kernel[RX_AXES], strides[RX_AXES], dilations[RX_AXES], pads[2 * RX_AXES];
} rx_attributes;

/* Spread them over the last of RX_AXES axes. */
static void spread(const rx_attributes *given, rx_axis axes[RX_AXES]) {
    for (int i = 0; i < RX_AXES; i++) axes[i] = (rx_axis){1, 1, 1, 0, 0};
    for (size_t i = 0; i < given->rank; i++)
        axes[RX_AXES - given->rank + i] =
            (rx_axis){given->kernel[i], given->strides[i], given->dilations[i], given->pads[i],
                      given->pads[given->rank + i]};
}

/* An attribute of `count` integers, at most `most`; a count of 0 is found out. */
static OrtStatus *integers(OrtApi api, const OrtKernelInfo *info, const char *name, size_t most,
                           size_t *count, int64_t values[]) {
    size_t found = 0;
    OrtStatus *status = KernelInfoGetAttributeArray_int64(api)(info, name, NULL, &found);
    if (status) return status;
    if (!found || found > most || (*count && found != *count))
        return rx_refuse(api, "%s: expected %d integers, got %d", name,
                         (int)(*count ? *count : most), (int)found);
    *count = found;
    return KernelInfoGetAttributeArray_int64(api)(info, name, values, &found);
}

OrtStatus *rx_read_convolution(OrtApi api, const OrtKernelInfo *info, int form, void **made) {
    (void)form;
    rx_conv_given given = {.taps = {.form = RX_ROWS, .width = "cells"}};
    rx_attributes read = {0};
    rx_given *taps = &given.taps;
    int64_t shape[1];
    char message[RX_MESSAGE];
    OrtStatus *status = KernelInfoGetAttribute_int64(api)(info, "n_in", &given.channels);
    if (!status) status = KernelInfoGetAttribute_int64(api)(info, "group", &given.group);
    if (!status) status = KernelInfoGetAttribute_float(api)(info, "min", &taps->low);
    if (!status) status = KernelInfoGetAttribute_float(api)(info, "max", &taps->high);
    if (!status) status = integers(api, info, "kernel_shape", RX_AXES, &read.rank, read.kernel);
    if (!status) status = integers(api, info, "strides", RX_AXES, &read.rank, read.strides);
    if (!status) status = integers(api, info, "dilations", RX_AXES, &read.rank, read.dilations);
    size_t sides = 2 * read.rank;
    if (!status) status = integers(api, info, "pads", 2 * RX_AXES, &sides, read.pads);
    if (!status) status = rx_constant(api, info, 1, "weights", 1, &taps->weights, shape);
    if (!status) status = rx_constant(api, info, 2, "inputs", 1, &taps->inputs, shape);
    if (!status) status = rx_constant(api, info, 3, "pointers", 1, &taps->outputs, shape);
    if (!status) status = rx_constant(api, info, 4, "bias", 1, &taps->bias, shape);
    if (!status) status = rx_constant(api, info, 5, "scale", 1, &taps->scale, shape);
    if (status) return status;
    taps->n_out = taps->bias.size;
    spread(&read, given.axes);
    const char *wrong = rx_conv_check(&given, message);
    if (wrong) return rx_refuse(api, "%s", wrong);
    rx_convolution *conv = *made = rx_conv_prepare(&given);
    if (conv) conv->rank = read.rank;
    return conv ? NULL : rx_refuse(api, "not enough memory for the convolution");
}

/* The sizes of X, as those of batch, channels and all axes; NULL, or what is wrong with them. */
static OrtStatus *sizes_of(OrtApi api, const rx_convolution *conv, const OrtValue *x,
                           int64_t sizes[2 + RX_AXES]) {
    OrtShape *shape = NULL;
    size_t rank = 0;
    int64_t found[RX_RANK] = {0};
    OrtStatus *status = GetTensorTypeAndShape(api)(x, &shape);
    if (status) return status;
    status = GetDimensionsCount(api)(shape, &rank);
    if (!status && rank == conv->rank + 2) status = GetDimensions(api)(shape, found, rank);
    ReleaseShape(api)(shape);
    if (status) return status;
    if (rank != conv->rank + 2 || found[0] < 0 || found[1] != conv->channels)
        return rx_refuse(api, "X: expected [B, %lld] and %d more sizes, got rank %d, %lld channels",
                         LONG(conv->channels), (int)conv->rank, (int)rank, LONG(found[1]));
    sizes[0] = found[0], sizes[1] = found[1];
    for (size_t i = 0; i < RX_AXES; i++) {
        const size_t missing = RX_AXES - conv->rank;
        sizes[2 + i] = i < missing ? 1 : found[2 + i - missing];
        if (sizes[2 + i] < 1 || sizes[2 + i] > RX_LARGEST)
            return rx_refuse(api, "X: expected sizes from 1 to %d, got %lld", RX_LARGEST,
                             LONG(sizes[2 + i]));
    }
    return NULL;
}

/* The sizes of Y along all axes. */
static OrtStatus *outputs_of(OrtApi api, const rx_convolution *conv, const int64_t *in,
                             int64_t out[RX_AXES]) {
    int64_t read = 1, made = 1;
    int wide = 0;
    for (int i = 0; i < RX_AXES; i++) {
        out[i] = rx_conv_outputs(conv->axes + i, in[i]);
        if (out[i] < 1)
            return rx_refuse(api, "X: expected sizes in which the kernel has a place, got %lld",
                             LONG(in[i]));
        wide |= __builtin_mul_overflow(read, in[i], &read);
        wide |= __builtin_mul_overflow(made, out[i], &made);
    }
    if (wide || (made > FEWEST && made / TIMES > read))
        return rx_refuse(
            api, "pads: expected at most %d outputs, or %d for each input, got %lld of %lld inputs",
            FEWEST, TIMES, LONG(made), LONG(read));
    return NULL;
}

OrtStatus *rx_compute_convolution(OrtApi api, void *made, OrtKernelContext *context) {
    rx_convolution *conv = made;
    const OrtValue *x = NULL;
    OrtValue *y = NULL;
    int64_t sizes[2 + RX_AXES], out[2 + RX_AXES];
    float *from = NULL, *to = NULL;
    OrtStatus *status = KernelContext_GetInput(api)(context, 0, &x);
    if (!status) status = sizes_of(api, conv, x, sizes);
    if (!status) status = outputs_of(api, conv, sizes + 2, out + 2);
    if (status) return status;
    int64_t shape[RX_RANK] = {sizes[0], conv->n_out};
    for (size_t i = 0; i < conv->rank; i++) shape[2 + i] = out[2 + RX_AXES - conv->rank + i];
    status = KernelContext_GetOutput(api)(context, 0, shape, conv->rank + 2, &y);
    if (!status) status = GetTensorMutableData(api)(x, (void **)&from);
    if (!status) status = GetTensorMutableData(api)(y, (void **)&to);
    if (status) return status;
    rx_threads threads = {api, context, NULL};
    const rx_pool pool = rx_pool_of(&threads);
    const int failed = rx_conv_run(conv, from, to, (size_t)sizes[0], sizes + 2, &pool);
    if (threads.status) return threads.status;
    return failed ? rx_refuse(api, "not enough memory for the activations") : NULL;
}

/* An attribute of integers while shapes are inferred: how many there are, 0 where that fails. */
static size_t attribute(OrtApi api, OrtShapeInferContext *context, const char *name, size_t most,
                        int64_t values[]) {
    const OrtOpAttr *found = NULL;
    size_t bytes = 0;
    OrtStatus *status = ShapeInferContext_GetAttribute(api)(context, name, &found);
    if (!status)
        status = ReadOpAttr(api)(found, ORT_ATTRIBUTE_INTS, values, most * sizeof *values, &bytes);
    if (!status) return bytes / sizeof *values;
    ReleaseStatus(api)(status);
    return 0;
}

/* A size of which two alike tell that outputs are as many as inputs. */
#define UNKNOWN ((int64_t)1 << 40)

int rx_shape_convolution(OrtApi api, int form, OrtShapeInferContext *context, size_t rank,
                         int64_t sizes[], const char *names[]) {
    (void)form;
    rx_attributes read = {0};
    rx_axis axes[RX_AXES];
    OrtShape *bias = NULL;
    size_t one = 0;
    read.rank = attribute(api, context, "kernel_shape", RX_AXES, read.kernel);
    if (!read.rank || rank != read.rank + 2 ||
        attribute(api, context, "strides", RX_AXES, read.strides) != read.rank ||
        attribute(api, context, "dilations", RX_AXES, read.dilations) != read.rank ||
        attribute(api, context, "pads", 2 * RX_AXES, read.pads) != 2 * read.rank)
        return 0;
    spread(&read, axes);
    sizes[1] = -1;
    OrtStatus *status = ShapeInferContext_GetInputTypeShape(api)(context, 4, &bias);
    if (!status) status = GetDimensionsCount(api)(bias, &one);
    if (!status && one == 1) status = GetDimensions(api)(bias, sizes + 1, 1);
    if (status) ReleaseStatus(api)(status);
    if (sizes[1] < 0 || sizes[1] > RX_LARGEST) return 0;
    names[1] = "";
    for (size_t i = 0; i < read.rank; i++) {
        const rx_axis *axis = axes + RX_AXES - read.rank + i;
        if (!rx_conv_valid(axis)) return 0;
        const int64_t size = sizes[2 + i], made = rx_conv_outputs(axis, size < 0 ? UNKNOWN : size);
        if (size < 0 && made == UNKNOWN) continue; /* the same, whatever it is called */
        if (size < 0 || size > RX_LARGEST || made < 1) return 0;
        sizes[2 + i] = made;
        names[2 + i] = "";
    }
    return 1;
}
