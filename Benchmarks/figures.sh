#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The paper's figures in full, GPyTorch's iterations beside figure 5, and one JSON record of all: about two hours on two cores.
# Pages, pictures and CSV stay in figures-out.
# usage: Benchmarks/figures.sh FILE [PYTHON with gpytorch]    (after make build, on a machine with nothing else to do)
set -euo pipefail
cd "$(dirname "$0")/.."
record=${1:?usage: Benchmarks/figures.sh FILE [PYTHON]}
python=${2:-}
bagel=.build/release/bagel
output=figures-out
peers=()
mkdir -p $output
if [ -n "$python" ]; then
  $bagel benchmark fit --data $output/transitions.csv --json >/dev/null 2>&1
  : >$output/peers.jsonl
  # B = 1,000 takes 23 GB; where it does not fit, its line is left out.
  for configuration in "100 8,8" "1000 8,8"; do
    read -r particles layers <<<"$configuration"
    "$python" Benchmarks/gpytorch_iteration.py $output/transitions.csv --particles "$particles" \
      --layers "$layers" --iterations 3 2>/dev/null | tail -n 1 >>$output/peers.jsonl || true
  done
  peers=(--peers $output/peers.jsonl)
fi
result() { $bagel reproduce "$@" --output $output --png --json | tail -n 1; }
{
  echo "{\"date\": \"$(date -u +%F)\","
  echo "\"machine\": \"$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs), $(nproc) cores\","
  echo "\"doctor\": $($bagel doctor --json 2>/dev/null | tail -n 1),"
  for figure in figure3 figure4; do echo "\"$figure\": $(result $figure),"; done
  echo "\"figure5\": $(result figure5 "${peers[@]}"),"
  echo "\"cart-pole\": $(result cart-pole),"
  echo "\"figure2\": $(result figure2)}"
} | python3 Benchmarks/write_record.py "$record"
