/* The GPU at hand: the driver's functions, and the kernels made for it. */
#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "cuda.h"

#define FAIL(...) return snprintf(message, RX_MESSAGE, __VA_ARGS__), NULL

/* CUDA's numbers of attributes. */
enum { PROCESSORS = 16, L2_BYTES = 38, MAJOR = 75, MINOR = 76, SHARED_BYTES = 97 };
enum { DYNAMIC_SHARED = 8 };

/* In the order of rx_driver. */
static const char *const functions[] = {
    "cuInit", "cuGetErrorString", "cuDeviceGet",
    "cuDeviceGetAttribute", "cuDevicePrimaryCtxRetain", "cuCtxGetCurrent",
    "cuCtxGetDevice", "cuCtxPushCurrent_v2", "cuCtxPopCurrent_v2",
    "cuModuleLoadData", "cuModuleGetFunction", "cuFuncSetAttribute",
    "cuMemAlloc_v2", "cuMemFree_v2", "cuMemcpyHtoD_v2",
    "cuStreamSynchronize", "cuLaunchKernel",
};
_Static_assert(sizeof functions == sizeof(rx_driver), "a name for each function");

/* In the order of RX_STACK_28 … */
static const char *const kernels[RX_KERNELS] = {
    "stack_28", "stack_64", "tensor_28", "tensor_64", "layer_1",
    "layer_8",  "layer_64", "turn_in",   "turn_out"};

void rx_lock(int *lock) {
    while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE)) sched_yield();
}

void rx_unlock(int *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }

int rx_failed(const rx_driver *driver, int code, const char *what, char message[RX_MESSAGE]) {
    const char *text = NULL;
    if (!code) return 0;
    if (driver->error(code, &text) || !text) text = "unknown error";
    snprintf(message, RX_MESSAGE, "CUDA: %s: %s", what, text);
    return 1;
}

static const rx_driver *loaded(char *message) {
    static rx_driver driver;
    static int done;
    void **slots = (void **)&driver;
    if (done) return &driver;
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) FAIL("CUDA: there is no driver here (libcuda.so.1)");
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!(slots[i] = dlsym(library, functions[i])))
            FAIL("CUDA: the driver is too old: it has no %s", functions[i]);
    if (rx_failed(&driver, driver.init(0), "no GPU can be used", message)) return NULL;
    done = 1;
    return &driver;
}

/* ONNX Runtime makes a device current; if nobody has, the first one is meant. */
static int context_of(const rx_driver *driver, void **context, int *device, char *message) {
    if (rx_failed(driver, driver->current(context), "no context", message)) return 0;
    int code;
    if (*context) code = driver->current_device(device);
    else if (!(code = driver->device(device, 0))) code = driver->retain(context, *device);
    return !rx_failed(driver, code, "no device", message);
}

static int look(rx_gpu *gpu, int device, int *capability, char *message) {
    const int asked[] = {PROCESSORS, L2_BYTES, MAJOR, MINOR, SHARED_BYTES};
    int found[5];
    for (int i = 0; i < 5; i++) {
        const int code = gpu->driver->attribute(found + i, asked[i], device);
        if (rx_failed(gpu->driver, code, "the GPU does not say what it is", message)) return 0;
    }
    gpu->processors = found[0] > 0 ? found[0] : 1;
    gpu->cache = (size_t)found[1];
    gpu->shared = (size_t)found[4];
    *capability = 10 * found[2] + found[3];
    gpu->tensor = *capability >= 80;
    return 1;
}

/* Machine code of another version of CUDA's, or none for so new a GPU, is refused here. */
static int fill(rx_gpu *gpu, const char *image, char *message) {
    const rx_driver *driver = gpu->driver;
    void *module = NULL;
    int code = driver->load(&module, image);
    for (int i = 0; !code && i < RX_KERNELS; i++)
        code = driver->function(gpu->kernels + i, module, kernels[i]);
    for (int i = RX_STACK_28; !code && i <= RX_TENSOR_64; i++)
        code = driver->set(gpu->kernels[i], DYNAMIC_SHARED, (int)gpu->shared);
    return !rx_failed(driver, code, "the kernels cannot be loaded", message);
}

static rx_gpu *made(const rx_driver *driver, void *context, int device, char *message) {
    int capability = 0;
    rx_gpu *gpu = calloc(1, sizeof *gpu);
    if (!gpu) FAIL("not enough memory");
    gpu->driver = driver;
    gpu->context = context;
    char *image = look(gpu, device, &capability, message) ? rx_compile(capability, message) : NULL;
    int ready = image && !rx_failed(driver, driver->push(context), "no context", message);
    if (ready) {
        ready = fill(gpu, image, message);
        driver->pop(&context);
    }
    free(image);
    if (ready) return gpu;
    free(gpu);
    return NULL;
}

rx_gpu *rx_gpu_here(char message[RX_MESSAGE]) {
    static int lock;
    static rx_gpu *known;
    rx_gpu *found = NULL;
    void *context = NULL;
    int device = 0;
    rx_lock(&lock);
    const rx_driver *driver = loaded(message);
    if (driver && context_of(driver, &context, &device, message)) {
        for (found = known; found && found->context != context;) found = found->next;
        if (!found && (found = made(driver, context, device, message))) {
            found->next = known;
            known = found;
        }
    }
    rx_unlock(&lock);
    return found;
}
