// SPDX-License-Identifier: Apache-2.0
// Exponentials and logarithms of arrays, squared distances, and the double sums of exponentials that moment matching (MomentMatching/PairSums.swift) spends its time
// on, in the widest vectors of the processor that runs them. Swift is compiled for the
// oldest processor of its architecture, and libm's functions take one number at a time; covariance matrices are
// millions of exponentials.

#ifndef C_VECTOR_MATH_H
#define C_VECTOR_MATH_H

#include <stddef.h>

/// results[i] = exp(arguments[i]) within one unit in the last place; 0 below -708, about 8e307 above 709. NaN stays NaN.
/// The arrays may be the same, but not overlap otherwise.
void vector_exponential(const double *arguments, double *results, size_t count);

/// results[i] = log(1 + arguments[i]), arguments finite and at least 0, within two units in the last place. The arrays may be
/// the same, but not overlap otherwise.
void vector_log1p(const double *arguments, double *results, size_t count);

/// results[j] = sum_k (point[k] - b_k[j])^2, j < count, with b as `others`: one dimension after another, `stride` apart.
void vector_squared_distances(
    const double *point, const double *others, size_t dimensions, size_t stride, double *results,
    size_t count);

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
