/* The operators as ONNX Runtime sees them: registration, kernels, shapes. */
#include <stdio.h>
#include <stdlib.h>

#include "convolution.h"
#include "kernels.h"
#include "operator.h"

#define DOMAIN "ai.radixfmt"
#define EXPORTED __attribute__((visibility("default")))

typedef struct {
    OrtApi api;
    const struct rx_form *form;
    void *made;
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
    OrtStatus *status = op->form->read(api, info, op->form->form, &kernel->made);
    kernel->api = api;
    kernel->form = op->form;
    if (status) free(kernel);
    else *made = kernel;
    return status;
}

static void destroy(void *made) {
    rx_kernel *kernel = made;
    kernel->form->release(kernel->made);
    free(kernel);
}

static OrtStatus *compute(void *made, OrtKernelContext *context) {
    const rx_kernel *kernel = made;
    return kernel->form->compute(kernel->api, kernel->made, context);
}

static void on_all_threads(void *context, void (*work)(void *, size_t), size_t count, void *data) {
    rx_threads *threads = context;
    threads->status =
        KernelContext_ParallelFor(threads->api)(threads->context, work, count, 0, data);
}

rx_pool rx_pool_of(rx_threads *threads) { return (rx_pool){on_all_threads, threads}; }

/* The kernel has the last word. ONNX Runtime takes an open size without a name for the size -1:
   a shape is told whole or not at all. */
static OrtStatus *infer(const OrtCustomOp *op, OrtShapeInferContext *context) {
    OrtApi api = the_api;
    OrtShape *x = NULL, *y = NULL;
    size_t rank = 0;
    int64_t sizes[RX_RANK] = {-1, -1, -1, -1, -1};
    const char *names[RX_RANK] = {"", "", "", "", ""};
    OrtStatus *status = ShapeInferContext_GetInputTypeShape(api)(context, 0, &x);
    if (!status) status = GetDimensionsCount(api)(x, &rank);
    if (!status && rank <= RX_RANK) {
        status = GetDimensions(api)(x, sizes, rank);
        if (!status) status = GetSymbolicDimensions(api)(x, names, rank);
    }
    if (status) {
        ReleaseStatus(api)(status);
        return NULL;
    }
    if (rank > RX_RANK || !op->form->shape(api, op->form->form, context, rank, sizes, names))
        return NULL;
    for (size_t i = 0; i < rank; i++)
        if (sizes[i] < 0 && !names[i][0]) return NULL;
    status = CreateTensorTypeAndShapeInfo(api)(&y);
    if (status) return status;
    status = SetTensorElementType(api)(y, RX_FLOAT);
    if (!status) status = SetDimensions(api)(y, sizes, rank);
    if (!status) status = SetSymbolicDimensions(api)(y, names, rank);
    if (!status) status = ShapeInferContext_SetOutputTypeShape(api)(context, 0, y);
    ReleaseShape(api)(y);
    return status;
}

#define OPERATOR(FORM, TF32, PROVIDER, MEMORY, CREATE, COMPUTE, DESTROY)                          \
    {.version = ORT_API, .GetName = name_of, .GetExecutionProviderType = PROVIDER,                \
     .GetInputType = input_type, .GetInputTypeCount = inputs_of, .GetOutputType = output_type,    \
     .GetOutputTypeCount = outputs_of, .KernelDestroy = DESTROY,                                  \
     .GetInputCharacteristic = required, .GetOutputCharacteristic = required,                     \
     .GetInputMemoryType = MEMORY, .GetVariadicInputMinArity = one,                               \
     .GetVariadicInputHomogeneity = one, .GetVariadicOutputMinArity = one,                        \
     .GetVariadicOutputHomogeneity = one, .CreateKernelV2 = CREATE, .KernelComputeV2 = COMPUTE,   \
     .InferOutputShape = infer, .GetStartVersion = one, .GetEndVersion = one, .form = FORM,      \
     .tf32 = TF32}
#define CPU(FORM) OPERATOR(FORM, 0, provider_of, in_memory, create, compute, destroy)
#define CUDA(FORM, TF32)                                                                          \
    OPERATOR(FORM, TF32, rx_cuda_provider, rx_cuda_memory, rx_cuda_create, rx_cuda_compute,       \
             rx_cuda_destroy)

static void release_stack(void *made) { rx_release(made); }
static void release_convolution(void *made) { rx_conv_release(made); }

#define STACK release_stack, rx_compute_stack, rx_shape_stack
#define CONVOLUTION release_convolution, rx_compute_convolution, rx_shape_convolution

static const struct rx_form forms[] = {
    {"SparseLinear", RX_ROWS, 6, rx_read_layer, STACK},
    {"BlockLinear", RX_BLOCKS, 6, rx_read_layer, STACK},
    {"SparseStack", -1, 5, rx_read_stack, STACK},
    {"SparseConv", -1, 6, rx_read_convolution, CONVOLUTION},
};
const OrtCustomOp rx_operators[RX_OPERATORS] = {
    CPU(forms),     CPU(forms + 1),     CPU(forms + 2),     CPU(forms + 3),
    CUDA(forms, 0), CUDA(forms + 1, 0), CUDA(forms + 2, 0),
    CUDA(forms, 1), CUDA(forms + 1, 1), CUDA(forms + 2, 1),
};

/* Whether a session made with these options asks for TF32. */
static int asks_tf32(OrtApi api, const OrtSessionOptions *options) {
    char value[2] = "";
    size_t bytes = sizeof value;
    OrtStatus *status = GetSessionConfigEntry(api)(options, RX_TF32, value, &bytes);
    if (!status) return value[0] == '1';
    ReleaseStatus(api)(status); /* there is no such entry */
    return 0;
}

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
    const int tf32 = asks_tf32(api, options);
    for (const OrtCustomOp *op = rx_operators; !status && op < rx_operators + RX_OPERATORS; op++)
        if (op->tf32 == tf32 || op->CreateKernelV2 == create) /* on a CPU nothing is rounded */
            status = CustomOpDomain_Add(api)(domain, op);
    return status ? status : AddCustomOpDomain(api)(options, domain);
}

/* The instruction set that is used. */
EXPORTED const char *rx_instructions(void) { return rx_best()->name; }
