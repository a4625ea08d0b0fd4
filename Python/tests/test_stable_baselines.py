# SPDX-License-Identifier: Apache-2.0
# PPO on a learnt model: a log of 1,000 rows becomes machines for Stable-Baselines3, and some ten thousand steps on
# them make a controller that earns more than the untrained one.

from __future__ import annotations

import sys
import unittest
from typing import Any

import numpy as np
from log_makers import CommandTest, spring_log, write_csv
from test_results import spring_task

import bagel_control as bagel

try:
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

    from bagel_control.env import ModelEnv
    from bagel_control.stable_baselines import ModelVecEnv
except ImportError as error:
    if "baselines3" not in str(error) and "torch" not in str(error) and "ymnasium" not in str(error):
        raise
    PPO = None
    print("test_stable_baselines.py is skipped: stable_baselines3 is not there", file=sys.stderr)

GOAL = 0.3


def reward(states: np.ndarray, actions: np.ndarray, after: np.ndarray) -> np.ndarray:
    return -np.abs(after[:, 0] - GOAL)


@unittest.skipIf(PPO is None, "stable_baselines3 is not there")
class StableBaselinesTest(CommandTest):
    def setUp(self) -> None:
        super().setUp()
        write_csv(self.folder / "log.csv", spring_log(1, 1000))
        write_csv(self.folder / "other.csv", spring_log(2, 300))
        self.fit = bagel.fit(spring_task(), progress=False)
        threads = torch.get_num_threads()
        self.addCleanup(torch.set_num_threads, threads)
        torch.set_num_threads(1)

    def machines(self, count: int, **more: Any) -> "ModelVecEnv":
        arguments: Any = {"reward": reward, "horizon": 100, "action_limits": [-0.9, 0.9], "seed": 1}
        env = ModelVecEnv(self.fit, count, **{**arguments, **more})
        self.addCleanup(env.close)
        return env

    def test_ppo_learns(self) -> None:
        machines = VecMonitor(self.machines(32))
        learner = PPO(
            "MlpPolicy", machines, n_steps=100, batch_size=400, n_epochs=5, learning_rate=1e-3, gamma=0.95,
            seed=1, device="cpu")
        others = VecMonitor(self.machines(32, seed=2))
        before, _ = evaluate_policy(learner, others, 32)
        learner.learn(48_000)
        after, _ = evaluate_policy(learner, others, 32)
        # A rest far from the goal costs about 0.3 a step; what is learnt is less than half of it.
        self.assertGreater(after, 0.5 * before, (before, after))
        # The controller is good for the true machine's equations, too.
        self.assertLess(self.driven(learner), 0.1)

    def driven(self, learner: Any) -> float:
        """The mean error of the spring's equations in the last second of 5 s (`spring_log`)."""
        position, velocity, errors = 0.0, 0.0, []
        for _ in range(100):
            action, _ = learner.predict(np.float32([position, velocity]), deterministic=True)
            for _ in range(5):
                position, velocity = (
                    position + 0.01 * velocity,
                    velocity + 0.01 * (3 * float(action[0]) - 2 * position - 1.2 * velocity))
            errors.append(abs(position - GOAL))
        return float(np.mean(errors[-20:]))

    def test_ends_are_told(self) -> None:
        machines = self.machines(
            2, horizon=3, terminated=lambda after: np.array([False, True]), device="interpreter")
        machines.seed(5)
        first = machines.reset()
        observations, _, dones, infos = machines.step(np.zeros((2, 1)))
        self.assertEqual((dones.tolist(), infos[0]), ([False, True], {}))
        self.assertFalse(infos[1]["TimeLimit.truncated"])
        self.assertTrue((infos[1]["terminal_observation"] != observations[1]).any())
        machines.step(np.zeros((2, 1)))
        _, _, dones, infos = machines.step(np.zeros((2, 1)))
        self.assertEqual(dones.tolist(), [True, True])
        self.assertEqual([info["TimeLimit.truncated"] for info in infos], [True, False])
        machines.seed(5)
        np.testing.assert_array_equal(machines.reset(), first)
        self.assertEqual(machines.get_attr("horizon"), [3, 3])
        self.assertEqual(machines.env_is_wrapped(VecMonitor), [False, False])

    def test_single_machines_too(self) -> None:
        env = DummyVecEnv(
            [lambda: ModelEnv(self.fit, reward=reward, horizon=20, device="interpreter")] * 2)
        self.addCleanup(env.close)
        PPO("MlpPolicy", env, n_steps=32, batch_size=32, device="cpu").learn(64)


if __name__ == "__main__":
    unittest.main()
