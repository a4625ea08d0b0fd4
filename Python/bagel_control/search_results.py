# SPDX-License-Identifier: Apache-2.0
# What `optimize` and `evaluate` leave. In: the command's JSON and words. Out: figures, the policy, what a
# notebook shows.

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from .command import Outcome
from .html import number, page, table
from .policies import Policy
from .results import Fit, Result, array, result_fields, version_path
from .tasks import Task


@dataclass(frozen=True, eq=False, repr=False)
class Optimization(Result):
    """A controller, and how it was found."""

    task: Task
    policy_path: Path
    """The policy's file among the folder's versions, which later searches leave alone."""
    version: int
    """Its number there."""
    is_current: bool
    """Whether it is the folder's policy now; False if the former one earns more on this model
    (use `replace=True` to replace it)."""
    best_return: float
    """On the model, the mean over particles."""
    returns: np.ndarray
    """By iteration, of all starts one after another."""
    iterations: int
    best_iteration: int
    converged: bool
    """False where it stopped at the limit of iterations."""
    seconds: float
    seconds_per_iteration: float
    sampler: str
    """The form of the posterior in the rollouts."""
    device: str
    diverged: int
    """Particles that were frozen, over all iterations."""
    outside_fraction: float
    """Fraction of the predicted steps outside the logged data, where the model extrapolates."""
    constraints: Tuple[Mapping[str, Any], ...]
    """Name, violations, rollouts and upperBound95 of each."""
    fit: Optional[Fit]
    """The model that it was searched on, where that was learnt in the same call or given."""

    @staticmethod
    def of(outcome: Outcome, task: Task, fit: Optional[Fit]) -> "Optimization":
        """The result of `bagel optimize`."""
        fields, found = result_fields(outcome), outcome.json
        return Optimization(
            **fields, task=task, fit=fit,
            policy_path=version_path(fields["folder"], "policy", found["version"]),
            version=found["version"], is_current=found["isCurrent"],
            best_return=_float(found["bestReturn"]), returns=array(found["returns"]),
            iterations=found["iterations"], best_iteration=found["bestIteration"],
            converged=found["converged"], seconds=found["optimizeSeconds"],
            seconds_per_iteration=found["secondsPerIteration"], sampler=found["sampler"],
            device=found["device"], diverged=found["diverged"],
            outside_fraction=_float(found["outsideFraction"]),
            constraints=tuple(found.get("constraints", ())))

    @cached_property
    def policy(self) -> Policy:
        """The controller as a function of arrays."""
        return Policy.load(self.policy_path)

    def _lines(self) -> List[str]:
        end = "converged" if self.converged else "stopped at the limit"
        lines = [
            f"return {number(self.best_return)} on the model after {self.iterations} iterations, {end}, in "
            f"{self.seconds:.1f} s ({self.device})"]
        for constraint in self.constraints:
            lines.append(
                f"{constraint['name']}: violated in {constraint['violations']} of {constraint['rollouts']} "
                f"rollouts, at most {number(100 * constraint['upperBound95'])} % with 95 % confidence")
        if self.outside_fraction > 0.05:
            lines.append(
                f"{number(100 * self.outside_fraction)} % of the predicted steps lie outside the logged data: "
                "the model extrapolates there")
        if not self.is_current:
            lines.append("the folder's former policy stays its current one: it earns more on this model")
        return lines

    def __repr__(self) -> str:
        lines = ["Controller", *self._lines(), f"policy: {self.policy_path}", f"report: {self.report_path}"]
        return "\n  ".join(lines)

    def _repr_html_(self) -> str:
        return page("Controller", self._lines(), [], self.warnings, self.pictures)


@dataclass(frozen=True)
class Tracked:
    """How one goal was followed, in its units; the worst of all steps of the reference, unless
    stated otherwise."""

    steady_state_error: float
    """Mean over the steps."""
    largest_error: float
    rise_time: float
    """Seconds; NaN if a step never got there."""
    overshoot: float
    successes: int
    """Steps that stayed within the tolerance."""


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Result):
    """Episodes of a controller on a plant."""

    task: Task
    solved: bool
    """False where no episode succeeded."""
    successes: int
    episodes: int
    criterion: str
    """The criterion of success."""
    steps: int
    """Of the reference, over all episodes."""
    step_successes: int
    tracked: Mapping[str, Tracked]
    """By name of the goal; empty where success is judged by measures."""
    constraints: Tuple[Mapping[str, Any], ...]
    """Name, violations and episodes of each, on the plant."""
    rival_successes: Optional[int]
    """Of the same episodes with a PID controller; None where there was none. Its figures are
    `json["rival"]`."""

    @staticmethod
    def of(outcome: Outcome, task: Task) -> "Evaluation":
        """The result of `bagel evaluate`."""
        fields, found = result_fields(outcome), outcome.json
        rival = found.get("rival")
        return Evaluation(
            **fields, task=task, solved=found["solved"], successes=found["successes"],
            episodes=found["episodes"], criterion=found["criterion"], steps=found["steps"],
            step_successes=found["stepSuccesses"], tracked=_tracked(found),
            constraints=tuple(found["constraints"]),
            rival_successes=None if rival is None else rival["successes"])

    @property
    def success_rate(self) -> float:
        """Fraction of the episodes."""
        return self.successes / self.episodes if self.episodes else float("nan")

    def _lines(self) -> List[str]:
        lines = [f"success: {self.criterion}"] if self.criterion else []
        if self.steps > self.episodes:
            lines.append(f"{self.step_successes} of {self.steps} steps of the reference")
        for constraint in self.constraints:
            lines.append(
                f"{constraint['name']}: violated in {constraint['violations']} of {constraint['episodes']} "
                "episodes")
        return lines

    def _title(self) -> str:
        return f"{self.successes} of {self.episodes} episodes succeed"

    def _rows(self) -> List[List[str]]:
        rows = _table_rows("", self.tracked)
        if self.rival_successes is not None:
            rows += _table_rows("PID, ", _tracked(self.json["rival"]))
        return rows

    def __repr__(self) -> str:
        lines = [self._title(), *self._lines()]
        lines += [", ".join(f"{t} {c}" for t, c in zip(_HEAD, row)) for row in self._rows()]
        return "\n  ".join([*lines, f"report: {self.report_path}"])

    def _repr_html_(self) -> str:
        rows = self._rows()
        tables = [table(_HEAD, rows)] if rows else []
        return page(self._title(), self._lines(), tables, self.warnings, self.pictures)


_HEAD = [
    "goal", "steady-state error", "largest error", "rise time (s)", "overshoot", "steps within tolerance"]


def _tracked(found: Mapping[str, Any]) -> Dict[str, Tracked]:
    return {
        name: Tracked(
            _float(figures["steadyStateError"]), _float(figures["largestError"]),
            _float(figures["riseTime"]), _float(figures["overshoot"]), figures["successes"])
        for name, figures in found["tracked"].items()
    }


def _table_rows(prefix: str, tracked: Mapping[str, Tracked]) -> List[List[str]]:
    return [
        [prefix + name, number(one.steady_state_error), number(one.largest_error),
         number(one.rise_time), number(one.overshoot), str(one.successes)]
        for name, one in tracked.items()
    ]


def _float(value: Any) -> float:
    """A number of JSON, null as NaN."""
    return float("nan") if value is None else float(value)
