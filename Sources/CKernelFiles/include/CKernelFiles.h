// SPDX-License-Identifier: Apache-2.0
// What the cache of kernels needs of the system and Swift's Glibc does not show: a file in memory only, and a folder opened
// to be passed through.

#ifndef BAGEL_KERNEL_FILES_H
#define BAGEL_KERNEL_FILES_H

#include <stddef.h>

/// A file in memory that holds the bytes, sealed where the system can: nobody can change it, nobody else can name it. Returns
/// its descriptor, closed at exec, or -1 with errno (ENOSYS where the system has no such files).
int kernel_memory_file(const void *bytes, size_t count);

/// Opens the folder `name` (not a symbolic link) of the open folder `parent`. Of its rights only search is needed: a home
/// folder's parents need not be readable. Returns a descriptor, closed at exec, or -1 with errno.
int kernel_open_passage(int parent, const char *name);

#endif
