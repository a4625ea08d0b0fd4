# SPDX-License-Identifier: Apache-2.0
# What a policy sees. In: states, goals and past actions in physical units, a batch of N rows. Out: its inputs
# z [N, D] and the errors of its goals [N, E], standardised:
#
#   z = [states | disturbances | goal, or goal - what it is of | actions 1 ... K rows ago, limits mapped to -1 ... 1]
#
# with angles that turn as sine and cosine.

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Optional, Tuple

import numpy as np

from .formula import Value


@dataclass(frozen=True, eq=False)
class Inputs:
    """What is read, and by what it is standardised.

    Shapes: S states with the W disturbances after them, G goals, E integrated ones, A actions.
    """

    state_mean: np.ndarray
    """[S]"""
    state_scale: np.ndarray
    """[S]"""
    disturbances: int
    """W, of the S states."""
    goal: str
    """none, concatenated or error."""
    quantities: Optional[Tuple[Value, ...]]
    """What goals are of [G]; None where they are of the states."""
    goal_mean: np.ndarray
    """[G]"""
    goal_scale: np.ndarray
    """[G]"""
    radians: Mapping[int, float]
    """States that are angles -> radians in their unit."""
    action_history: int
    """K"""
    integrated: Tuple[int, ...]
    """Goals whose errors are integrated [E]."""

    @property
    def own_states(self) -> int:
        """Without the disturbances."""
        return len(self.state_mean) - self.disturbances

    @property
    def goal_length(self) -> int:
        """G"""
        return self.own_states if self.quantities is None else len(self.quantities)

    @property
    def length(self) -> int:
        """D"""
        states = len(self.state_mean) + len(self.radians)
        goals = 0
        if self.goal != "none":
            goals = (
                states - self.disturbances if self.quantities is None else len(self.quantities))
        return states + goals

    def reached(self, state: np.ndarray) -> np.ndarray:
        """What goals are of, standardised [N, G], at states [N, S]."""
        if self.quantities is None:
            values = state[:, : self.own_states]
        else:
            own = state[:, : self.own_states]
            values = np.stack([quantity(own) for quantity in self.quantities], axis=1)
        return (values - self.goal_mean) / self.goal_scale

    def read(self, state: np.ndarray, goal: np.ndarray, past: np.ndarray) -> np.ndarray:
        """z [N, D + K A].

        Args:
            state: [N, S], physical units.
            goal: [N, G], physical units; of any width where the policy sees none.
            past: actions in -1 ... 1, newest first [N, K, A].
        """
        parts = [self._features(state)]
        if self.goal == "concatenated":
            parts.append(
                self._features(goal) if self.quantities is None
                else (goal - self.goal_mean) / self.goal_scale)
        elif self.goal == "error" and self.quantities is None:
            parts.append(self._features(goal - state[:, : self.own_states], is_difference=True))
        elif self.goal == "error":
            parts.append((goal - self.goal_mean) / self.goal_scale - self.reached(state))
        if self.action_history > 0:
            parts.append(past[:, : self.action_history].reshape(len(state), -1))
        return np.concatenate(parts, axis=1)

    def integrated_of(self, goals: np.ndarray) -> np.ndarray:
        """Of all goals [N, G] those that are integrated [N, E]."""
        return goals[:, list(self.integrated)]

    def errors(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Standardised errors of the integrated goals [N, E]."""
        wanted = (goal - self.goal_mean) / self.goal_scale
        return self.shorter_way(self.integrated_of(wanted) - self.integrated_of(self.reached(state)))

    def shorter_way(self, difference: np.ndarray) -> np.ndarray:
        """A standardised difference [N, E], less whole turns where it is of an angle."""
        if self.quantities is not None:
            return difference
        result = difference.copy()
        for e, state in enumerate(self.integrated):
            if state in self.radians:
                scale = self.state_scale[state] * self.radians[state]
                angle = difference[:, e] * scale
                result[:, e] = np.arctan2(np.sin(angle) + 0.0, np.cos(angle) + 0.0) / scale
        return result

    def _features(self, values: np.ndarray, is_difference: bool = False) -> np.ndarray:
        """States [N, up to S], or differences of them, standardised; angles as sine and cosine."""
        columns: List[np.ndarray] = []
        for i in range(values.shape[1]):
            if i in self.radians:
                angle = values[:, i] * self.radians[i]
                columns += [np.sin(angle), np.cos(angle)]
            else:
                mean = 0.0 if is_difference else self.state_mean[i]
                columns.append((values[:, i] - mean) / self.state_scale[i])
        return np.stack(columns, axis=1)
