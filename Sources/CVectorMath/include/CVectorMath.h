// SPDX-License-Identifier: Apache-2.0
// Exponentials and logarithms of arrays, and squared distances, in the widest vectors of the processor that runs them. Swift is
// compiled for the oldest processor of its architecture, and libm's functions take one number at a time; covariance
// matrices are millions of exponentials.

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

#endif
