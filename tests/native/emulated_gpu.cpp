// A GPU that is none: libcuda.so.1 and NVRTC as far as the library uses them, with its kernels
// compiled for the host, and a library of operators that gives the CPU the kernels meant for CUDA.
//
// Memory starts as NaN; the shared memory behind what a block asked for must stay as it was.
#include <dlfcn.h>
#include <sys/mman.h>

#include <map>
#include <mutex>
#include <string>

#include "emulated_threads.h"
#include "cuda/layer.h"
#include "cuda/samples.cu"
#include "cuda/tensor.cu"
#include "cuda/kernels.cu"
#include "ort_api.h"

constexpr size_t SHARED = 1 << 18;
float4 memory[SHARED / sizeof(float4)];

// --- what the tests ask for, and what they ask about

static int processors = 132, shared_bytes = 232448, cache_bytes = 50 << 20;
static std::map<std::string, int> counts;
static std::string failing;
static intptr_t device_number = 1;
static std::mutex only_one;

extern "C" {
// Another GPU is at hand from now on.
void emulate(int new_processors, int new_shared, int new_cache) {
    processors = new_processors, shared_bytes = new_shared, cache_bytes = new_cache;
    device_number++;
}
void let_fail(const char *function) { failing = function; }
int calls_of(const char *function) { return counts[function]; }
}

static int called(const char *function) {
    counts[function]++;
    return failing == function ? 2 : 0;
}

// --- the driver

using Arguments = void **;
template <class T> static T argument(Arguments from, int i) { return *(T *)from[i]; }
template <class... T, size_t... I>
static void call(void (*kernel)(T...), Arguments from, std::index_sequence<I...>) {
    kernel(argument<T>(from, I)...);
}
template <class... T> static std::function<void(Arguments)> wrapped(void (*kernel)(T...)) {
    return [=](Arguments from) { call(kernel, from, std::index_sequence_for<T...>()); };
}

struct Function { const char *name; std::function<void(Arguments)> run; unsigned shared; };
#define FUNCTION(NAME) {#NAME, wrapped(NAME), 49152}
static Function functions[] = {FUNCTION(stack_28),  FUNCTION(stack_64), FUNCTION(tensor_28),
                               FUNCTION(tensor_64), FUNCTION(layer_1),  FUNCTION(layer_8),
                               FUNCTION(layer_64),  FUNCTION(turn_in),  FUNCTION(turn_out)};

extern "C" {
int cuInit(unsigned) { return called("cuInit"); }
int cuGetErrorString(int, const char **text) { return *text = "made to fail", 0; }
int cuDeviceGet(int *device, int) { return *device = 0, 0; }
int cuDevicePrimaryCtxRetain(void **context, int) { return *context = (void *)device_number, 0; }
int cuCtxGetCurrent(void **context) { return *context = nullptr, 0; }
int cuCtxGetDevice(int *device) { return *device = 0, 0; }
int cuCtxPushCurrent_v2(void *) { return 0; }
int cuCtxPopCurrent_v2(void **context) { return *context = nullptr, 0; }
int cuModuleLoadData(void **, const void *) { return called("cuModuleLoadData"); }

int cuDeviceGetAttribute(int *value, int attribute, int) {
    *value = attribute == 16   ? processors
             : attribute == 38 ? cache_bytes
             : attribute == 75 ? 9
             : attribute == 76 ? 0
             : attribute == 97 ? shared_bytes
                               : -1;
    return *value < 0;
}

int cuModuleGetFunction(void **function, void *, const char *name) {
    for (Function &known : functions)
        if (!strcmp(known.name, name)) return *function = &known, 0;
    return 1;
}

int cuFuncSetAttribute(void *function, int attribute, int value) {
    ((Function *)function)->shared = (unsigned)value;
    return attribute != 8;
}

// Memory ends where no byte can be read.
int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
    if (called("cuMemAlloc") || !bytes) return 2;
    const size_t pages = (bytes + 4095) / 4096 * 4096;
    char *made = (char *)mmap(nullptr, pages + 8192, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) return 2;
    memcpy(made, &pages, sizeof pages);
    memset(made + 4096, 0xff, pages);
    mprotect(made + 4096 + pages, 4096, PROT_NONE);
    *address = (uint64_t)(made + 4096 + (pages - (bytes + 255) / 256 * 256));
    return 0;
}

int cuMemFree_v2(uint64_t address) {
    char *made = (char *)(address / 4096 * 4096 - 4096);
    size_t pages;
    memcpy(&pages, made, sizeof pages);
    return munmap(made, pages + 8192);
}

int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) {
    return memcpy((void *)to, from, bytes), called("cuMemcpyHtoD");
}

int cuStreamSynchronize(void *) { return called("cuStreamSynchronize"); }

int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void *, void **arguments, void **) {
    Function *known = (Function *)function;
    if (called("cuLaunchKernel") || called(known->name)) return 2;
    if (!gx || !gy || gy > 65535 || gz != 1 || bx > 1024 || by != 1 || bz != 1) return 1;
    if (shared > known->shared) return 1;
    std::lock_guard<std::mutex> guard(only_one);
    blockDim = {bx, 1, 1}, gridDim = {gx, gy, 1};
    std::function<void()> thread = [&] { known->run(arguments); };
    body = &thread;
    for (unsigned y = 0; y < gy; y++)
        for (unsigned x = 0; x < gx; x++) {
            blockIdx = {x, y, 0};
            memset(memory, 0xff, sizeof memory);
            run_block(bx, (x + y) % 2);
            for (const char *at = (char *)memory + shared; at < (char *)memory + SHARED; at++)
                if (*at != '\xff') fprintf(stderr, "%s: shared memory\n", known->name), abort();
        }
    return 0;
}

// --- NVRTC, which has nothing to do

int nvrtcCreateProgram(void **, const char *source, const char *, int, const char *const *,
                       const char *const *) {
    return !strstr(source, "STACK(tensor_64"); // the whole source is there
}
int nvrtcCompileProgram(void *, int, const char *const *) { return called("nvrtcCompileProgram"); }
int nvrtcDestroyProgram(void **) { return 0; }
int nvrtcGetProgramLogSize(void *, size_t *bytes) { return *bytes = 20, 0; }
int nvrtcGetProgramLog(void *, char *text) { return strcpy(text, "1: error: it is so"), 0; }
int nvrtcGetCUBINSize(void *, size_t *bytes) { return *bytes = 1, 0; }
int nvrtcGetCUBIN(void *, char *made) { return *made = 0; }
int nvrtcGetPTXSize(void *, size_t *) { return 1; }
int nvrtcGetPTX(void *, char *) { return 1; }
int nvrtcGetNumSupportedArchs(int *count) { return *count = 2, 0; }
int nvrtcGetSupportedArchs(int *known) { return known[0] = 80, known[1] = 90, 0; }
}

// --- operators: the real library's, with the provider changed on their way to ONNX Runtime

static const OrtApiBase *real;
static OrtApi real_api;
static const char *cpu(const OrtCustomOp *) { return "CPUExecutionProvider"; }

static OrtStatus *add_for_cpu(OrtCustomOpDomain *domain, const OrtCustomOp *given) {
    static std::map<const OrtCustomOp *, OrtCustomOp> changed;
    if (!strcmp(given->GetExecutionProviderType(given), "CPUExecutionProvider")) return nullptr;
    OrtCustomOp &made = changed[given] = *given;
    made.GetExecutionProviderType = cpu;
    return CustomOpDomain_Add(real_api)(domain, &made);
}

static OrtApi changed_api(uint32_t version) {
    static void *slots[278];
    real_api = real->GetApi(version);
    memcpy(slots, real_api, sizeof slots);
    slots[27] = (void *)add_for_cpu;
    return slots;
}

extern "C" OrtStatus *RegisterCustomOps(OrtSessionOptions *options, const OrtApiBase *base) {
    static const OrtApiBase mine = {changed_api, base->GetVersionString};
    using Register = OrtStatus *(*)(OrtSessionOptions *, const OrtApiBase *);
    real = base;
    void *library = dlopen(getenv("RADIXFMT_EMULATED"), RTLD_NOW | RTLD_LOCAL);
    return ((Register)dlsym(library, "RegisterCustomOps"))(options, &mine);
}
