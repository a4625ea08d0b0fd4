// SPDX-License-Identifier: Apache-2.0
// One row of a double sum of weighted exponentials, in blocks that stay in the first-level cache: exponents, their
// exponentials, then all sums that read them.

#include "CMomentSums.h"
#include "CVectorMath.h"
#include "widest.h"

enum { BLOCK = 512 };

WIDEST void weighted_exponential_sums(
    const struct exponential_row *row, size_t count, double *sums, double *column_sums)
{
#pragma clang fp reassociate(on) contract(fast)
  double terms[BLOCK];
  for (size_t start = 0; start < count; start += BLOCK) {
    const size_t length = count - start < BLOCK ? count - start : BLOCK;
    const double *offsets = row->offsets + start;
    for (size_t j = 0; j < length; ++j) terms[j] = row->offset + offsets[j];
    for (size_t k = 0; k < row->dimensions; ++k) {
      const double *points = row->points + k * row->stride + start;
      const double slope = row->slopes[k];
      for (size_t j = 0; j < length; ++j) terms[j] += slope * points[j];
    }
    vector_exponential(terms, terms, length);
    const double *weights = row->weights + start;
    double *columns = column_sums + start;
    double total = 0;
    if (row->corrections) {
      const double *corrections = row->corrections + start;
      for (size_t j = 0; j < length; ++j)
        terms[j] *= row->weight * weights[j] - corrections[j];
    } else {
      for (size_t j = 0; j < length; ++j) terms[j] *= row->weight * weights[j];
    }
    for (size_t j = 0; j < length; ++j) {
      columns[j] += terms[j];
      total += terms[j];
    }
    sums[0] += total;
    for (size_t k = 0; k < row->dimensions; ++k) {
      const double *points = row->points + k * row->stride + start;
      double moment = 0;
      for (size_t j = 0; j < length; ++j) moment += terms[j] * points[j];
      sums[1 + k] += moment;
    }
  }
}
