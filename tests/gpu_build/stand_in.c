/* Answers in place of CUDA's libraries, as far as a session asks while it places nodes: memory is the host's,
 * kernels do nothing, and every other function succeeds (generated: it returns 0). Numbers that come out of a
 * run are meaningless; which provider a node is placed on is not. */
#include <stdlib.h>
#include <string.h>

static char handle[1 << 16];

/* Devices: one, of compute capability 9.0. The offsets are those of CUDA 13's cudaDeviceProp. */
int cudaGetDeviceCount(int *count) { *count = 1; return 0; }
int cudaGetDevice(int *device) { *device = 0; return 0; }
int cudaDriverGetVersion(int *version) { *version = 13000; return 0; }
int cudaRuntimeGetVersion(int *version) { *version = 13000; return 0; }
int cudaDeviceGetAttribute(int *value, int attribute, int device) {
    enum { MULTIPROCESSORS = 16, MAJOR = 75, MINOR = 76 };
    (void)device;
    *value = attribute == MAJOR ? 9 : attribute == MINOR ? 0 : attribute == MULTIPROCESSORS ? 132 : 1024;
    return 0;
}
int cudaGetDeviceProperties(char *properties, int device) {
    enum { TOTAL_MEMORY = 288, SHARED_MEMORY = 296, REGISTERS = 304, WARP_SIZE = 308, THREADS = 320,
           BLOCK = 324, GRID = 336, MAJOR = 360, SIZE = 1008 };
    (void)device;
    memset(properties, 0, SIZE);
    strcpy(properties, "stand-in");
    *(size_t *)(properties + TOTAL_MEMORY) = (size_t)1 << 36;
    *(size_t *)(properties + SHARED_MEMORY) = 49152;
    *(int *)(properties + REGISTERS) = 65536;
    *(int *)(properties + WARP_SIZE) = 32;
    *(int *)(properties + THREADS) = 1024;
    for (int i = 0; i < 3; i++) {
        ((int *)(properties + BLOCK))[i] = 1024;
        ((int *)(properties + GRID))[i] = 65535;
    }
    *(int *)(properties + MAJOR) = 9;
    return 0;
}

/* Memory. */
static int allocate(void **memory, size_t size) { *memory = calloc(1, size ? size : 1); return *memory ? 0 : 2; }
int cudaMalloc(void **memory, size_t size) { return allocate(memory, size); }
int cudaMallocHost(void **memory, size_t size) { return allocate(memory, size); }
int cudaHostAlloc(void **memory, size_t size, unsigned flags) { (void)flags; return allocate(memory, size); }
int cudaMallocFromPoolAsync(void **memory, size_t size, void *pool, void *stream) {
    (void)pool; (void)stream;
    return allocate(memory, size);
}
int cudaFree(void *memory) { free(memory); return 0; }
int cudaFreeHost(void *memory) { free(memory); return 0; }
int cudaFreeAsync(void *memory, void *stream) { (void)stream; free(memory); return 0; }
int cudaMemcpy(void *to, const void *from, size_t size, int kind) { (void)kind; memcpy(to, from, size); return 0; }
int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream) {
    (void)kind; (void)stream;
    memcpy(to, from, size);
    return 0;
}
int cudaMemset(void *memory, int byte, size_t size) { memset(memory, byte, size); return 0; }
int cudaMemsetAsync(void *memory, int byte, size_t size, void *stream) {
    (void)stream;
    memset(memory, byte, size);
    return 0;
}
int cudaMemGetInfo(size_t *unused, size_t *total) { *unused = *total = (size_t)1 << 36; return 0; }
int cudaMemPoolGetAttribute(void *pool, int attribute, size_t *value) { (void)pool; (void)attribute; *value = 0; return 0; }
int cudaPointerGetAttributes(void *attributes, const void *memory) { (void)memory; memset(attributes, 0, 32); return 0; }

/* Whatever is made by its address. */
static int make(void **made) { *made = handle; return 0; }
int cudaStreamCreate(void **made) { return make(made); }
int cudaStreamCreateWithFlags(void **made, unsigned flags) { (void)flags; return make(made); }
int cudaEventCreate(void **made) { return make(made); }
int cudaEventCreateWithFlags(void **made, unsigned flags) { (void)flags; return make(made); }
int cudaMemPoolCreate(void **made, const void *properties) { (void)properties; return make(made); }
int cublasCreate_v2(void **made) { return make(made); }
int cublasLtCreate(void **made) { return make(made); }
int cublasLtMatmulDescCreate(void **made) { return make(made); }
int cublasLtMatmulPreferenceCreate(void **made) { return make(made); }
int cublasLtMatrixLayoutCreate(void **made) { return make(made); }
int cublasLtMatrixTransformDescCreate(void **made) { return make(made); }
int cudnnCreate(void **made) { return make(made); }
int cudaLibraryLoadData(void **made) { return make(made); }
int cudaLibraryGetKernel(void **made) { return make(made); }
int __cudaGetKernel(void **made) { return make(made); }
void **__cudaRegisterFatBinary(void *code) { static void *made = handle; (void)code; return &made; }

/* Questions with an answer other than 0. */
int cudaStreamIsCapturing(void *stream, int *capturing) { (void)stream; *capturing = 0; return 0; }
int cudaFuncGetAttributes(void *attributes, const void *function) { (void)function; memset(attributes, 0, 64); return 0; }
int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks) { *blocks = 1; return 0; }
int cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned version, unsigned long long flags,
                                     int *found) {
    enum { SYMBOL_NOT_FOUND = 1 };
    (void)name; (void)version; (void)flags;
    *function = NULL;
    if (found) *found = SYMBOL_NOT_FOUND;
    return 0;
}
int cublasGetMathMode(void *blas, int *mode) { (void)blas; *mode = 0; return 0; }
int cublasLtMatmulAlgoGetHeuristic(void *blas, void *product, void *a, void *b, void *c, void *d, void *preference,
                                   int wanted, void *results, int *found) {
    (void)blas; (void)product; (void)a; (void)b; (void)c; (void)d; (void)preference; (void)wanted;
    memset(results, 0, 64);
    *found = 1;
    return 0;
}
size_t cudnnGetVersion(void) { return 91400; }
size_t cudnnGetCudartVersion(void) { return 13000; }
const char *cudaGetErrorString(int error) { (void)error; return "stand-in"; }
const char *cudaGetErrorName(int error) { (void)error; return "stand-in"; }
const char *cublasGetStatusName(int error) { (void)error; return "stand-in"; }
const char *cublasGetStatusString(int error) { (void)error; return "stand-in"; }
const char *cudnnGetErrorString(int error) { (void)error; return "stand-in"; }
