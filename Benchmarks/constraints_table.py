#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What constraints cost and how far the plant keeps them: for every seed a log, a model, a search with the constraint and one
without it, and episodes of both policies on the plant.

    Benchmarks/constraints_table.py RECORD.json [ROW [SEEDS]]

Rows: boom (model chosen by BAGEL), boom-plain (the built-in task's model). Two minutes a row on two cores.
"""
import json
import os
import subprocess
import sys
import tempfile

BAGEL = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".build", "release", "bagel"))
CONSTRAINT = "constraints: [{quantity: abs(rate), below: 0.35, probability: 0.99}]\n"
TASK = """
name: {name}
timeStep: 0.05
states: [{{name: angle, units: rad}}, {{name: rate, units: rad/s}}]
actions: [{{name: valve, limits: [-1, 1]}}]
plant: boom
explore: {{kind: manual, seconds: 110, turningPoints: [-0.5, 0.5]}}
model: {model}
policy: {{layers: [8, 8]}}
reward: [{{saturating: {{weights: [10, 0.1]}}}}, {{actionChange: 1}}]
start: [-0.6108652, 0]
goal: [0, 0]
optimise: {{particles: 100, horizon: 300}}
evaluate: {{episodes: 125, seconds: 15, startSpread: 0.0523599, tolerance: 0.0174533, settle: 4}}
"""
ROWS = {
    "boom": "{sampler: automatic}",
    "boom-plain": "{covariance: squared-exponential, mean: linear, stateHistory: 0, sampler: tabulated}",
}


def bagel(*arguments):
    done = subprocess.run([BAGEL, *map(str, arguments), "--json"], capture_output=True, text=True)
    lines = done.stdout.strip().split("\n")
    # 3: the evaluation found no success, and says so.
    if done.returncode not in (0, 3) or not lines[-1].startswith("{"):
        raise SystemExit(f"bagel {arguments}: {done.returncode} {done.stderr[-400:]}")
    return json.loads(lines[-1])


def run(name, seed, folder):
    free = os.path.join(folder, "free.yaml")
    kept = os.path.join(folder, "kept.yaml")
    text = TASK.format(name=name, model=ROWS[name])
    open(free, "w").write(text)
    open(kept, "w").write(text + CONSTRAINT)
    fit = os.path.join(folder, "fit")
    bagel("fit", free, "--seed", seed, "--output", fit)
    result = {"seed": seed}
    for case, task in (("free", free), ("kept", kept)):
        out = os.path.join(folder, case)
        found = bagel("optimize", task, "--model", os.path.join(fit, "model.safetensors"), "--seed", seed, "--output", out)
        driven = bagel("evaluate", kept, "--policy", os.path.join(out, "policy.safetensors"), "--seed", seed + 100, "--output", out)
        result[case] = {
            "return": found["bestReturn"], "freestReturn": found.get("freestReturn"),
            "secondsPerIteration": found["secondsPerIteration"], "seconds": found["optimizeSeconds"],
            "rollouts": found.get("constraints"), "plant": driven["constraints"][0],
            "successes": driven["successes"], "episodes": driven["episodes"],
        }
    return result


def main():
    path, wanted = sys.argv[1], sys.argv[2:3] or list(ROWS)
    seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 8
    record = json.load(open(path)) if os.path.exists(path) else {}
    for name in wanted:
        runs = []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                runs.append(run(name, seed, folder))
            kept = runs[-1]["kept"]
            print(f"{name} seed {seed}: left in {kept['plant']['violations']} of {kept['episodes']} episodes "
                  f"({runs[-1]['free']['plant']['violations']} without), {kept['successes']} succeed "
                  f"({runs[-1]['free']['successes']} without), return {kept['return']:.1f} (best of any: {kept['freestReturn']:.1f}, "
                  f"without: {runs[-1]['free']['return']:.1f}), {1e3 * kept['secondsPerIteration']:.2f} ms an iteration "
                  f"({1e3 * runs[-1]['free']['secondsPerIteration']:.2f}), {kept['seconds']:.1f} s a search "
                  f"({runs[-1]['free']['seconds']:.1f})", flush=True)
            record[name] = runs
            json.dump(record, open(path, "w"), indent=1, sort_keys=True)
        total = sum(r["kept"]["plant"]["violations"] for r in runs)
        print(f"{name}: {total} of {sum(r['kept']['episodes'] for r in runs)} plant episodes leave the bound, "
              f"{sum(r['kept']['successes'] for r in runs)} succeed", flush=True)


main()
