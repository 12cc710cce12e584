/* From the kernels' source, which is part of this library, to machine code: NVRTC. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda.h"

#define EXPORTED __attribute__((visibility("default")))
#define FAIL(...) return snprintf(message, RX_MESSAGE, __VA_ARGS__), NULL

#ifdef __linux__
/* RX_CUDA names the folder, from where the compiler runs. */
__asm__(".pushsection .rodata\n"
        "rx_source: .incbin \"" RX_CUDA "/layer.h\"\n"
        ".incbin \"" RX_CUDA "/samples.cu\"\n"
        ".incbin \"" RX_CUDA "/tensor.cu\"\n"
        ".incbin \"" RX_CUDA "/kernels.cu\"\n"
        ".byte 0\n"
        ".popsection\n");
extern const char rx_source[] __attribute__((visibility("hidden")));
#else
static const char rx_source[] = "";
#endif

static char told[4096];

/* Say where NVRTC is, where the system does not find it by its name. */
EXPORTED void rx_nvrtc_at(const char *path) { snprintf(told, sizeof told, "%s", path); }

typedef void *rx_program;
typedef struct {
    int (*create)(rx_program *program, const char *source, const char *name, int headers,
                  const char *const *texts, const char *const *names);
    int (*compile)(rx_program program, int count, const char *const *options);
    int (*destroy)(rx_program *program);
    int (*log_size)(rx_program program, size_t *bytes);
    int (*log)(rx_program program, char *text);
    int (*image_size)(rx_program program, size_t *bytes);
    int (*image)(rx_program program, char *made);
    int (*text_size)(rx_program program, size_t *bytes);
    int (*text)(rx_program program, char *made);
    int (*count)(int *architectures);
    int (*list)(int *architectures);
} rx_nvrtc;

static const char *const names[] = {
    "nvrtcCreateProgram",        "nvrtcCompileProgram", "nvrtcDestroyProgram",
    "nvrtcGetProgramLogSize",    "nvrtcGetProgramLog",  "nvrtcGetCUBINSize",
    "nvrtcGetCUBIN",             "nvrtcGetPTXSize",     "nvrtcGetPTX",
    "nvrtcGetNumSupportedArchs", "nvrtcGetSupportedArchs",
};
_Static_assert(sizeof names == sizeof(rx_nvrtc), "a name for each function");

static void *opened(void) {
    const char *const known[] = {told, "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"};
    void *found = NULL;
    for (size_t i = 0; !found && i < sizeof known / sizeof *known; i++)
        if (*known[i]) found = dlopen(known[i], RTLD_NOW | RTLD_LOCAL);
    return found;
}

/* The newest architecture that NVRTC knows, up to this one; 0: none. */
static int newest(const rx_nvrtc *nvrtc, int capability) {
    int count = 0, best = 0;
    if (nvrtc->count(&count) || count < 1) return 0;
    int *known = malloc((size_t)count * sizeof *known);
    if (known && !nvrtc->list(known))
        for (int i = 0; i < count; i++)
            if (known[i] <= capability && known[i] > best) best = known[i];
    free(known);
    return best;
}

/* The first error of a log. */
static void complain(const rx_nvrtc *nvrtc, rx_program program, char *message) {
    size_t bytes = 0;
    char *log = NULL;
    if (!nvrtc->log_size(program, &bytes) && bytes && (log = calloc(bytes + 1, 1)))
        nvrtc->log(program, log);
    const char *error = log ? strstr(log, "error") : NULL;
    snprintf(message, RX_MESSAGE, "NVRTC: the CUDA kernels do not compile: %s",
             error ? error : log ? log : "no reason is given");
    free(log);
}

char *rx_compile(int capability, char message[RX_MESSAGE]) {
    rx_nvrtc nvrtc;
    void **functions = (void **)&nvrtc;
    void *library = opened(); /* stays open: what it made may need it */
    if (!library)
        FAIL("NVRTC, which compiles the CUDA kernels, is missing (libnvrtc.so.13 or .12): "
             "pip install nvidia-cuda-nvrtc");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!(functions[i] = dlsym(library, names[i]))) FAIL("NVRTC: %s is missing", names[i]);
    const int best = newest(&nvrtc, capability), exact = best == capability;
    if (!best) FAIL("NVRTC: no code for compute capability %d", capability);
    char architecture[32];
    snprintf(architecture, sizeof architecture, "-arch=%s_%d", exact ? "sm" : "compute", best);
    const char *const options[] = {architecture, "-std=c++17"};
    rx_program program = NULL;
    char *made = NULL;
    size_t bytes = 0;
    if (nvrtc.create(&program, rx_source, "kernels.cu", 0, NULL, NULL))
        FAIL("NVRTC: the program cannot be made");
    if (nvrtc.compile(program, 2, options)) complain(&nvrtc, program, message);
    else if ((exact ? nvrtc.image_size : nvrtc.text_size)(program, &bytes) ||
             !(made = calloc(bytes + 1, 1)) || (exact ? nvrtc.image : nvrtc.text)(program, made)) {
        snprintf(message, RX_MESSAGE, "NVRTC: the CUDA kernels' code is not to be had");
        free(made);
        made = NULL;
    }
    nvrtc.destroy(&program);
    return made;
}
