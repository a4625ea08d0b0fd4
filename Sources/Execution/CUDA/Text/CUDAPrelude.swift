// SPDX-License-Identifier: Apache-2.0
// The vocabulary of emitted kernels on a GPU: CUDA C++ for NVRTC, no headers. A `vf` is one particle's number in
// one lane. A team of LANES lanes (x WARPS warps) works on T particles; `lane()` is a thread's place in it.
//
// exp and log are CUDA's (1 ulp by its manual), tanh, sin, cos and the draws follow the same formulas as on
// the host, so results agree to rounding. Nothing is summed in an order that depends on timing.

enum CUDAPrelude {
  static let text = #"""
    typedef unsigned int uint32_t;
    typedef long int64_t;
    #define NULL 0
    typedef float vf;
    typedef int vi;
    typedef uint32_t vu;

    #define INLINE static __device__ __forceinline__
    #define FUNCTION INLINE
    #define UNROLL _Pragma("unroll")
    #define UNROLL_BY_4 _Pragma("unroll 4")
    #define EACH(i, n) UNROLL for (int i = 0; i < (n); ++i) UNROLL for (int t = 0; t < T; ++t)
    #define EACH_ROLLED EACH
    #define INFINITE __int_as_float(0x7f800000)
    #define NOT_A_NUMBER __int_as_float(0x7fc00000)
    #define ALL_LANES 0xffffffffu

    // Element i of a spread value is in slot i / LANES of lane i mod LANES; lanes past the end repeat the last one.
    #define SLOTS(n) (((n) + LANES - 1) / LANES)
    #define SPREAD(i, n)                                                                     \
      UNROLL for (int slot_ = 0, i = spread_index(0, n); slot_ < SLOTS(n);                   \
                  ++slot_, i = spread_index(slot_, n)) UNROLL for (int t = 0; t < T; ++t)
    #define SPREAD_ROLLED SPREAD
    #define AT(i) slot_
    #define GET(x, i) from_lane(x[(i) / LANES][t], (i) % LANES)
    #define OWNED(i, n, x) (LANES == 1 || slot_ * LANES + lane() < (n) ? (x) : 0.f)
    #define KEPT(row, i) row[((i) * T + t) * W]
    #define SHARED(array, i) __ldg(a->array + (i))
    #define SCRATCH(memory) (vf (*)[T])__builtin_assume_aligned(memory, T % 4 ? 4 : 16)
    #define ROWS(i, n) for (int i = member(); i < (n); i += TEAM)
    #ifdef __CUDA_ARCH__
    #define PREFETCH(address) asm volatile("prefetch.global.L1 [%0];" :: "l"(address))
    #else
    #define PREFETCH(address)
    #endif
    typedef float *tape_row;
    typedef const float *kept_row;

    INLINE int lane() { return LANES == 1 ? 0 : (int)(threadIdx.x % LANES); }
    INLINE int member() { return WARPS == 1 ? lane() : (int)threadIdx.x; }
    INLINE int warp_of_team() { return WARPS == 1 ? 0 : (int)(threadIdx.x / 32); }
    INLINE int spread_index(int slot, int n) {
      if (LANES == 1) return slot;
      int i = slot * LANES + lane();
      return i < n ? i : n - 1;
    }
    INLINE float from_lane(float x, int source) {
      return LANES == 1 ? x : __shfl_sync(ALL_LANES, x, source, LANES);
    }
    // The sum over a particle's lanes, the same bits in all of them.
    INLINE float lanes_sum(float x) {
      UNROLL for (int offset = LANES / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(ALL_LANES, x, offset);
      return x;
    }
    INLINE void team_sync() {
      if (WARPS == 1) __syncwarp(); else __syncthreads();
    }
    // x[i][t] summed over the team, the same bits in all its threads.
    INLINE void team_sum(vf (*x)[T], const int n) {
      EACH(i, n) x[i][t] = lanes_sum(x[i][t]);
      if (WARPS == 1) return;
      __shared__ float part[WARPS][8 * T];
      UNROLL for (int first = 0; first < n; first += 8) {
        EACH(k, 8) if (first + k < n && threadIdx.x % 32 == 0) part[threadIdx.x / 32][k * T + t] = x[first + k][t];
        __syncthreads();
        EACH(k, 8) if (first + k < n) {
          float total = 0.f;
          UNROLL for (int w = 0; w < WARPS; ++w) total += part[w][k * T + t];
          x[first + k][t] = total;
        }
        __syncthreads();
      }
    }

    INLINE vf splat(float x) { return x; }
    INLINE vf v_select(vi mask, vf a, vf b) { return mask ? a : b; }
    INLINE vf v_minimum(vf a, vf b) { return a < b ? a : b; }
    INLINE vf v_maximum(vf a, vf b) { return a > b ? a : b; }
    INLINE vf v_sqrt(vf x) { return sqrtf(x); }
    INLINE vf v_magnitude(vf x) { return fabsf(x); }
    INLINE vf v_exp(vf x) { return x == x ? expf(fminf(fmaxf(x, -87.f), 88.f)) : x; }
    INLINE vf v_tanh(vf x) { return 1.f - __fdividef(2.f, v_exp(x * 2.f) + 1.f); }
    INLINE vf v_log(vf x) { return logf(x); }
    // sin and cos of r + quadrant pi/2, |r| <= pi/4
    INLINE void sine_pair(vf r, vi quadrant, vf *sine, vf *cosine) {
      vf z = r * r;
      vf s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * r + r;
      vf c = ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z
             - 0.5f * z + 1.f;
      vf a = quadrant & 1 ? c : s, b = quadrant & 1 ? s : c;
      *sine = quadrant & 2 ? -a : a;
      *cosine = (quadrant + 1) & 2 ? -b : b;
    }
    INLINE void v_sincos(vf x, vf *sine, vf *cosine) {
      vf n = rintf(x * 0.636619772f);
      vf r = x - n * 1.5703125f - n * 4.83751296e-4f - n * 7.54978942e-8f;
      sine_pair(r, (int)n, sine, cosine);
    }
    INLINE vf v_sin(vf x) { vf s, c; v_sincos(x, &s, &c); return s; }
    INLINE vf v_cos(vf x) { vf s, c; v_sincos(x, &s, &c); return c; }

    // Philox 4x32-10 (Salmon 2011) and Box-Muller: dimensions 4 group ... 4 group + 3.
    INLINE float uniform(uint32_t word) { return ((float)(word >> 9) + 0.5f) * 1.1920928955078125e-7f; }
    INLINE void v_normals(const uint32_t *key, vu particle, vu step, uint32_t group, vf out[4]) {
      uint32_t c0 = particle, c1 = step, c2 = group, c3 = key[2], k0 = key[0], k1 = key[1];
      UNROLL for (int round = 0; round < 10; ++round) {
        uint32_t high0 = __umulhi(c0, 0xD2511F53u), low0 = c0 * 0xD2511F53u;
        uint32_t high1 = __umulhi(c2, 0xCD9E8D57u), low1 = c2 * 0xCD9E8D57u;
        c0 = high1 ^ c1 ^ k0; c1 = low1; c2 = high0 ^ c3 ^ k1; c3 = low0;
        k0 += 0x9E3779B9u; k1 += 0xBB67AE85u;
      }
      uint32_t word[4] = {c0, c1, c2, c3};
      UNROLL for (int pair = 0; pair < 2; ++pair) {
        vf radius = sqrtf(-2.f * logf(uniform(word[2 * pair])));
        vf turn = uniform(word[2 * pair + 1]) * 4.f, n = rintf(turn), s, c;
        sine_pair((turn - n) * 1.57079633f, (int)n, &s, &c);
        out[2 * pair] = radius * c;
        out[2 * pair + 1] = radius * s;
      }
    }

    """#
}
