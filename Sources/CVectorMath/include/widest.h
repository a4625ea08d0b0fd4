// SPDX-License-Identifier: Apache-2.0
// Compiles a function once for each generation of processors; the one that runs is chosen when the program starts.

#ifndef WIDEST_H
#define WIDEST_H

#if defined(__x86_64__) && defined(__linux__)
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDEST
#endif

#endif
