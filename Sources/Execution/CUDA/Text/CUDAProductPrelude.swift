// SPDX-License-Identifier: Apache-2.0
// Products of a shared matrix with the T particles of a team. Two kinds:
//
//   weighted sums   tall matrices of a posterior; x and y in scratch memory [n][T], rows over the team's warps,
//                   columns over lanes, so that every load of the matrix is 128 bytes of one row for T products
//   layers          weights of a policy; x handed round through shared memory, y spread over the lanes in
//                   registers. W x reads a transposed copy, so that neighbouring lanes read neighbouring words.

enum CUDAProductPrelude {
  /// Columns a lane takes at once.
  static let slice = 4

  static let text = """
    enum { SLICE = \(slice) };

    """ + products

  private static let products = #"""

    // T numbers that all lanes of a team read.
    INLINE void load(const float *from, float x[T]) {
      if (T % 4 == 0) {
        UNROLL for (int t = 0; t < T; t += 4) {
          float4 four = *(const float4 *)(from + t);
          x[t] = four.x;
          x[t + 1 < T ? t + 1 : 0] = four.y;
          x[t + 2 < T ? t + 2 : 0] = four.z;
          x[t + 3 < T ? t + 3 : 0] = four.w;
        }
      } else {
        UNROLL for (int t = 0; t < T; ++t) x[t] = from[t];
      }
    }

    // A matrix and its transposed copy, as products take them.
    #define MATRIX(array, offset) a->array + offset, a->transposed + TRANSPOSED_##array##_##offset

    // Where in `length` elements from `first` on slot c of a lane lies; lanes past the end repeat the last one.
    INLINE int slice_index(int c, int first, int length) {
      int k = lane() + LANES * c;
      return first + k < length ? k : length - 1 - first;
    }

    // y[j] = sum_i s[i][j] x[i]; upper: s[i][j] = 0 for j < i, and those rows are skipped. Rows over warps.
    INLINE void transposed_product(const float *s, const float *transposed, const int rows, const int columns,
                                   const int upper, const vf (*x)[T], vf (*y)[T]) {
      const int width = LANES * SLICE;
      __shared__ float part[WARPS == 1 ? 1 : WARPS][WARPS == 1 ? 1 : LANES * SLICE * T];
      for (int first = 0; first < columns; first += width) {
        float sum[SLICE][T];
        EACH(c, SLICE) sum[c][t] = 0.f;
        int end = upper && first + width < rows ? first + width : rows;
        UNROLL_BY_4 for (int i = warp_of_team(); i < end; i += WARPS) {
          const float *row = s + (int64_t)i * columns + first;
          float xi[T];
          load(x[i], xi);
          UNROLL for (int c = 0; c < SLICE; ++c) {
            float entry = __ldg(row + slice_index(c, first, columns));
            UNROLL for (int t = 0; t < T; ++t) sum[c][t] += entry * xi[t];
          }
        }
        if (WARPS == 1) {
          EACH(c, SLICE) if (first + lane() + LANES * c < columns) y[first + lane() + LANES * c][t] = sum[c][t];
        } else {
          EACH(c, SLICE) part[warp_of_team()][(lane() + LANES * c) * T + t] = sum[c][t];
          __syncthreads();
          for (int k = threadIdx.x; k < width * T; k += TEAM) {
            float total = 0.f;
            UNROLL for (int w = 0; w < WARPS; ++w) total += part[w][k];
            if (first + k / T < columns) y[first + k / T][k % T] = total;
          }
          __syncthreads();
        }
      }
      team_sync();
    }

    // y[i] = sum_j s[i][j] x[j]. Slices of rows over warps, rows over lanes of the transposed copy. (Columns over
    // lanes of s itself wants a sum over the lanes for every row: 30 instructions beside 32 multiply-adds.)
    INLINE void product(const float *s, const float *transposed, const int rows, const int columns, const int upper,
                        const vf (*x)[T], vf (*y)[T]) {
      const int width = LANES * SLICE;
      for (int first = warp_of_team() * width; first < rows; first += WARPS * width) {
        float sum[SLICE][T];
        EACH(c, SLICE) sum[c][t] = 0.f;
        UNROLL_BY_4 for (int j = upper ? first : 0; j < columns; ++j) {
          const float *column = transposed + (int64_t)j * rows + first;
          float xj[T];
          load(x[j], xj);
          UNROLL for (int c = 0; c < SLICE; ++c) {
            float entry = __ldg(column + slice_index(c, first, rows));
            UNROLL for (int t = 0; t < T; ++t) sum[c][t] += entry * xj[t];
          }
        }
        EACH(c, SLICE) if (first + lane() + LANES * c < rows) y[first + lane() + LANES * c][t] = sum[c][t];
      }
      team_sync();
    }

    // x [n] in this team's shared memory, where all its lanes can read it; 0 for particles that did not live.
    INLINE const float *staged(const vf (*x)[T], const int is_spread, const int n, const vi *lived) {
      __shared__ __align__(16) float memory[LARGEST_BLOCK / 32][W][STAGE * T];
      float *stage = memory[threadIdx.x / 32][threadIdx.x % 32 / LANES];
      __syncwarp();
      if (is_spread) {
        SPREAD(i, n) stage[i * T + t] = !lived || lived[t] ? x[AT(i)][t] : 0.f;
      } else {
        EACH(i, n) if (i % LANES == lane()) stage[i * T + t] = !lived || lived[t] ? x[i][t] : 0.f;
      }
      __syncwarp();
      return stage;
    }

    // y[i] = sum_k m[k][i] x[k], y spread; x staged.
    INLINE void spread_product(const float *m, const int inner, const int outer, const float *x, vf (*y)[T]) {
      UNROLL for (int slot = 0; slot < SLOTS(outer); ++slot) UNROLL for (int t = 0; t < T; ++t) y[slot][t] = 0.f;
      UNROLL_BY_4 for (int k = 0; k < inner; ++k) {
        float xk[T];
        load(x + k * T, xk);
        UNROLL for (int slot = 0; slot < SLOTS(outer); ++slot) {
          float entry = __ldg(m + k * outer + spread_index(slot, outer));
          UNROLL for (int t = 0; t < T; ++t) y[slot][t] += entry * xk[t];
        }
      }
    }
    // y = W x and y = W^T x
    INLINE void layer(const vf (*x)[T], const int is_spread, const float *w, const float *transposed,
                      const int rows, const int columns, vf (*y)[T]) {
      spread_product(transposed, columns, rows, staged(x, is_spread, columns, NULL), y);
    }
    INLINE void transposed_layer(const vf (*x)[T], const int is_spread, const float *w, const float *transposed,
                                 const int rows, const int columns, vf (*y)[T]) {
      spread_product(w, rows, columns, staged(x, is_spread, rows, NULL), y);
    }

    // sum[i][j] += r[i] c[j] of the particles that lived, rows spread
    INLINE void outer_sum(const vf (*r)[T], const int, const int rows, const vf (*c)[T], const int c_is_spread,
                          const int columns, const vi *lived, vf *sum) {
      const float *stage = staged(c, c_is_spread, columns, lived);
      UNROLL for (int j = 0; j < columns; ++j) {
        float cj[T];
        load(stage + j * T, cj);
        UNROLL for (int slot = 0; slot < SLOTS(rows); ++slot)
          UNROLL for (int t = 0; t < T; ++t)
            sum[slot * columns + j] += (lived[t] ? r[slot][t] : 0.f) * cj[t];
      }
    }

    """#
}
