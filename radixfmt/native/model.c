/* From a node's inputs and attributes to the layers of a stack. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "operator.h"

OrtStatus *rx_refuse(OrtApi api, const char *format, ...) {
    char message[2 * RX_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return CreateStatus(api)(ORT_INVALID_ARGUMENT, message);
}

OrtStatus *rx_constant(OrtApi api, const OrtKernelInfo *info, size_t i, const char *name,
                       size_t rank, rx_array *array, int64_t shape[]) {
    const OrtValue *value = NULL;
    OrtShape *made = NULL;
    int is_constant = 0;
    size_t found = 0;
    OrtStatus *status = KernelInfoGetConstantInput_tensor(api)(info, i, &is_constant, &value);
    if (status) return status;
    if (!is_constant || !value) return rx_refuse(api, "%s: expected a constant", name);
    if ((status = GetTensorTypeAndShape(api)(value, &made))) return status;
    status = GetTensorElementType(api)(made, &array->type);
    if (!status) status = GetDimensionsCount(api)(made, &found);
    if (!status && found != rank)
        status = rx_refuse(api, "%s: expected rank %d, got %d", name, (int)rank, (int)found);
    if (!status) status = GetDimensions(api)(made, shape, rank);
    ReleaseShape(api)(made);
    if (status) return status;
    array->size = 1;
    for (size_t axis = 0; axis < rank; axis++)
        if (shape[axis] < 0 || __builtin_mul_overflow(array->size, shape[axis], &array->size))
            return rx_refuse(api, "%s: expected a size, got %lld", name, (long long)shape[axis]);
    return GetTensorMutableData(api)(value, (void **)&array->data);
}

static OrtStatus *checked(OrtApi api, const rx_given *given, int count, void **stack) {
    char message[RX_MESSAGE];
    for (int i = 0; i < count; i++) {
        const char *wrong = rx_check(given + i, message);
        if (wrong && count > 1) return rx_refuse(api, "layer %d: %s", i, wrong);
        if (wrong) return rx_refuse(api, "%s", wrong);
    }
    *stack = rx_prepare(given, count, message);
    return *stack ? NULL : rx_refuse(api, "%s", message);
}

/* `SparseLinear` (form RX_ROWS) and `BlockLinear` (RX_BLOCKS). */
OrtStatus *rx_read_layer(OrtApi api, const OrtKernelInfo *info, int form, void **stack) {
    rx_given given = {.form = form};
    int64_t shape[3], inputs[2];
    const int blocks = form == RX_BLOCKS;
    OrtStatus *status = KernelInfoGetAttribute_int64(api)(info, "n_in", &given.n_in);
    if (!status) status = KernelInfoGetAttribute_float(api)(info, "min", &given.low);
    if (!status) status = KernelInfoGetAttribute_float(api)(info, "max", &given.high);
    if (!status)
        status = rx_constant(api, info, 1, "weights", blocks ? 3 : 1, &given.weights, shape);
    if (!status && blocks) given.groups = shape[0], given.m = shape[1], given.k = shape[2];
    if (!status)
        status = rx_constant(api, info, 2, "inputs", blocks ? 2 : 1, &given.inputs, inputs);
    if (!status && blocks && (inputs[0] != given.groups || inputs[1] != given.k))
        status = rx_refuse(api, "inputs: expected [%lld, %lld], got [%lld, %lld]",
                           (long long)given.groups, (long long)given.k, (long long)inputs[0],
                           (long long)inputs[1]);
    if (!status)
        status = rx_constant(api, info, 3, blocks ? "place" : "pointers", 1, &given.outputs, shape);
    if (!status) status = rx_constant(api, info, 4, "bias", 1, &given.bias, shape);
    if (!status) status = rx_constant(api, info, 5, "scale", 1, &given.scale, shape);
    if (status) return status;
    given.n_out = given.bias.size;
    return checked(api, &given, 1, stack);
}

/* Cut `size` elements off the front of a packed array; 0 where there are not so many. */
static int cut(rx_array *packed, int64_t size, int width, rx_array *piece) {
    if (size < 0 || size > packed->size) return 0;
    *piece = *packed;
    piece->size = size;
    packed->data = (const char *)packed->data + size * width;
    packed->size -= size;
    return 1;
}

static int width_of(int type) {
    if (type == RX_INT64) return 8;
    if (type == RX_FLOAT || type == RX_INT32) return 4;
    return type == RX_INT8 ? 1 : 2;
}

typedef struct {
    rx_array weights, indices, bias, scale;
} rx_packed;

/* One layer of a stack from its row of `layers` and from what is left of the packed arrays. */
static int unpack(const int64_t row[RX_FIELDS], rx_packed *packed, rx_given *given) {
    const int weight = width_of(packed->weights.type), index = width_of(packed->indices.type);
    int64_t cells;
    given->form = row[0] == RX_ROWS ? RX_ROWS : row[0] == RX_BLOCKS ? RX_BLOCKS : -1;
    given->n_out = row[1];
    if (given->form < 0 || row[1] < 0 || row[1] > RX_LARGEST) return 0;
    for (int i = 2; i < RX_FIELDS; i++)
        if (row[i] < 0 || row[i] > RX_LARGEST) return 0;
    if (given->form == RX_ROWS) {
        cells = row[2];
        if (!cut(&packed->indices, row[1] + 1, index, &given->outputs)) return 0;
        if (!cut(&packed->indices, cells, index, &given->inputs)) return 0;
    } else {
        given->groups = row[2], given->m = row[3], given->k = row[4];
        if (__builtin_mul_overflow(row[2] * row[3], row[4], &cells)) return 0;
        if (!cut(&packed->indices, row[1], index, &given->outputs)) return 0;
        if (!cut(&packed->indices, row[2] * row[4], index, &given->inputs)) return 0;
    }
    return cut(&packed->weights, cells, weight, &given->weights) &&
           cut(&packed->bias, row[1], 4, &given->bias) &&
           cut(&packed->scale, row[1], 4, &given->scale);
}

static OrtStatus *unpacked(OrtApi api, const int64_t *rows, const float *low, const float *high,
                           int count, int64_t n_in, rx_packed packed, void **stack) {
    rx_given *given = calloc((size_t)count, sizeof *given);
    OrtStatus *status = given ? NULL : rx_refuse(api, "not enough memory");
    for (int i = 0; !status && i < count; i++) {
        given[i].n_in = i ? given[i - 1].n_out : n_in;
        given[i].low = low[i], given[i].high = high[i];
        if (!unpack(rows + (size_t)i * RX_FIELDS, &packed, given + i))
            status = rx_refuse(api, "layers: row %d does not fit what is packed", i);
    }
    if (!status &&
        (packed.weights.size || packed.indices.size || packed.bias.size || packed.scale.size))
        status = rx_refuse(api, "layers: more is packed than they take");
    if (!status) status = checked(api, given, count, stack);
    free(given);
    return status;
}

/* `SparseStack`. */
OrtStatus *rx_read_stack(OrtApi api, const OrtKernelInfo *info, int form, void **stack) {
    (void)form;
    rx_packed packed;
    int64_t shape[1], n_in = 0, *rows = NULL;
    float *bounds = NULL;
    size_t fields = 0, lows = 0, highs = 0;
    OrtStatus *status = KernelInfoGetAttribute_int64(api)(info, "n_in", &n_in);
    if (!status) status = KernelInfoGetAttributeArray_int64(api)(info, "layers", NULL, &fields);
    if (!status) status = KernelInfoGetAttributeArray_float(api)(info, "min", NULL, &lows);
    if (!status) status = KernelInfoGetAttributeArray_float(api)(info, "max", NULL, &highs);
    if (!status) status = rx_constant(api, info, 1, "weights", 1, &packed.weights, shape);
    if (!status) status = rx_constant(api, info, 2, "indices", 1, &packed.indices, shape);
    if (!status) status = rx_constant(api, info, 3, "bias", 1, &packed.bias, shape);
    if (!status) status = rx_constant(api, info, 4, "scale", 1, &packed.scale, shape);
    if (status) return status;
    if (packed.bias.type != RX_FLOAT || packed.scale.type != RX_FLOAT)
        return rx_refuse(api, "bias, scale: expected floats");
    const size_t count = fields / RX_FIELDS;
    if (!count || fields % RX_FIELDS || lows != count || highs != count || count > RX_LAYERS)
        return rx_refuse(api, "layers: expected %d integers, a min, a max for each of 1 to %d layers",
                         RX_FIELDS, RX_LAYERS);
    rows = malloc(fields * sizeof *rows);
    bounds = malloc(2 * count * sizeof *bounds);
    if (!rows || !bounds) status = rx_refuse(api, "not enough memory");
    if (!status) status = KernelInfoGetAttributeArray_int64(api)(info, "layers", rows, &fields);
    if (!status) status = KernelInfoGetAttributeArray_float(api)(info, "min", bounds, &lows);
    if (!status)
        status = KernelInfoGetAttributeArray_float(api)(info, "max", bounds + count, &highs);
    if (!status)
        status = unpacked(api, rows, bounds, bounds + count, (int)count, n_in, packed, stack);
    free(rows);
    free(bounds);
    return status;
}
