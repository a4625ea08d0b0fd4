# SPDX-License-Identifier: Apache-2.0
# How logs are written: units of stamps, missing values, names, converters. The same numbers give the same model,
# in whatever way they stand in a file; a search learns from the same logs again.

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Any, Dict

import numpy as np
from log_makers import CommandTest, spring_log, write_csv
from test_results import SEARCH

import bagel_control as bagel
from bagel_control.log_format import LogFormat

CONVERTER = """
import sys
factor, path = sys.argv[1:]
for number, line in enumerate(open(path)):
    cells = line.split(";")
    if number > 0:
        cells[1] = repr(float(cells[1]) * float(factor))
    print(",".join(cells), end="")
"""


class LogFormatTest(CommandTest):
    def setUp(self) -> None:
        super().setUp()
        self.log = spring_log(1, 60)
        self.path = write_csv(self.folder / "log.csv", self.log)

    def fitted(self, log: Any, **more: Any) -> bagel.Fit:
        return bagel.fit(
            log, states=["position"], actions=["force"], time_step=0.05, progress=False, **more)

    def assert_same(self, log: Any, **more: Any) -> bagel.Fit:
        """The model of this log is that of the plain file."""
        fit, wanted = self.fitted(log, **more), self.fitted(self.path)
        for key in ("logMarginalLikelihood", "noiseDeviation", "transitions"):
            np.testing.assert_allclose(fit.json[key], wanted.json[key], rtol=1e-6, err_msg=key)
        return fit

    def test_units_of_stamps(self) -> None:
        ticks = np.round(1e6 * self.log["t"])
        rest = {name: self.log[name] for name in ("position", "force")}
        self.assert_same({"t": ticks, **rest}, time_unit="us")
        self.assert_same({"t": ticks.astype("timedelta64[us]"), **rest}, time_unit="us")
        self.assert_same({"stamp_ms": ticks.astype("timedelta64[us]"), **rest}, time_column="stamp_ms")
        said = self.assert_same(write_csv(Path("ms.csv"), {"Time [ms]": 1e-3 * ticks, **rest}))
        self.assertTrue(any("ms" in sentence for sentence in said.read), said.read)
        with self.assertRaises(bagel.UsageError):
            self.fitted(self.path, time_unit="hours")

    def test_missing_values(self) -> None:
        holes: Dict[str, Any] = {**self.log, "position": self.log["position"].astype(object)}
        holes["position"][30] = None
        with self.assertRaises(bagel.DataError) as caught:
            self.fitted(holes)
        self.assertEqual(caught.exception.row, 30)
        holes["position"][31] = np.nan
        for missing in ("drop", "hold"):
            self.assertLessEqual(self.fitted(holes, missing=missing).transitions, 59)

    def test_names_of_columns(self) -> None:
        lines = self.path.read_text().split("\n", 1)
        Path("bare.csv").write_text(lines[1])
        fit = self.assert_same("bare.csv", header=lines[0].split(","))
        # A search learns from the same file with the same names.
        found = bagel.optimize(
            fit, goal={"position": 0.4}, limits={"force": [-1, 1]}, progress=False,
            model=None, policy={"layers": [4]}, **SEARCH)
        self.assertEqual(found.task.source["logs"], [
            {"file": str(self.folder / "bare.csv"), "header": ["t", "position", "velocity", "force"]}])

    def test_converters(self) -> None:
        program = self.folder / "my converter.py"
        program.write_text(CONVERTER)
        halves = {**self.log, "position": self.log["position"] / 2}
        write_csv(Path("plain.csv"), halves)
        Path("log.dat").write_text(Path("plain.csv").read_text().replace(",", ";"))
        words = [sys.executable, str(program), "2"]
        for converter in (words, f"{sys.executable} '{program}' 2"):
            fit = self.assert_same("log.dat", converter=converter)
        self.assertIn("log.dat", str(fit.source.logs.paths))
        program.chmod(0o755)
        program.write_text(f"#!{sys.executable}\n" + CONVERTER.replace("sys.argv[1:]", "2, sys.argv[1]"))
        self.assert_same("log.dat", converter=[str(program)])
        with self.assertRaises(bagel.DataError) as caught:
            self.fitted("log.dat", converter=["false"])
        self.assertIn("exit code 1", str(caught.exception))

    def test_what_cannot_be_meant(self) -> None:
        for more in ({"header": ["t", "position", "force"]}, {"converter": ["cat"]}):
            with self.assertRaisesRegex(bagel.UsageError, "only for files"):
                self.fitted(self.log, **more)
        with self.assertRaisesRegex(bagel.UsageError, "without commas"):
            self.fitted(self.path, header=["t", "a,b"])
        with self.assertRaisesRegex(bagel.UsageError, "list of words"):
            self.fitted(self.path, converter=[3])
        with self.assertRaisesRegex(bagel.UsageError, "missing= is of logs alone"):
            bagel.fit("pendulum", missing="drop")


class TaskWordsTest(unittest.TestCase):
    def test_words_of_a_task(self) -> None:
        self.assertEqual(LogFormat().task_logs(["a"]), ["a"])
        self.assertEqual(
            LogFormat.of("clock", "ms", "drop", "t,x".split(","), None).task_logs(["a"]),
            [{"file": "a", "header": ["t", "x"]}])
        for converter, process in [
            (["cat", "-u"], ["cat", "-u"]), ("cat", ["cat"]), ("cat -u", ["sh", "-c", 'exec cat -u "$1"', "sh"]),
        ]:
            format = LogFormat.of(None, None, None, None, converter)
            self.assertEqual(format.task_logs(["a"]), [{"file": "a", "process": process}])
        self.assertEqual(LogFormat(missing="drop", time_unit="ms").given, ("time_unit", "missing"))


if __name__ == "__main__":
    unittest.main()
