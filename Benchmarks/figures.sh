#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The paper's figures in full, GPyTorch's iterations beside figure 5, and one JSON record of all: about two hours on two cores.
# Pages, pictures, CSV and each figure's JSON stay in figures-out; a figure whose JSON is there is not measured again.
# usage: Benchmarks/figures.sh FILE [PYTHON with gpytorch]    (after make build, on a machine with nothing else to do)
set -euo pipefail
cd "$(dirname "$0")/.."
record=${1:?usage: Benchmarks/figures.sh FILE [PYTHON]}
python=${2:-}
bagel=.build/release/bagel
output=figures-out
mkdir -p $output

# GPyTorch's lines; where B = 1,000, which takes 24 GB, does not fit, it has none.
peers() {
  $bagel benchmark fit --data $output/transitions.csv --json >/dev/null 2>&1
  for configuration in "100 8,8" "1000 8,8"; do
    read -r particles layers <<<"$configuration"
    "$python" Benchmarks/gpytorch_iteration.py $output/transitions.csv --particles "$particles" \
      --layers "$layers" --iterations 3 2>/dev/null | tail -n 1 || true
  done
}

measure() {
  [ -s "$output/$1.json" ] && return
  $bagel reproduce "$@" --output $output --png --json | tail -n 1 >"$output/$1.part"
  mv "$output/$1.part" "$output/$1.json"
}

if [ -n "$python" ] && [ ! -s $output/peers.jsonl ]; then peers >$output/peers.jsonl; fi
measure figure3
measure figure4
if [ -s $output/peers.jsonl ]; then measure figure5 --peers $output/peers.jsonl; else measure figure5; fi
measure figure2
measure cart-pole
{
  echo "{\"date\": \"$(date -u +%F)\","
  echo "\"machine\": \"$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs), $(nproc) cores\","
  for figure in figure2 figure3 figure4 figure5 cart-pole; do
    echo "\"$figure\": $(cat "$output/$figure.json"),"
  done
  echo "\"doctor\": $($bagel doctor --json 2>/dev/null | tail -n 1)}"
} | python3 Benchmarks/write_record.py "$record"
