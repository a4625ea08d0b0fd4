#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# NVIDIA's run-time compiler for the tests that compile CUDA kernels; it needs no GPU. Prints its path, or nothing
# where it cannot be had, and then those tests are skipped. Fetched once from PyPI into .build/nvrtc (110 MB).
set -eu
cd "$(dirname "$0")/.."
folder=.build/nvrtc
library() { find "$PWD/$folder" -name 'libnvrtc.so.*' ! -name '*alt*' 2>/dev/null | head -n 1; }

if [ -n "${BAGEL_NVRTC:-}" ]; then echo "$BAGEL_NVRTC"; exit 0; fi
if [ -z "$(library)" ] && [ "$(uname)" = Linux ]; then
  echo "fetching NVRTC for the tests of CUDA kernels" >&2
  python3 -m pip install --quiet --target "$folder" "nvidia-cuda-nvrtc>=13,<14" >/dev/null 2>&1 \
    || pip3 install --quiet --target "$folder" "nvidia-cuda-nvrtc>=13,<14" >/dev/null 2>&1 \
    || echo "no NVRTC (pip install nvidia-cuda-nvrtc failed): CUDA kernels are emulated, not compiled" >&2
fi
library
