// SPDX-License-Identifier: Apache-2.0
// The vocabulary of emitted kernels on the host: C with clang's vector extensions. A `vf` holds one
// number of W particles; a value of length n is `vf x[n][T]`, a tile of T vectors of particles.
//
// Polynomials: exp, log, sin, cos after the Cephes library's single-precision coefficients (Moshier
// 1992). Errors against double precision stay below (test "elementary functions") 2 ulp for exp on [-86, 88]
// and log, 2^-22 for tanh, and 2^-22 for sin and cos with |x| <= 8192. exp saturates outside [-87, 88] and
// never gives 0 or infinity; NaN stays NaN everywhere.

enum HostPrelude {
  static let text = #"""
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>

    #if defined(__AVX512F__)
    enum { W = 16 };
    #elif defined(__AVX__)
    enum { W = 8 };
    #else
    enum { W = 4 };
    #endif
    typedef float vf __attribute__((ext_vector_type(W)));
    typedef int32_t vi __attribute__((ext_vector_type(W)));
    typedef uint32_t vu __attribute__((ext_vector_type(W)));
    typedef uint64_t vul __attribute__((ext_vector_type(W)));
    typedef float f16 __attribute__((ext_vector_type(16)));

    #define INLINE static inline __attribute__((always_inline))
    #define UNROLL _Pragma("clang loop unroll(full)")
    #define EACH(i, n) UNROLL for (int i = 0; i < (n); ++i) UNROLL for (int t = 0; t < T; ++t)
    #define EACH_ROLLED(i, n) for (int i = 0; i < (n); ++i) UNROLL for (int t = 0; t < T; ++t)

    // One lane a particle: nothing is spread.
    #define SPREAD EACH
    #define SPREAD_ROLLED EACH_ROLLED
    #define SLOTS(n) (n)
    #define AT(i) (i)
    #define GET(x, i) x[i][t]
    #define OWNED(i, n, x) (x)
    #define lanes_sum(x) (x)
    #define KEPT(row, i) row[i][t]
    #define SHARED(array, i) a->array[i]
    typedef const vf (*kept_row)[T];
    typedef vf (*tape_row)[T];
    #define FUNCTION static
    #define SCRATCH(memory) (vf (*)[T])(memory)
    #define ROWS(i, n) for (int i = 0; i < (n); ++i)
    #define team_sync()
    #define team_sum(x, n)
    #define INFINITE __builtin_inff()
    #define NOT_A_NUMBER __builtin_nanf("")

    INLINE vf splat(float x) { return (vf)x; }
    INLINE vf v_select(vi mask, vf a, vf b) {
      return (vf)(((vi)a & mask) | ((vi)b & ~mask));
    }
    INLINE vf v_minimum(vf a, vf b) { return v_select(a < b, a, b); }
    INLINE vf v_maximum(vf a, vf b) { return v_select(a > b, a, b); }
    INLINE vf v_sqrt(vf x) { return __builtin_elementwise_sqrt(x); }
    INLINE vf v_magnitude(vf x) { return __builtin_elementwise_abs(x); }
    INLINE float lane_sum(vf x) {
      float s = 0;
      UNROLL for (int l = 0; l < W; ++l) s += x[l];
      return s;
    }

    INLINE vf v_exp(vf given) {
      vf x = __builtin_elementwise_min(__builtin_elementwise_max(given, splat(-87.f)), splat(88.f));
      vf n = __builtin_elementwise_roundeven(x * 1.44269504f);
      vf r = x - n * 0.693359375f + n * 2.12194440e-4f;
      vf p = splat(1.9875691500e-4f);
      p = p * r + 1.3981999507e-3f;
      p = p * r + 8.3334519073e-3f;
      p = p * r + 4.1665795894e-2f;
      p = p * r + 1.6666665459e-1f;
      p = p * r + 5.0000001201e-1f;
      vi exponent = (__builtin_convertvector(n, vi) + 127) << 23;
      return v_select(given == given, (p * r * r + r + 1.f) * (vf)exponent, given);
    }
    INLINE vf v_tanh(vf x) { return 1.f - 2.f / (v_exp(x * 2.f) + 1.f); }
    INLINE vf v_log(vf x) {
      vi bits = (vi)x;
      vi e = (bits >> 23) - 126;
      vf m = (vf)((bits & 0x007fffff) | 0x3f000000);
      vi small = m < 0.707106781f;
      e += small;
      m = m + v_select(small, m, splat(0.f)) - 1.f;
      vf z = m * m, p = splat(7.0376836292e-2f);
      p = p * m - 1.1514610310e-1f;
      p = p * m + 1.1676998740e-1f;
      p = p * m - 1.2420140846e-1f;
      p = p * m + 1.4249322787e-1f;
      p = p * m - 1.6668057665e-1f;
      p = p * m + 2.0000714765e-1f;
      p = p * m - 2.4999993993e-1f;
      p = p * m + 3.3333331174e-1f;
      vf n = __builtin_convertvector(e, vf);
      vf y = m + (m * z * p - n * 2.12194440e-4f - 0.5f * z) + n * 0.693359375f;
      y = v_select(x < __builtin_inff(), y, x);  // infinity and NaN stay
      return v_select(x > 0.f, y, v_select(x == 0.f, splat(-__builtin_inff()), x - x + __builtin_nanf("")));
    }
    // sin and cos of r + quadrant pi/2, |r| <= pi/4
    INLINE void sine_pair(vf r, vi quadrant, vf *sine, vf *cosine) {
      vf z = r * r;
      vf s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * r + r;
      vf c = ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z
             - 0.5f * z + 1.f;
      vi swap = (quadrant & 1) != 0;
      vf a = v_select(swap, c, s), b = v_select(swap, s, c);
      *sine = (vf)((vi)a ^ ((quadrant & 2) << 30));
      *cosine = (vf)((vi)b ^ (((quadrant + 1) & 2) << 30));
    }
    INLINE void v_sincos(vf x, vf *sine, vf *cosine) {
      vf n = __builtin_elementwise_roundeven(x * 0.636619772f);
      vf r = x - n * 1.5703125f - n * 4.83751296e-4f - n * 7.54978942e-8f;
      sine_pair(r, __builtin_convertvector(n, vi), sine, cosine);
    }
    INLINE vf v_sin(vf x) { vf s, c; v_sincos(x, &s, &c); return s; }
    INLINE vf v_cos(vf x) { vf s, c; v_sincos(x, &s, &c); return c; }

    // Philox 4x32-10 (Salmon 2011) and Box-Muller: dimensions 4 group ... 4 group + 3 of W particles.
    INLINE vu multiply_high(vu a, uint32_t b) {
      return __builtin_convertvector((__builtin_convertvector(a, vul) * b) >> 32, vu);
    }
    INLINE vf uniform(vu word) {
      return (__builtin_convertvector((vi)(word >> 9), vf) + 0.5f) * 0x1p-23f;
    }
    INLINE void v_normals(const uint32_t *key, vu particle, vu step, uint32_t group, vf out[4]) {
      vu c0 = particle, c1 = step, c2 = (vu)group, c3 = (vu)key[2];
      uint32_t k0 = key[0], k1 = key[1];
      UNROLL for (int round = 0; round < 10; ++round) {
        vu high0 = multiply_high(c0, 0xD2511F53u), low0 = c0 * 0xD2511F53u;
        vu high1 = multiply_high(c2, 0xCD9E8D57u), low1 = c2 * 0xCD9E8D57u;
        c0 = high1 ^ c1 ^ k0; c1 = low1; c2 = high0 ^ c3 ^ k1; c3 = low0;
        k0 += 0x9E3779B9u; k1 += 0xBB67AE85u;
      }
      vu word[4] = {c0, c1, c2, c3};
      UNROLL for (int pair = 0; pair < 2; ++pair) {
        vf radius = v_sqrt(-2.f * v_log(uniform(word[2 * pair])));
        vf turn = uniform(word[2 * pair + 1]) * 4.f, n = __builtin_elementwise_roundeven(turn), s, c;
        sine_pair((turn - n) * 1.57079633f, __builtin_convertvector(n, vi), &s, &c);
        out[2 * pair] = radius * c;
        out[2 * pair + 1] = radius * s;
      }
    }

    """#
}
