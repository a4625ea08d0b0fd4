#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The cart-pole's swing-up on a short track: `bagel learn` with a cart that may not leave 0.6 m to either side and 8 N, and without the
track's end, then 20 more episodes of each policy.

    Benchmarks/limits_table.py RECORD.json [TASK [SEEDS]]

TASK: kept or free. Both, 8 seeds each, without it; some minutes a seed on two cores.
"""
import os
import tempfile

from bagel_runs import bagel, wanted_rows, write_table

TASK = """
name: short-track
timeStep: 0.05
states:
  - {name: position, units: m%s}
  - {name: velocity, units: m/s}
  - {name: angle, units: rad}
  - {name: rate, units: rad/s}
actions: [{name: force, units: N, limits: [-8, 8]}]
plant: cart-pole
explore: {kind: random, episodes: 1, seconds: 6}
model:
  covariance: squared-exponential
  mean: linear
  stateHistory: 0
  angles: [angle]
  integrate: {position: velocity, angle: rate}
  sampler: pathwise
policy: {radialBasis: 200}
reward:
  - formula: exp(-((abs(angle) - pi) / 3)^2 - position^2)
start: {mean: [0, 0, 0, 0], deviation: [0.01, 0.01, 0.01, 0.01]}
goal: [0, 0, 3.1415927, 0]
optimise: {particles: 50, horizon: 60, learningRate: 0.02, starts: 3, iterations: 800, patience: 15}
evaluate:
  episodes: 1
  seconds: 3
  success:
    - {measure: "sqrt((position + 0.5 * sin(angle))^2 + (0.5 + 0.5 * cos(angle))^2)", below: 0.1}
    - {measure: abs(position), below: 0.5}
  lastSteps: 10
learn: {trials: 6}
"""
LIMITS = {"kept": ", limits: [-0.6, 0.6]", "free": ""}


def run(task, seed):
    with tempfile.TemporaryDirectory() as folder:
        path, kept = (os.path.join(folder, name) for name in ("short-track.yaml", "kept.yaml"))
        open(path, "w").write(TASK % LIMITS[task])
        open(kept, "w").write(TASK % LIMITS["kept"])
        learnt = bagel("learn", path, "--seed", seed, "--output", folder)
        # Where the track ends counts for both.
        driven = bagel("evaluate", kept, "--policy", os.path.join(folder, "policy.safetensors"), "--seed", seed + 100, "--output", folder, "--episodes", 20, "--no-rival")
    print(task, seed, {k: learnt.get(k) for k in ("solved", "trials")}, driven["successes"], driven.get("earlyEnds"), driven.get("constraints"), flush=True)
    return {"seed": seed, "solved": learnt.get("solved"), "trials": learnt.get("trials"), "successes": driven["successes"],
            "episodes": driven["episodes"], "constraints": driven.get("constraints"), "earlyEnds": driven.get("earlyEnds"),
            "learnt": learnt}


def summary(runs):
    violations = [r["constraints"][0] for r in runs if r["constraints"]]
    return {"seeds": len(runs), "solved": sum(bool(r["solved"]) for r in runs),
            "successes": sum(r["successes"] for r in runs), "episodes": sum(r["episodes"] for r in runs),
            "violations": sum(v["violations"] for v in violations)}


if __name__ == "__main__":
    write_table(wanted_rows({"kept": 8, "free": 8}, 8), run, summary)
