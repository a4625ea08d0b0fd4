# SPDX-License-Identifier: Apache-2.0
# The verb `optimize`. In: a task whose model is learnt, or a fit of logs alone with what is missing of a
# task: goal or reward, and the limits of the commands. Out: a controller.

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

import numpy as np

from . import command
from .errors import UsageError
from .fitting import LogSource, fit_task, folder_text, options
from .model_file import model_layout
from .progress import Progress, reporter
from .results import Fit
from .search_results import Optimization
from .tables import LogFiles
from .tasks import Task, plain

_DISTRIBUTION_KEYS = {"lower", "upper", "mean", "deviation", "bounds"}
_MODEL_KEYS = (
    "timeStep", "timeColumn", "timeUnit", "missing", "states", "actions", "disturbances", "quantities", "logs",
    "heldOut", "model")


def optimize(
    task: Any,
    *,
    goal: Any = None,
    reward: Any = None,
    start: Any = None,
    limits: Optional[Mapping[str, Any]] = None,
    model: Any = None,
    sampler: Optional[str] = None,
    iterations: Optional[int] = None,
    restart: bool = False,
    replace: bool = False,
    seed: int = 0,
    output: Any = None,
    device: Optional[str] = None,
    progress: Progress = None,
    **sections: Any,
) -> Optimization:
    """Finds a controller on the learnt dynamics.

    A task (`Task`, path, built-in name, dict, or the fit of one) contains all settings; call `fit` first. A
    fit of logs alone is completed here: give the goal and the limits. It is then learnt again, with a model
    chosen for searches, which need Gaussian processes; a second call with another goal uses the same model.

    Args:
        task: see above.
        goal: of a fit of logs: {state: value}, {state: [lower, upper]} for any goal of a range, or a list,
            one number per state.
        reward: of a fit of logs: a formula of states, actions and goal.STATE as text, or terms as in a task's
            file. By default, for goals by name, {"saturating": {"weights": {state: 10}}} for each and
            {"actionChange": 0.1}.
        start: of a fit of logs, as in a task's file: where episodes start. By default "logged", the logged
            states.
        limits: of a fit of logs: {action: [lower, upper]} of every action, and of states that must stay
            within limits; a dict instead of the pair is an entry of a task's file ({"limits": [-1, 1],
            "rateLimit": 5, "safe": 0}).
        model: a `Fit` or a model's file, instead of the folder's.
        sampler: instead of the task's: automatic, tabulated, sparse, love, exact, ...
        iterations: maximum iterations per start, instead of the task's.
        restart: start a new search even if an interrupted one could continue.
        replace: use the new policy even if the folder's earns more on this model.
        seed: of policies and draws.
        output: folder; by default the fit's, or the task's name and "-out".
        device: automatic, host, cuda or interpreter.
        progress: None shows the command's output, False nothing; a callable gets each line.
        sections: of a fit of logs: further keys of a task's file (policy, optimise, evaluate, plant,
            constraints, ...).

    Raises:
        UsageError: something is missing or is not valid.
        DataError: no model yet, one of another task, or no policy can be found on it.
        Interrupted: Ctrl-C; the search's state is saved, and the same call continues.
    """
    wishes = {"goal": goal, "reward": reward, "start": start, "limits": limits, **sections}
    source = task.source if isinstance(task, Fit) else None
    if isinstance(source, LogSource):
        place = folder_text(output) or str(task.folder)
        folder: Optional[str] = place
        whole = completed(source, task, Path(place), **wishes)
        learnt = model or _learnt(source, whole, place, seed, device, progress)
    else:
        given = [name for name, value in wishes.items() if value is not None]
        if given:
            raise UsageError(f"{', '.join(given)}: the task contains it; see Task.updated")
        whole = source if source is not None else Task.of(task)
        folder = folder_text(output) or (str(task.folder) if source is not None else None)
        learnt = model or (task if source is not None else None)
    path = learnt.model_path if isinstance(learnt, Fit) else learnt
    arguments = options(
        model=None if path is None else Path(path).expanduser().absolute(), sampler=sampler,
        iterations=iterations, restart=restart, replace=replace, seed=seed, output=folder,
        device=device)
    with whole.argument() as (name, written):
        outcome = command.run(
            ["optimize", name, *arguments], reporter(progress, "optimize"),
            inputs=[name, str(path)], written=written)
    return Optimization.of(outcome, whole, learnt if isinstance(learnt, Fit) else None)


def completed(
    source: LogSource, fitted: Fit, folder: Path, *, goal: Any, reward: Any, start: Any,
    limits: Optional[Mapping[str, Any]], **sections: Any,
) -> Task:
    """The task of logs and of what is wanted; tables that would not last are copied to `folder`/logs. Raises:
    UsageError."""
    if goal is None and reward is None:
        raise UsageError(
            f"give the aim: goal={{'{source.states[0]}': 0.5}}, or reward= with a formula of "
            f"{', '.join(fitted.states)}")
    if reward is None:
        if not _is_by_name(goal):
            raise UsageError(
                "reward= is missing: only goals by name have a default; for example "
                f"{{'saturating': {{'weights': {[10] * len(fitted.states)}}}}}, one weight per state")
        weights = {name: 10 for name in goal}
        reward = [{"saturating": {"weights": weights}}, {"actionChange": 0.1}]
    channels = _channels(source, fitted, limits)
    task: Dict[str, Any] = {
        "name": folder.name[: -len("-out")] if folder.name.endswith("-out") else folder.name,
        "timeStep": source.time_step, **source.format.task_keys(), **channels,
        "disturbances": {name: "varying" for name in source.disturbances} or None,
        "logs": _entries(source, source.logs, folder),
        "heldOut": _entries(source, source.held_out, folder),
        "reward": [{"formula": reward}] if isinstance(reward, str) else reward,
        "goal": goal, "start": "logged" if start is None else start, **sections,
    }
    if source.angles:
        task["model"] = {"angles": list(source.angles), **(task.get("model") or {})}
    policy = dict(task.get("policy") or {})
    if _is_range(goal) and policy.get("kind") != "pid":
        task["policy"] = {"goal": "error", **policy}
    return Task({key: value for key, value in task.items() if value is not None})


def _channels(
    source: LogSource, fitted: Fit, limits: Optional[Mapping[str, Any]]
) -> Dict[str, List[Dict[str, Any]]]:
    """The entries of states and actions, with their limits."""
    limits = dict(limits or {})
    missing = [name for name in source.actions if name not in limits]
    if missing:
        raise UsageError(
            f"limits= lacks {', '.join(missing)}: give the limits of its commands: "
            f"limits={{'{missing[0]}': [-1, 1]}}")
    unknown = [name for name in limits if name not in (*source.actions, *fitted.states)]
    if unknown:
        raise UsageError(
            f"limits= has {', '.join(unknown)}, which is neither an action ({', '.join(source.actions)}) nor "
            f"a state ({', '.join(fitted.states)})")

    def entry(name: str, **known: Any) -> Dict[str, Any]:
        limit = limits.get(name)
        more = dict(limit) if isinstance(limit, Mapping) else {"limits": limit}
        merged = {"name": name, **known, **more}
        return {key: value for key, value in merged.items() if value is not None}

    states = []
    for state in model_layout(fitted.model_path)["states"]:
        rate = state["source"].get("rate", {})
        states.append(
            entry(
                state["name"], units=state.get("units") or None, rateOf=rate.get("of"),
                filterTime=rate.get("filterTime") or None))
    return {"states": states, "actions": [entry(name) for name in source.actions]}


def _learnt(
    source: LogSource, task: Task, folder: str, seed: int, device: Optional[str], progress: Progress
) -> Fit:
    """A model for searches, learnt now or by an earlier call."""
    rows = dict(task.source) if isinstance(task.source, Mapping) else {}
    learned = [term for term in _terms(rows["reward"]) if "learned" in term]
    key = json.dumps(
        [folder, seed, device, learned, [rows.get(name) for name in _MODEL_KEYS]], default=plain)
    if key not in source.searched or not source.searched[key].model_path.is_file():
        common = options(seed=seed, output=folder, device=device)
        source.searched[key] = fit_task(task, None, common, folder, progress)
    return source.searched[key]


def _terms(reward: Any) -> List[Mapping[str, Any]]:
    return [reward] if isinstance(reward, Mapping) else list(reward)


def _entries(source: LogSource, files: Optional[LogFiles], folder: Path) -> Optional[List[Any]]:
    """Logs as a task's file has them. Tables are copied under names that are their contents', so that none
    replaces another."""
    if files is None:
        return None
    names = {
        path: hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16] + ".csv"
        for path in files.labels
    }
    return source.format.task_logs(files.kept(folder / "logs", names))


def _is_by_name(goal: Any) -> bool:
    return isinstance(goal, Mapping) and not _DISTRIBUTION_KEYS & set(goal)


def _is_range(goal: Any) -> bool:
    """Whether goals are drawn, so that the policy must see them."""
    if _is_by_name(goal):
        return any(isinstance(value, (list, tuple, np.ndarray)) for value in goal.values())
    return isinstance(goal, (str, Mapping))
