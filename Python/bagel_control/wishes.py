# SPDX-License-Identifier: Apache-2.0
# What a user says of an environment: reward, end, start. In: functions of batches, states by name. Out: arrays of
# the right shapes; what is wrong with them is said here.

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from .errors import DataError, UsageError
from .model_file import ModelFile

Reward = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]
"""States [N, S], actions [N, A], next states [N, S] -> rewards [N]."""
Terminated = Callable[[np.ndarray], Any]
"""Next states [N, S] -> whether the episode ends there [N]."""
Start = Union[None, Sequence[float], np.ndarray, Mapping[str, float], Callable[[np.random.Generator], Any]]


@dataclass(frozen=True)
class Judge:
    """Reward and end of transitions."""

    reward: Reward
    terminated: Optional[Terminated]

    def judged(
        self, before: np.ndarray, actions: np.ndarray, after: np.ndarray, which: np.ndarray
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Rewards [N] and ends [N] of the machines that `which` [N] says; zeros of the others.

        Raises:
            UsageError: a shape is wrong.
            DataError: a reward is not finite.
        """
        rewards, ends = np.zeros(len(which)), np.zeros(len(which), dtype=bool)
        if which.any():
            rewards[which] = self._rewards(before[which], actions[which], after[which])
            if self.terminated is not None:
                ends[which] = _checked(self.terminated(after[which]), int(which.sum()), "terminated")
        return rewards, ends

    def _rewards(self, before: np.ndarray, actions: np.ndarray, after: np.ndarray) -> np.ndarray:
        rewards = _checked(self.reward(before, actions, after), len(before), "reward")
        rewards = rewards.astype(np.float64)
        if not np.isfinite(rewards).all():
            first = int(np.flatnonzero(~np.isfinite(rewards))[0])
            raise DataError(
                f"the reward is {rewards[first]} at the states {before[first].tolist()}, the actions "
                f"{actions[first].tolist()} and the next states {after[first].tolist()}")
        return rewards


def start_state(model: ModelFile, start: Any) -> Optional[np.ndarray]:
    """Every state of a start [S], derived rates 0 unless they are named; None for logged states. Raises:
    UsageError."""
    if start is None:
        return None
    names = model.states
    if isinstance(start, Mapping):
        unknown = [name for name in start if name not in names]
        missing = [names[i] for i in model.measured if names[i] not in start]
        if unknown or missing:
            raise UsageError(f"start has {', '.join(start) or 'nothing'}; wanted are {', '.join(names)}")
        start = [start.get(name, 0.0) for name in names]
    state = np.asarray(start, dtype=np.float64)
    if state.shape != (len(names),) or not np.isfinite(state).all():
        raise UsageError(f"start is {start}; wanted is a number for each of {', '.join(names)}")
    return state


def machines_of(mask: Any, count: int) -> np.ndarray:
    """Places of a mask [N] that names at least one machine; all without a mask. Raises: UsageError."""
    if mask is None:
        return np.arange(count)
    if not isinstance(mask, np.ndarray) or mask.shape != (count,) or mask.dtype != bool:
        raise UsageError(f"reset_mask is a bool array [{count}]")
    if not mask.any():
        raise UsageError("reset_mask selects no machine")
    return np.flatnonzero(mask)


def _checked(values: Any, count: int, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.shape != (count,):
        raise UsageError(
            f"{name}= returned the shape {list(array.shape)} for {count} machines; wanted is [{count}]")
    return array
