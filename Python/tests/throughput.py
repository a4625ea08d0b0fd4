# SPDX-License-Identifier: Apache-2.0
# How fast machines on a learnt model are. In: a model's file or an output folder. Out: for each doubt, steps per
# second of all machines together (the median of blocks of 50 steps, and the best), the time of this process in it,
# and what resets cost.
#
#   usage: python3 Python/tests/throughput.py boom-out [MACHINES]     (boom-out is of `bagel demo --output boom-out`)

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Callable

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bagel_control.env import ModelVectorEnv  # noqa: E402

BLOCKS, STEPS = 20, 50


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(model: str, machines: int, doubt: str) -> str:
    env = ModelVectorEnv(
        model, machines, reward=lambda states, actions, after: -(after[:, 0] ** 2), horizon=1_000_000,
        doubt=doubt, seed=1)
    env.reset()
    actions = [env.action_space.sample() for _ in range(STEPS)]

    def block() -> None:
        for action in actions:
            env.step(action)

    block()
    own = time.process_time()
    rates = np.array([machines * STEPS / seconds(block) for _ in range(BLOCKS)])
    own = 1e3 * (time.process_time() - own) / (BLOCKS * STEPS)
    everyone = 1e3 * min(seconds(env.reset) for _ in range(5))
    one = {"reset_mask": np.arange(machines) == 0}
    single = 1e3 * min(seconds(lambda: env.reset(options=one)) for _ in range(5))
    env.close()
    return (
        f"{doubt}: {machines} machines, {np.median(rates):,.0f} steps/s (best {rates.max():,.0f}), of a step "
        f"{own:.2f} ms in Python; reset of all {everyone:.1f} ms, of one {single:.1f} ms")


if __name__ == "__main__":
    for doubt in ("function", "steps", "none"):
        print(measure(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000, doubt), flush=True)
