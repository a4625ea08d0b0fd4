// SPDX-License-Identifier: Apache-2.0
// zlib: it is on every system, and reads what gzip writes.
#ifndef BAGEL_ZLIB_SHIM_H
#define BAGEL_ZLIB_SHIM_H
#include <zlib.h>

// inflateInit2 is a macro, which Swift does not see. 15 + 16: the largest window, in gzip's format.
static inline int bagel_inflate_gzip_init(z_stream *stream) { return inflateInit2(stream, 15 + 16); }

#endif
