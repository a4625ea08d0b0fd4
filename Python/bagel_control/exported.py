# SPDX-License-Identifier: Apache-2.0
# What `bagel export --format onnx` wrote, for CasADi and what stands on it (do-mpc, acados). In: a model's or a
# controller's .onnx file. Out: its names and units, and a `casadi.Function` of one state:
#
#   model       state [K], action [A], disturbance [W]   ->  next_state [K], deviation [S]
#   controller  state [S], goal [G], past [P], memory [M] ->  action [A], next_memory [M]
#
# with the inputs and outputs that the file has. Needs the packages `casadi` and `onnx`.

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from .errors import BagelError, DataError, UsageError

_MODEL, _CONTROLLER = "bagel-model-1", "bagel-controller-1"
_INPUTS = ("state", "action", "disturbance", "goal", "past", "memory")
_OUTPUTS = ("next_state", "deviation", "action", "next_memory")


def casadi_function(path: Union[str, Path], name: Optional[str] = None) -> Any:
    """The `casadi.Function` of an exported model or controller; see `ExportedGraph.function`."""
    return ExportedGraph.load(path).function(name)


@dataclass(frozen=True, eq=False, repr=False)
class ExportedGraph:
    """A model or a controller as `bagel export --format onnx` wrote it."""

    path: str
    facts: Mapping[str, str]
    """The metadata of the file."""
    inputs: Mapping[str, int]
    """Lengths by name, in the order of the function's arguments."""
    outputs: Mapping[str, int]
    """The same of its results. A model's `jacobian` is left out: CasADi has its own."""
    graph: Any = field(repr=False)
    """onnx.GraphProto"""

    @staticmethod
    def load(path: Union[str, Path]) -> "ExportedGraph":
        """An `ExportedModel` if the file is a model.

        Raises:
            DataError: the file is missing, damaged or another's.
            BagelError: there is no package `onnx`.
        """
        proto = _read(str(path))
        facts = {entry.key: entry.value for entry in proto.metadata_props}
        inputs, outputs = _lengths(proto.graph.input), _lengths(proto.graph.output)
        parts: Dict[str, Any] = {
            "path": str(path),
            "facts": facts,
            "graph": proto.graph,
            "inputs": {name: inputs[name] for name in _INPUTS if name in inputs},
            "outputs": {name: outputs[name] for name in _OUTPUTS if name in outputs},
        }
        if not parts["inputs"] or not parts["outputs"]:
            raise _damaged(path, "has no inputs and outputs of a model or controller of `bagel export`")
        kind, format = ("model", _MODEL) if "next_state" in outputs else ("controller", _CONTROLLER)
        if facts.get("format") != format:
            found = facts.get("format", "none")
            raise _damaged(path, f"is a {kind} of the format {found}; this version reads {format}: export it again")
        if kind == "controller":
            return ExportedGraph(**parts)
        try:
            return ExportedModel(**parts, **_of_model(facts, parts["inputs"], parts["outputs"]))
        except (KeyError, ValueError, TypeError) as error:
            raise _damaged(path, f"is damaged: {type(error).__name__} {error}") from error

    @property
    def time_step(self) -> float:
        """Seconds.

        Raises: DataError.
        """
        try:
            return float(self.facts["time_step_seconds"])
        except (KeyError, ValueError) as error:
            raise _damaged(self.path, "has no time step") from error

    def function(self, name: Optional[str] = None, outputs: Optional[Sequence[str]] = None) -> Any:
        """A `casadi.Function` (MX) of column vectors in physical units, with names of inputs and outputs.

        Args:
            name: of the function, in generated code too; letters, digits and underscores.
            outputs: some of `self.outputs`, in this order; all by default. A model's deviation takes most of the
                time, so leave it out where it is not needed.

        Raises:
            DataError: the graph has an operator or a shape that is not known here.
            UsageError: no output of this name.
            BagelError: there is no package `casadi`.
        """
        try:
            import casadi

            from .onnx_matrices import matrices
        except ImportError as error:
            raise BagelError(f"CasADi is not installed: pip install casadi onnx ({error})") from error
        names = list(self.outputs if outputs is None else outputs)
        unknown = [one for one in names if one not in self.outputs]
        if unknown or not names:
            raise UsageError(
                f"there is no output {', '.join(unknown) or 'asked for'}; wanted are {', '.join(self.outputs)}"
            )
        arguments = {one: casadi.MX.sym(one, length) for one, length in self.inputs.items()}
        try:
            results = matrices(self.graph, {one: x.T for one, x in arguments.items()}, names)
        except ValueError as error:
            raise DataError(f"{self.path}: {error}", file=self.path, problem=str(error)) from error
        title = name or ("bagel_model" if isinstance(self, ExportedModel) else "bagel_controller")
        return casadi.Function(
            title, list(arguments.values()), [casadi.densify(results[one]).T for one in names], list(arguments), names
        )

    def __repr__(self) -> str:
        def listed(lengths: Mapping[str, int]) -> str:
            return ", ".join(f"{name} [{length}]" for name, length in lengths.items())

        return f"{type(self).__name__}: {listed(self.inputs)} -> {listed(self.outputs)}\n  {self.path}"


@dataclass(frozen=True, eq=False, repr=False)
class ExportedModel(ExportedGraph):
    """A learnt model. Its state [K] is what the next one follows from: the S present states, then what the model
    reads of earlier rows (states, commands, filtered commands)."""

    states: Tuple[str, ...]
    """Names of the present states [S]."""
    state_names: Tuple[str, ...]
    """Of all that is in a state [K]: `states`, then "angle, 1 row ago" and so on."""
    actions: Tuple[str, ...]
    disturbances: Tuple[str, ...]
    units: Mapping[str, str]
    """By name; "" where they are not known."""
    start_weights: np.ndarray
    """[K, S]"""
    start_offsets: np.ndarray
    """[K]"""

    @staticmethod
    def load(path: Union[str, Path]) -> "ExportedModel":
        """Raises: as `ExportedGraph.load`; DataError for a controller."""
        found = ExportedGraph.load(path)
        if not isinstance(found, ExportedModel):
            raise _damaged(path, "is a controller, not a model")
        return found

    def start(self, state: Union[Sequence[float], np.ndarray, Mapping[str, float]]) -> np.ndarray:
        """The state [K] of a machine that is at these present states [S]. For earlier rows the machine
        stood still: commands at rest, positions as their rates moved them.

        Raises: UsageError.
        """
        if isinstance(state, Mapping):
            if set(state) != set(self.states):
                raise UsageError(f"state has {', '.join(state) or 'nothing'}; wanted are {', '.join(self.states)}")
            state = [state[name] for name in self.states]
        present = np.asarray(state, dtype=float)
        if present.shape != (len(self.states),):
            raise UsageError(f"state is {state}; wanted is a number for each of {', '.join(self.states)}")
        return self.start_weights @ present + self.start_offsets


def _of_model(facts: Mapping[str, str], inputs: Mapping[str, int], outputs: Mapping[str, int]) -> Dict[str, Any]:
    names = {kind: tuple(json.loads(facts.get(f"{kind}_names", "[]"))) for kind in ("state", "action", "disturbance")}
    present = outputs["deviation"]
    units: Dict[str, str] = {}
    for kind, channels in names.items():
        units.update(zip(channels, json.loads(facts.get(f"{kind}_units", "[]")) or [""] * len(channels)))
    weights = np.array(json.loads(facts["start_weights"]), dtype=float)
    offsets = np.array(json.loads(facts["start_offsets"]), dtype=float)
    for what, found, wanted in (
        ("state_names", len(names["state"]), inputs["state"]),
        ("next_state", outputs["next_state"], inputs["state"]),
        ("start_weights", weights.shape, (inputs["state"], present)),
        ("start_offsets", offsets.shape, (inputs["state"],)),
        ("action", inputs.get("action", 0), len(names["action"])),
        ("disturbance", inputs.get("disturbance", 0), len(names["disturbance"])),
    ):
        if found != wanted:
            raise ValueError(f"{what} has the length {found}, not {wanted}")
    return {
        "states": names["state"][:present],
        "state_names": names["state"],
        "actions": names["action"],
        "disturbances": names["disturbance"],
        "units": units,
        "start_weights": weights,
        "start_offsets": offsets,
    }


def _read(path: str) -> Any:
    """onnx.ModelProto"""
    try:
        import onnx
    except ImportError as error:
        raise BagelError(f"the package onnx is not installed: pip install casadi onnx ({error})") from error
    try:
        return onnx.load(path)
    except OSError as error:
        raise _damaged(path, error.strerror or "cannot be read") from error
    except Exception as error:  # protobuf's DecodeError is in another package by version
        raise _damaged(path, f"is not an ONNX file: {error}") from error


def _lengths(values: Any) -> Dict[str, int]:
    """Columns of [N, columns]."""
    return {value.name: int(value.type.tensor_type.shape.dim[-1].dim_value) for value in values}


def _damaged(path: Union[str, Path], problem: str) -> DataError:
    return DataError(f"{path}: {problem}", file=str(path), problem=problem)
