// SPDX-License-Identifier: Apache-2.0
// CBLAS from OpenBLAS, and the LAPACK routines used (OpenBLAS carries LAPACK; declaring them
// here spares users a second -dev package). Fortran calling convention: all by reference,
// column-major.
#ifndef BAGEL_OPENBLAS_SHIM_H
#define BAGEL_OPENBLAS_SHIM_H
#include <cblas.h>
#ifdef __linux__
#include <malloc.h>  // mallopt: Swift's Glibc module leaves it out
#endif

void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dtrtri_(const char *uplo, const char *diag, const int *n, double *a, const int *lda,
             int *info);
void dstev_(const char *jobz, const int *n, double *d, double *e, double *z, const int *ldz,
            double *work, int *info);
void dsyev_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
            double *work, const int *lwork, int *info);

#endif
