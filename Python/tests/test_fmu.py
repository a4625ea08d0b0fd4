# SPDX-License-Identifier: Apache-2.0
# Examples/fmu: an FMU as a plant, by the cart that is there, and by carts that fail. In: cart.c and its description,
# changed here and there. Out: the plant's answers beside the cart's equation; refusals, each one line. What the command
# exports as FMUs goes through check.py.

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from log_makers import CommandTest, command, spring_log, write_csv
from reference import write_policy
from test_policies import Machine
from test_results import spring_task

import bagel_control as bagel

EXAMPLE = Path(__file__).resolve().parents[2] / "Examples" / "fmu"
MISSING = [
    what
    for what, is_there in (
        ("fmpy", importlib.util.find_spec("fmpy")),
        ("a C compiler", shutil.which("cc")),
        ("Examples/fmu", EXAMPLE.is_dir()),
    )
    if not is_there
]
if MISSING:
    print(f"test_fmu.py is skipped: {', '.join(MISSING)} is not there", file=sys.stderr)

RESET: Dict[str, Any] = {"command": "reset", "seed": 7}


def step(force: float) -> Dict[str, Any]:
    return {"command": "step", "action": [force]}


def expected(forces: Sequence[float], position: float = 0.0, mass: float = 1.0) -> np.ndarray:
    """The cart's positions after each step."""
    speed, found = 0.0, []
    for force in forces:
        for _ in range(10):
            speed += 0.005 * (force - 0.8 * speed) / mass
            position += 0.005 * speed
        found.append(position)
    return np.array(found)


@unittest.skipIf(MISSING, f"{', '.join(MISSING)} is not there")
class PlantTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()

    def cart(
        self, *changes: Tuple[str, str], files: Sequence[str] = ("modelDescription.xml", "sources/cart.c")
    ) -> Path:
        """The cart's FMU with other texts in its files; each change must be one."""
        path, left = self.folder / "cart.fmu", dict(changes)
        with zipfile.ZipFile(path, "w") as archive:
            for name in files:
                text = (EXAMPLE / "cart" / name).read_text()
                for before, after in changes:
                    if before in text:
                        text = text.replace(before, after)
                        left.pop(before, None)
                archive.writestr(name, text)
        self.assertEqual(left, {})
        return path

    def start(self, fmu: Path, lines: List[Dict[str, Any]], *more: str) -> "subprocess.CompletedProcess[str]":
        names = [] if "--states" in more else ["--states", "position", "--actions", "force"]
        length = [] if {"--time-step", "--task"} & set(more) else ["--time-step", "0.05"]
        return subprocess.run(
            [sys.executable, str(EXAMPLE / "plant.py"), str(fmu), *names, *length, *more],
            input="".join(json.dumps(line) + "\n" for line in lines),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def answers(self, fmu: Path, lines: List[Dict[str, Any]], *more: str) -> List[Dict[str, Any]]:
        ended = self.start(fmu, lines, *more)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return [json.loads(line) for line in ended.stdout.splitlines()]

    def refuses(self, words: str, fmu: Path, lines: List[Dict[str, Any]], *more: str) -> None:
        """Exit code 1, and a last line with these words."""
        ended = self.start(fmu, lines, *more)
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertNotIn("Traceback", ended.stderr)
        self.assertRegex(ended.stderr.splitlines()[-1], f"plant.py: .*{words}")

    def test_episodes(self) -> None:
        forces = [1.0, -0.5, 2.0, 0.25]
        lines = [
            RESET,
            *map(step, forces),
            {"command": "reset", "seed": 8},
            *map(step, forces),
            RESET,
            {"command": "close"},
        ]
        found = self.answers(self.cart(), lines, "--draw", "position=-1:1", "--start", "mass=2")
        self.assertEqual(len(found), 11)
        self.assertFalse(any(one["done"] for one in found))
        positions = np.array([one["state"][0] for one in found])
        self.assertEqual(positions[0], positions[10])
        self.assertNotEqual(positions[0], positions[5])
        for first in (0, 5):
            wanted = expected(forces, positions[first], 2)
            np.testing.assert_allclose(positions[first + 1 : first + 5], wanted, rtol=1e-12)

    def test_parts_of_a_step_and_other_variables(self) -> None:
        lines = [RESET, step(1), step(1)]
        usual = self.answers(
            self.cart(),
            lines,
            "--states",
            "position",
            "speed",
            "--actions",
            "force",
            "--disturbances",
            "friction",
            "force",
        )
        self.assertEqual([one["disturbance"] for one in usual], [[0.8, 0.0], [0.8, 1.0], [0.8, 1.0]])
        (self.folder / "task.yaml").write_text("name: x\ntimeStep: 0.05  # s\n")
        parts = self.answers(
            self.cart(),
            lines,
            "--states",
            "position",
            "speed",
            "--actions",
            "force",
            "--communication-step",
            "0.01",
            "--task",
            str(self.folder / "task.yaml"),
        )
        np.testing.assert_allclose(parts[2]["state"], usual[2]["state"], rtol=1e-12)
        counted = self.cart(("x[POSITION] += length / count * x[SPEED];", "x[POSITION] += length;"))
        # Ten inner steps of 0.01 s in each of five parts: what cart.c sums is 0.05 s times the inner steps of a part.
        for size, inner in (("0.05", 10), ("0.01", 2)):
            found = self.answers(counted, [RESET, step(1)], "--communication-step", size)
            self.assertAlmostEqual(found[1]["state"][0], 0.05 * inner)

    def test_a_run_that_ends(self) -> None:
        found = self.answers(self.cart(), [RESET, *[step(50)] * 12, RESET], "--start", "rail=2")
        over = [one["done"] for one in found]
        first = over.index(True)
        self.assertTrue(all(over[first:13]) and not over[13])
        self.assertTrue(2 < found[first]["state"][0] == found[12]["state"][0])

    def test_what_the_fmu_prints_is_no_answer(self) -> None:
        loud = self.cart(
            ("#include <math.h>", "#include <math.h>\n#include <stdio.h>"),
            ("  Cart *cart = c;\n  double *x", '  puts("stepping");\n  Cart *cart = c;\n  double *x'),
        )
        self.assertEqual(len(self.answers(loud, [RESET, step(1)])), 2)

    def test_one_instance_in_a_process(self) -> None:
        once = self.cart(("<CoSimulation ", '<CoSimulation canBeInstantiatedOnlyOncePerProcess="true" '))
        found = self.answers(once, [RESET, step(1), step(1), RESET, step(1), step(1)])
        self.assertEqual(found[:3], found[3:])

    def test_variables(self) -> None:
        self.assertIn(
            "input: force (N)",
            self.start(self.cart(), [], "--states").stdout
            + subprocess.run(
                [sys.executable, str(EXAMPLE / "plant.py"), str(self.cart())], capture_output=True, text=True
            ).stdout,
        )
        cart = self.cart()
        for words, more in (
            ("no variable positio .did you mean position", ["--states", "positio", "--actions", "force"]),
            ("force is of the causality input", ["--states", "force", "--actions", "force"]),
            ("speed is of the causality local", ["--states", "position", "--actions", "speed"]),
            ("occurs twice", ["--states", "position", "position", "--actions", "force"]),
            ("no variable weight", ["--start", "weight=1"]),
            ("is not NAME=VALUE", ["--start", "mass"]),
            ("is not NAME=LOWER:UPPER", ["--draw", "mass=1"]),
            ("no multiple of", ["--communication-step", "0.02"]),
            ("no line 'timeStep", ["--task", str(EXAMPLE / "plant.py")]),
            ("arguments", ["--nonsense"]),
            ("more than 0", ["--time-step", "-1"]),
        ):
            self.refuses(words, cart, [RESET], *more)
        self.refuses("2 actions came", cart, [RESET, {"command": "step", "action": [1, 2]}])
        self.refuses("before the first reset", cart, [step(1)])
        speed = 'causality="local" variability="continuous" initial="exact"><Real unit="m/s" start="0"/>'
        text = self.cart((speed, 'causality="local" variability="discrete" initial="calculated"><String/>'))
        self.refuses("of the type String", text, [RESET], "--states", "speed", "--actions", "force")
        computed = self.cart((speed, 'causality="local" variability="continuous"><Real unit="m/s"/>'))
        self.refuses("computed by the FMU", computed, [RESET], "--start", "speed=1")

    def test_files_that_are_no_fmu(self) -> None:
        self.refuses("there is no file", self.folder / "none.fmu", [])
        bad = self.folder / "bad.fmu"
        bad.write_bytes(b"no zip")
        self.refuses("no FMU that can be read", bad, [])
        self.refuses("Unsupported FMI version: 2.5", self.cart(('fmiVersion="2.0"', 'fmiVersion="2.5"')), [RESET])
        exchange = self.cart(
            (
                '<CoSimulation modelIdentifier="cart" canHandleVariableCommunicationStepSize="true">',
                '<ModelExchange modelIdentifier="cart">',
            ),
            ("</CoSimulation>", "</ModelExchange>"),
        )
        self.refuses("not for co-simulation", exchange, [RESET])

    def test_no_binary(self) -> None:
        self.refuses(
            "no binary for this computer.* and no C sources", self.cart(files=["modelDescription.xml"]), [RESET]
        )
        self.refuses("do not compile", self.cart(("typedef struct", "typedef strict")), [RESET])
        with zipfile.ZipFile(self.cart(files=["modelDescription.xml"]), "a") as archive:
            archive.writestr("binaries/win64/cart.dll", b"")
        self.refuses("only for win64", self.folder / "cart.fmu", [RESET])

    def test_fmus_that_fail(self) -> None:
        for words, change in (
            (
                "the step failed at t = 0.05 s.*[(]error[)]",
                ("(void)time, (void)no", "if (time > 0.04) return fmi2Error;\n  (void)no"),
            ),
            (
                "the step from t = 0 s was not done.*[(]discard[)]",
                ("return cart->is_over ? fmi2Discard : fmi2OK;", "return fmi2Discard;"),
            ),
            (
                "setting force to 1 failed",
                ("if (v[i] >= COUNT) return fmi2Error;\n    ((Cart", "return fmi2Error;\n    ((Cart"),
            ),
            (
                "position is nan at t = 0.1 s",
                ("cart->is_over = fabs", "x[POSITION] *= time > 0.04 ? NAN : 1; cart->is_over = fabs"),
            ),
            ("cannot be started", ('guid="bagel-cart-1"', 'guid="other"')),
            ("initialization failed", ("NOTHING(fmi2EnterInit", "REFUSED(fmi2EnterInit")),
        ):
            with self.subTest(words):
                self.refuses(words, self.cart(change), [RESET, step(1), step(1), step(1)])
        # What it logged is said.
        talking = self.cart(
            (
                "(void)name, (void)resources, (void)functions,",
                "(void)name, (void)resources, heard = functions;\n (void)",
            ),
            ("typedef struct {", "static const fmi2CallbackFunctions *heard;\ntypedef struct {"),
            (
                "(void)time, (void)no",
                'heard->logger(heard->componentEnvironment, "cart", fmi2Error, "error", "the wheel is lost");\n'
                "  if (time > -1) return fmi2Error;\n  (void)no",
            ),
        )
        self.refuses("It said: the wheel is lost", talking, [RESET, step(1)])


@unittest.skipIf(MISSING, f"{', '.join(MISSING)} is not there")
class ExportTest(CommandTest):
    """FMUs of the command, of both versions of FMI, beside its other exports."""

    def setUp(self) -> None:
        super().setUp()
        if "--fmi" not in subprocess.run([command(), "export", "--help"], capture_output=True, text=True).stdout:
            self.skipTest("this command exports no FMU")

    def export(self, *arguments: str) -> None:
        ended = subprocess.run(
            [command(), "export", "task.json", "--output=out", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def agrees(self, fmu: str, other: str, words: str) -> None:
        ended = subprocess.run(
            [sys.executable, str(EXAMPLE / "check.py"), fmu, "--against", other, "--steps", "50"],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn(words, ended.stdout)
        self.assertEqual(ended.stdout.count("ok  "), 6, ended.stdout)

    def test_controllers(self) -> None:
        machine = Machine(hiddenLayers=[6], goal="error", derived=True, actionHistory=2, rates=[0.1, 0.4])
        write_policy(self.folder / "policy.safetensors", machine.words, machine.tensors)
        (self.folder / "task.json").write_text(json.dumps(machine.task))
        self.export("--policy=policy.safetensors", "--format=c")
        for version in ("2", "3"):
            self.export("--policy=policy.safetensors", "--format=fmu", f"--fmi={version}", "--file=controller.fmu")
            self.agrees("controller.fmu", "out/controller", f"FMI {version}.0")
        # Another controller is told from it.
        machine.tensors["parameters"][0] += 1e-6
        write_policy(self.folder / "policy.safetensors", machine.words, machine.tensors)
        self.export("--policy=policy.safetensors", "--format=c")
        ended = subprocess.run(
            [sys.executable, str(EXAMPLE / "check.py"), "controller.fmu", "--against", "out/controller"],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((ended.returncode, ended.stdout.count("WRONG")), (1, 1), ended.stdout + ended.stderr)

    @unittest.skipUnless(importlib.util.find_spec("onnxruntime"), "onnxruntime is not there")
    def test_models(self) -> None:
        write_csv(self.folder / "log.csv", spring_log(1, 120))
        write_csv(self.folder / "other.csv", spring_log(2, 150))
        words = spring_task()
        words["model"] = {**words["model"], "stateHistory": 1, "actionHistory": 2}
        task = bagel.Task(words, folder=self.folder)
        bagel.fit(task, output=self.folder / "out", progress=False)
        task.save(self.folder / "task.json")
        self.export("--model", "--format=onnx")
        self.export("--model", "--format=c")
        for version in ("2", "3"):
            self.export("--model", "--format=fmu", f"--fmi={version}", "--file=model.fmu")
            self.agrees("model.fmu", "out/model.onnx", f"FMI {version}.0")
        self.agrees("model.fmu", "out/model", "FMI 3.0")


if __name__ == "__main__":
    unittest.main()
