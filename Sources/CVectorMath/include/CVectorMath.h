// SPDX-License-Identifier: Apache-2.0
// Elementary functions of arrays in the widest vectors of the processor that runs them. Swift is compiled for the
// oldest processor of its architecture, and libm's functions take one number at a time; covariance matrices are
// millions of exponentials.

#ifndef C_VECTOR_MATH_H
#define C_VECTOR_MATH_H

#include <stddef.h>

/// results[i] = exp(arguments[i]) within one unit in the last place; 0 below -708, about 8e307 above 709. NaN stays NaN.
/// The arrays may be the same.
void vector_exponential(const double *arguments, double *results, size_t count);

#endif
