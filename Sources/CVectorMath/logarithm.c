// SPDX-License-Identifier: Apache-2.0
// log(1 + u): 1 + u as it is rounded is 2^k m, m between sqrt(1/2) and sqrt(2), and log m = 2 artanh(s), s = (m - 1) / (m + 1),
// |s| <= 0.172, is its Taylor series up to s^21, whose rest is 3e-18. What rounding took from 1 + u is added to first order.

#include "CVectorMath.h"
#include "widest.h"

#include <stdint.h>
#include <string.h>

WIDEST void vector_log1p(const double *arguments, double *results, size_t count)
{
#pragma clang loop vectorize(assume_safety)
  for (size_t i = 0; i < count; ++i) {
    const double u = arguments[i];
    const double x = 1 + u;
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    // The exponent of x / sqrt(1/2) rounded down, by the bits: of a double they grow as it does. x is at least 1.
    const uint64_t k = (bits - 0x3fe6a09e667f3bcdull) >> 52;
    bits -= k << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    const double s = (m - 1) / (m + 1);
    const double q = s * s;
    double p = 2.0 / 21;
    p = p * q + 2.0 / 19;
    p = p * q + 2.0 / 17;
    p = p * q + 2.0 / 15;
    p = p * q + 2.0 / 13;
    p = p * q + 2.0 / 11;
    p = p * q + 2.0 / 9;
    p = p * q + 2.0 / 7;
    p = p * q + 2.0 / 5;
    p = p * q + 2.0 / 3;
    const double logarithm = (p * q) * s + 2 * s;
    const double lost = (u - (x - 1)) / x;
    const double exponent = (double)(int32_t)(uint32_t)k;
    results[i] = exponent * 0x1.62e42fefa3800p-1
        + (logarithm + (lost + exponent * 0x1.ef35793c76730p-45));
  }
}
