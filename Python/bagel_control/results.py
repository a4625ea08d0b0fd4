# SPDX-License-Identifier: Apache-2.0
# What every command leaves, and what `fit` does. In: the command's JSON. Out: figures as arrays, paths of what
# was written, and what a notebook shows of them.

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from .command import Outcome
from .errors import BagelError
from .html import Picture, number, page, pictures, table
from .model_file import model_layout

_SHOWN_STEPS = (1, 10, 100)


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What a command left."""

    json: Mapping[str, Any]
    """Everything that it said, as it said it."""
    words: Tuple[str, ...]
    """Its lines for people."""
    folder: Path
    """Where it wrote."""
    report_path: Path
    pictures: Tuple[Picture, ...]
    """Of the report, as it was written; a later command may replace the file."""

    @property
    def warnings(self) -> Tuple[str, ...]:
        """Of the JSON, and of the words those that the JSON lacks."""
        said = (line.strip() for line in self.words)
        warned = (line[len("warning: "):] for line in said if line.startswith("warning: "))
        return tuple(dict.fromkeys((*self.json.get("warnings", ()), *warned)))


def result_fields(outcome: Outcome) -> Dict[str, Any]:
    """The fields of `Result`. Raises: BagelError, of a command that is older than this package."""
    paths = outcome.json.get("paths")
    if paths is None:
        raise BagelError(
            "the command did not say where it wrote: it is older than this package (`python -m bagel_control "
            "--version`)", words=outcome.words)
    report = Path(paths["report"]).absolute()
    return {
        "json": outcome.json, "words": outcome.words, "folder": Path(paths["output"]).absolute(),
        "report_path": report, "pictures": pictures(report),
    }


def version_path(folder: Path, kind: str, version: int) -> Path:
    """The file of a version, which nothing replaces; the folder's current one where it is kept no more.

    Args:
        folder: of the output.
        kind: model or policy.
        version: its number.
    """
    path = folder / "versions" / str(version) / f"{kind}.safetensors"
    return path if path.is_file() else folder / path.name


def array(values: Any) -> np.ndarray:
    """Numbers of JSON, null as NaN; read only."""
    result = np.array(values if values is not None else [], dtype=np.float64)
    result.flags.writeable = False
    return result


@dataclass(frozen=True, eq=False)
class Horizons:
    """How well held-out logs are predicted, by steps ahead. Shapes: H horizons, S states."""

    states: Tuple[str, ...]
    steps: np.ndarray
    """[H]"""
    starts: np.ndarray
    """Predictions that were judged [H]."""
    rmse: np.ndarray
    """[H, S], in the units of the states."""
    crps: np.ndarray
    """Error of the predicted distribution [H, S], in the units of the states."""
    coverage95: np.ndarray
    """Fraction of measurements within the 95 % band [H, S]."""
    reference_rmse: np.ndarray
    reference_crps: np.ndarray
    """Of the better of staying where one is and a linear model [H, S]."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Figures on held-out logs, one step ahead and on the model's own predictions [S]; derived rates come
    last."""

    states: Tuple[str, ...]
    rmse: np.ndarray
    nll: np.ndarray
    coverage95: np.ndarray
    persistence_rmse: np.ndarray
    linear_rmse: np.ndarray
    free_run_rmse: np.ndarray
    linear_free_run_rmse: np.ndarray
    free_run_steps: np.ndarray
    horizons: Optional[Horizons]

    @staticmethod
    def of(found: Mapping[str, Any]) -> "HeldOut":
        rows = found.get("horizons")
        horizons = None
        if rows is not None and rows["steps"]:
            horizons = Horizons(
                tuple(rows["states"]), np.array(rows["steps"]), np.array(rows["starts"]),
                array(rows["rmse"]), array(rows["crps"]), array(rows["coverage95"]),
                array(rows["referenceRMSE"]), array(rows["referenceCRPS"]))
        keys = {
            "rmse": "rmse", "nll": "nll", "coverage95": "coverage95",
            "persistence_rmse": "persistenceRMSE", "linear_rmse": "linearRMSE",
            "free_run_rmse": "freeRunRMSE", "linear_free_run_rmse": "linearFreeRunRMSE",
            "free_run_steps": "freeRunSteps"}
        figures: Dict[str, Any] = {name: array(found.get(key)) for name, key in keys.items()}
        return HeldOut(states=tuple(found.get("states", ())), horizons=horizons, **figures)


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Result):
    """A model of a machine's dynamics, and how well it predicts."""

    model_path: Path
    """The model's file among the folder's versions, which later fits leave alone."""
    version: int
    """Its number there."""
    states: Tuple[str, ...]
    """Names [S], derived rates among them."""
    actions: Tuple[str, ...]
    read: Tuple[str, ...]
    """How the logs were read, if it is not obvious: separators, units, clocks."""
    time_step: float
    """Seconds."""
    transitions: int
    """Rows that were learnt from."""
    seconds: float
    """That learning took."""
    verdict: Optional[str]
    """Whether a controller may be searched on it: "yes, ...", "with care: ..." or "no ..."; None where no log
    was held out."""
    chosen: Optional[str]
    """The model among the candidates; None where nothing was chosen. All of them are in `json["model"]`."""
    held_out: Optional[HeldOut]
    source: Any = field(repr=False)
    """What it was learnt from: `LogSource` or `Task`."""

    @staticmethod
    def of(outcome: Outcome, source: Any) -> "Fit":
        """The result of `bagel fit`."""
        fields, found = result_fields(outcome), outcome.json
        path = version_path(fields["folder"], "model", found["version"])
        horizons = found.get("heldOut", {}).get("horizons", {})
        return Fit(
            **fields, model_path=path, version=found["version"], states=tuple(found["states"]),
            actions=tuple(found["actions"]), read=tuple(found["read"]),
            time_step=model_layout(path)["timeStep"], transitions=found["transitions"],
            seconds=found["fitSeconds"], verdict=horizons.get("verdict"),
            chosen=found.get("model", {}).get("chosen"),
            held_out=HeldOut.of(found["heldOut"]) if "heldOut" in found else None, source=source)

    @property
    def advice(self) -> Tuple[str, ...]:
        """How the model could be improved."""
        return tuple(self.json.get("advice", ()))

    def _lines(self) -> List[str]:
        lines = [
            f"{self.transitions} transitions of {self.time_step:g} s, learnt in {self.seconds:.1f} s"
            + (f": {self.chosen}" if self.chosen else "")]
        lines.append(
            f"May a controller be searched on it? {self.verdict}" if self.verdict
            else "not judged: no log was held out (held_out=)")
        return lines + list(self.advice)

    def _rows(self) -> Tuple[List[str], List[List[str]]]:
        """Head and rows of the table: errors by steps ahead, a row for each state."""
        horizons = self.held_out.horizons if self.held_out is not None else None
        if horizons is None:
            return [], []
        shown = [h for h, steps in enumerate(horizons.steps) if steps in _SHOWN_STEPS] or [0]
        head = ["held out"]
        for h in shown:
            ahead = f"{horizons.steps[h] * self.time_step:g} s ahead"
            head += [f"RMSE, {ahead}", "CRPS over references'", "in 95 % band"]
        rows = []
        for s, state in enumerate(horizons.states):
            cells = [state]
            for h in shown:
                ratio = horizons.crps[h, s] / horizons.reference_crps[h, s]
                cells += [
                    number(horizons.rmse[h, s]), number(ratio),
                    f"{100 * horizons.coverage95[h, s]:.0f} %"]
            rows.append(cells)
        return head, rows

    def __repr__(self) -> str:
        head, rows = self._rows()
        lines = [f"Fit of {', '.join(self.states)} by {', '.join(self.actions)}", *self._lines()]
        for row in rows:
            cells = [f"{title} {cell}" for title, cell in zip(head[1:], row[1:])]
            lines += [f"{row[0]}: " + "; ".join(cells[k : k + 3]) for k in range(0, len(cells), 3)]
        return "\n  ".join([*lines, f"report: {self.report_path}"])

    def _repr_html_(self) -> str:
        head, rows = self._rows()
        tables = [table(head, rows)] if rows else []
        title = f"{', '.join(self.states)} by {', '.join(self.actions)}"
        return page(title, self._lines(), tables, self.warnings, self.pictures)
