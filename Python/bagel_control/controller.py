# SPDX-License-Identifier: Apache-2.0
# A policy during a run. In: states and goals, one time step after another. Out: actions. It remembers the
# actions that were sent and what the policy's law keeps (integrals, filtered rates), as the controller on the
# machine does.

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from .errors import DataError
from .policies import Goal, Policy


class Controller:
    """A run of a policy, or N runs side by side: the first state after a reset says which."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.reset()

    def reset(self) -> None:
        """Clears the memory: call it before the first step, and after every standstill."""
        self._count: Optional[int] = None
        self._past = np.zeros((0, 0, 0))
        self._memory = np.zeros((0, 0))
        self._has_acted = np.zeros(0, dtype=bool)

    def act(self, state: Any, goal: Goal = None) -> np.ndarray:
        """The action [A] for a state [S], or [N, A] for N runs [N, S]; once every `policy.time_step`.

        Args:
            state: measured now, in the units of the log.
            goal: [G], [N, G] or {name: value}; needed if the policy reads its goal.

        Returns:
            NaN if a number of the row, of the action or of the new memory is not finite; the memory does not change
            then. Send `policy.rest`, and pass it to `sent`.

        Raises:
            DataError: a shape does not fit the policy or the run.
        """
        policy = self.policy
        rows, is_single = policy.batch(state, len(policy.states), "state")
        if self._count is None:
            self._begin(len(rows))
        if len(rows) != self._count:
            raise DataError(f"{len(rows)} states for {self._count} runs; call reset() to begin others")
        goals = policy.goal_rows(goal, len(rows))
        action, memory = policy.step_rows(rows, goals, self._past, self._memory)
        # A law may make a number of an infinite state.
        parts = (rows, goals, action, memory)
        is_good = np.all([np.isfinite(part).all(axis=1) for part in parts], axis=0)
        self._memory = np.where(is_good[:, np.newaxis], memory, self._memory)
        self._remember(action, is_good)
        self._has_acted = is_good
        action = np.where(is_good[:, np.newaxis], action, np.nan)
        return action[0] if is_single else action

    def sent(self, action: Any) -> None:
        """Stores the action that was really sent [A] or [N, A] instead of the last one: an operator's command, a
        safe action. The next actions continue from there.

        Raises:
            DataError: a shape does not fit the policy or the run.
        """
        policy = self.policy
        rows, _ = policy.batch(action, len(policy.actions), "action")
        if self._count is None:
            self._begin(len(rows))
        rows = np.broadcast_to(rows, (self._count or 0, len(policy.actions)))
        acted = self._has_acted
        if policy.past_rows > 0:
            nearness = 1e-9 * (policy.upper - policy.lower)
            is_own = (np.abs(rows - self._past[:, 0]) <= nearness).all(axis=1)
            moved = policy.following(self._memory, rows)
            self._memory = np.where((acted & ~is_own)[:, np.newaxis], moved, self._memory)
            self._past[acted, 0] = rows[acted]
            self._remember(rows, ~acted)
        self._has_acted = np.zeros_like(acted)

    def _begin(self, count: int) -> None:
        policy = self.policy
        self._count = count
        shape = (count, policy.past_rows, len(policy.actions))
        self._past = np.broadcast_to(policy.rest, shape).copy()
        self._memory = np.broadcast_to(
            policy.memory_start, (count, len(policy.memory_start))).copy()
        self._has_acted = np.zeros(count, dtype=bool)

    def _remember(self, action: np.ndarray, which: np.ndarray) -> None:
        """Puts actions [N, A] before the others of these rows [N]."""
        if self._past.shape[1] == 0:
            return
        self._past[which, 1:] = self._past[which, :-1].copy()
        self._past[which, 0] = action[which]
