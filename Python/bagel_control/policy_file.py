# SPDX-License-Identifier: Apache-2.0
# policy.safetensors -> `Policy`. The header says in words which form it has and what it sees; the arrays are
# its numbers. What does not fit together is refused.

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple, Union

import numpy as np

from . import laws
from .errors import DataError
from .formula import FormulaError, Value, parse
from .inputs import Inputs
from .policies import Policy
from .safetensors import TensorFile, read

_FORMAT = "bagel-policy-4"


def read_policy(path: Union[str, Path]) -> Policy:
    """Reads a policy. Raises: DataError."""
    file = read(Path(path).resolve())
    words = file.structure(_FORMAT)
    try:
        return _policy(file, words)
    except DataError:
        raise
    except FormulaError as error:
        problem = f"has a formula that this version of bagel_control cannot read: {error}"
        raise DataError(f"{file.path}: {problem}", file=file.path, problem=problem) from error
    except (KeyError, ValueError, TypeError, IndexError) as error:
        problem = f"is damaged: {error}"
        raise DataError(f"{file.path}: {problem}", file=file.path, problem=problem) from error


def _policy(file: TensorFile, words: Mapping[str, Any]) -> Policy:
    states, actions = tuple(words["stateNames"]), tuple(words["actionNames"])
    inputs, goal_names = _inputs(file, words, len(states))
    form, layers = _form(words)
    blocks = _blocks(file.tensors["parameters"], form, layers, inputs, len(actions))
    return Policy(
        path=file.path, task=words["task"], states=states, units=tuple(words["stateUnits"]),
        actions=actions, goals=goal_names if inputs.goal != "none" else (), form=form, layers=layers,
        time_step=float(_vector(file, "time_step", 1)[0]),
        lower=_vector(file, "action_lower", len(actions)),
        upper=_vector(file, "action_upper", len(actions)),
        rest=_vector(file, "action_rest", len(actions)),
        largest_change=(
            _vector(file, "action_largest_change", len(actions)) if words["hasRateLimits"]
            else np.full(len(actions), np.inf)),
        predicted_return=(
            float(_vector(file, "predicted_return", 1)[0]) if words["hasPredictedReturn"] else None),
        inputs=inputs, blocks=blocks)


def _form(words: Mapping[str, Any]) -> Tuple[str, Tuple[int, ...]]:
    if words.get("isPID"):
        return "pid", ()
    if words.get("basisFunctions") is not None:
        return "radial-basis", (int(words["basisFunctions"]),)
    return "network", tuple(int(width) for width in words["hiddenLayers"])


def _inputs(
    file: TensorFile, words: Mapping[str, Any], states: int
) -> Tuple[Inputs, Tuple[str, ...]]:
    disturbances = int(words.get("disturbances") or 0)
    own = list(words["stateNames"])[: states - disturbances]
    mean, scale = _vector(file, "state_mean", states), _vector(file, "state_scale", states)
    angles = [int(index) for index in words["angles"]]
    radians = (
        _vector(file, "angle_radians", len(angles)) if words["hasRadians"] else np.ones(len(angles)))
    quantities: Optional[Tuple[Value, ...]] = None
    names, goal_mean, goal_scale = tuple(own), mean[: len(own)], scale[: len(own)]
    if words.get("goals") is not None:
        names = tuple(goal["name"] for goal in words["goals"])
        quantities = tuple(parse(goal.get("formula") or goal["name"], own) if goal.get("formula")
                           else _state(goal["name"], own) for goal in words["goals"])
        goal_mean = _vector(file, "goal_mean", len(names))
        goal_scale = _vector(file, "goal_scale", len(names))
    goal = words["goal"]
    if goal not in ("none", "concatenated", "error"):
        raise ValueError(f"its goal enters as '{goal}'")
    integrated = tuple(int(index) for index in words.get("integrated") or ())
    if any(index not in range(len(names)) for index in integrated):
        raise ValueError(f"it integrates the goals {list(integrated)} of {len(names)}")
    if any(index not in range(len(own)) for index in angles):
        raise ValueError(f"its angles are the states {angles} of {len(own)}")
    inputs = Inputs(
        state_mean=mean, state_scale=scale, disturbances=disturbances, goal=goal,
        quantities=quantities, goal_mean=goal_mean, goal_scale=goal_scale,
        radians=dict(zip(angles, radians.tolist())), action_history=int(words["actionHistory"]),
        integrated=integrated)
    return inputs, names


def _state(name: str, states: Any) -> Value:
    """A goal that is of a state, whose name may be none of a formula's."""
    place = list(states).index(name)
    return lambda rows: rows[:, place]


def _blocks(
    parameters: np.ndarray, form: str, layers: Tuple[int, ...], inputs: Inputs, actions: int
) -> Dict[str, np.ndarray]:
    shapes = laws.shapes(form, layers, inputs, actions)
    wanted = sum(int(np.prod(shape)) for _, shape in shapes)
    if parameters.shape != (wanted,):
        raise ValueError(f"it has {parameters.size} parameters, its form needs {wanted}")
    blocks: Dict[str, np.ndarray] = {}
    offset = 0
    for name, shape in shapes:
        count = int(np.prod(shape))
        blocks[name] = parameters[offset : offset + count].reshape(shape)
        offset += count
    return blocks


def _vector(file: TensorFile, name: str, length: int) -> np.ndarray:
    array = file.tensors[name]
    if array.shape != (length,) and not (length == 1 and array.size == 1):
        raise ValueError(f"'{name}' has the shape {list(array.shape)}, not [{length}]")
    return array.reshape(length)
