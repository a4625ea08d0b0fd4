#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of learning results over seeds: every row is one `bagel learn` command with --json.

    Benchmarks/learning_table.py [RECORD.json [ROW ...]]

Writes what the commands said, without the lists that are long, and prints the table. About an hour on two cores.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

BAGEL = os.path.join(os.path.dirname(__file__), "..", ".build", "release", "bagel")
ROWS = {
    "boom": ["boom", "--runs", "16"],
    "boom-goals": ["boom-goals", "--runs", "8"],
    "boom-goals, parameters +-20 %": ["boom-goals", "--runs", "8", "--vary", "0.2"],
    "boom-delayed": ["boom-delayed", "--runs", "8"],
    "boom-disturbed": ["boom-disturbed", "--runs", "8"],
    "cart-pole": ["cart-pole", "--runs", "20"],
    "cart-pole-pilco": ["cart-pole-pilco", "--runs", "10", "--trials", "8"],
    "pendulum": ["pendulum", "--runs", "10"],
    "crane": ["crane", "--runs", "8"],
    "crane, parameters +-20 %": ["crane", "--runs", "8", "--vary", "0.2"],
    "crane-pose": ["crane-pose", "--runs", "8"],
    "crane-delayed": ["crane-delayed", "--runs", "8"],
    "crane-physics": ["crane-physics", "--runs", "8"],
    "gymnasium": [os.path.join(os.path.dirname(__file__), "..", "Examples", "gymnasium", "pendulum.yaml"), "--runs", "10"],
}


def main():
    record_path = sys.argv[1] if len(sys.argv) > 1 else None
    wanted = sys.argv[2:] or list(ROWS)
    record = {}
    if record_path and os.path.exists(record_path):
        record = json.load(open(record_path))
    for name in wanted:
        arguments = [os.path.abspath(a) if a.endswith(".yaml") else a for a in ROWS[name]]
        with tempfile.TemporaryDirectory() as folder:
            start = time.time()
            done = subprocess.run(
                [os.path.abspath(BAGEL), "learn", *arguments, "--json", "--output", folder],
                capture_output=True, text=True)
            if done.returncode != 0:
                print(f"{name}: exit code {done.returncode}: {done.stderr[-300:]}")
                continue
            said = json.loads(done.stdout.strip().split("\n")[-1])
        for run in said["runs"]:
            run.pop("returns", None)
        said["command"] = "bagel learn " + " ".join([os.path.basename(arguments[0]), *arguments[1:]])
        said["wallSeconds"] = time.time() - start
        record[name] = said
        if record_path:
            json.dump(record, open(record_path, "w"), indent=1, sort_keys=True)
        unsolved = [run["seed"] for run in said["runs"] if not run["solved"]]
        compute = sorted(said["computeSeconds"])
        print(f"{name}: {said['successes']} of {said['episodes']} seeds solved"
              + (f" (not: {unsolved})" if unsolved else "")
              + f", {said['judgedSuccesses']} of {said['judgedEpisodes']} episodes of their last trials"
              + f" ({said['stepSuccesses']} of {said['steps']} steps), trials {[run['trials'] for run in said['runs']]}"
              + f", computing {statistics.median(compute):.1f} s a seed (median; most {compute[-1]:.1f})", flush=True)


main()
