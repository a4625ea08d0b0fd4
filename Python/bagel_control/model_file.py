# SPDX-License-Identifier: Apache-2.0
# model.safetensors -> what a machine's channels are, and between which values the logs had them. In: a path, or
# what `fit` and `optimize` return. Out: names, places of what is measured, bounds.

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Mapping, Optional, Tuple, Union

import numpy as np

from .errors import BagelError, DataError, UsageError
from .safetensors import TensorFile, read, read_words

_BOUNDS = ("state_lower", "state_upper", "feature_lower", "feature_upper")


@dataclass(frozen=True)
class Rate:
    """A state that is derived: r' = r + gain ((x' - x) / T - r)."""

    state: int
    of: int
    """Place of x among what is measured."""
    gain: float
    """1 without a filter."""


@dataclass(frozen=True, eq=False)
class ModelFile:
    """Channels of a model. Shapes: S states, M of them measured, A actions."""

    path: Path
    states: Tuple[str, ...]
    """Names [S], in the layout's order; derived rates among them."""
    units: Tuple[str, ...]
    """Of the states [S]; "" where they are not known."""
    actions: Tuple[str, ...]
    """[A]"""
    time_step: float
    """Seconds."""
    measured: Tuple[int, ...]
    """Places of the states that sensors tell [M]."""
    rates: Tuple[Rate, ...]
    turns: np.ndarray
    """A full turn of each measured state that turns round, NaN of the others [M]."""
    state_lower: np.ndarray
    state_upper: np.ndarray
    """What the logs had [S]."""
    action_lower: np.ndarray
    action_upper: np.ndarray
    """What the logs had, as far as the model reads it; -1 ... 1 where it does not [A]."""

    @staticmethod
    def read(path: Union[str, Path]) -> "ModelFile":
        """Raises: DataError, BagelError."""
        file = read(path, _BOUNDS)
        structure = _structure(file)
        try:
            return _of(file, structure)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            problem = f"is damaged: {error}"
            raise DataError(f"{file.path}: {problem}", file=file.path, problem=problem) from error


def model_layout(path: Path) -> Mapping[str, Any]:
    """States (with the source of derived rates), actions and time step of a model's file. Raises: DataError,
    BagelError."""
    layout: Mapping[str, Any] = _structure(read_words(path))["layout"]
    return layout


def model_path(model: Any) -> Path:
    """The file of a `Fit`, of the model that an `Optimization` was searched on, of an output folder, or the
    path itself.

    Raises:
        UsageError: it is none of them.
    """
    from .results import Fit
    from .search_results import Optimization

    if isinstance(model, Optimization):
        if model.fit is None:
            return model.folder / Path(model.json["paths"]["model"])
        model = model.fit
    if isinstance(model, Fit):
        return model.model_path
    if not isinstance(model, (str, os.PathLike)):
        raise UsageError(
            f"a model is a Fit, an Optimization, a model's file or an output folder, not {type(model).__name__}")
    path = Path(model).expanduser().absolute()
    return path / "model.safetensors" if path.is_dir() else path


def _structure(file: TensorFile) -> Mapping[str, Any]:
    if not re.match(r"bagel-model-\d+$", file.metadata.get("format", "")):
        raise BagelError(f"{file.path}: is no model of bagel")
    structure: Mapping[str, Any] = json.loads(file.metadata["structure"])
    return structure


def _of(file: TensorFile, structure: Mapping[str, Any]) -> ModelFile:
    layout = structure["layout"]
    states, actions = layout["states"], layout["actions"]
    measured = tuple(i for i, state in enumerate(states) if "column" in state["source"])
    lower, upper = _action_bounds(structure["form"]["features"], file, len(actions))
    return ModelFile(
        path=Path(file.path).absolute(), states=tuple(state["name"] for state in states),
        units=tuple(state.get("units", "") for state in states),
        actions=tuple(action["name"] for action in actions), time_step=layout["timeStep"],
        measured=measured, rates=_rates(file.path, states, measured, layout["timeStep"]),
        turns=np.array([states[i].get("turn", np.nan) for i in measured]),
        state_lower=file.tensors["state_lower"], state_upper=file.tensors["state_upper"],
        action_lower=lower, action_upper=upper)


def _column(state: Mapping[str, Any]) -> str:
    """The column of a log that a state is read from."""
    source = state["source"]
    name: str = state.get("columnName") or (
        source["rate"]["of"] if "rate" in source else state["name"])
    return name


def _rates(
    path: str, states: List[Mapping[str, Any]], measured: Tuple[int, ...], time_step: float
) -> Tuple[Rate, ...]:
    found = []
    columns = [_column(states[i]) for i in measured]
    for index, state in enumerate(states):
        if index in measured:
            continue
        if _column(state) not in columns:
            problem = (
                f"'{state['name']}' is the rate of '{_column(state)}', which is no state: make it one to drive "
                "this model")
            raise DataError(f"{path}: {problem}", file=path, problem=problem)
        filter_time = state["source"]["rate"].get("filterTime", 0)
        gain = 1 - float(np.exp(-time_step / filter_time)) if filter_time > 0 else 1.0
        found.append(Rate(index, columns.index(_column(state)), gain))
    return tuple(found)


def _action_bounds(
    features: List[Mapping[str, Any]], file: TensorFile, count: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Over all rows ago, and through filters."""
    lower, upper = np.full(count, np.inf), np.full(count, -np.inf)
    for index, feature in enumerate(features):
        action = _action(feature)
        if action is not None:
            lower[action] = min(lower[action], file.tensors["feature_lower"][index])
            upper[action] = max(upper[action], file.tensors["feature_upper"][index])
    is_read = lower <= upper
    return np.where(is_read, lower, -1.0), np.where(is_read, upper, 1.0)


def _action(feature: Mapping[str, Any]) -> Optional[int]:
    for kind in ("action", "filteredAction"):
        if kind in feature:
            return int(feature[kind]["_0"])
    return None
