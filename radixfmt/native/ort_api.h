/* What is used of ONNX Runtime's C API, declared here because its packages bring no headers.

   OrtApi is a table of function pointers that is only ever appended to, so a slot's number never
   changes. The numbers follow the order of the public header; the tests exercise each, with ONNX
   Runtime 1.23 and 1.31. The newest one came with API 17, which is what is asked for. */
#ifndef RADIXFMT_ORT_API_H
#define RADIXFMT_ORT_API_H

#include <stddef.h>
#include <stdint.h>

#define ORT_API 17

typedef void *const *OrtApi;
typedef struct {
    OrtApi (*GetApi)(uint32_t version);
    const char *(*GetVersionString)(void);
} OrtApiBase;

typedef struct OrtStatus OrtStatus;
typedef struct OrtValue OrtValue;
typedef struct OrtKernelInfo OrtKernelInfo;
typedef struct OrtKernelContext OrtKernelContext;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtCustomOpDomain OrtCustomOpDomain;
typedef struct OrtShape OrtShape; /* OrtTensorTypeAndShapeInfo */
typedef struct OrtShapeInferContext OrtShapeInferContext;
typedef struct OrtOpAttr OrtOpAttr;

enum { ORT_FAIL = 1, ORT_INVALID_ARGUMENT = 2, ORT_INVALID_GRAPH = 10 };
enum { ORT_ATTRIBUTE_INTS = 2 };

#define ORT(api, slot, ...) ((OrtStatus * (*)(__VA_ARGS__))(api)[slot])
#define CreateStatus(api) ORT(api, 0, int, const char *)
#define CreateCustomOpDomain(api) ORT(api, 26, const char *, OrtCustomOpDomain **)
#define CustomOpDomain_Add(api) ORT(api, 27, OrtCustomOpDomain *, const OrtCustomOp *)
#define AddCustomOpDomain(api) ORT(api, 28, OrtSessionOptions *, OrtCustomOpDomain *)
#define GetTensorMutableData(api) ORT(api, 51, const OrtValue *, void **)
#define CreateTensorTypeAndShapeInfo(api) ORT(api, 57, OrtShape **)
#define SetTensorElementType(api) ORT(api, 58, OrtShape *, int)
#define SetDimensions(api) ORT(api, 59, OrtShape *, const int64_t *, size_t)
#define GetTensorElementType(api) ORT(api, 60, const OrtShape *, int *)
#define GetDimensionsCount(api) ORT(api, 61, const OrtShape *, size_t *)
#define GetDimensions(api) ORT(api, 62, const OrtShape *, int64_t *, size_t)
#define GetSymbolicDimensions(api) ORT(api, 63, const OrtShape *, const char **, size_t)
#define GetTensorTypeAndShape(api) ORT(api, 65, const OrtValue *, OrtShape **)
#define KernelInfoGetAttribute_float(api) ORT(api, 85, const OrtKernelInfo *, const char *, float *)
#define KernelInfoGetAttribute_int64(api) \
    ORT(api, 86, const OrtKernelInfo *, const char *, int64_t *)
#define KernelContext_GetInput(api) \
    ORT(api, 90, const OrtKernelContext *, size_t, const OrtValue **)
#define KernelContext_GetOutput(api) \
    ORT(api, 91, OrtKernelContext *, size_t, const int64_t *, size_t, OrtValue **)
#define ReleaseStatus(api) ((void (*)(OrtStatus *))(api)[93])
#define ReleaseShape(api) ((void (*)(OrtShape *))(api)[99])
#define KernelInfoGetAttributeArray_float(api) \
    ORT(api, 162, const OrtKernelInfo *, const char *, float *, size_t *)
#define KernelInfoGetAttributeArray_int64(api) \
    ORT(api, 163, const OrtKernelInfo *, const char *, int64_t *, size_t *)
#define KernelContext_GetGPUComputeStream(api) ORT(api, 193, const OrtKernelContext *, void **)
#define GetSessionConfigEntry(api) \
    ORT(api, 238, const OrtSessionOptions *, const char *, char *, size_t *)
#define KernelInfoGetConstantInput_tensor(api) \
    ORT(api, 249, const OrtKernelInfo *, size_t, int *, const OrtValue **)
#define ShapeInferContext_GetInputTypeShape(api) \
    ORT(api, 268, const OrtShapeInferContext *, size_t, OrtShape **)
#define ShapeInferContext_GetAttribute(api) \
    ORT(api, 269, const OrtShapeInferContext *, const char *, const OrtOpAttr **)
#define ShapeInferContext_SetOutputTypeShape(api) \
    ORT(api, 270, const OrtShapeInferContext *, size_t, const OrtShape *)
#define SetSymbolicDimensions(api) ORT(api, 271, OrtShape *, const char **, size_t)
#define ReadOpAttr(api) ORT(api, 272, const OrtOpAttr *, int, void *, size_t, size_t *)
#define KernelContext_ParallelFor(api) \
    ORT(api, 274, const OrtKernelContext *, void (*)(void *, size_t), size_t, size_t, void *)

/* A custom operator, as of API 17 and later. */
typedef struct OrtCustomOp OrtCustomOp;
struct OrtCustomOp {
    uint32_t version;
    void *(*CreateKernel)(const OrtCustomOp *, OrtApi, const OrtKernelInfo *);
    const char *(*GetName)(const OrtCustomOp *);
    const char *(*GetExecutionProviderType)(const OrtCustomOp *);
    int (*GetInputType)(const OrtCustomOp *, size_t);
    size_t (*GetInputTypeCount)(const OrtCustomOp *);
    int (*GetOutputType)(const OrtCustomOp *, size_t);
    size_t (*GetOutputTypeCount)(const OrtCustomOp *);
    void (*KernelCompute)(void *, OrtKernelContext *);
    void (*KernelDestroy)(void *);
    int (*GetInputCharacteristic)(const OrtCustomOp *, size_t);
    int (*GetOutputCharacteristic)(const OrtCustomOp *, size_t);
    int (*GetInputMemoryType)(const OrtCustomOp *, size_t);
    int (*GetVariadicInputMinArity)(const OrtCustomOp *);
    int (*GetVariadicInputHomogeneity)(const OrtCustomOp *);
    int (*GetVariadicOutputMinArity)(const OrtCustomOp *);
    int (*GetVariadicOutputHomogeneity)(const OrtCustomOp *);
    OrtStatus *(*CreateKernelV2)(const OrtCustomOp *, OrtApi, const OrtKernelInfo *, void **);
    OrtStatus *(*KernelComputeV2)(void *, OrtKernelContext *);
    OrtStatus *(*InferOutputShape)(const OrtCustomOp *, OrtShapeInferContext *);
    int (*GetStartVersion)(const OrtCustomOp *);
    int (*GetEndVersion)(const OrtCustomOp *);
    size_t (*GetMayInplace)(int **, int **);
    void (*ReleaseMayInplace)(int *, int *);
    size_t (*GetAliasMap)(int **, int **);
    void (*ReleaseAliasMap)(int *, int *);
    /* a form of its own, behind what ONNX Runtime knows */
    const struct rx_form *form;
    int tf32; /* CUDA: the session lets factors be rounded */
};

#endif
