// SPDX-License-Identifier: Apache-2.0
// The third part of the prelude of the host: two register-blocked products of a shared matrix with a tile of particles, for
// weighted sums and wide policies. With T = 4 they run at 240 GFLOP/s a core with AVX-512
// where the matrix is in the second-level cache (2,200 x 102).

enum HostProductPrelude {
  static let text = #"""
    // Products of a shared matrix s [rows][columns] with a tile of particles, register blocks of rows x T
    // vectors, in chunks of columns whose particles (CHUNK T W floats) stay in the first-level cache.
    // upper: s[i][j] = 0 for j < i, and those halves are skipped.
    enum { CHUNK = 128 };
    #define MATRIX(array, offset) a->array + offset

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
            __builtin_prefetch(row + 6 * (ptrdiff_t)columns + 6 * j);
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
      // Ahead along the row, or where rows are short the next chunk.
      const ptrdiff_t next = columns < 256 ? CHUNK * (ptrdiff_t)columns : 48;
      for (int first = 0; first < rows; first += CHUNK) {
        int last = first + CHUNK < rows ? first + CHUNK : rows;
        int j = upper ? first / 6 * 6 : 0;
        for (; j + 6 <= columns; j += 6) {
          vf sum[6][T];
          EACH(c, 6) sum[c][t] = y[j + c][t];
          int end = upper && j + 6 < last ? j + 6 : last;
          for (int i = first; i < end; ++i) {
            const float *entry = s + (ptrdiff_t)i * columns + j;
            __builtin_prefetch(entry + next);
            EACH(c, 6) sum[c][t] += entry[c] * x[i][t];
          }
          EACH(c, 6) y[j + c][t] = sum[c][t];
        }
        for (; j < columns; ++j)
          for (int i = first; i < last; ++i)
            EACH(c, 1) y[j][t] += s[(ptrdiff_t)i * columns + j] * x[i][t];
      }
    }

    // Layers of policies; no argument is spread on the host.
    #define layer(x, is_spread, w, rows, columns, y) product(w, rows, columns, 0, x, y)
    #define transposed_layer(x, is_spread, w, rows, columns, y) transposed_product(w, rows, columns, 0, x, y)

    // sum[i][j] += r[i] c[j] of the particles that lived
    #define outer_sum(r, r_is_spread, rows, c, c_is_spread, columns, lived, sum)                       \
      for (int i = 0; i < rows; ++i) for (int j = 0; j < columns; ++j) UNROLL for (int t = 0; t < T; ++t) \
        (sum)[i * columns + j] += v_select(lived[t], r[i][t] * c[j][t], splat(0.f));

    """#
}
