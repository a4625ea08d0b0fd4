#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What informative driving is worth: policies from logs of so many episodes of ten seconds, driven by proposals or by smooth noise,
and how many of 16 episodes on the plant each then does.

    Benchmarks/informative_table.py RECORD.json [boom|crane [SEEDS]]

Without TASK: both, 8 seeds each. An hour on two cores.
"""
import json
import os
import statistics
import sys
import tempfile

from bagel_runs import bagel, wanted_rows

ROWS = {"boom": 8, "crane": 8}
EPISODES = (2, 4, 8)
TASKS = {
    "boom": """
name: boom-KIND
timeStep: 0.05
states:
  - {name: angle, units: rad, limits: [-0.75, 1.0]}
  - {name: rate, units: rad/s}
actions:
  - {name: valve, limits: [-1, 1]}
plant: boom
explore: {kind: KIND, seconds: 10, episodes: EPISODES, holdSeconds: 1, amplitude: 0.5}
model: {covariance: squared-exponential, mean: linear, stateHistory: 0, sampler: tabulated}
policy: {layers: [8, 8], goal: error}
reward:
  - saturating: {weights: [10, 0.1]}
  - actionChange: 1
start: [0.1, 0]
goal: {lower: [-0.5, 0], upper: [0.8, 0]}
optimise: {particles: 100, horizon: 200, learningRate: 0.01, starts: 2}
evaluate: {episodes: 16, seconds: 12, tolerance: 0.0174533, settle: 6}
learn: {trials: 1}
""",
}


def text(task, kind, episodes):
    if task in TASKS:
        whole = TASKS[task]
    else:
        # The built-in task, as a file that `learn` writes.
        with tempfile.TemporaryDirectory() as folder:
            bagel("learn", task, "--output", folder)
            lines = open(f"{folder}/learn/task.yaml").read().split("\n")
        explore = "explore: {kind: KIND, seconds: 10, episodes: EPISODES, holdSeconds: 1, amplitude: 0.5}"
        whole = "\n".join(explore if line.startswith("explore:") else line for line in lines)
    return whole.replace("KIND", kind).replace("EPISODES", str(episodes))


def run(yaml, seed):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/task.yaml"
        open(path, "w").write(yaml)
        learnt = bagel("learn", path, "--seed", seed, "--output", folder)
        found = bagel("evaluate", path, "--seed", seed + 100, "--output", folder, "--no-rival")
    errors = [entry["steadyStateError"] for entry in found["tracked"].values()]
    return {"seed": seed, "successes": found["stepSuccesses"], "steps": found["steps"], "errors": errors,
            "transitions": learnt.get("transitions")}


def main():
    record = sys.argv[1]
    table = json.load(open(record)) if os.path.exists(record) else {}
    for task, seeds in wanted_rows(ROWS, 8).items():
        for episodes in EPISODES:
            for kind in ("informative", "smooth"):
                if episodes == 1 and kind == "informative":
                    continue  # the first episode is smooth
                yaml = text(task, kind, episodes)
                runs = [run(yaml, seed) for seed in range(seeds)]
                entry = {"successes": [r["successes"] for r in runs], "steps": runs[0]["steps"],
                         "medianError": statistics.median(e for r in runs for e in r["errors"]), "runs": runs}
                table.setdefault(task, {}).setdefault(str(10 * episodes), {})[kind] = entry
                print(task, 10 * episodes, kind, entry["successes"], entry["medianError"], flush=True)
                json.dump(table, open(record, "w"), indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
