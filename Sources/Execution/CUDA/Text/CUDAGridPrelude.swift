// SPDX-License-Identifier: Apache-2.0
// Functions on a grid on a GPU. A stencil of 4^d points is 4^(d-1) rows along the last axis: the rows go over
// the lanes of a particle, and where there are more lanes than rows the four points of a row too. One 16-byte
// load is one point of a table with four outputs; a grid variance gives the columns of its root to the lanes.

enum CUDAGridPrelude {
  static let text = #"""
    // Coefficients of t^3, t^2, t, 1 of the four cubic weights: Keys' convolution, B-spline.
    __device__ static const float CUBIC[2][4][4] = {
      {{-.5f, 1.5f, -1.5f, .5f}, {1.f, -2.5f, 2.f, -.5f}, {-.5f, 0.f, .5f, 0.f}, {0.f, 1.f, 0.f, 0.f}},
      {{-1/6.f, .5f, -.5f, 1/6.f}, {.5f, -1.f, .5f, 0.f}, {-.5f, 0.f, .5f, 0.f}, {1/6.f, 2/3.f, 1/6.f, 0.f}}};

    // w: four weights at fraction f; slope: their derivatives
    INLINE void cubic_weights(const int basis, float f, float w[4], float slope[4]) {
      UNROLL for (int p = 0; p < 4; ++p) {
        float c3 = CUBIC[basis][0][p], c2 = CUBIC[basis][1][p], c1 = CUBIC[basis][2][p];
        w[p] = ((c3 * f + c2) * f + c1) * f + CUBIC[basis][3][p];
        slope[p] = (3.f * c3 * f + 2.f * c2) * f + c1;
      }
    }

    // x[k]; registers have no run-time index.
    INLINE float pick(const float x[4], int k) {
      float low = k & 1 ? x[1] : x[0], high = k & 1 ? x[3] : x[2];
      return k & 2 ? high : low;
    }

    // Where x [d] lies: first point of its stencil (returned), fraction and derivative of the fraction along each
    // axis, points from one grid index to the next, the grid's size. Outside the box x is clamped, its slope is 0.
    INLINE int64_t locate(const int d, const float *geometry, const vf *x, vi *outside, float *fraction,
                          float *scale, int *stride, int *size) {
      *size = 1;
      UNROLL for (int axis = d - 1; axis >= 0; --axis) {
        stride[axis] = *size;
        *size *= (int)__ldg(geometry + 3 * axis + 2);
      }
      int64_t first_point = 0;
      UNROLL for (int axis = 0; axis < d; ++axis) {
        float lower = __ldg(geometry + 3 * axis), inverse = __ldg(geometry + 3 * axis + 1);
        float count = __ldg(geometry + 3 * axis + 2);
        float position = (x[axis] - lower) * inverse;
        bool inside = position >= 1.f && position <= count - 2.f;
        float clamped = v_maximum(v_minimum(position, count - 2.f), 1.f);
        float first = v_minimum(floorf(clamped), count - 3.f);
        fraction[axis] = clamped - first;
        *outside |= !inside;
        scale[axis] = inside ? inverse : 0.f;
        // NaN has no place; what is read for it does not count.
        first_point += (int64_t)(clamped == clamped ? (int)first - 1 : 0) * stride[axis];
      }
      return first_point;
    }

    // Cubic interpolation of `outputs` functions of x [d]. jacobian [outputs][d] may be NULL.
    INLINE void interpolate(const int d, const int outputs, const int basis, const float *geometry,
                            const float *table, const vf *x, int active, vi *outside, vf *value,
                            vf *jacobian) {
      const int rows = 1 << (2 * (d - 1));
      // Lanes of a row: 1, 2 or 4.
      const int parts = LANES <= rows ? 1 : LANES / rows < 4 ? LANES / rows : 4;
      float w[4][4], slope[4][4], fraction[4], scale[4];
      int stride[4], size;
      int64_t first = locate(d, geometry, x, outside, fraction, scale, stride, &size);
      UNROLL for (int axis = 0; axis < d; ++axis) cubic_weights(basis, fraction[axis], w[axis], slope[axis]);
      UNROLL for (int group = 0; group < (outputs + 3) / 4; ++group) {
        float sum[5][4];  // 0: value; 1 + axis: slope
        UNROLL for (int v = 0; v <= d; ++v) UNROLL for (int o = 0; o < 4; ++o) sum[v][o] = 0.f;
        UNROLL for (int turn = 0; turn < rows; turn += LANES / parts) {
          int row = turn + lane() / parts;
          float product[4];  // 0: weights of the outer axes; 1 + axis: with that axis' slope
          UNROLL for (int v = 0; v < d; ++v) product[v] = row < rows ? 1.f : 0.f;
          int64_t point = (int64_t)group * size + first;
          UNROLL for (int axis = 0; axis < d - 1; ++axis) {
            int k = (row >> (2 * (d - 2 - axis))) & 3;
            float weight = pick(w[axis], k), derivative = pick(slope[axis], k);
            UNROLL for (int v = 0; v < d; ++v) product[v] *= v == 1 + axis ? derivative : weight;
            point += k * stride[axis];
          }
          float u[4] = {0.f, 0.f, 0.f, 0.f}, h[4] = {0.f, 0.f, 0.f, 0.f};
          UNROLL for (int turn4 = 0; turn4 < 4; turn4 += parts) {
            int k = turn4 + lane() % parts;
            float4 entry = __ldg((const float4 *)table + point + k);
            float weight = pick(w[d - 1], k), derivative = pick(slope[d - 1], k);
            u[0] += weight * entry.x; u[1] += weight * entry.y; u[2] += weight * entry.z; u[3] += weight * entry.w;
            if (!jacobian) continue;
            h[0] += derivative * entry.x; h[1] += derivative * entry.y;
            h[2] += derivative * entry.z; h[3] += derivative * entry.w;
          }
          UNROLL for (int o = 0; o < 4; ++o) {
            sum[0][o] += product[0] * u[o];
            if (!jacobian) continue;
            UNROLL for (int axis = 0; axis < d - 1; ++axis) sum[1 + axis][o] += product[1 + axis] * u[o];
            sum[d][o] += product[0] * h[o];
          }
        }
        UNROLL for (int o = 0; o < 4; ++o) {
          const int output = 4 * group + o;
          if (output >= outputs) continue;
          value[output] = lanes_sum(sum[0][o]);
          if (!jacobian) continue;
          UNROLL for (int axis = 0; axis < d; ++axis)
            jacobian[output * d + axis] = lanes_sum(sum[1 + axis][o]) * scale[axis];
        }
      }
    }

    // v = prod_a w_a^T T_a w_a - ||R^T w||^2; jacobian [d] may be NULL. root R [grid points][rank].
    INLINE void grid_variance(const int d, const int rank, const float *geometry, const float *toeplitz,
                              const float *root, const vf *x, int active, vi *outside, vf *value,
                              vf *jacobian) {
      const int rows = 1 << (2 * (d - 1));
      float w[4][4], slope[4][4], fraction[4], scale[4], prior[4], prior_slope[4];
      int stride[4], size;
      int64_t first = locate(d, geometry, x, outside, fraction, scale, stride, &size);
      UNROLL for (int a = 0; a < d; ++a) {
        cubic_weights(0, fraction[a], w[a], slope[a]);
        prior[a] = prior_slope[a] = 0.f;
        UNROLL for (int i = 0; i < 4; ++i) {
          float row = 0.f;
          UNROLL for (int j = 0; j < 4; ++j) row += __ldg(toeplitz + 4 * a + (i < j ? j - i : i - j)) * w[a][j];
          prior[a] += w[a][i] * row;
          prior_slope[a] += 2.f * slope[a][i] * row;
        }
      }
      float norm[5] = {0.f, 0.f, 0.f, 0.f, 0.f};
      for (int column = lane(); column < rank; column += LANES) {
        float z = 0.f, dz[4] = {0.f, 0.f, 0.f, 0.f};
        UNROLL for (int row = 0; row < rows; ++row) {
          int64_t point = first;
          float product[4];
          UNROLL for (int v = 0; v < d; ++v) product[v] = 1.f;
          UNROLL for (int a = 0; a < d - 1; ++a) {
            const int k = (row >> (2 * (d - 2 - a))) & 3;
            point += k * stride[a];
            UNROLL for (int v = 0; v < d; ++v) product[v] *= v == 1 + a ? slope[a][k] : w[a][k];
          }
          float u = 0.f, h = 0.f;
          UNROLL for (int k = 0; k < 4; ++k) {
            float entry = __ldg(root + (point + k) * rank + column);
            u += w[d - 1][k] * entry;
            if (jacobian) h += slope[d - 1][k] * entry;
          }
          z += product[0] * u;
          if (!jacobian) continue;
          UNROLL for (int a = 0; a < d - 1; ++a) dz[a] += product[1 + a] * u;
          dz[d - 1] += product[0] * h;
        }
        norm[0] += z * z;
        if (jacobian) UNROLL for (int a = 0; a < d; ++a) norm[1 + a] += z * dz[a];
      }
      float all = 1.f;
      UNROLL for (int a = 0; a < d; ++a) all *= prior[a];
      value[0] = all - lanes_sum(norm[0]);
      if (jacobian) UNROLL for (int a = 0; a < d; ++a) {
        float others = prior_slope[a];
        UNROLL for (int b = 0; b < d; ++b) if (b != a) others *= prior[b];
        jacobian[a] = (others - 2.f * lanes_sum(norm[1 + a])) * scale[a];
      }
    }

    """#
}
