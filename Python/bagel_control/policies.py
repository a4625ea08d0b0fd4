# SPDX-License-Identifier: Apache-2.0
# Policies as functions of arrays. In: policy.safetensors, as the command writes it. Out: actions for states
# (and goals, past actions, memory), in float64, exactly as the controller on the machine computes them:
#
#   u = middle + half range * command,  then at most the rate limit away from the last action

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from . import laws
from .errors import DataError
from .formula import larger, smaller
from .inputs import Inputs

Goal = Union[None, Sequence[float], np.ndarray, Mapping[str, float]]


@dataclass(frozen=True, eq=False, repr=False)
class Policy:
    """A controller: states -> actions within their limits.

    Shapes: S states (including derived rates and the disturbances that it reads), G goals, A actions, M
    numbers of memory, N rows of a batch. Everything is in the units of the log.
    """

    path: str
    """The file."""
    task: str
    states: Tuple[str, ...]
    """Names of the elements of `state` [S]; disturbances come last."""
    units: Tuple[str, ...]
    """Of the states; "" where they are not known."""
    actions: Tuple[str, ...]
    goals: Tuple[str, ...]
    """Names of the elements of `goal` [G]; empty for policies that do not read a goal."""
    form: str
    """network, radial-basis or pid."""
    layers: Tuple[int, ...]
    """Widths of the hidden layers, or the number of basis functions."""
    time_step: float
    """Seconds from one action to the next."""
    lower: np.ndarray
    upper: np.ndarray
    """Limits of the actions [A]; every action is within them."""
    rest: np.ndarray
    """What counts as sent before the first action [A]."""
    largest_change: np.ndarray
    """Of each action in a time step [A]; infinite for none."""
    predicted_return: Optional[float]
    """On its model, as the search judged it."""
    inputs: Inputs = field(repr=False)
    blocks: Mapping[str, np.ndarray] = field(repr=False)
    """Its numbers by name: weights, gains, ..."""

    @staticmethod
    def load(path: Union[str, Path]) -> "Policy":
        """Reads policy.safetensors.

        Raises:
            DataError: the file is missing, damaged, or no policy of this version.
        """
        from .policy_file import read_policy

        return read_policy(path)

    @property
    def memory_start(self) -> np.ndarray:
        """The memory before the first action [M]; empty for most policies."""
        own = np.zeros(laws.law_memory(self.form, self.inputs))
        if not self._integrates:
            return own
        return np.concatenate([own, np.zeros(len(self.actions)), self.unit(self.rest)])

    @property
    def past_rows(self) -> int:
        """Rows of past actions that it reads."""
        return max(self.inputs.action_history, 1 if self._has_rates or self._integrates else 0)

    @property
    def _integrates(self) -> bool:
        return len(self.inputs.integrated) > 0

    @property
    def _has_rates(self) -> bool:
        return bool(np.isfinite(self.largest_change).any())

    def unit(self, action: np.ndarray) -> np.ndarray:
        """Actions with their limits mapped to -1 and 1."""
        return (action - 0.5 * (self.lower + self.upper)) / (0.5 * (self.upper - self.lower))

    def __call__(
        self, state: Any, goal: Goal = None, past: Any = None, memory: Any = None
    ) -> np.ndarray:
        """The action [A] for one state [S], or [N, A] for a batch [N, S].

        Args:
            state: [S] or [N, S]; a derived rate (`angle_rate`) is a state like others.
            goal: [G], [N, G], or {name: value}; needed if the policy reads its goal.
            past: the last actions, newest first, [rows, A] or [N, rows, A]; missing ones count as rest.
            memory: [M] or [N, M], as `step` returned it; by default `memory_start`.

        Raises:
            DataError: a shape does not fit, or the goal is missing.
        """
        return self.step(state, goal, past, memory)[0]

    def step(
        self, state: Any, goal: Goal = None, past: Any = None, memory: Any = None
    ) -> Tuple[np.ndarray, np.ndarray]:
        """The action, and the memory for the next one ([M] or [N, M]); see `__call__`."""
        rows, is_single = self.batch(state, len(self.states), "state")
        count = len(rows)
        goals = self.goal_rows(goal, count)
        history = self._history(past, count)
        start = self.memory_start if memory is None else np.asarray(memory, dtype=float)
        kept = _broadcast(start, (count, len(self.memory_start)), "memory")
        action, kept = self.step_rows(rows, goals, history, kept)
        return (action[0], kept[0]) if is_single else (action, kept)

    def step_rows(
        self, state: np.ndarray, goal: np.ndarray, past: np.ndarray, memory: np.ndarray
    ) -> Tuple[np.ndarray, np.ndarray]:
        """The same of batches alone, unchecked: [N, S], [N, G], past [N, rows, A], memory [N, M] -> [N, A],
        [N, M]."""
        own = laws.law_memory(self.form, self.inputs)
        with np.errstate(all="ignore"):
            reading = laws.Reading(self.inputs, state, goal, self.unit(past))
            answer = laws.LAWS[self.form](self.blocks, reading, memory[:, :own])
            if self._integrates:
                answer = laws.with_integral(
                    self.blocks, answer, reading, reading.past[:, 0], memory[:, own:])
            half = 0.5 * (self.upper - self.lower)
            action = 0.5 * (self.lower + self.upper) + half * answer.command
            if self._has_rates:
                last = past[:, 0]
                change = np.where(np.isfinite(self.largest_change), self.largest_change, 2 * half)
                # In this order, what is no number stays so.
                action = smaller(last + change, larger(last - change, action))
        return action, answer.memory

    def following(self, memory: np.ndarray, sent: np.ndarray) -> np.ndarray:
        """The memory [N, M] once another driver has sent actions [N, A] in this policy's place."""
        if not self._integrates:
            return memory
        own = laws.law_memory(self.form, self.inputs)
        return np.concatenate(
            [memory[:, :own], laws.following(memory[:, own:], self.unit(sent))], axis=1)

    def controller(self) -> "Any":
        """The policy during a run, with the memory of its actions and its law. See `Controller`."""
        from .controller import Controller

        return Controller(self)

    def batch(self, values: Any, width: int, name: str) -> Tuple[np.ndarray, bool]:
        """Rows [N, width], and whether it was one row [width]. Raises: DataError."""
        array = np.asarray(values, dtype=float)
        if array.ndim not in (1, 2) or array.shape[-1] != width:
            names = ", ".join(self.states if name == "state" else self.actions)
            raise DataError(
                f"{name} has the shape {list(array.shape)}, wanted is [{width}] or [N, {width}] ({names})")
        return (array[np.newaxis], True) if array.ndim == 1 else (array, False)

    def goal_rows(self, goal: Goal, count: int) -> np.ndarray:
        """Goals [N, G]; without columns for policies that see none. Raises: DataError."""
        if self.inputs.goal == "none":
            return np.zeros((count, 0))
        names = ", ".join(self.goals)
        if goal is None:
            raise DataError(f"the policy reads its goal: pass goal=, one number for each of {names}")
        if isinstance(goal, Mapping):
            missing = [name for name in self.goals if name not in goal]
            unknown = [name for name in goal if name not in self.goals]
            if missing or unknown:
                raise DataError(f"goal has {', '.join(goal) or 'nothing'}; wanted are {names}")
            goal = [goal[name] for name in self.goals]
        return _broadcast(np.asarray(goal, dtype=float), (count, len(self.goals)), "goal")

    def _history(self, past: Any, count: int) -> np.ndarray:
        """[N, rows, A], what is missing at rest."""
        rows, actions = self.past_rows, len(self.actions)
        history = np.broadcast_to(self.rest, (count, rows, actions)).copy()
        if past is None:
            return history
        given = np.asarray(past, dtype=float)
        if given.ndim not in (2, 3) or given.shape[-1] != actions:
            raise DataError(
                f"past has the shape {list(given.shape)}, wanted is [rows, {actions}] or "
                f"[N, rows, {actions}]")
        seen = given[..., :rows, :]
        history[:, : seen.shape[-2]] = seen
        return history

    def __repr__(self) -> str:
        sizes = "" if self.form == "pid" else f" {list(self.layers)}"
        goals = f", goals {', '.join(self.goals)} ({self.inputs.goal})" if self.goals else ""
        extras = f", {self.past_rows} past actions" if self.past_rows else ""
        extras += ", integral" if self._integrates and self.form != "pid" else ""
        return (
            f"Policy '{self.task}': {self.form}{sizes}, {', '.join(self.states)} -> {', '.join(self.actions)}"
            f"{goals}{extras}, every {self.time_step:g} s\n  {self.path}")


def _broadcast(array: np.ndarray, shape: Tuple[int, ...], name: str) -> np.ndarray:
    try:
        if array.shape[-1:] != shape[-1:]:
            raise ValueError
        return np.broadcast_to(array, shape)
    except ValueError:
        raise DataError(
            f"{name} has the shape {list(array.shape)}, wanted is [{shape[-1]}] or {list(shape)}"
        ) from None
