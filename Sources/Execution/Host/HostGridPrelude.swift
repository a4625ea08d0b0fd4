// SPDX-License-Identifier: Apache-2.0
// The second part of the prelude of the host: functions on a grid, one particle after the other. In an interpolation one
// 64-byte load is four grid points of the last axis times four outputs; in a grid variance it is 16 columns
// of the root at one point. Value and all slopes share the loads (16 loads and 44 multiply-adds per particle
// for a table of 3 inputs and 4 outputs), and the reverse loop does not read the grid again.

enum HostGridPrelude {
  static let text = #"""
    // Coefficients of t^3, t^2, t, 1 of the four cubic weights: Keys' convolution, B-spline.
    static const float CUBIC[2][4][4] = {
      {{-.5f, 1.5f, -1.5f, .5f}, {1.f, -2.5f, 2.f, -.5f}, {-.5f, 0.f, .5f, 0.f}, {0.f, 1.f, 0.f, 0.f}},
      {{-1/6.f, .5f, -.5f, 1/6.f}, {.5f, -1.f, .5f, 0.f}, {-.5f, 0.f, .5f, 0.f}, {1/6.f, 2/3.f, 1/6.f, 0.f}}};

    // k: four weights at fraction f and their four derivatives
    INLINE void cubic_weights(const int basis, vf f, vf k[8]) {
      UNROLL for (int p = 0; p < 4; ++p) {
        float c3 = CUBIC[basis][0][p], c2 = CUBIC[basis][1][p], c1 = CUBIC[basis][2][p];
        k[p] = ((c3 * f + c2) * f + c1) * f + CUBIC[basis][3][p];
        k[4 + p] = (3.f * c3 * f + 2.f * c2) * f + c1;
      }
    }

    // Where x [d] lies: first point of its stencil, fraction and derivative of the fraction along each axis,
    // points from one grid index to the next. Outside the box x is clamped, its slope is 0. Returns the grid's size.
    INLINE ptrdiff_t locate(const int d, const float *geometry, const vf *x, vi *outside, int32_t start[W],
                            vf *fraction, vf *scale, ptrdiff_t *stride) {
      vi cell = 0;
      ptrdiff_t size = 1;
      for (int axis = d - 1; axis >= 0; --axis) { stride[axis] = size; size *= (int)geometry[3 * axis + 2]; }
      UNROLL for (int axis = 0; axis < d; ++axis) {
        float lower = geometry[3 * axis], inverse = geometry[3 * axis + 1], count = geometry[3 * axis + 2];
        vf position = (x[axis] - lower) * inverse;
        vi inside = (position >= 1.f) & (position <= count - 2.f);
        vf clamped = v_maximum(v_minimum(position, splat(count - 2.f)), splat(1.f));
        vf first = v_minimum(__builtin_elementwise_floor(clamped), splat(count - 3.f));
        fraction[axis] = clamped - first;
        *outside |= ~inside;
        scale[axis] = v_select(inside, splat(inverse), splat(0.f));
        cell = cell * (int)count + (__builtin_convertvector(first, vi) - 1);
      }
      memcpy(start, &cell, sizeof cell);
      return size;
    }

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

    // Cubic interpolation of `outputs` functions of x [d] for W particles, of which the first `active` count.
    // jacobian [outputs][d] may be NULL.
    INLINE void interpolate(const int d, const int outputs, const int basis, const float *geometry,
                            const float *table, const vf *x, int active, vi *outside, vf *value,
                            vf *jacobian) {
      float w[4 * 8 * W], last_fraction[W];
      int32_t start[W];
      vf fraction[4], scale[4];
      ptrdiff_t stride[4];
      ptrdiff_t size = 4 * locate(d, geometry, x, outside, start, fraction, scale, stride);
      UNROLL for (int axis = 0; axis < d; ++axis) stride[axis] *= 4;
      UNROLL for (int axis = 0; axis < d - 1; ++axis) {
        vf k[8];
        cubic_weights(basis, fraction[axis], k);
        memcpy(w + axis * 8 * W, k, sizeof k);
      }
      memcpy(last_fraction, &fraction[d - 1], sizeof last_fraction);
      f16 c[4];
      UNROLL for (int power = 0; power < 4; ++power)
        UNROLL for (int i = 0; i < 16; ++i) c[power][i] = CUBIC[basis][power][i / 4];
      UNROLL for (int group = 0; group < (outputs + 3) / 4; ++group) {
        float first_four[W][16], fifth[W][16];
        for (int l = 0; l < active; ++l) {
          f16 v, g[3], q[5] = {0, 0, 0, 0, 0};
          const float *p = table + group * size + 4 * (ptrdiff_t)start[l];
          if (d == 1) stencil_1(p, stride, w, l, jacobian != NULL, &v, g);
          if (d == 2) stencil_2(p, stride, w, l, jacobian != NULL, &v, g);
          if (d == 3) stencil_3(p, stride, w, l, jacobian != NULL, &v, g);
          if (d == 4) stencil_4(p, stride, w, l, jacobian != NULL, &v, g);
          f16 f = (f16)last_fraction[l], last = ((c[0] * f + c[1]) * f + c[2]) * f + c[3];
          q[0] = v * last;
          if (jacobian) {
            UNROLL for (int a = 0; a < d - 1; ++a) q[1 + a] = g[a] * last;
            q[d] = v * ((3.f * c[0] * f + 2.f * c[1]) * f + c[2]);
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

    INLINE float sum_16(f16 x) {
      float s = 0;
      UNROLL for (int i = 0; i < 16; ++i) s += x[i];
      return s;
    }

    // v = prod_a w_a^T T_a w_a - ||R^T w||^2 for the first `active` of W particles; jacobian [d] may be NULL.
    // root R [grid points][rank], 16 columns at a time: z = R^T w and its slopes come from one pass.
    INLINE void grid_variance(const int d, const int rank, const float *geometry, const float *toeplitz,
                              const float *root, const vf *x, int active, vi *outside, vf *value,
                              vf *jacobian) {
      enum { OUTER = 64 };
      const int outer = 1 << (2 * (d - 1));
      int32_t start[W];
      vf fraction[4], scale[4], prior[4], prior_slope[4];
      ptrdiff_t stride[4];
      float w[4][8][W], norm[5][W];
      locate(d, geometry, x, outside, start, fraction, scale, stride);
      UNROLL for (int a = 0; a < d; ++a) {
        vf k[8];
        cubic_weights(0, fraction[a], k);
        memcpy(w[a], k, sizeof k);
        prior[a] = prior_slope[a] = splat(0.f);
        UNROLL for (int i = 0; i < 4; ++i) {
          vf row = splat(0.f);
          UNROLL for (int j = 0; j < 4; ++j) row += toeplitz[4 * a + (i < j ? j - i : i - j)] * k[j];
          prior[a] += k[i] * row;
          prior_slope[a] += 2.f * k[4 + i] * row;
        }
      }
      memset(norm, 0, sizeof norm);
      for (int l = 0; l < active; ++l) {
        const float *first = root + (ptrdiff_t)start[l] * rank;
        ptrdiff_t offset[OUTER];
        float weight[4][OUTER];  // 0: the product of the outer axes' weights; 1 + a: with axis a's slope
        for (int o = 0; o < outer; ++o) {
          offset[o] = 0;
          UNROLL for (int v = 0; v < d; ++v) weight[v][o] = 1.f;
          UNROLL for (int a = 0; a < d - 1; ++a) {
            int k = (o >> (2 * (d - 2 - a))) & 3;
            offset[o] += k * stride[a] * rank;
            UNROLL for (int v = 0; v < d; ++v) weight[v][o] *= w[a][v == 1 + a ? 4 + k : k][l];
          }
        }
        f16 total[5] = {0, 0, 0, 0, 0};
        for (int column = 0; column < rank; column += 16) {
          f16 z = 0, slope[4] = {0, 0, 0, 0};
          for (int o = 0; o < outer; ++o) {
            f16 u = 0, u_slope = 0;
            UNROLL for (int k = 0; k < 4; ++k) {
              f16 r;
              memcpy(&r, first + offset[o] + k * rank + column, sizeof r);
              u += w[d - 1][k][l] * r;
              if (jacobian) u_slope += w[d - 1][4 + k][l] * r;
            }
            z += weight[0][o] * u;
            if (!jacobian) continue;
            UNROLL for (int a = 0; a < d - 1; ++a) slope[a] += weight[1 + a][o] * u;
            slope[d - 1] += weight[0][o] * u_slope;
          }
          total[0] += z * z;
          if (jacobian) UNROLL for (int a = 0; a < d; ++a) total[1 + a] += z * slope[a];
        }
        UNROLL for (int v = 0; v <= d; ++v) norm[v][l] = sum_16(total[v]);
      }
      vf reduction[5];
      memcpy(reduction, norm, sizeof norm);
      value[0] = -reduction[0];
      vf all = splat(1.f);
      UNROLL for (int a = 0; a < d; ++a) all *= prior[a];
      value[0] += all;
      if (jacobian) UNROLL for (int a = 0; a < d; ++a) {
        vf others = prior_slope[a];
        UNROLL for (int b = 0; b < d; ++b) if (b != a) others *= prior[b];
        jacobian[a] = (others - 2.f * reduction[1 + a]) * scale[a];
      }
    }

    """#
}
