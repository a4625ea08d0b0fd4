// SPDX-License-Identifier: Apache-2.0
// libLBFGS (MIT licence): limited-memory BFGS with line searches, the optimiser of the
// hyperparameter fit.
#include <lbfgs.h>
