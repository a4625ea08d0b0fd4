# SPDX-License-Identifier: Apache-2.0
# What is measured -> states, row by row, from the past alone, as the controller on the machine has them. In:
# measured states of N machines [N, M]. Out: their states [N, S], with derived rates:
#
#   d' = (x' - x) / T,   r = 0 in an episode's first row, then d',   then r' = r + a (d' - r),   a = 1 - exp(-T / tau)
#
# Angles that turn lose their jumps by whole turns first.

from __future__ import annotations

import numpy as np

from .model_file import ModelFile


class CausalStates:
    """N machines, each in its own episode."""

    def __init__(self, model: ModelFile, count: int) -> None:
        self._model = model
        self._measured = np.zeros((count, len(model.measured)))
        self._states = np.zeros((count, len(model.states)))
        self._turns = np.zeros((count, len(model.measured)))
        """Whole turns that were taken out."""
        self._rows = np.zeros(count, dtype=np.int64)

    @property
    def states(self) -> np.ndarray:
        """[N, S], a copy."""
        return self._states.copy()

    def begin(self, which: np.ndarray, measured: np.ndarray) -> None:
        """The first rows [K, M] of episodes of the machines [K]; nothing is known of rates."""
        self._measured[which] = measured
        self._turns[which] = 0
        self._rows[which] = 1
        states = np.zeros((len(measured), len(self._model.states)))
        states[:, list(self._model.measured)] = measured
        self._states[which] = states

    def next(self, measured: np.ndarray) -> None:
        """The next rows [N, M] of all machines."""
        model = self._model
        turning = np.isfinite(model.turns)
        if turning.any():
            measured = self._without_jumps(measured, turning)
        states = np.empty_like(self._states)
        states[:, list(model.measured)] = measured
        for rate in model.rates:
            difference = (measured[:, rate.of] - self._measured[:, rate.of]) / model.time_step
            before = self._states[:, rate.state]
            states[:, rate.state] = np.where(
                self._rows > 1, before + rate.gain * (difference - before), difference)
        self._measured, self._states = measured, states
        self._rows += 1

    def _without_jumps(self, measured: np.ndarray, turning: np.ndarray) -> np.ndarray:
        turn = np.where(turning, self._model.turns, 1.0)
        jump = (measured + turn * self._turns - self._measured) / turn
        self._turns -= np.where(turning, np.copysign(np.floor(np.abs(jump) + 0.5), jump), 0.0)
        return measured + turn * self._turns
