# SPDX-License-Identifier: Apache-2.0
# The verb `evaluate`. In: a task and a policy. Out: what the policy does on the plant, episode by episode.
# **A plant that is a program may be a machine: it moves.**

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Optional, Union

from . import command
from .errors import UsageError
from .fitting import folder_text, options
from .policies import Policy
from .progress import Progress, reporter
from .results import Fit
from .search_results import Evaluation, Optimization
from .tasks import Task


def evaluate(
    task: Any,
    policy: Union[None, str, Path, Policy, Optimization] = None,
    *,
    plant: Union[None, str, Mapping[str, Any]] = None,
    episodes: Optional[int] = None,
    vary: Optional[float] = None,
    rival: Optional[bool] = None,
    seed: int = 0,
    output: Any = None,
    progress: Progress = None,
) -> Evaluation:
    """Drives a plant with a controller and judges it, by the task's `evaluate:`.

    Args:
        task: `Task`, path, built-in name, dict; or what `optimize` returned, with its policy.
        policy: a file, `Policy` or `Optimization`; by default the optimisation's own, or the folder's current
            policy.
        plant: instead of the task's: the name of a simulated plant, or a mapping as in a task's file
            ({"process": ["python3", "my_plant.py"]}), which only tasks that are dicts take.
        episodes: their number, instead of the task's.
        vary: vary every parameter of a simulated plant by up to this fraction.
        rival: also drive the same episodes with a PID controller; by default on simulated plants.
        seed: of starts, goals and noise.
        output: folder; by default the optimisation's, or the task's name and "-out".
        progress: None shows the command's output, False nothing; a callable gets each line.

    Returns:
        Figures; `solved` is False if no episode succeeded, which does not raise an exception.

    Raises:
        DataError: a policy of another machine, a task without plant or success, a plant that fails.
        UsageError: arguments that are not valid.
        Interrupted: Ctrl-C; the safe action was sent last, or the message reports that it was
            not.
    """
    folder = folder_text(output)
    if isinstance(task, Optimization):
        policy, folder, whole = policy or task, folder or str(task.folder), task.task
    elif isinstance(task, Fit):
        raise UsageError("a fit has no controller yet: call optimize first")
    else:
        whole = Task.of(task)
    if isinstance(plant, Mapping):
        whole, plant = whole.updated(plant=plant), None
    if isinstance(policy, Optimization):
        policy = policy.policy_path
    path = policy.path if isinstance(policy, Policy) else policy
    rivals = {} if rival is None else {"rival" if rival else "no_rival": True}
    arguments = options(
        policy=None if path is None else Path(path).expanduser().absolute(), plant=plant,
        episodes=episodes, vary=vary, seed=seed, output=folder, **rivals)
    with whole.argument() as (name, written):
        outcome = command.run(
            ["evaluate", name, *arguments], reporter(progress, "evaluate"),
            inputs=[name, str(path)], written=written)
    return Evaluation.of(outcome, whole)
