#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# In:  an FMU, as `bagel export --format fmu` writes it (others too), and perhaps what it must agree with: the folder of
#      `bagel export --format c` (controller or model), or a model's graph of `--format onnx`.
# Out: a line for each check; exit code 1 if one is wrong.
#   python3 check.py boom-out/controller.fmu --against boom-out/controller
#   python3 check.py boom-out/model.fmu --against boom-out/model.onnx
import argparse
import ctypes
import json
import math
import pathlib
import random
import re
import subprocess
import sys
import tempfile

from cosimulation import FLOATS, FMU, Refusal, library, listed, run

SEED = 3
TOLERANCE = 1e-9  # of the largest number of an output: compilers and libraries differ in the last digits


class Wrong(Exception):
    """What does not agree."""


def inputs_of(fmu):
    return [one for one in fmu.variables.values() if one.causality == "input" and one.type in FLOATS]


def outputs_of(fmu):
    return [one for one in fmu.variables.values() if one.causality == "output"]


def time_step(fmu):
    found = fmu.description.coSimulation.fixedInternalStepSize or getattr(
        fmu.description.defaultExperiment, "stepSize", None
    )
    if found is None:
        raise Refusal("the FMU says no step: give --time-step")
    return float(found)


def walks(fmu, count):
    """Rows of inputs: each walks within its bounds, or around its start value."""
    draws, rows = random.Random(SEED), []
    bounds = []
    for one in inputs_of(fmu):
        start = float(one.start or 0)
        width = 0.5 * max(1.0, abs(start))
        bounds.append((start, float(one.min or start - width), float(one.max or start + width)))
    row = [start for start, _, _ in bounds]
    for _ in range(count):
        row = [
            min(max(value + 0.2 * (upper - lower) * draws.uniform(-1, 1), lower), upper)
            for value, (_, lower, upper) in zip(row, bounds)
        ]
        rows.append(row)
    return rows


def driven(fmu, rows, length, parts=1, begin=True):
    """Outputs after each step."""
    if begin:
        fmu.begin()
    found = []
    for row in rows:
        fmu.set(inputs_of(fmu), row)
        fmu.step(length, parts)
        found.append(fmu.get(outputs_of(fmu)))
    return found


def agree(found, wanted, what, tolerance=0.0):
    """Columns, relative to the largest number of each. Returns the largest difference."""
    worst = 0.0
    for j, variable in enumerate(zip(*wanted)):
        size = max(max(map(abs, variable)), 1e-300)
        for k, value in enumerate(variable):
            difference = abs(found[k][j] - value) / size
            worst = max(worst, difference)
            if not difference <= tolerance:
                raise Wrong(f"{what}: output {j} of step {k} is {found[k][j]!r}, not {value!r}")
    return worst


# Checks of any FMU


def check_description(fmu, given):
    """the description is as the standard has it"""
    problems = library("fmpy.validation").validate_fmu(fmu.path)
    if problems:
        raise Wrong(f"{len(problems)} problems: {'; '.join(' '.join(str(one).split()) for one in problems[:5])}")
    kind = fmu.description
    return (
        f"FMI {kind.fmiVersion}, {len(kind.modelVariables)} variables; "
        f"in: {listed([one.name for one in inputs_of(fmu)])}; out: {listed([one.name for one in outputs_of(fmu)])}"
    )


def check_again(fmu, given):
    """a new instance, and one that is reset, give the same numbers"""
    rows, length = walks(fmu, given.steps), given.time_step
    first = driven(fmu, rows, length)
    agree(driven(fmu, rows, length), first, "a new instance")
    fmu.instance.reset()
    if not fmu.is_fmi3:
        fmu.instance.setupExperiment(startTime=0.0)
    fmu.instance.enterInitializationMode(**({"startTime": 0.0} if fmu.is_fmi3 else {}))
    fmu.instance.exitInitializationMode()
    fmu.time, fmu.steps = 0.0, 0
    agree(driven(fmu, rows, length, begin=False), first, "after a reset")
    return f"{len(rows)} steps of {length:g} s"


def check_two(fmu, given):
    """two instances have nothing in common"""
    if fmu.description.coSimulation.canBeInstantiatedOnlyOncePerProcess:
        return "left out: there may be one only"
    rows, length = walks(fmu, given.steps), given.time_step
    alone = driven(fmu, rows, length)
    fmu.begin()
    with FMU(fmu.path) as other:
        other.begin()
        found = []
        for row in rows:
            other.set(inputs_of(other), [0.7 * value for value in row])
            other.step(length)
            fmu.set(inputs_of(fmu), row)
            fmu.step(length)
            found.append(fmu.get(outputs_of(fmu)))
    agree(found, alone, "beside another")
    return f"{len(rows)} steps"


def check_parts(fmu, given):
    """communication steps of a quarter of the time step give the same"""
    if fmu.description.generationTool != "BAGEL":
        return "left out: it is not said of this FMU"
    rows, length = walks(fmu, given.steps), given.time_step
    agree(driven(fmu, rows, length, 4), driven(fmu, rows, length), "four parts")
    return f"{len(rows)} steps"


def check_state(fmu, given):
    """a state that is kept and given back goes on with the same numbers"""
    if not fmu.description.coSimulation.canGetAndSetFMUstate:
        return "left out: it cannot keep its state"
    rows, length = walks(fmu, given.steps), given.time_step
    half = len(rows) // 2
    driven(fmu, rows[:half], length)
    word = "FMUState" if fmu.is_fmi3 else "FMUstate"
    keep, give, free = (getattr(fmu.instance, verb + word) for verb in ("get", "set", "free"))
    state, steps = keep(), fmu.steps
    first = driven(fmu, rows[half:], length, begin=False)
    give(state)
    fmu.steps = steps
    agree(driven(fmu, rows[half:], length, begin=False), first, "after its state was given back")
    free(state)
    return f"{len(rows)} steps"


# Checks against another export


class Library:
    """The C code of an export's folder, compiled. Structs are memory that nobody looks into."""

    def __init__(self, folder, kind):
        self.folder = tempfile.TemporaryDirectory()
        path = f"{self.folder.name}/library.so"
        source = pathlib.Path(folder) / f"{kind}.c"
        ended = subprocess.run(
            ["cc", "-std=c99", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-o", path, str(source), "-lm"],
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            raise Refusal(f"{source} does not compile: {ended.stderr.splitlines()[:1]}")
        header = (pathlib.Path(folder) / f"{kind}.h").read_text(encoding="utf-8")
        self.name = re.search(r"(\w+)_(?:reset|start)\(", header)[1]
        self.sizes = {
            key: int(value) for key, value in re.findall(r"#define \w+?_(WINDOW|STATES|ACTIONS) (\d+)", header)
        }
        self.library = ctypes.CDLL(path)

    def call(self, name, *arguments):
        return getattr(self.library, f"{self.name}_{name}")(*arguments)


def doubles(values):
    return (ctypes.c_double * max(1, len(values)))(*values)


def check_controller(fmu, given):
    """the controller's actions and status are those of its C code"""
    code = Library(given.against, "controller")
    # The rows of its test: walks, drifts, sensors that freeze. An FMU refuses numbers that are none; these rows are
    # left out of both.
    text = (pathlib.Path(given.against) / "controller_test.c").read_text(encoding="utf-8")
    rows = [
        (one, [number(word) for word in measured.split(", ")], [number(word) for word in goal.split(", ")])
        for one, measured, goal in re.findall(r"^  \{(\d), [^,]+, \{([^{}]*)\}, \{([^{}]*)\}, \{", text, re.M)
    ]
    if not rows:
        raise Refusal(f"{given.against}/controller_test.c has no rows that are understood")
    memory, actions = ctypes.create_string_buffer(1 << 20), len(outputs_of(fmu)) - 1
    inputs, found, wanted = inputs_of(fmu), [], []
    for reset, measured, goal in rows:
        if not all(map(math.isfinite, measured + goal)):
            continue
        if reset == "1" or not wanted:
            code.call("reset", memory)
            fmu.begin()
        action = doubles([0.0] * actions)
        status = code.call("step", memory, doubles(measured), doubles(goal), action)
        wanted.append([*action[:actions], float(status)])
        fmu.set(inputs, (measured + goal)[: len(inputs)])
        fmu.step(given.time_step)
        found.append(fmu.get(outputs_of(fmu)))
    worst = agree(found, wanted, "beside the C code", TOLERANCE)
    told = sum(row[-1] != 0 for row in wanted)
    return f"{len(wanted)} rows, of which {told} have a status; largest difference {worst:.2g}"


def number(word):
    return (
        {"NAN": float("nan"), "INFINITY": float("inf"), "-INFINITY": -float("inf")}.get(word)
        if word.strip("-")[0] in "NI"
        else float(word)
    )


def check_model(fmu, given):
    """the model's states and deviations are those of its graph or C code"""
    rows = walks(fmu, given.steps)
    found = driven(fmu, rows, given.time_step)
    fmu.begin()
    starts = [one for one in fmu.variables.values() if one.causality == "parameter"]
    step = graph_of(given.against) if given.against.endswith(".onnx") else c_model(given.against)
    start, count = [float(one.start) for one in starts], len(outputs_of(fmu)) // 2
    wanted, state = [], None
    for row in rows:
        state, deviation = step(start if state is None else state, row, state is None)
        wanted.append([*state[:count], *deviation])
    worst = agree(found, wanted, f"beside {given.against}", TOLERANCE)
    return f"{len(rows)} steps on its own predictions, largest difference {worst:.2g}"


def graph_of(path):
    """(present states or state, inputs, whether it begins) -> next state, deviation, by ONNX Runtime"""
    runtime, numpy = library("onnxruntime"), library("numpy")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    if "start_weights" not in facts:
        raise Refusal(f"{path} is a controller's graph, which takes states; --against the folder of `bagel export --format c`")
    weights, offsets = (numpy.array(json.loads(facts[name])) for name in ("start_weights", "start_offsets"))
    actions = len(json.loads(facts["action_names"]))

    def step(state, row, begins):
        state = weights @ numpy.array(state) + offsets if begins else numpy.array(state)
        values = {"state": state[None], "action": numpy.array([row[:actions]])}
        if len(row) > actions:
            values["disturbance"] = numpy.array([row[actions:]])
        after, deviation = session.run(["next_state", "deviation"], values)
        return after[0].tolist(), deviation[0].tolist()

    return step


def c_model(folder):
    """The same by the code of a folder."""
    code = Library(folder, "model")
    count, present, actions = (code.sizes[name] for name in ("WINDOW", "STATES", "ACTIONS"))

    def step(state, row, begins):
        before, after, deviation = doubles([0.0] * count), doubles([0.0] * count), doubles([0.0] * present)
        if begins:
            code.call("start", doubles(state), before)
        else:
            before[:] = state
        code.call("step", before, doubles(row), doubles(row[actions:]), after, deviation)
        return list(after), list(deviation)

    return step


def main():
    options = argparse.ArgumentParser(description="Checks an FMU of BAGEL.")
    options.add_argument("fmu")
    options.add_argument(
        "--against", metavar="PATH", help="the folder of bagel export --format c, or a model's .onnx"
    )
    options.add_argument("--steps", type=int, default=200)
    options.add_argument("--time-step", type=float, metavar="SECONDS", help="by default what the FMU says")
    given = options.parse_args()
    checks = [check_description, check_again, check_two, check_parts, check_state]
    if given.against:
        is_controller = (pathlib.Path(given.against) / "controller.c").exists()
        checks.append(check_controller if is_controller else check_model)
    wrong = 0
    with FMU(given.fmu) as fmu:
        given.time_step = given.time_step or time_step(fmu)
        for check in checks:
            try:
                print(f"ok     {check.__doc__}: {check(fmu, given)}", flush=True)
            except Wrong as problem:
                wrong = 1
                print(f"WRONG  {check.__doc__}: {problem}", flush=True)
    sys.exit(wrong)


if __name__ == "__main__":
    run(main)
