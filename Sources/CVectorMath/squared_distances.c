// SPDX-License-Identifier: Apache-2.0
// Squared distances from one point to many, a block of the many at a time, whose sums stay in registers.

#include "CVectorMath.h"
#include "widest.h"

enum { BLOCK = 32 };

WIDEST void vector_squared_distances(
    const double *point, const double *others, size_t dimensions, size_t stride, double *results,
    size_t count)
{
  // Distances are differences of near numbers: the same on every processor, whether or not it multiplies and adds at once.
#pragma clang fp contract(off)
  for (size_t start = 0; start < count; start += BLOCK) {
    double sums[BLOCK] = {0};
    const size_t length = count - start < BLOCK ? count - start : BLOCK;
    if (length == BLOCK) {
      for (size_t k = 0; k < dimensions; ++k) {
        const double own = point[k], *other = others + k * stride + start;
        for (size_t j = 0; j < BLOCK; ++j) {
          const double difference = own - other[j];
          sums[j] += difference * difference;
        }
      }
    } else {
      for (size_t k = 0; k < dimensions; ++k) {
        const double own = point[k], *other = others + k * stride + start;
        for (size_t j = 0; j < length; ++j) {
          const double difference = own - other[j];
          sums[j] += difference * difference;
        }
      }
    }
    for (size_t j = 0; j < length; ++j) results[start + j] = sums[j];
  }
}
