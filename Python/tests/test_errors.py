# SPDX-License-Identifier: Apache-2.0
# What goes wrong, as exceptions: each names file, line and column where the command does, and rows of tables
# that nobody saw as files. No exit code is lost.

from __future__ import annotations

import os
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from log_makers import CommandTest, spring_log, write_csv

import bagel_control as bagel
from bagel_control import command
from bagel_control.errors import error_of

PACKAGE = str(Path(bagel.__file__).resolve().parent.parent)


def fit(log: Any, **more: Any) -> bagel.Fit:
    arguments = {"states": ["position"], "actions": ["force"], "time_step": 0.05, "progress": False}
    return bagel.fit(log, **{**arguments, **more})


class DataErrorTest(CommandTest):
    def caught(self, log: Any, **more: Any) -> bagel.DataError:
        with self.assertRaises(bagel.DataError) as caught:
            fit(log, **more)
        self.assertEqual(caught.exception.exit_code, 65)
        return caught.exception

    def test_a_missing_value_of_a_file(self) -> None:
        path = write_csv(self.folder / "log.csv", spring_log(1, 60))
        lines = path.read_text().split("\n")
        lines[16] = lines[16].split(",")[0] + ",NA,0,0"
        path.write_text("\n".join(lines))
        error = self.caught("log.csv")
        self.assertEqual((error.file, error.line, error.column), (str(path), 17, "position"))
        self.assertIn("missing value", error.problem)
        self.assertIsNone(error.row)

    def test_a_missing_value_of_arrays(self) -> None:
        log, other = spring_log(1, 60), spring_log(2, 60)
        other["position"][15] = np.nan
        error = self.caught([log, other])
        self.assertEqual((error.file, error.row, error.column), ("logs[1]", 15, "position"))
        self.assertIsNone(error.line)
        self.assertTrue(str(error).startswith("logs[1], row 15, column 'position': "), error)
        self.assertEqual(self.caught(log, held_out=other).file, "held_out")

    def test_a_missing_file_and_a_missing_column(self) -> None:
        error = self.caught("none.csv")
        self.assertEqual((error.file, error.line), (str(self.folder / "none.csv"), None))
        path = write_csv(self.folder / "log.csv", spring_log(1, 60))
        error = self.caught(path, states=["Position"])
        self.assertEqual(error.file, str(path))
        self.assertIn("did you mean 'position'", str(error))

    def test_a_task_file_and_a_dict(self) -> None:
        path = self.folder / "task.yaml"
        path.write_text("name: x\ntimeStep: 0.1\nstates:\n  - {nme: x}\n")
        with self.assertRaises(bagel.DataError) as caught:
            bagel.fit(path, progress=False)
        self.assertEqual((caught.exception.file, caught.exception.line), (str(path), 4))
        task = {"name": "x", "timeStep": 0.1, "states": [{"name": "x"}], "actions": [{"name": "u"}]}
        with self.assertRaises(bagel.DataError) as caught:
            bagel.fit(task, progress=False)
        self.assertEqual((caught.exception.file, caught.exception.line), ("task", None))
        self.assertIn("'actions[0].limits' is missing", str(caught.exception))
        self.assertEqual(os.listdir(self.folder), ["task.yaml"])

    def test_a_search_without_a_model(self) -> None:
        with self.assertRaises(bagel.DataError) as caught:
            bagel.optimize("pendulum", progress=False)
        self.assertIn("no model yet", str(caught.exception))


class UsageErrorTest(CommandTest):
    def test_by_the_command(self) -> None:
        with self.assertRaises(bagel.UsageError) as caught:
            fit(spring_log(1, 60), time_step=-1)
        self.assertEqual(caught.exception.exit_code, 64)
        self.assertIn("--time-step must be a positive number", str(caught.exception))
        with self.assertRaises(bagel.UsageError) as caught:
            fit(spring_log(1, 60), device="abacus")
        self.assertIn("abacus", str(caught.exception))

    def test_before_the_command(self) -> None:
        log = spring_log(1, 60)
        for arguments, words in [
            ({"time_step": None}, "time_step= is missing"), ({"states": ["a,b"]}, "has no comma"),
            ({"states": [3]}, "names of columns"), ({"states": None, "actions": None, "time_step": None}, "states="),
        ]:
            with self.assertRaises(bagel.UsageError) as caught:
                fit(log, **arguments)
            self.assertIn(words, str(caught.exception))
        with self.assertRaises(bagel.UsageError):
            bagel.fit("log.csv")
        with self.assertRaises(bagel.UsageError):
            bagel.fit("pendulum", rates=["angle"])
        with self.assertRaises(bagel.UsageError):
            bagel.optimize("pendulum", goal={"angle": 0})
        with self.assertRaises(bagel.UsageError):
            bagel.Task("pendulum").updated(plant="boom")


class CommandPlaceTest(CommandTest):
    def test_no_program(self) -> None:
        with mock.patch.dict(os.environ, {"BAGEL": str(self.folder / "none")}):
            with self.assertRaises(bagel.BagelError) as caught:
                fit(spring_log(1, 60))
        self.assertIn("is no program", str(caught.exception))
        with mock.patch.dict(os.environ, {"BAGEL": "", "PATH": ""}):
            with mock.patch.object(command, "__file__", str(self.folder / "a" / "b" / "command.py")):
                with self.assertRaises(bagel.BagelError) as caught:
                    command.find()
        self.assertIn("BAGEL", str(caught.exception))

    def test_the_checkouts_program(self) -> None:
        built = self.folder / ".build" / "release" / "bagel"
        built.parent.mkdir(parents=True)
        built.symlink_to(command.find())
        (self.folder / "Package.swift").touch()
        module = self.folder / "Python" / "bagel_control" / "command.py"
        with mock.patch.dict(os.environ, {"BAGEL": "", "PATH": ""}):
            with mock.patch.object(command, "__file__", str(module)):
                self.assertEqual(command.find(), str(built))

    def test_another_program(self) -> None:
        with mock.patch.dict(os.environ, {"BAGEL": "true"}):
            with self.assertRaises(bagel.BagelError) as caught:
                fit(spring_log(1, 60))
        self.assertIn("no JSON", str(caught.exception))

    def test_as_a_module(self) -> None:
        def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
            return subprocess.run(
                [sys.executable, "-m", "bagel_control", *arguments], capture_output=True, text=True,
                env={**os.environ, "PYTHONPATH": PACKAGE}, check=False)

        self.assertEqual(run("--version").stdout.strip(), bagel.__version__)
        self.assertEqual(run("fit").returncode, 64)
        self.assertEqual(run("fit", "none.yaml").returncode, 65)


class MessageTest(unittest.TestCase):
    def test_places(self) -> None:
        for message, place in [
            ("a.csv:17, column 'x': 'NA' marks", ("a.csv", 17, "x", "'NA' marks")),
            ("/a b/t.yaml:3:9: is not YAML", ("/a b/t.yaml", 3, None, "is not YAML")),
            ("a.csv, column 'x': is odd", ("a.csv", None, "x", "is odd")),
            ("model.safetensors: is damaged", ("model.safetensors", None, None, "is damaged")),
            ("plant 'p.py', step 3: did not answer", (None, None, None, "plant 'p.py', step 3: did not answer")),
            ("no policy keeps them: widen", (None, None, None, "no policy keeps them: widen")),
        ]:
            error = error_of(65, ["learning, 5 s", f"error: {message}"])
            self.assertIsInstance(error, bagel.DataError)
            self.assertEqual((error.file, error.line, error.column, error.problem), place)
            self.assertEqual(str(error), message)

    def test_long_paths_lose_their_beginning(self) -> None:
        path = "/tmp/" + "x" * 200 + "/logs-1.csv"
        error = error_of(65, [f"error: \u2026{path[-119:]}:9, column 'a': b"], written={path: "logs"})
        self.assertEqual((error.file, error.row, error.column), ("logs", 7, "a"))

    def test_other_codes(self) -> None:
        self.assertIs(type(error_of(1, ["error: no space"])), bagel.BagelError)
        self.assertIn("signal 11", str(error_of(-11, [])))
        words = ["interrupted at iteration 3; best policy so far: out/policy.safetensors; state saved to x"]
        error = error_of(130, words)
        self.assertIsInstance(error, bagel.Interrupted)
        self.assertEqual(error.policy_path, "out/policy.safetensors")
        self.assertIsInstance(error_of(-2, []), bagel.Interrupted)


if __name__ == "__main__":
    unittest.main()
