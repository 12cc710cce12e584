/* The operators as ONNX Runtime sees them: registration, kernels, shapes. */
#include <stdio.h>
#include <stdlib.h>

#include "kernels.h"
#include "operator.h"

#define DOMAIN "ai.radixfmt"
#define EXPORTED __attribute__((visibility("default")))

typedef struct {
    OrtApi api;
    rx_stack *stack;
} rx_kernel;

/* ONNX Runtime hands shapes to a function without the table of its API. */
static OrtApi the_api;

static const char *name_of(const OrtCustomOp *op) { return op->form->name; }
static const char *provider_of(const OrtCustomOp *op) { return (void)op, "CPUExecutionProvider"; }
static size_t inputs_of(const OrtCustomOp *op) { return op->form->inputs; }
static size_t outputs_of(const OrtCustomOp *op) { return (void)op, 1; }
/* Constants come in several types, which are looked at when the kernel is made. */
static int input_type(const OrtCustomOp *op, size_t i) { return (void)op, i ? 0 : RX_FLOAT; }
static int output_type(const OrtCustomOp *op, size_t i) { return (void)op, (void)i, RX_FLOAT; }
static int required(const OrtCustomOp *op, size_t i) { return (void)op, (void)i, 0; }
static int in_memory(const OrtCustomOp *op, size_t i) { return (void)op, (void)i, 0; }
static int one(const OrtCustomOp *op) { return (void)op, 1; }

static OrtStatus *create(const OrtCustomOp *op, OrtApi api, const OrtKernelInfo *info,
                         void **made) {
    rx_kernel *kernel = calloc(1, sizeof *kernel);
    if (!kernel) return rx_refuse(api, "not enough memory");
    OrtStatus *status = op->form->read(api, info, op->form->form, &kernel->stack);
    kernel->api = api;
    if (status) free(kernel);
    else *made = kernel;
    return status;
}

static void destroy(void *made) {
    rx_kernel *kernel = made;
    rx_release(kernel->stack);
    free(kernel);
}

typedef struct {
    OrtApi api;
    OrtKernelContext *context;
    OrtStatus *status;
} rx_call;

static void on_all_threads(void *context, void (*work)(void *, size_t), size_t count, void *data) {
    rx_call *call = context;
    call->status = KernelContext_ParallelFor(call->api)(call->context, work, count, 0, data);
}

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

static OrtStatus *compute(void *made, OrtKernelContext *context) {
    const rx_kernel *kernel = made;
    OrtApi api = kernel->api;
    rx_stack *stack = kernel->stack;
    rx_tensors tensors;
    OrtStatus *status = rx_read_tensors(api, context, stack->n_in, stack->n_out, &tensors);
    if (status) return status;
    rx_call call = {api, context, NULL};
    const rx_pool pool = {on_all_threads, &call};
    const int failed = rx_run(stack, tensors.x, tensors.y, tensors.batch, &pool);
    if (call.status) return call.status;
    return failed ? rx_refuse(api, "not enough memory for the activations") : NULL;
}

/* Neurons of the output: the length of the bias, or of a stack the last layer's. */
static int64_t width(const OrtCustomOp *op, OrtShapeInferContext *context) {
    OrtApi api = the_api;
    OrtStatus *status = NULL;
    int64_t found = -1;
    if (op->form->form >= 0) {
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

/* The kernel has the last word. ONNX Runtime takes an open size without a name for the size -1:
   a shape is told whole or not at all. */
static OrtStatus *infer(const OrtCustomOp *op, OrtShapeInferContext *context) {
    OrtApi api = the_api;
    OrtShape *x = NULL, *y = NULL;
    size_t rank = 0;
    int64_t sizes[2] = {-1, -1};
    const char *names[2] = {"", ""};
    OrtStatus *status = ShapeInferContext_GetInputTypeShape(api)(context, 0, &x);
    if (!status) status = GetDimensionsCount(api)(x, &rank);
    if (!status && rank == 2) {
        status = GetDimensions(api)(x, sizes, 2);
        if (!status) status = GetSymbolicDimensions(api)(x, names, 2);
    }
    if (status) {
        ReleaseStatus(api)(status);
        return NULL;
    }
    sizes[1] = width(op, context);
    if (sizes[1] < 0 || (sizes[0] < 0 && !names[0][0])) return NULL;
    names[1] = "";
    status = CreateTensorTypeAndShapeInfo(api)(&y);
    if (status) return status;
    status = SetTensorElementType(api)(y, RX_FLOAT);
    if (!status) status = SetDimensions(api)(y, sizes, 2);
    if (!status) status = SetSymbolicDimensions(api)(y, names, 2);
    if (!status) status = ShapeInferContext_SetOutputTypeShape(api)(context, 0, y);
    ReleaseShape(api)(y);
    return status;
}

#define OPERATOR(FORM, PROVIDER, MEMORY, CREATE, COMPUTE, DESTROY)                                \
    {.version = ORT_API, .GetName = name_of, .GetExecutionProviderType = PROVIDER,                \
     .GetInputType = input_type, .GetInputTypeCount = inputs_of, .GetOutputType = output_type,    \
     .GetOutputTypeCount = outputs_of, .KernelDestroy = DESTROY,                                  \
     .GetInputCharacteristic = required, .GetOutputCharacteristic = required,                     \
     .GetInputMemoryType = MEMORY, .GetVariadicInputMinArity = one,                               \
     .GetVariadicInputHomogeneity = one, .GetVariadicOutputMinArity = one,                        \
     .GetVariadicOutputHomogeneity = one, .CreateKernelV2 = CREATE, .KernelComputeV2 = COMPUTE,   \
     .InferOutputShape = infer, .GetStartVersion = one, .GetEndVersion = one, .form = FORM}
#define CPU(FORM) OPERATOR(FORM, provider_of, in_memory, create, compute, destroy)
#define CUDA(FORM)                                                                                \
    OPERATOR(FORM, rx_cuda_provider, rx_cuda_memory, rx_cuda_create, rx_cuda_compute,             \
             rx_cuda_destroy)

static const struct rx_form forms[] = {
    {"SparseLinear", RX_ROWS, 6, rx_read_layer},
    {"BlockLinear", RX_BLOCKS, 6, rx_read_layer},
    {"SparseStack", -1, 5, rx_read_stack},
};
const OrtCustomOp rx_operators[RX_OPERATORS] = {CPU(forms),  CPU(forms + 1),  CPU(forms + 2),
                                                CUDA(forms), CUDA(forms + 1), CUDA(forms + 2)};

/* What ONNX Runtime looks for in a library of operators. The domain lives as long as the
   process. */
EXPORTED OrtStatus *RegisterCustomOps(OrtSessionOptions *options, const OrtApiBase *base) {
    OrtApi api = base->GetApi(ORT_API);
    if (!api) {
        api = base->GetApi(1);
        return rx_refuse(api, "ai.radixfmt: expected ONNX Runtime 1.%d or newer, got %s", ORT_API,
                         base->GetVersionString());
    }
    the_api = api;
    OrtCustomOpDomain *domain = NULL;
    OrtStatus *status = CreateCustomOpDomain(api)(DOMAIN, &domain);
    for (size_t i = 0; !status && i < RX_OPERATORS; i++)
        status = CustomOpDomain_Add(api)(domain, rx_operators + i);
    return status ? status : AddCustomOpDomain(api)(options, domain);
}

/* The instruction set that is used. */
EXPORTED const char *rx_instructions(void) { return rx_best()->name; }
