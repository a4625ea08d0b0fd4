// SPDX-License-Identifier: Apache-2.0
// A GPU made of one CPU thread, for tests: the functions of libcuda and libnvrtc that BAGEL calls. "Machine code"
// is a shared object that clang makes of the same CUDA C++, with emulated_device.h in front. Every GPU thread
// is a fibre; warps meet at shuffles, blocks at __syncthreads. So it runs everything but the hardware: indices,
// layouts, barriers, sums. Memory ends at a page that may not be touched and begins as NaN.
//
// emulated_cuda_fail(call, code) makes such calls fail from now on, for the tests of errors.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <setjmp.h>
#include <ucontext.h>
#include <unistd.h>

// MARK: failures on demand

static char failing_call[64];
static int failing_code;

void emulated_cuda_fail(const char *call, int code) {
  snprintf(failing_call, sizeof failing_call, "%s", call);
  failing_code = code;
}
static int outcome(const char *call) { return strcmp(call, failing_call) ? 0 : failing_code; }
#define MAY_FAIL do { int code = outcome(__func__); if (code) return code; } while (0)

// MARK: fibres

enum { LARGEST_BLOCK = 1024, STACK = 512 << 10 };
struct position { unsigned x, y, z; };
// What the kernel's object sees of the thread that runs.
struct emulation {
  struct position thread, block, block_size, grid;
  unsigned (*shuffle)(unsigned value, int lane);
  void (*warp_barrier)(void);
  void (*block_barrier)(void);
};

static void (*kernel)(void *);
static void *kernel_argument;
static struct emulation *emulation;
static ucontext_t fibre[LARGEST_BLOCK];
// Where the scheduler and each fibre go on: swapcontext asks the system for its signal mask at every switch, which took ten times as long.
static jmp_buf scheduler, place[LARGEST_BLOCK];
static char *stacks;
static int running, threads, started[LARGEST_BLOCK], finished[LARGEST_BLOCK];
static unsigned exchanged[LARGEST_BLOCK];
// Arrivals at the barrier of a warp (or the block, last), and how often it opened.
static int arrived[LARGEST_BLOCK / 32 + 1], opened[LARGEST_BLOCK / 32 + 1], members[LARGEST_BLOCK / 32 + 1];

static void yield(void) {
  if (!_setjmp(place[running])) _longjmp(scheduler, 1);
}
static void resume(void) {
  if (_setjmp(scheduler)) return;
  if (started[running]) _longjmp(place[running], 1);
  started[running] = 1;
  setcontext(&fibre[running]);
}

static void barrier(int which) {
  int generation = opened[which];
  if (++arrived[which] == members[which]) {
    arrived[which] = 0;
    ++opened[which];
  }
  while (opened[which] == generation) yield();
}
static void warp_barrier(void) { barrier(running / 32); }
static void block_barrier(void) { barrier(LARGEST_BLOCK / 32); }
static unsigned shuffle(unsigned value, int lane) {
  int me = running;
  exchanged[me] = value;
  warp_barrier();
  unsigned result = exchanged[me / 32 * 32 + lane];
  warp_barrier();
  return result;
}

static void leave(int which) {
  // A thread that returned no longer takes part.
  --members[which];
  if (members[which] > 0 && arrived[which] == members[which]) {
    arrived[which] = 0;
    ++opened[which];
  }
}
static void body(void) {
  kernel(kernel_argument);
  finished[running] = 1;
  leave(running / 32);
  leave(LARGEST_BLOCK / 32);
  yield();
}

static int run_block(void) {
  if (!stacks) stacks = mmap(NULL, (size_t)STACK * LARGEST_BLOCK, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  memset(started, 0, sizeof started);
  memset(finished, 0, sizeof finished);
  memset(arrived, 0, sizeof arrived);
  for (int w = 0; w < threads / 32; ++w) members[w] = 32;
  members[LARGEST_BLOCK / 32] = threads;
  for (int i = 0; i < threads; ++i) {
    getcontext(&fibre[i]);
    fibre[i].uc_stack.ss_sp = stacks + (size_t)STACK * i;
    fibre[i].uc_stack.ss_size = STACK;
    fibre[i].uc_link = NULL;  // a body ends in the scheduler
    makecontext(&fibre[i], body, 0);
  }
  int left = threads;
  while (left > 0) {
    int before = left;
    long progress = 0;
    for (int w = 0; w <= LARGEST_BLOCK / 32; ++w) progress += opened[w];
    left = 0;
    for (running = 0; running < threads; ++running) {
      if (finished[running]) continue;
      emulation->thread.x = running;
      resume();
      if (!finished[running]) ++left;
    }
    for (int w = 0; w <= LARGEST_BLOCK / 32; ++w) progress -= opened[w];
    if (left == before && progress == 0) return 719;  // threads wait at different barriers
  }
  return 0;
}

// MARK: libcuda

int cuInit(unsigned flags) { MAY_FAIL; return 0; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int index) { MAY_FAIL; *device = index; return 0; }
int cuDeviceGetName(char *name, int length, int device) {
  snprintf(name, length, "emulated GPU");
  return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  *value = attribute == 16 ? 4 : attribute == 75 ? 9 : 0;
  return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)1 << 32; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { MAY_FAIL; *context = &scheduler; return 0; }
int cuCtxSetCurrent(void *context) { return 0; }
int cuStreamCreate(void **stream, unsigned flags) { *stream = &scheduler; return 0; }
int cuStreamSynchronize(void *stream) { MAY_FAIL; return 0; }
int cuMemGetInfo_v2(size_t *free, size_t *total) {
  *free = (size_t)1 << 30;
  *total = (size_t)1 << 32;
  return 0;
}

static size_t rounded(size_t bytes) { return (bytes + 255) / 256 * 256; }
static const size_t page = 4096;
struct allocation { uint64_t address; void *start; size_t length; struct allocation *next; };
static struct allocation *allocations;

int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  MAY_FAIL;
  size_t used = (rounded(bytes) + page - 1) / page * page;
  char *start = mmap(NULL, used + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return 2;
  mprotect(start + used, page, PROT_NONE);
  memset(start, 0xff, used);
  struct allocation *a = malloc(sizeof *a);
  *a = (struct allocation){(uint64_t)(start + used - rounded(bytes)), start, used + page, allocations};
  allocations = a;
  *address = a->address;
  return 0;
}
int cuMemFree_v2(uint64_t address) {
  for (struct allocation **a = &allocations; *a; a = &(*a)->next)
    if ((*a)->address == address) {
      struct allocation *found = *a;
      *a = found->next;
      munmap(found->start, found->length);
      free(found);
      return 0;
    }
  return 1;
}
int cuMemsetD8Async(uint64_t address, unsigned char value, size_t bytes, void *stream) {
  memset((void *)address, value, bytes);
  return 0;
}
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream) {
  MAY_FAIL;
  memcpy((void *)to, from, bytes);
  return 0;
}
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream) {
  memcpy(to, (const void *)from, bytes);
  return 0;
}

// The "machine code": 8 bytes of length, then the object.
int cuModuleLoadData(void **module, const void *code) {
  MAY_FAIL;
  uint64_t length;
  memcpy(&length, code, 8);
  char path[] = "/tmp/emulated-cuda-XXXXXX";
  int file = mkstemp(path);
  if (write(file, (const char *)code + 8, length) != (ssize_t)length) return 999;
  close(file);
  *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!*module) fprintf(stderr, "emulated CUDA: %s\n", dlerror());
  unlink(path);
  return *module ? 0 : 200;
}
struct function { void (*body)(void *); struct emulation *emulation; };
int cuModuleGetFunction(void **function, void *module, const char *name) {
  char symbol[128];
  snprintf(symbol, sizeof symbol, "emulate_%s", name);
  struct function *f = malloc(sizeof *f);
  f->body = (void (*)(void *))dlsym(module, symbol);
  f->emulation = dlsym(module, "emulation");
  *function = f;
  return f->body && f->emulation ? 0 : 500;
}
int cuFuncGetAttribute(int *value, int attribute, void *function) { *value = 0; return 0; }
int cuLaunchKernel(void *handle, unsigned x, unsigned y, unsigned z, unsigned block, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **arguments, void **extra) {
  MAY_FAIL;
  struct function *f = handle;
  if (block % 32 || block > LARGEST_BLOCK || x == 0) return 1;
  kernel = f->body;
  kernel_argument = arguments[0];
  emulation = f->emulation;
  threads = block;
  *emulation = (struct emulation){
    .block_size = {block, 1, 1}, .grid = {x, 1, 1}, .shuffle = shuffle, .warp_barrier = warp_barrier,
    .block_barrier = block_barrier};
  for (unsigned b = 0; b < x; ++b) {
    emulation->block.x = b;
    int code = run_block();
    if (code) return code;
  }
  return 0;
}
int cuGetErrorName(int code, const char **name) {
  *name = code == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : code == 100 ? "CUDA_ERROR_NO_DEVICE"
        : code == 222 ? "CUDA_ERROR_UNSUPPORTED_PTX_VERSION" : code == 719 ? "CUDA_ERROR_LAUNCH_FAILED"
        : code == 803 ? "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" : "CUDA_ERROR_UNKNOWN";
  return 0;
}

// MARK: libnvrtc

struct program { char *source, *code, *log; size_t size; };

int nvrtcVersion(int *major, int *minor) { *major = 13; *minor = 0; return 0; }
int nvrtcGetNumSupportedArchs(int *count) { *count = 1; return 0; }
int nvrtcGetSupportedArchs(int *list) { list[0] = 90; return 0; }
int nvrtcCreateProgram(struct program **program, const char *source, const char *name, int headers,
                       const char *const *texts, const char *const *names) {
  *program = calloc(1, sizeof **program);
  (*program)->source = strdup(source);
  return 0;
}
int nvrtcDestroyProgram(struct program **program) {
  free((*program)->source);
  free((*program)->code);
  free((*program)->log);
  free(*program);
  return 0;
}
static char *contents(const char *path, size_t *size, size_t before) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  fseek(file, 0, SEEK_END);
  *size = ftell(file);
  rewind(file);
  char *bytes = calloc(1, before + *size + 1);
  *size = fread(bytes + before, 1, *size, file);
  fclose(file);
  return bytes;
}
static const char *const kernels[] = {"bagel_returns", "bagel_gradient", "bagel_transpose", "bagel_sum", "bagel_ascend"};

int nvrtcCompileProgram(struct program *program, int count, const char *const *options) {
  char folder[] = "/tmp/emulated-nvrtc-XXXXXX", source[64], object[64], log[64], command[1024];
  if (!mkdtemp(folder)) return 6;
  snprintf(source, sizeof source, "%s/kernel.cu", folder);
  snprintf(object, sizeof object, "%s/kernel.so", folder);
  snprintf(log, sizeof log, "%s/log", folder);
  FILE *file = fopen(source, "w");
  fprintf(file, "#include \"%s\"\n#line 1\n%s\n", getenv("EMULATED_DEVICE_HEADER"), program->source);
  for (int k = 0; k < 5; ++k) {
    char definition[64];
    snprintf(definition, sizeof definition, "%s(const", kernels[k]);
    if (!strstr(program->source, definition)) continue;
    fprintf(file, "extern \"C\" void emulate_%s(void *p) { %s(*(%s *)p); }\n", kernels[k], kernels[k],
            k >= 3 ? "struct ascent" : "struct arguments");
  }
  fclose(file);
  const char *clang = getenv("EMULATED_CLANG") ? getenv("EMULATED_CLANG") : "clang";
  snprintf(command, sizeof command,
           "cd %s && %s -x c++ -std=c++17 -O1 -ffp-contract=fast -fno-math-errno -fPIC -shared -w -o kernel.so kernel.cu >log 2>&1",
           folder, clang);
  int status = system(command);
  size_t size;
  program->log = contents(log, &size, 0);
  if (status == 0) {
    program->code = contents(object, &program->size, 8);
    uint64_t length = program->size;
    memcpy(program->code, &length, 8);
    program->size += 8;
  }
  snprintf(command, sizeof command, "rm -rf %s", folder);
  if (system(command)) return 7;
  return status == 0 ? 0 : 6;
}
int nvrtcGetProgramLogSize(struct program *p, size_t *size) { *size = p->log ? strlen(p->log) + 1 : 1; return 0; }
int nvrtcGetProgramLog(struct program *p, char *log) { strcpy(log, p->log ? p->log : ""); return 0; }
int nvrtcGetCUBINSize(struct program *p, size_t *size) { *size = p->size; return 0; }
int nvrtcGetCUBIN(struct program *p, char *code) { memcpy(code, p->code, p->size); return 0; }
int nvrtcGetPTXSize(struct program *p, size_t *size) { return nvrtcGetCUBINSize(p, size); }
int nvrtcGetPTX(struct program *p, char *code) { return nvrtcGetCUBIN(p, code); }
const char *nvrtcGetErrorString(int code) { return "NVRTC_ERROR"; }
