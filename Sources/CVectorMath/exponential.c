// SPDX-License-Identifier: Apache-2.0
// exp(x) = 2^k exp(r), k the nearest whole number to x / ln 2, |r| <= ln 2 / 2. ln 2 is subtracted in two parts, the
// first of which has few enough bits that k times it is exact (Cody and Waite, 1980); exp(r) is its Taylor
// series up to r^13, whose rest is 4e-18.

#include "CVectorMath.h"
#include "widest.h"

#include <stdint.h>
#include <string.h>

WIDEST void vector_exponential(const double *arguments, double *results, size_t count)
{
  // Adding it rounds to a whole number, which then stands in the lowest bits.
  const double shift = 0x1.8p52;
  // The arrays are the same or apart: without this, the compiler takes the scalar loop for the same (ten times slower).
#pragma clang loop vectorize(assume_safety)
  for (size_t i = 0; i < count; ++i) {
    double x = arguments[i];
    x = x < -708 ? -708 : x;
    x = x > 709 ? 709 : x;
    const double shifted = x * 0x1.71547652b82fep0 + shift;
    const double k = shifted - shift;
    const double r = (x - k * 0x1.62e42fefa3800p-1) - k * 0x1.ef35793c76730p-45;
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1;
    p = p * r + 1;
    uint64_t bits, exponent;
    memcpy(&exponent, &shifted, sizeof exponent);
    memcpy(&bits, &p, sizeof bits);
    bits += exponent << 52;
    memcpy(&p, &bits, sizeof bits);
    // Not the smallest numbers: products with those are slow.
    results[i] = arguments[i] < -708 ? 0 : p;
  }
}
