# SPDX-License-Identifier: Apache-2.0
# What tests of environments share: a spring whose rate is derived, learnt once for each class. In: arguments of
# environments. Out: machines that end with their test.

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from log_makers import CommandTest, spring_log, write_csv
from test_results import spring_task

import bagel_control as bagel

try:
    import gymnasium

    from bagel_control.env import ModelEnv, ModelVectorEnv
except ImportError as error:
    if "ymnasium" not in str(error):
        raise
    gymnasium = None
    print("tests of environments are skipped: gymnasium is not there", file=sys.stderr)


def reward(states: np.ndarray, actions: np.ndarray, after: np.ndarray) -> np.ndarray:
    return -((after[:, 0] - 0.3) ** 2) - 0.01 * actions[:, 0] ** 2


@unittest.skipIf(gymnasium is None, "gymnasium is not there")
class EnvTest(CommandTest):
    """The spring, with a rate that is derived through a filter of 0.1 s; kernels are interpreted, which
    compiles nothing."""

    fit: bagel.Fit

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        place = Path(folder.name).resolve()
        for name, seed in (("log.csv", 1), ("other.csv", 2)):
            write_csv(place / name, spring_log(seed, 120))
        states = [
            {"name": "position"}, {"name": "position_rate", "rateOf": "position", "filterTime": 0.1}]
        task = bagel.Task(spring_task(states=states), folder=place)
        cls.fit = bagel.fit(task, output=place / "out", progress=False)

    def made(self, count: int, **more: Any) -> "ModelVectorEnv":
        arguments: Dict[str, Any] = {"reward": reward, "horizon": 100, "seed": 7, "device": "interpreter"}
        return ModelVectorEnv(self.fit, count, **{**arguments, **more})

    def machines(self, count: int = 3, **more: Any) -> "ModelVectorEnv":
        env = self.made(count, **more)
        self.addCleanup(env.close)
        return env

    def run_of(self, env: Any, steps: int = 5) -> List[np.ndarray]:
        """Exact states of steps with actions that go up and down."""
        return [self.stepped(env, k) for k in range(steps)]

    def stepped(self, env: Any, k: int) -> np.ndarray:
        env.step(np.full(env.action_space.shape, np.sin(k)))
        return env.states

    def single(self, **more: Any) -> "ModelEnv":
        env = ModelEnv(self.fit, **{"reward": reward, "horizon": 100, "device": "interpreter", **more})
        self.addCleanup(env.close)
        return env
