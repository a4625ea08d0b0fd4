// SPDX-License-Identifier: Apache-2.0
// CUDA C++'s words for emulated kernels: C++ with fibres for threads (emulated_cuda.c).
#include <math.h>
#include <string.h>
#undef NULL
#define __device__
#define __global__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(n)
#define __grid_constant__
#define __shared__ static
#define __align__(n) __attribute__((aligned(n)))
struct emulated_position { unsigned x, y, z; };
struct emulation {
  emulated_position thread, block, block_size, grid;
  unsigned (*shuffle)(unsigned value, int lane);
  void (*warp_barrier)(void);
  void (*block_barrier)(void);
};
extern "C" { struct emulation emulation; }
#define threadIdx emulation.thread
#define blockIdx emulation.block
#define blockDim emulation.block_size
#define gridDim emulation.grid
struct alignas(16) float4 { float x, y, z, w; };
template <typename V> static inline V __ldg(const V *p) { return *p; }
static inline float __int_as_float(int i) { float f; memcpy(&f, &i, 4); return f; }
static inline unsigned __umulhi(unsigned a, unsigned b) { return ((unsigned long)a * b) >> 32; }
static inline float __fdividef(float a, float b) { return a / b; }
static inline void __syncwarp(void) { emulation.warp_barrier(); }
static inline void __syncthreads(void) { emulation.block_barrier(); }
template <typename V> static inline V exchange(V x, int lane) {
  unsigned words[sizeof(V) / 4];
  memcpy(words, &x, sizeof x);
  for (unsigned &word : words) word = emulation.shuffle(word, lane);
  memcpy(&x, words, sizeof x);
  return x;
}
template <typename V> static inline V __shfl_sync(unsigned, V x, int source, int width = 32) {
  int lane = emulation.thread.x % 32;
  return exchange(x, lane / width * width + source % width);
}
template <typename V> static inline V __shfl_xor_sync(unsigned, V x, int mask) {
  return exchange(x, (emulation.thread.x % 32) ^ mask);
}
