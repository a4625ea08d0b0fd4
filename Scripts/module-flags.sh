#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a compiler needs to read the modules that a release build has left: one argument a line, for swiftc and
# swift-symbolgraph-extract.
# usage: Scripts/module-flags.sh [BUILD]      (default: .build/release of this checkout)
set -eu
checkout=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$checkout/.build/release}
printf '%s\n' -I "$build/Modules"
if [ "$(uname)" = Darwin ]; then blas=CBLAS/Accelerate; else blas=CBLAS/OpenBLAS; fi
for module in $blas CLBFGS CZlib; do printf '%s\n' -I "$checkout/Sources/$module"; done
for module in CVectorMath CProcessGuard CKernelFiles CBagel; do
  printf '%s\n' -Xcc "-fmodule-map-file=$build/$module.build/module.modulemap"
done
printf '%s\n' -I "$checkout/.build/checkouts/Yams/Sources/CYaml/include"
if [ "$(uname)" = Darwin ]; then printf '%s\n' -sdk "$(xcrun --show-sdk-path)"; fi
