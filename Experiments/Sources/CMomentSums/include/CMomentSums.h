// SPDX-License-Identifier: Apache-2.0
// The double sums of exponentials on which moment matching (MomentMatching/PairSums.swift) spends its time, in the widest vectors of
// the processor that runs them.

#ifndef C_MOMENT_SUMS_H
#define C_MOMENT_SUMS_H

#include <stddef.h>

/// One row of sum_j w_j exp(s + t_j + u . b_j), w_j = a c_j - e_j.
struct exponential_row {
  /// s
  double offset;
  /// t [count]
  const double *offsets;
  /// u [dimensions]
  const double *slopes;
  /// b, one dimension after another, `stride` apart.
  const double *points;
  size_t dimensions, stride;
  /// a
  double weight;
  /// c [count]
  const double *weights;
  /// e [count], or null for zeros.
  const double *corrections;
};

/// Adds the row's sum to sums[0], its sums weighted by each dimension of b to sums[1 ...], and each term j < count to
/// column_sums[j].
void weighted_exponential_sums(
    const struct exponential_row *row, size_t count, double *sums, double *column_sums);

#endif
