// SPDX-License-Identifier: Apache-2.0
// CBLAS and LAPACK from Apple's Accelerate, under the names that OpenBLAS gives them (with ACCELERATE_NEW_LAPACK, which Package.swift
// defines). Not tried: no Apple machine was at hand.
#ifndef BAGEL_ACCELERATE_SHIM_H
#define BAGEL_ACCELERATE_SHIM_H
#include <Accelerate/Accelerate.h>

typedef int blasint;

#endif
