// SPDX-License-Identifier: Apache-2.0
// The prelude's second part: what local functions and wide policies are made of. Cubic convolution
// on a table (one 64-byte load is four grid points of the last axis times four outputs), and two
// register-blocked products of a shared matrix with a tile of particles.
//
// The interpolation's value and all slopes share the loads: 16 loads and 44 multiply-adds a particle
// in 3 inputs and 4 outputs, and the reverse loop does not read the table again.

enum LocalFunctionPrelude {
  static let text = #"""
    // Sums over the grid points of all axes but the last: value v and slopes g[axis] (f16: 4 points of
    // the last axis x 4 outputs). w: [axis][4 weights, 4 slopes][W], lane l.
    INLINE void stencil_1(const float *p, const ptrdiff_t *stride, const float *w, int l, int slopes,
                          f16 *v, f16 *g) {
      memcpy(v, p, sizeof *v);
    }
    #define STENCIL(D, LOWER)                                                                    \
      INLINE void stencil_##D(const float *p, const ptrdiff_t *stride, const float *w, int l,    \
                              int slopes, f16 *v, f16 *g) {                                      \
        *v = 0;                                                                                  \
        UNROLL for (int a = 0; a < D - 1; ++a) g[a] = 0;                                         \
        UNROLL for (int k = 0; k < 4; ++k) {                                                     \
          f16 u, h[3];                                                                           \
          stencil_##LOWER(p + k * stride[0], stride + 1, w + 8 * W, l, slopes, &u, h);           \
          *v += w[k * W + l] * u;                                                                \
          if (!slopes) continue;                                                                 \
          g[0] += w[(4 + k) * W + l] * u;                                                        \
          UNROLL for (int a = 1; a < D - 1; ++a) g[a] += w[k * W + l] * h[a - 1];                \
        }                                                                                        \
      }
    STENCIL(2, 1)
    STENCIL(3, 2)
    STENCIL(4, 3)

    // (a, b, c, d) -> the sums of their quarters: [a0+a1+a2+a3 | b... | c... | d...], 4 floats each
    INLINE f16 sum_quarters(f16 a, f16 b, f16 c, f16 d) {
      #define EVEN_QUARTERS 0,1,2,3, 8,9,10,11, 16,17,18,19, 24,25,26,27
      #define ODD_QUARTERS 4,5,6,7, 12,13,14,15, 20,21,22,23, 28,29,30,31
      f16 ab = __builtin_shufflevector(a, b, EVEN_QUARTERS) + __builtin_shufflevector(a, b, ODD_QUARTERS);
      f16 cd = __builtin_shufflevector(c, d, EVEN_QUARTERS) + __builtin_shufflevector(c, d, ODD_QUARTERS);
      return __builtin_shufflevector(ab, cd, EVEN_QUARTERS) + __builtin_shufflevector(ab, cd, ODD_QUARTERS);
    }

    // columns[c][l] = rows[l][c]
    INLINE void transpose(const float (*rows)[16], vf columns[16]) {
    #if defined(__AVX512F__)
      f16 r[16];
      memcpy(r, rows, sizeof r);
      #define SWAP(S, LOW, HIGH)                                            \
        UNROLL for (int i = 0; i < 16; ++i) if (!(i & S)) {                 \
          f16 a = r[i], b = r[i + S];                                       \
          r[i] = __builtin_shufflevector(a, b, LOW);                        \
          r[i + S] = __builtin_shufflevector(a, b, HIGH);                   \
        }
      #define LIST(...) __VA_ARGS__
      SWAP(8, LIST(0,1,2,3,4,5,6,7,16,17,18,19,20,21,22,23),
              LIST(8,9,10,11,12,13,14,15,24,25,26,27,28,29,30,31))
      SWAP(4, LIST(0,1,2,3,16,17,18,19,8,9,10,11,24,25,26,27),
              LIST(4,5,6,7,20,21,22,23,12,13,14,15,28,29,30,31))
      SWAP(2, LIST(0,1,16,17,4,5,20,21,8,9,24,25,12,13,28,29),
              LIST(2,3,18,19,6,7,22,23,10,11,26,27,14,15,30,31))
      SWAP(1, LIST(0,16,2,18,4,20,6,22,8,24,10,26,12,28,14,30),
              LIST(1,17,3,19,5,21,7,23,9,25,11,27,13,29,15,31))
      memcpy(columns, r, sizeof r);
    #else
      UNROLL for (int c = 0; c < 16; ++c) UNROLL for (int l = 0; l < W; ++l) columns[c][l] = rows[l][c];
    #endif
    }

    // Cubic convolution (Keys 1981) of `outputs` functions of x [d] for W particles, of which the first
    // `active` count. jacobian [outputs][d] may be NULL. Outside the box x is clamped, its slope is 0.
    INLINE void interpolate(const int d, const int outputs, const float *geometry, const float *table,
                            const vf *x, int active, vi *outside, vf *value, vf *jacobian) {
      float w[3 * 8 * W], fraction[W];
      int32_t start[W];
      vf scale[4];
      vi cell = 0;
      ptrdiff_t stride[4], size = 4;
      for (int axis = d - 1; axis >= 0; --axis) { stride[axis] = size; size *= (int)geometry[3 * axis + 2]; }
      UNROLL for (int axis = 0; axis < d; ++axis) {
        float lower = geometry[3 * axis], inverse = geometry[3 * axis + 1], count = geometry[3 * axis + 2];
        vf position = (x[axis] - lower) * inverse;
        vi inside = (position >= 1.f) & (position <= count - 2.f);
        vf clamped = v_maximum(v_minimum(position, splat(count - 2.f)), splat(1.f));
        vf first = v_minimum(__builtin_elementwise_floor(clamped), splat(count - 3.f));
        vf f = clamped - first;
        *outside |= ~inside;
        scale[axis] = v_select(inside, splat(inverse), splat(0.f));
        cell = cell * (int)count + (__builtin_convertvector(first, vi) - 1);
        if (axis == d - 1) {
          memcpy(fraction, &f, sizeof f);
        } else {
          vf k[8] = {((-.5f * f + 1.f) * f - .5f) * f, (1.5f * f - 2.5f) * f * f + 1.f,
                     ((-1.5f * f + 2.f) * f + .5f) * f, (.5f * f - .5f) * f * f,
                     (-1.5f * f + 2.f) * f - .5f, (4.5f * f - 5.f) * f,
                     (-4.5f * f + 4.f) * f + .5f, (1.5f * f - 1.f) * f};
          memcpy(w + axis * 8 * W, k, sizeof k);
        }
      }
      memcpy(start, &cell, sizeof start);
      #define FOUR_EACH(A, B, C, D) {A,A,A,A, B,B,B,B, C,C,C,C, D,D,D,D}
      const f16 c3 = FOUR_EACH(-.5f, 1.5f, -1.5f, .5f), c2 = FOUR_EACH(1.f, -2.5f, 2.f, -.5f),
                c1 = FOUR_EACH(-.5f, 0.f, .5f, 0.f), c0 = FOUR_EACH(0.f, 1.f, 0.f, 0.f);
      UNROLL for (int group = 0; group < (outputs + 3) / 4; ++group) {
        float first_four[W][16], fifth[W][16];
        for (int l = 0; l < active; ++l) {
          f16 v, g[3], q[5] = {0, 0, 0, 0, 0};
          const float *p = table + group * size + 4 * (ptrdiff_t)start[l];
          if (d == 1) stencil_1(p, stride, w, l, jacobian != NULL, &v, g);
          if (d == 2) stencil_2(p, stride, w, l, jacobian != NULL, &v, g);
          if (d == 3) stencil_3(p, stride, w, l, jacobian != NULL, &v, g);
          if (d == 4) stencil_4(p, stride, w, l, jacobian != NULL, &v, g);
          f16 f = (f16)fraction[l], last = ((c3 * f + c2) * f + c1) * f + c0;
          q[0] = v * last;
          if (jacobian) {
            UNROLL for (int a = 0; a < d - 1; ++a) q[1 + a] = g[a] * last;
            q[d] = v * ((3.f * c3 * f + 2.f * c2) * f + c1);
          }
          f16 sums = sum_quarters(q[0], q[1], q[2], q[3]);
          memcpy(first_four[l], &sums, sizeof sums);
          if (jacobian && d == 4) {
            sums = sum_quarters(q[4], q[4], q[4], q[4]);
            memcpy(fifth[l], &sums, sizeof sums);
          }
        }
        for (int l = active; l < W; ++l) {
          memset(first_four[l], 0, sizeof first_four[l]);
          memset(fifth[l], 0, sizeof fifth[l]);
        }
        vf columns[16], more[16];
        transpose(first_four, columns);
        if (jacobian && d == 4) transpose(fifth, more);
        UNROLL for (int o = 0; o < 4; ++o) {
          int output = 4 * group + o;
          if (output >= outputs) break;
          value[output] = columns[o];
          if (!jacobian) continue;
          UNROLL for (int a = 0; a < d; ++a)
            jacobian[output * d + a] = (a < 3 ? columns[4 * (1 + a) + o] : more[o]) * scale[a];
        }
      }
    }

    // Products of a shared matrix s [rows][columns] with a tile of particles, register blocks of rows x T
    // vectors, in chunks of columns whose particles (CHUNK T W floats) stay in the first-level cache.
    // upper: s[i][j] = 0 for j < i, and those halves are skipped.
    enum { CHUNK = 128 };

    // y[i] = sum_j s[i][j] x[j], six rows of sums at a time
    static void product(const float *s, int rows, int columns, int upper, const vf (*x)[T], vf (*y)[T]) {
      memset(y, 0, sizeof(vf) * T * (size_t)rows);
      for (int first = 0; first < columns; first += CHUNK) {
        int last = first + CHUNK < columns ? first + CHUNK : columns;
        int i = 0, end = upper && last < rows ? last : rows;
        for (; i + 6 <= end; i += 6) {
          vf sum[6][T];
          EACH(r, 6) sum[r][t] = y[i + r][t];
          const float *row = s + (ptrdiff_t)i * columns;
          for (int j = upper && i > first ? i : first; j < last; ++j) {
            EACH(r, 6) sum[r][t] += row[(ptrdiff_t)r * columns + j] * x[j][t];
          }
          EACH(r, 6) y[i + r][t] = sum[r][t];
        }
        for (; i < end; ++i)
          for (int j = upper && i > first ? i : first; j < last; ++j)
            EACH(r, 1) y[i][t] += s[(ptrdiff_t)i * columns + j] * x[j][t];
      }
    }

    // y[j] = sum_i s[i][j] x[i], six columns of sums at a time. (Adding four rows at a time to running sums
    // in memory, which reads s in order, was 2.3 times slower.)
    static void transposed_product(const float *s, int rows, int columns, int upper,
                                   const vf (*x)[T], vf (*y)[T]) {
      memset(y, 0, sizeof(vf) * T * (size_t)columns);
      for (int first = 0; first < rows; first += CHUNK) {
        int last = first + CHUNK < rows ? first + CHUNK : rows;
        int j = upper ? first / 6 * 6 : 0;
        for (; j + 6 <= columns; j += 6) {
          vf sum[6][T];
          EACH(c, 6) sum[c][t] = y[j + c][t];
          int end = upper && j + 6 < last ? j + 6 : last;
          for (int i = first; i < end; ++i) {
            const float *entry = s + (ptrdiff_t)i * columns + j;
            __builtin_prefetch(entry + 48);
            EACH(c, 6) sum[c][t] += entry[c] * x[i][t];
          }
          EACH(c, 6) y[j + c][t] = sum[c][t];
        }
        for (; j < columns; ++j)
          for (int i = first; i < last; ++i)
            EACH(c, 1) y[j][t] += s[(ptrdiff_t)i * columns + j] * x[i][t];
      }
    }

    """#
}
