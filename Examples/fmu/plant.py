#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Serves an FMU (FMI 2.0 or 3.0, co-simulation) as a BAGEL plant.

    pip install fmpy
    plant: {process: [python3, plant.py, cart.fmu, --states, position, --actions, force, --task, task.yaml]}

in:   a number for each of --actions, a step: inputs of the FMU, held until the next step
out:  --states, then --disturbances: outputs or other variables of the FMU, in the order and units of the task; states
      with rateOf are left out

Names are the FMU's (python3 plant.py machine.fmu prints them); the task may call them otherwise. An episode begins at
t = 0 with the FMU's own start values, those of --start, and those of --draw, which a seed draws. A run that the FMU
ends is "done"; a step that fails ends this program with exit code 1 and a line that says why.
One JSON object a line, see Examples/simulink-or-your-own/plant.py.
"""

import argparse
import json
import pathlib
import random
import re
import signal
import sys

from cosimulation import FMU, Refusal, listed, quiet_output, run


class Arguments(argparse.ArgumentParser):
    def error(self, message):
        raise Refusal(f"{message}; {self.prog} --help says more")


def named_number(text):
    """NAME=VALUE"""
    name, _, value = text.rpartition("=")
    try:
        return name, float(value)
    except ValueError:
        raise Refusal(f"'{text}' is not NAME=VALUE") from None


def named_range(text):
    """NAME=LOWER:UPPER"""
    name, _, bounds = text.rpartition("=")
    try:
        lower, upper = map(float, bounds.split(":"))
        return name, (lower, upper)
    except ValueError:
        raise Refusal(f"'{text}' is not NAME=LOWER:UPPER") from None


def time_step(given):
    """Of --time-step, or of the task's file."""
    if given.time_step is None and given.task is None:
        raise Refusal("how long is a step? Give --time-step SECONDS or --task FILE")
    if given.time_step is None:
        try:
            text = pathlib.Path(given.task).read_text(encoding="utf-8")
        except OSError as problem:
            raise Refusal(f"{given.task}: {problem.strerror}") from None
        found = re.search(r"^\s*[\"']?timeStep[\"']?\s*:\s*([0-9.eE+-]+)\s*(#.*|,)?$", text, re.MULTILINE)
        if found is None:
            raise Refusal(f"{given.task} has no line 'timeStep: SECONDS'; give --time-step")
        given.time_step = float(found[1])
    if not 0 < given.time_step < float("inf"):
        raise Refusal(f"a step lasts {given.time_step} s; wanted is more than 0")
    return given.time_step


def shown(fmu):
    """What an FMU has, for whoever writes a task."""
    lines = []
    for causality in ("input", "output", "parameter", "local"):
        of_it = [variable for variable in fmu.variables.values() if variable.causality == causality]
        names = [variable.name + (f" ({variable.unit})" if variable.unit else "") for variable in of_it]
        lines.append(f"{causality}: {listed(names, 50)}")
    return "\n".join(lines)


class Plant:
    """An FMU that is driven by its actions."""

    def __init__(self, fmu, given):
        self.fmu, self.given, self.step_length = fmu, given, time_step(given)
        self.actions = fmu.chosen(given.actions, ("input",), "actions", floats=True)
        read = ("output", "local", "independent", "calculatedParameter")
        self.states = fmu.chosen(given.states, read, "states")
        self.disturbances = fmu.chosen(given.disturbances, (*read, "input", "parameter"), "disturbances")
        self.starts, self.draws = dict(given.start), dict(given.draw)
        fmu.changeable([*self.starts, *self.draws])
        self.parts = fmu.parts(self.step_length, given.communication_step)
        self.is_over = True

    def answer(self, message):
        if message["command"] == "reset":
            draws = random.Random(message["seed"])
            drawn = {name: draws.uniform(*bounds) for name, bounds in self.draws.items()}
            self.fmu.begin({**self.starts, **drawn})
            self.is_over = False
        elif not self.is_over:  # the safe action after the end of an episode changes nothing
            action = message["action"]
            if len(action) != len(self.actions):
                raise Refusal(
                    f"{len(action)} actions came; --actions has {len(self.actions)}: {listed(self.given.actions)}"
                )
            self.fmu.set(self.actions, action)
            self.is_over = self.fmu.step(self.step_length, self.parts)
        elif self.fmu.instance is None:
            raise Refusal("a step came before the first reset")
        answer = {"state": self.fmu.get(self.states), "done": self.is_over}
        if self.disturbances:
            answer["disturbance"] = self.fmu.get(self.disturbances)
        return answer


def main():
    options = Arguments(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("fmu", help="the FMU; alone: says which variables it has")
    options.add_argument(
        "--states", nargs="+", default=[], metavar="NAME", help="what the task's states are measured by"
    )
    options.add_argument(
        "--actions", nargs="+", default=[], metavar="NAME", help="inputs that the task's actions drive"
    )
    options.add_argument("--disturbances", nargs="+", default=[], metavar="NAME", help="the task's disturbances")
    options.add_argument("--time-step", type=float, metavar="SECONDS", help="the task's timeStep")
    options.add_argument("--task", metavar="FILE", help="reads timeStep there")
    options.add_argument(
        "--communication-step",
        type=float,
        metavar="SECONDS",
        help="of the FMU; the time step is a multiple. By default what the FMU suggests, or the time step",
    )
    options.add_argument(
        "--start", nargs="+", default=[], type=named_number, metavar="NAME=VALUE", help="parameters and start values"
    )
    options.add_argument(
        "--draw",
        nargs="+",
        default=[],
        type=named_range,
        metavar="NAME=LOWER:UPPER",
        help="start values that each episode draws, by its seed",
    )
    given = options.parse_args()
    with FMU(given.fmu) as fmu:
        if not given.states and not given.actions:
            return print(shown(fmu))
        if not given.states or not given.actions:
            raise Refusal(
                f"--states and --actions are both needed. The FMU has: {'; '.join(shown(fmu).splitlines())}"
            )
        output = quiet_output()
        plant = Plant(fmu, given)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the FMU is ended
        for line in sys.stdin:
            message = json.loads(line)
            if message["command"] == "close":
                break
            print(json.dumps(plant.answer(message)), file=output, flush=True)


if __name__ == "__main__":
    run(main)
