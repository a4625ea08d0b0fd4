#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Steps a second of machines on a learnt model, as the Python package drives them: by the shared library and by the command, for each doubt.

    Benchmarks/environment_steps.py MODEL [RECORD.json [MACHINES]]

MODEL is a model.safetensors or an output folder (`bagel demo --output boom-out`). Wants NumPy and Gymnasium (Scripts/setup-python.sh), the command
and the library (`make build`, `make c-library`). A figure is the median of 20 blocks of 50 steps, of all machines together; the two ways run in
turn, in processes of their own.
"""
import json
import os
import subprocess
import sys
import time

from bagel_runs import BAGEL, keep

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", ".build")
WAYS = {
    "library": os.path.join(BUILD, "c-library", "libbagel.so"),
    "command": "none",
}
DOUBTS = ["function", "steps", "none"]
BLOCKS, STEPS = 20, 50


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(model, machines, doubt):
    """Of this process's way."""
    sys.path.insert(0, os.path.join(HERE, "..", "Python"))
    import numpy as np
    from bagel_control.env import ModelVectorEnv

    env = ModelVectorEnv(
        model, machines, reward=lambda states, actions, after: -(after[:, 0] ** 2), horizon=1_000_000,
        doubt=doubt, seed=1)
    env.reset()
    actions = [env.action_space.sample() for _ in range(STEPS)]

    def block():
        for action in actions:
            env.step(action)

    block()
    rates = np.array([machines * STEPS / seconds(block) for _ in range(BLOCKS)])
    one = {"reset_mask": np.arange(machines) == 0}
    found = {
        "stepsPerSecond": float(np.median(rates)), "best": float(rates.max()), "worst": float(rates.min()),
        "resetOfAllSeconds": min(seconds(env.reset) for _ in range(5)),
        "resetOfOneSeconds": min(seconds(lambda: env.reset(options=one)) for _ in range(5)),
    }
    env.close()
    return found


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--one":
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]), sys.argv[4])))
        return
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    model, machines = sys.argv[1], int(sys.argv[3]) if len(sys.argv) > 3 else 1_000
    record = {"machines": machines, "blocks": BLOCKS, "stepsOfABlock": STEPS, "rows": {}}
    print(f"{'doubt':<10}{'by':<10}{'steps/s':>12}{'best':>12}{'worst':>12}{'reset of all':>15}{'of one':>10}")
    for doubt in DOUBTS:
        for way, library in WAYS.items():
            done = subprocess.run(
                [sys.executable, __file__, "--one", model, str(machines), doubt], capture_output=True, text=True,
                env={**os.environ, "BAGEL_LIBRARY": library, "BAGEL": BAGEL})
            if done.returncode != 0:
                sys.exit(f"{doubt} by {way}: {done.stderr[-800:]}")
            row = record["rows"][f"{doubt}, {way}"] = json.loads(done.stdout)
            print(
                f"{doubt:<10}{way:<10}{row['stepsPerSecond']:>12,.0f}{row['best']:>12,.0f}{row['worst']:>12,.0f}"
                f"{1e3 * row['resetOfAllSeconds']:>12.1f} ms{1e3 * row['resetOfOneSeconds']:>7.1f} ms", flush=True)
    if len(sys.argv) > 2:
        keep(record, sys.argv[2])


if __name__ == "__main__":
    main()
