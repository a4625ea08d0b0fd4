# SPDX-License-Identifier: Apache-2.0
# The verb `fit`. In: logs (files, DataFrames, arrays) and what their columns are, or a task. Out: a model of
# the machine, judged on the held-out logs.

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from . import command
from .errors import UsageError
from .log_format import LogFormat, Words
from .progress import Progress, reporter
from .results import Fit
from .tables import LogFiles
from .tasks import Task

Names = Union[None, str, Sequence[str]]


@dataclass(frozen=True, eq=False)
class LogSource:
    """Logs alone, without a task: what `optimize` completes to one."""

    logs: LogFiles
    held_out: Optional[LogFiles]
    states: Tuple[str, ...]
    actions: Tuple[str, ...]
    disturbances: Tuple[str, ...]
    time_step: float
    angles: Mapping[str, str]
    """State -> units of its angle."""
    format: LogFormat
    searched: Dict[str, Fit] = field(default_factory=dict)
    """Models for searches that were learnt from these logs, by what they were learnt with."""


def fit(
    logs: Any,
    *,
    states: Names = None,
    actions: Names = None,
    time_step: Optional[float] = None,
    held_out: Any = None,
    rates: Union[None, str, Sequence[str]] = "auto",
    angles: Union[None, str, Sequence[str], Mapping[str, str]] = None,
    disturbances: Names = None,
    time_column: Optional[str] = None,
    time_unit: Optional[str] = None,
    missing: Optional[str] = None,
    header: Words = None,
    converter: Words = None,
    seed: int = 0,
    output: Any = None,
    device: Optional[str] = None,
    progress: Progress = None,
) -> Fit:
    """Learns a machine's dynamics from logs, and judges the model on held-out logs.

    Args:
        logs: one or several of: path of a CSV file, or of one that `converter` reads; DataFrame with a time
            column (t, time, ...) or an index of seconds or dates; dict of arrays [rows] with a time array. Or
            a task (`Task`, path, built-in name, dict), which contains the other arguments.
        states: columns that are measured.
        actions: columns of commands.
        time_step: seconds between control decisions; logs with other time stamps are resampled.
        held_out: logs that judge the model, which does not learn from them; the same forms.
        rates: "auto" derives the rate of every state whose rate is not measured, "none" none; or names of
            states.
        angles: states that are angles of full turns; {name: units} (rad, deg, ...), or names for radians.
        disturbances: columns of inputs that are measured but not commanded.
        time_column: with the time, if it has another name.
        time_unit: unit of numeric time stamps, if the log does not give it: s, ms, us or ns.
        missing: what to do if a channel has no value: "refuse" the log; "drop" the row; "hold" the last value,
            for channels with their own clock.
        header: names of all columns of files, instead of their header line.
        converter: a program and its first arguments, as a list of words, that turns each file into CSV on its
            standard output; the file's path is added as the last argument. One text with blanks is a line for
            the shell.
        seed: of data, draws and noise.
        output: folder for model and report; by default the command's: "log-out", or the task's name and
            "-out".
        device: automatic, host, cuda or interpreter.
        progress: None shows the command's output, False nothing; a callable gets each line.

    Raises:
        DataError: a log cannot be used; file, line and column (of frames and arrays the row) say where.
        UsageError: arguments that are not valid.
        Interrupted: Ctrl-C.
    """
    common = options(seed=seed, output=folder_text(output), device=device)
    written = LogFormat.of(time_column, time_unit, missing, header, converter)
    if states is None and actions is None and time_step is None:
        others = {
            "rates": rates not in ("auto", None), "angles": angles, "disturbances": disturbances,
            **dict.fromkeys(written.given, True)}
        for name, value in others.items():
            if value:
                raise UsageError(f"{name}= is of logs alone; a task says it itself")
        return fit_task(_task(logs), held_out, common, output, progress)
    for name, is_missing in {
        "states": states is None, "actions": actions is None, "time_step": time_step is None}.items():
        if is_missing:
            raise UsageError(f"{name}= is missing: a log needs states, actions and time_step")
    names = _names("states", states), _names("actions", actions), _names("disturbances", disturbances)
    columns = [name for some in names for name in some]
    source = LogSource(
        logs=LogFiles(logs, "logs", columns, written),
        held_out=None if held_out is None else LogFiles(held_out, "held_out", columns, written),
        states=names[0], actions=names[1], disturbances=names[2], time_step=float(time_step or 0),
        angles=_angles(angles), format=written)
    arguments = ["fit", "--log", *source.logs.paths]
    if source.held_out is not None:
        arguments += ["--held-out", *source.held_out.paths]
    angle_words = [f"{name}:{units}" for name, units in source.angles.items()]
    arguments += options(
        states=",".join(source.states), actions=",".join(source.actions),
        disturbances=",".join(source.disturbances) or None, time_step=repr(source.time_step),
        rates=_rates(rates), angles=",".join(angle_words) or None, **written.arguments())
    files = [source.logs, *([source.held_out] if source.held_out else [])]
    outcome = command.run(
        arguments + common, reporter(progress, "fit"),
        inputs=[path for one in files for path in one.paths],
        written={path: label for one in files for path, label in one.labels.items()})
    return Fit.of(outcome, source)


def fit_task(
    task: Task, held_out: Any, common: Sequence[str], output: Any, progress: Progress
) -> Fit:
    """The same of a task; `common` are options of the command."""
    arguments: List[str] = []
    if held_out is not None:
        files = LogFiles(held_out, "held_out", (), LogFormat())
        if files.labels:
            raise UsageError("held_out= with a task must be a path or several")
        arguments = ["--held-out", *files.paths]
    with task.argument() as (path, written):
        outcome = command.run(
            ["fit", path, *arguments, *common], reporter(progress, "fit"),
            inputs=[path, *arguments], written=written)
    return Fit.of(outcome, task)


def options(**values: Any) -> List[str]:
    """Options of the command; those that are None or False are left out.

    Args:
        values: by name, with underscores; True for a flag.
    """
    result = []
    for name, value in values.items():
        if value is None or value is False:
            continue
        option = "--" + name.replace("_", "-")
        result.append(option if value is True else f"{option}={value}")
    return result


def folder_text(output: Any) -> Optional[str]:
    """A folder as the command gets it."""
    return None if output is None else str(Path(output).expanduser().absolute())


def _task(task: Any) -> Task:
    if isinstance(task, Mapping) and not ("timeStep" in task and "states" in task):
        raise UsageError(
            "arrays need states=, actions= and time_step=; a task as a dict needs timeStep, states and actions")
    if not isinstance(task, (Task, Mapping, str, os.PathLike)):
        raise UsageError("a log needs states=, actions= and time_step=")
    if str(task).lower().endswith(".csv"):
        raise UsageError(f"{task} is a log: it needs states=, actions= and time_step=")
    return Task.of(task)


def _names(argument: str, names: Names) -> Tuple[str, ...]:
    found = (names,) if isinstance(names, str) else tuple(names or ())
    for name in found:
        if not isinstance(name, str):
            raise UsageError(f"{argument} has {name!r}; names of columns are needed")
        if "," in name or name != name.strip():
            raise UsageError(
                f"{argument} has {name!r}: a name has no comma and no blank at its ends. Pass a list of names; "
                "rename such a column, or use a task: {name: short, column: ...}")
    return found


def _rates(rates: Union[None, str, Sequence[str]]) -> str:
    if rates is None or isinstance(rates, str):
        return rates or "none"
    return ",".join(_names("rates", rates)) or "none"


def _angles(angles: Union[None, str, Sequence[str], Mapping[str, str]]) -> Dict[str, str]:
    if isinstance(angles, Mapping):
        _names("angles", tuple(angles))
        return dict(angles)
    result = {}
    for name in _names("angles", angles):
        bare, _, units = name.partition(":")
        result[bare] = units or "rad"
    return result
