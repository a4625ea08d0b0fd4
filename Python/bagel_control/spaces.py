# SPDX-License-Identifier: Apache-2.0
# Spaces of Gymnasium on a model. In: what the logs had of its channels. Out: boxes, float32.

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
from gymnasium.spaces import Box

from .errors import UsageError
from .model_file import ModelFile

_MARGIN = 10.0
"""Ranges of the logs beyond them, on each side."""
_MOST_TURNS = 1_000
_REACH = 10.0
"""Beyond so many times what was logged the command clips actions itself."""


def state_space(model: ModelFile, states: Sequence[int]) -> Box:
    """These states: what the logs had and ten ranges more on each side; 1,000 turns of an angle that turns
    round."""
    lower, upper = model.state_lower.copy(), model.state_upper.copy()
    margin = _MARGIN * np.maximum(upper - lower, 1e-6 * np.maximum(1.0, np.abs(upper)))
    for place, turn in zip(model.measured, model.turns):
        if np.isfinite(turn):
            margin[place] = _MOST_TURNS * turn
    which = list(states)
    return Box((lower - margin)[which].astype(np.float32), (upper + margin)[which].astype(np.float32))


def action_space(model: ModelFile, limits: Any) -> Box:
    """The actions within limits: {action: [lower, upper]} or [A, 2]; None for what the logs had. Raises:
    UsageError."""
    lower, upper = model.action_lower, model.action_upper
    if limits is not None:
        reach = _REACH * np.maximum(np.maximum(np.abs(lower), np.abs(upper)), 1e-6)
        lower, upper = _pairs(model, limits).T
        for name, low, high, farthest in zip(model.actions, lower, upper, reach):
            if not (np.isfinite([low, high]).all() and low < high):
                raise UsageError(f"action_limits of {name} are [{low:g}, {high:g}]; lower < upper is needed")
            if max(-low, high) > farthest:
                raise UsageError(
                    f"action_limits of {name} are [{low:g}, {high:g}]; the limit is ten times the range of the logs, "
                    f"{farthest:g}")
    return Box(lower.astype(np.float32), upper.astype(np.float32))


def _pairs(model: ModelFile, limits: Any) -> np.ndarray:
    """[A, 2]"""
    names = model.actions
    if isinstance(limits, Mapping):
        if set(limits) != set(names):
            raise UsageError(f"action_limits= has {', '.join(limits) or 'nothing'}; wanted are {', '.join(names)}")
        limits = [limits[name] for name in names]
    pairs = np.asarray(limits, dtype=np.float64)
    if len(names) == 1 and pairs.shape == (2,):
        pairs = pairs[np.newaxis]
    if pairs.shape != (len(names), 2):
        raise UsageError(f"action_limits= is {{action: [lower, upper]}} for each of {', '.join(names)}")
    return pairs
