# SPDX-License-Identifier: Apache-2.0
# Policies beside the command's own controller: every form, with random numbers, over the 1,000 rows of the
# exported test (walks, numbers that are none, drifts). The rows have more digits than the tolerance; the
# arithmetic is the same but for the order of sums.

from __future__ import annotations

import json
import unittest
import zlib
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from log_makers import CommandTest
from reference import Row, exported_rows, write_policy

from bagel_control import DataError, Policy, safetensors
from bagel_control.laws import shapes
from bagel_control.policy_file import _form, _inputs
from bagel_control.safetensors import TensorFile

TOLERANCE = 1e-12


class Machine:
    """A machine with an angle, its rate, a position and two commands, in words of a task and of a policy's
    file."""

    states = ["angle", "rate", "position"]
    units = ["deg", "deg/s", "m"]
    actions = ["valve", "pump"]
    lower, upper = [-1.0, 0.0], [1.0, 5.0]
    tip = {"name": "tip", "units": "m", "formula": "1.7 * cos(0.01 * angle) + max(position, 0.1)^2"}

    def __init__(
        self, *, angles: bool = False, rates: Sequence[Optional[float]] = (), derived: bool = False,
        disturbance: bool = False, goals: Sequence[Dict[str, Any]] = (), **words: Any,
    ) -> None:
        states, units = list(self.states), list(self.units)
        self.derived = derived
        entries: List[Dict[str, Any]] = [
            {"name": name, "units": unit} for name, unit in zip(states, units)]
        if derived:
            entries[1]["rateOf"] = "angle"
        self.task: Dict[str, Any] = {
            "name": "machine", "timeStep": 0.05, "states": entries,
            "actions": [
                {"name": name, "limits": [low, high]}
                for name, low, high in zip(self.actions, self.lower, self.upper)],
            "goal": [0, 0, 0], "policy": {"goal": "error"},
        }
        for entry, rate in zip(self.task["actions"], rates):
            if rate is not None:
                entry["rateLimit"] = rate / 0.05
        if disturbance:
            states.append("load")
            units.append("")
            self.task["disturbances"] = {"load": "varying"}
            self.task["policy"]["disturbances"] = True
        if goals:
            self.task["quantities"] = {
                goal["name"]: {"formula": goal["formula"], "units": goal["units"]}
                for goal in goals if "formula" in goal}
            self.task["goal"] = {goal["name"]: 0 for goal in goals}
        if angles:
            self.task["model"] = {"angles": ["angle"]}
        self.words: Dict[str, Any] = {
            "task": "machine", "stateNames": states, "stateUnits": units, "actionNames": self.actions,
            "hiddenLayers": [], "goal": "none", "angles": [0] if angles else [], "hasRadians": angles,
            "actionHistory": 0, "hasRateLimits": True, "hasDataBounds": False,
            "hasPredictedReturn": False, **words}
        if disturbance:
            self.words["disturbances"] = 1
        if goals:
            self.words["goals"] = list(goals)
        self.tensors = self._tensors(len(states), len(goals), angles, rates)

    def _tensors(
        self, states: int, goals: int, angles: bool, rates: Sequence[Optional[float]]
    ) -> Dict[str, np.ndarray]:
        draws = np.random.default_rng(5)
        tensors = {
            "time_step": np.array([0.05]), "state_mean": draws.normal(size=states),
            "state_scale": draws.uniform(0.5, 2, states), "action_lower": np.array(self.lower),
            "action_upper": np.array(self.upper), "action_rest": np.zeros(2)}
        if goals:
            tensors.update(
                goal_mean=draws.normal(size=goals), goal_scale=draws.uniform(0.5, 2, goals),
                logged_goals=draws.normal(size=(3, goals)))
        if angles:
            tensors["angle_radians"] = np.array([np.pi / 180])
        tensors["action_largest_change"] = np.array([r or np.inf for r in rates or (None, None)])
        inputs, _ = _inputs(TensorFile("", tensors, {}), self.words, states)
        form, layers = _form(self.words)
        parts = []
        for name, shape in shapes(form, layers, inputs, 2):
            values = 0.5 * draws.normal(size=shape)
            if name == "integral.error_bounds":
                values = np.full(shape, 0.7)
            elif name == "integral.gain":
                values *= 20
            parts.append(values.ravel())
        tensors["parameters"] = np.concatenate(parts)
        return tensors

    def seen(self, rows: Sequence[Row]) -> List[np.ndarray]:
        """What the controller sees of each row: the states, with the rate derived where it is not
        measured."""
        if not self.derived:
            return [np.array(row.measured) for row in rows]
        states: List[np.ndarray] = []
        before, elapsed = None, 0.0
        for row in rows:
            before, elapsed = (None, 0.0) if row.reset else (before, elapsed)
            elapsed += row.seconds if row.seconds > 0 and np.isfinite(row.seconds) else 0.05
            if not row.is_finite:
                states.append(np.full(3, np.nan))
                continue
            angle = row.measured[0]
            rate = 0.0 if before is None else (angle - before) / elapsed
            before, elapsed = angle, 0.0
            states.append(np.array([angle, rate, *row.measured[1:]]))
        return states


MACHINES: Dict[str, Dict[str, Any]] = {
    "network, no goal": {"hiddenLayers": [8, 8]},
    "linear, goal concatenated": {"goal": "concatenated"},
    "network, goal error, angle": {"hiddenLayers": [5], "goal": "error", "angles": True},
    "network, goal concatenated, angle": {"hiddenLayers": [5], "goal": "concatenated", "angles": True},
    "network, goals of quantities": {
        "hiddenLayers": [4], "goal": "error", "goals": [Machine.tip, {"name": "rate", "units": "deg/s"}]},
    "network, action history, rate limit of one": {
        "hiddenLayers": [6, 4], "actionHistory": 3, "rates": [0.05, None]},
    "network, derived rate": {"hiddenLayers": [8], "derived": True},
    "network, disturbance": {"hiddenLayers": [8], "goal": "error", "disturbance": True},
    "network, integral, action history": {
        "hiddenLayers": [6], "goal": "error", "actionHistory": 2, "integrated": [0, 2]},
    "network, integral, angle, rate limits": {
        "hiddenLayers": [6], "goal": "error", "angles": True, "integrated": [2, 0], "rates": [0.1, 0.4]},
    "radial basis": {"basisFunctions": 12},
    "radial basis, integral of a quantity": {
        "basisFunctions": 7, "goal": "concatenated", "goals": [Machine.tip], "integrated": [0]},
    "PID of a state": {"isPID": True, "goal": "error", "integrated": [2]},
    "PID of two goals, angle, rate limits": {
        "isPID": True, "goal": "error", "angles": True, "integrated": [0, 2], "rates": [0.1, 0.4]},
    "PID of a quantity": {"isPID": True, "goal": "error", "goals": [Machine.tip], "integrated": [0]},
}


class PolicyTest(CommandTest):
    def written(self, machine: Machine) -> Path:
        path = self.folder / "policy.safetensors"
        write_policy(path, machine.words, machine.tensors)
        return path

    def load(self, machine: Machine) -> Policy:
        return Policy.load(self.written(machine))

    def differences(self, machine: Machine, rows: Sequence[Row]) -> List[float]:
        """Of the controller's actions and those of the rows, in halves of their ranges. Where a row is no
        number, the exported code
        sends the resting action."""
        policy = self.load(machine)
        self.assertEqual(len(rows), 1000)
        controller = policy.controller()
        found = []
        for row, state in zip(rows, machine.seen(rows)):
            if row.reset:
                controller.reset()
            action = policy.rest
            if row.is_finite and np.isfinite(row.goal if policy.goals else 0).all():
                action = controller.act(state, row.goal)
            controller.sent(action)
            difference = (action - row.action) / (0.5 * (policy.upper - policy.lower))
            found.append(float(np.abs(difference).max()))
        return found

    def test_every_form_answers_as_the_command_does(self) -> None:
        for name, words in MACHINES.items():
            with self.subTest(name):
                machine = Machine(**words)
                rows = exported_rows(machine.task, self.written(machine))
                worst = max(self.differences(machine, rows))
                self.assertLess(worst, TOLERANCE)

    def test_a_wrong_number_is_found(self) -> None:
        machine = Machine(hiddenLayers=[6], goal="error", integrated=[0])
        rows = exported_rows(machine.task, self.written(machine))
        right = machine.tensors["parameters"].copy()
        self.assertLess(max(self.differences(machine, rows)), TOLERANCE)
        # The first weight, a gain of the integral, its tracking.
        for index in (0, len(right) - 5, len(right) - 3):
            machine.tensors["parameters"] = right.copy()
            machine.tensors["parameters"][index] += 1e-6
            self.assertGreater(max(self.differences(machine, rows)), TOLERANCE)

    def test_a_batch_is_its_rows(self) -> None:
        policy = self.load(
            Machine(hiddenLayers=[6], goal="error", actionHistory=2, integrated=[0], rates=[0.1, 0.4]))
        draws = np.random.default_rng(2)
        batch = policy.controller()
        alone = [policy.controller() for _ in range(4)]
        for _ in range(20):
            states, goals = draws.normal(size=(4, 3)), draws.normal(size=(4, 3))
            states[2, 1] = np.nan if draws.uniform() < 0.2 else states[2, 1]
            together = batch.act(states, goals)
            for k, one in enumerate(alone):
                np.testing.assert_allclose(together[k], one.act(states[k], goals[k]), atol=1e-12)
            sent = np.where(np.isfinite(together), together, policy.rest)
            sent[1] = policy.rest
            batch.sent(sent)
            for k, one in enumerate(alone):
                one.sent(sent[k])

    def test_calls_and_their_shapes(self) -> None:
        policy = self.load(Machine(hiddenLayers=[6], goal="error", actionHistory=2))
        state, goal = [0.1, 0.2, 0.3], {"angle": 1, "rate": 0, "position": 0.5}
        first = policy(state, goal)
        self.assertEqual(first.shape, (2,))
        self.assertEqual(policy([state] * 5, [1, 0, 0.5]).shape, (5, 2))
        np.testing.assert_array_equal(first, policy(state, goal, past=[policy.rest] * 2))
        self.assertGreater(np.abs(first - policy(state, goal, past=[policy.upper])).max(), 0)
        self.assertTrue((policy.lower <= first).all() and (first <= policy.upper).all())
        self.assertIn("network [6]", repr(policy))
        for arguments, words in [
            ((state,), "pass goal="), (([1, 2], goal), "state has the shape"),
            ((state, {"angle": 1}), "wanted are angle, rate, position"), ((state, [1, 2]), "goal has the shape"),
            ((state, goal, [[1, 2, 3]]), "past has the shape"),
        ]:
            with self.assertRaises(DataError) as caught:
                policy(*arguments)
            self.assertIn(words, str(caught.exception))

    def test_a_file_that_was_changed_is_refused(self) -> None:
        path = self.folder / "a.safetensors"
        header = json.dumps(
            {"__metadata__": {"crc32": "00000000"}, "a": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}},
            separators=(",", ":")).encode()
        data = np.array([1.0, 2.0]).tobytes()
        digits = f"{zlib.crc32(data, zlib.crc32(header)):08x}".encode()
        whole = len(header).to_bytes(8, "little") + header.replace(b"00000000", digits, 1) + data
        path.write_bytes(whole)
        self.assertEqual(safetensors.read(path).tensors["a"].tolist(), [1, 2])
        self.assertEqual(safetensors.read_words(path).metadata, {})
        for place in (len(whole) - 1, len(whole) - 12):
            changed = bytearray(whole)
            changed[place] ^= 1
            path.write_bytes(changed)
            for read in (safetensors.read, safetensors.read_words):
                with self.assertRaisesRegex(DataError, "was changed after it was written"):
                    read(path)

    def test_damaged_files_are_refused(self) -> None:
        machine = Machine(hiddenLayers=[6])
        path = self.folder / "policy.safetensors"
        write_policy(path, machine.words, machine.tensors)
        whole = path.read_bytes()
        for contents in (b"", b"12345678", whole[:-8], whole[:100], whole.replace(b"policy-4", b"policy-9")):
            path.write_bytes(contents)
            with self.assertRaises(DataError) as caught:
                Policy.load(path)
            self.assertEqual(caught.exception.file, str(path))
        machine.tensors["parameters"] = machine.tensors["parameters"][:-1]
        write_policy(path, machine.words, machine.tensors)
        with self.assertRaises(DataError) as caught:
            Policy.load(path)
        self.assertIn("parameters", str(caught.exception))
        with self.assertRaises(DataError):
            Policy.load(self.folder / "none.safetensors")


if __name__ == "__main__":
    unittest.main()
