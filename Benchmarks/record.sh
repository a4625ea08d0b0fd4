#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures BAGEL, and GPyTorch and JAX beside it in the same sitting, and writes one JSON record.
# usage: Benchmarks/record.sh FILE [PYTHON with gpytorch and jax]    (after make build)
set -euo pipefail
cd "$(dirname "$0")/.."
record=${1:?usage: Benchmarks/record.sh FILE [PYTHON]}
python=${2:-}
bagel=.build/release/bagel
data=$(mktemp)
last() { tail -n 1; }
iteration() { # null where it fails
  local found
  found=$($bagel benchmark iteration "$@" --json 2>/dev/null | last) || true
  echo "${found:-null}"
}
peer() { # null where there is no peer or it fails
  local found=""
  if [ -n "$python" ]; then found=$("$python" "$@" 2>/dev/null | last) || true; fi
  echo "${found:-null}"
}
{
  echo "{\"date\": \"$(date -u +%F)\","
  echo "\"machine\": \"$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs), $(nproc) cores\","
  echo "\"doctor\": $($bagel doctor --json 2>/dev/null | last),"
  echo "\"iteration\": $(iteration),"
  echo "\"iteration10000\": $(iteration --particles 10000 --sampler automatic),"
  for sampler in automatic kiss-gp sparse pathwise love exact; do
    echo "\"iteration-$sampler\": $(iteration --sampler $sampler),"
  done
  for points in 1000 10000 100000; do
    echo "\"iteration-automatic-$points\": $(iteration --points $points --sampler automatic),"
    echo "\"iteration-kiss-gp-$points\": $(iteration --sampler kiss-gp --points $points),"
  done
  echo "\"fit\": $($bagel benchmark fit --data "$data" --json 2>/dev/null | last),"
  echo "\"fitByDefault\": $($bagel benchmark fit --criterion heteroscedastic --json 2>/dev/null | last),"
  echo "\"fitGPyTorch\": $(peer Benchmarks/gpytorch_fit.py "$data"),"
  echo "\"iterationGPyTorch\": $(peer Benchmarks/gpytorch_iteration.py "$data"),"
  echo "\"iterationGPyTorchKISS\": $(peer Benchmarks/gpytorch_iteration.py "$data" --grid 30 --iterations 1),"
  echo "\"iterationJAX\": $(peer Benchmarks/jax_iteration.py "$data")}"
} | python3 Benchmarks/write_record.py "$record"
rm -f "$data"
