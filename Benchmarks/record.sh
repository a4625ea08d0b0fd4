#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures BAGEL, and GPyTorch beside it in the same sitting, and writes one JSON record.
# usage: Benchmarks/record.sh FILE [PYTHON with gpytorch]    (after make build)
set -euo pipefail
cd "$(dirname "$0")/.."
record=${1:?usage: Benchmarks/record.sh FILE [PYTHON]}
python=${2:-}
bagel=.build/release/bagel
data=$(mktemp)
last() { tail -n 1; }
peer() { if [ -n "$python" ]; then "$python" "$@" 2>/dev/null | last; else echo null; fi; }
{
  echo "{\"date\": \"$(date -u +%F)\","
  echo "\"machine\": \"$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs), $(nproc) cores\","
  echo "\"doctor\": $($bagel doctor --json 2>/dev/null | last),"
  echo "\"iteration\": $($bagel benchmark iteration --json 2>/dev/null | last),"
  echo "\"iteration10000\": $($bagel benchmark iteration --particles 10000 --json 2>/dev/null | last),"
  echo "\"iterationExact\": $($bagel benchmark iteration --sampler exact --json 2>/dev/null | last),"
  echo "\"fit\": $($bagel benchmark fit --data "$data" --json 2>/dev/null | last),"
  echo "\"fitGPyTorch\": $(peer Benchmarks/gpytorch_fit.py "$data"),"
  echo "\"iterationGPyTorch\": $(peer Benchmarks/gpytorch_iteration.py "$data")}"
} | python3 -c '
import json, sys
record = json.load(sys.stdin)
doctor = record["doctor"]
doctor["compilerVersion"] = doctor["compilerVersion"].split(" (")[0]
record["doctor"] = {k: v for k, v in doctor.items() if k not in ("cache", "compiler", "gnuplot")}
json.dump(record, sys.stdout, indent=1, sort_keys=True)' >"$record"
rm -f "$data"
echo "wrote $record"
