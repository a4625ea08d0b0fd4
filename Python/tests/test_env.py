# SPDX-License-Identifier: Apache-2.0
# Environments on a learnt model: what Gymnasium's checker says, the same numbers from the same seed and from
# the command itself, rates as on the machine, episodes that end one by one.

from __future__ import annotations

import json
import subprocess
import unittest
import warnings
from pathlib import Path
from typing import Any, Dict, List
from unittest import mock

import numpy as np
from env_makers import EnvTest, gymnasium, reward
from log_makers import command, spring_log

import bagel_control as bagel
from bagel_control.causal_states import CausalStates
from bagel_control.model_file import ModelFile, Rate

if gymnasium is not None:
    from gymnasium.utils.env_checker import check_env
    from gymnasium.vector import AutoresetMode
    from gymnasium.wrappers.vector import RecordEpisodeStatistics

    from bagel_control.env import ModelEnv, ModelVectorEnv
    from bagel_control.wishes import Judge


class SpacesTest(EnvTest):
    def test_the_checker_says_nothing(self) -> None:
        def make(**more: Any) -> "ModelEnv":
            return ModelEnv(
                self.fit, reward=reward, horizon=100, action_limits=[-0.9, 0.9], device="interpreter", **more)

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gymnasium.register("BagelSpring-v0", entry_point=make)
            self.addCleanup(gymnasium.registry.pop, "BagelSpring-v0")
            for observe in ("states", "measured"):
                env = gymnasium.make("BagelSpring-v0", observe=observe)
                check_env(env.unwrapped)
                self.assertEqual(env.observation_space.shape, (2 if observe == "states" else 1,))
                env.close()

    def test_spaces(self) -> None:
        env = self.machines(4)
        self.assertEqual((env.observation_space.shape, env.action_space.shape), ((4, 2), (4, 1)))
        space, logged = env.single_observation_space, self.fit.held_out
        self.assertIsNotNone(logged)
        self.assertTrue((space.low < -5).all() and (space.high > 5).all() and np.isfinite(space.high).all())
        # The default is what the log had.
        force = spring_log(1, 120)["force"]
        np.testing.assert_allclose(env.single_action_space.low, [force.min()], rtol=1e-6)
        np.testing.assert_allclose(env.single_action_space.high, [force.max()], rtol=1e-6)
        limited = self.machines(4, action_limits={"force": [-0.5, 0.5]}, sensor_noise=False)
        seen: List[np.ndarray] = []
        limited._judge = Judge(lambda s, a, n: seen.append(a) or np.zeros(len(a)), None)
        limited.reset()
        limited.step(np.array([[0.3], [2.0], [-2.0], [0.5]]))
        np.testing.assert_array_equal(seen[0], np.float32([[0.3], [0.5], [-0.5], [0.5]]))

    def test_what_cannot_be_meant(self) -> None:
        for arguments, words in [
            ({"doubt": "much"}, "function, steps, none"), ({"observe": "all"}, "states, measured"),
            ({"horizon": 0}, "at least 1"), ({"action_limits": {"valve": [0, 1]}}, "wanted are force"),
            ({"action_limits": [1, -1]}, "lower < upper"), ({"action_limits": [-50, 50]}, "ten times"),
            ({"start": [1.0]}, "position, position_rate"), ({"start": {"velocity": 1}}, "wanted are position"),
        ]:
            with self.assertRaisesRegex(bagel.UsageError, words):
                self.machines(**arguments)
        for model in (3, None):
            with self.assertRaises(bagel.UsageError):
                ModelVectorEnv(model, 1, reward=reward, horizon=1)
        with self.assertRaises(bagel.DataError):
            ModelVectorEnv(self.folder, 1, reward=reward, horizon=1)
        with self.assertRaisesRegex(bagel.UsageError, "reset"):
            self.machines().step(np.zeros((3, 1)))
        env = self.machines()
        env.reset()
        for actions in (np.zeros(3), np.zeros((2, 1)), np.full((3, 1), np.nan)):
            with self.assertRaises(bagel.UsageError):
                env.step(actions)
        with self.assertRaises(bagel.UsageError):
            env.reset(seed=-1)
        env._judge = Judge(lambda s, a, n: 0.0, None)
        with self.assertRaisesRegex(bagel.UsageError, r"wanted is \[3\]"):
            env.step(np.zeros((3, 1)))
        env._judge = Judge(lambda s, a, n: np.log(n[:, 0] - 100), None)
        with np.errstate(all="ignore"), self.assertRaisesRegex(bagel.DataError, "the reward is nan"):
            env.step(np.zeros((3, 1)))


class NumbersTest(EnvTest):
    def test_the_same_seed_the_same_numbers(self) -> None:
        env = self.machines(seed=3)
        first, _ = env.reset()
        wanted = self.run_of(env)
        again, _ = env.reset(seed=3)
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(wanted, self.run_of(env))
        other, _ = env.reset()
        # Logged states may be drawn twice.
        self.assertTrue((other != first).any())
        self.assertTrue((self.machines(seed=4).reset()[0] != first).any())
        self.assertTrue((self.machines(seed=None).reset()[0] != self.machines(seed=None).reset()[0]).any())
        # A machine does not depend on how many there are, and one alone is the first.
        more = self.machines(5, seed=3)
        np.testing.assert_array_equal(more.reset()[0][:3], first)
        np.testing.assert_allclose(np.array(self.run_of(more))[:, :3], wanted, rtol=1e-12)
        one = self.single(seed=3)
        np.testing.assert_array_equal(one.reset()[0], first[0])
        np.testing.assert_array_equal(one.step(np.float32([0.5]))[0], one.machines.states[0].astype(np.float32))

    def test_states_are_the_commands(self) -> None:
        actions = [np.float32([[0.1 * k], [-0.2], [0.7]]) for k in range(6)]
        lines: List[Dict[str, Any]] = [{"command": "reset", "seed": 11}]
        lines += [{"command": "step", "actions": one.astype(float).tolist()} for one in actions]
        ended = subprocess.run(
            [command(), "simulate", str(self.fit.model_path), "--particles=3", "--device=interpreter"],
            input="\n".join(map(json.dumps, lines)), capture_output=True, text=True, check=True)
        measured = [np.array(json.loads(line)["states"]) for line in ended.stdout.splitlines()]
        env = self.machines(action_limits=[-1, 1])
        env.reset(seed=11)
        rate, gain = np.zeros(3), 1 - np.exp(-0.05 / 0.1)
        for k, row in enumerate(measured):
            if k > 0:
                env.step(actions[k - 1])
                difference = (row[:, 0] - measured[k - 1][:, 0]) / 0.05
                rate = difference if k == 1 else rate + gain * (difference - rate)
            # BLAS may have other kernels in another process.
            np.testing.assert_allclose(env.states[:, 0], row[:, 0], rtol=1e-12)
            np.testing.assert_allclose(env.states[:, 1], rate, rtol=1e-6)

    def test_a_fit_of_logs_with_its_rates(self) -> None:
        fit = bagel.fit(
            spring_log(1, 120), states=["position"], actions=["force"], time_step=0.05, rates="auto",
            progress=False)
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            env = ModelVectorEnv(
                fit, 2, reward=reward, horizon=50, seed=1, doubt="none", sensor_noise=False,
                device="interpreter")
        self.addCleanup(env.close)
        env.reset()
        rows = [env.states, *self.run_of(env, 8)]
        self.assertTrue((rows[0][:, 1] == 0).all())
        for before, after in zip(rows, rows[1:]):
            np.testing.assert_allclose(after[:, 1], (after[:, 0] - before[:, 0]) / 0.05, rtol=1e-9)

    def test_a_model_of_forecasts_says_what_to_do(self) -> None:
        error = bagel.DataError("it reads the command of the row that it predicts", exit_code=65)
        source = bagel.fit(
            spring_log(1, 60), states=["position"], actions=["force"], time_step=0.05, progress=False)
        with mock.patch("bagel_control.vector_env.simulate", side_effect=error):
            with self.assertRaisesRegex(bagel.DataError, "predicts. In Python: "):
                ModelVectorEnv(source, 1, reward=reward, horizon=1)

    def test_where_episodes_begin(self) -> None:
        env = self.machines(start={"position": 0.25}, sensor_noise=False, doubt="none")
        env.reset()
        np.testing.assert_allclose(env.states, [[0.25, 0.0]] * 3, atol=1e-12)
        env.reset(options={"state": [0.5, 1.0], "reset_mask": np.array([False, True, False])})
        np.testing.assert_allclose(env.states[:, 0], [0.25, 0.5, 0.25], atol=1e-12)
        drawn = self.machines(start=lambda generator: [generator.uniform(2, 3), 0.0], sensor_noise=False)
        first = drawn.reset(seed=5)[0]
        self.assertTrue(((2 < first[:, 0]) & (first[:, 0] < 3)).all() and len(set(first[:, 0])) == 3)
        np.testing.assert_array_equal(drawn.reset(seed=5)[0], first)

    def test_doubt(self) -> None:
        runs = {}
        for doubt in ("function", "steps", "none"):
            env = self.machines(doubt=doubt, sensor_noise=False, start=[0.1, 0.0])
            env.reset()
            runs[doubt] = np.array(self.run_of(env))[:, :, 0]
        self.assertEqual(np.ptp(runs["none"], axis=1).max(), 0)
        self.assertGreater(np.ptp(runs["function"], axis=1).max(), 0)
        self.assertGreater(np.ptp(runs["steps"], axis=1).max(), 0)


class EndsTest(EnvTest):
    def test_an_episode_ends_and_the_others_go_on(self) -> None:
        def at(states: np.ndarray) -> np.ndarray:
            return states[:, 0] > bound

        bound = np.inf
        quiet: Dict[str, Any] = {"sensor_noise": False, "terminated": at}
        reference = self.machines(**quiet)
        reference.reset()
        wanted = np.array(self.run_of(reference, 8))
        # The machine that gets farthest ends there.
        where, farthest = np.unravel_index(wanted[:4, :, 0].argmax(), (4, 3))
        bound = (np.sort(wanted[:4, :, 0].max(axis=0))[-2] + wanted[where, farthest, 0]) / 2
        others = np.arange(3) != farthest
        for mode in ("NextStep", "SameStep", "Disabled"):
            with self.subTest(mode):
                env = self.machines(**quiet, autoreset_mode=mode)
                self.assertEqual(env.metadata["autoreset_mode"], AutoresetMode(mode))
                env.reset()
                ends = 0
                for k in range(4):
                    result = env.step(np.full((3, 1), np.sin(k)))
                    np.testing.assert_allclose(env.states[others], wanted[k, others], rtol=1e-12)
                    if ends == 1:
                        break
                    if not result[2].any():
                        continue
                    ends += 1
                    np.testing.assert_array_equal(result[2], ~others)
                    self.assertEqual(result[1][farthest], reward(
                        wanted[k - 1 :][:1, farthest], np.float32([[np.sin(k)]]), wanted[k : k + 1, farthest])[0])
                    if mode == "SameStep":
                        np.testing.assert_array_equal(result[4]["_final_obs"], ~others)
                        np.testing.assert_allclose(
                            result[4]["final_obs"][farthest], wanted[k, farthest], rtol=1e-6)
                        self.assertEqual(env.states[farthest, 1], 0)
                    if mode == "Disabled":
                        with self.assertRaisesRegex(bagel.UsageError, "is over"):
                            env.step(np.zeros((3, 1)))
                        env.reset(options={"reset_mask": ~others})
                        self.assertEqual(env.states[farthest, 1], 0)
                self.assertEqual(ends, 1)
                if mode == "NextStep":
                    self.assertEqual((result[1][farthest], result[2].any(), result[3].any()), (0, False, False))
                    self.assertEqual(env.states[farthest, 1], 0)

    def test_the_horizon(self) -> None:
        env = RecordEpisodeStatistics(self.machines(horizon=3))
        env.reset()
        ends = [env.step(np.zeros((3, 1))) for _ in range(8)]
        self.assertEqual([end[3].all() for end in ends], [False, False, True, False, False, False, True, False])
        self.assertEqual(ends[2][4]["episode"]["l"].tolist(), [3, 3, 3])
        self.assertTrue((ends[3][1] == 0).all())
        same = self.machines(horizon=3, autoreset_mode="SameStep")
        same.reset()
        ends = [same.step(np.zeros((3, 1))) for _ in range(6)]
        self.assertEqual([end[3].all() for end in ends], [False, False, True, False, False, True])

    def test_an_episode_that_leaves_what_is_known(self) -> None:
        env = self.machines(sensor_noise=False)
        env.reset()
        env._known.high[0] = env.states[:, 0].max() - 1e-9
        result = env.step(np.zeros((3, 1)))
        left = result[4]["diverged"]
        self.assertTrue(left.any() and not left.all())
        np.testing.assert_array_equal(result[3], left)


class CausalStatesTest(unittest.TestCase):
    def test_an_angle_that_turns(self) -> None:
        model = ModelFile(
            path=Path("x"), states=("rate", "angle"), units=("", "deg"), actions=(), time_step=0.1, measured=(1,),
            rates=(Rate(0, 0, 1.0),), turns=np.array([360.0]), state_lower=np.zeros(2), state_upper=np.ones(2),
            action_lower=np.zeros(0), action_upper=np.zeros(0))
        states = CausalStates(model, 2)
        states.begin(np.arange(2), np.array([[170.0], [5.0]]))
        for measured, wanted in [
            ([[178.0], [5.0]], [[80, 178], [0, 5]]), ([[-174.0], [-5.0]], [[80, 186], [-100, -5]]),
            ([[-166.0], [358.0]], [[80, 194], [30, -2]]),
        ]:
            states.next(np.array(measured))
            np.testing.assert_allclose(states.states, wanted, atol=1e-9)
        states.begin(np.array([0]), np.array([[10.0]]))
        np.testing.assert_allclose(states.states, [[0, 10], [30, -2]], atol=1e-9)
        states.next(np.array([[11.0], [359.0]]))
        np.testing.assert_allclose(states.states, [[10, 11], [10, -1]], atol=1e-9)


if __name__ == "__main__":
    unittest.main()
