# SPDX-License-Identifier: Apache-2.0
# Logs in every form that a caller may have: files, arrays and frames give the same model, bit by bit; what is
# no log is refused with its place.

from __future__ import annotations

import csv
import gc
import unittest
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from log_makers import CommandTest, spring_log, write_csv

import bagel_control as bagel
from bagel_control.log_format import LogFormat
from bagel_control.tables import LogFiles

try:
    import pandas
except ImportError:
    pandas = None


class Frame:
    """What a frame needs to be one: columns, and an index if there is one."""

    def __init__(self, columns: Dict[str, Any], index: Any = None) -> None:
        self._columns = columns
        self.columns = list(columns)
        if index is not None:
            self.index = index

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]


class SameNumbersTest(CommandTest):
    def fingerprint(self, log: Any, held_out: Any = None, **more: Any) -> str:
        fit = bagel.fit(
            log, states=["position"], actions=["force"], time_step=0.05, held_out=held_out,
            progress=False, **more)
        return fit.json["modelFingerprint"]

    def test_files_arrays_and_frames(self) -> None:
        log = spring_log(1, 60)
        path = write_csv(self.folder / "log.csv", log)
        wanted = self.fingerprint(path)
        self.assertEqual(self.fingerprint([str(path)]), wanted)
        self.assertEqual(self.fingerprint(log), wanted)
        self.assertEqual(self.fingerprint([Frame(log)]), wanted)
        milliseconds = np.round(1000 * log["t"]).astype("timedelta64[ms]")
        dates = np.datetime64("2026-03-29T01:59:50") + milliseconds
        rest = {name: log[name] for name in ("position", "force")}
        self.assertEqual(self.fingerprint({"time": dates, **rest}), wanted)
        self.assertNotEqual(self.fingerprint(spring_log(2, 60)), wanted)

    def test_a_time_column_by_name(self) -> None:
        log = spring_log(1, 60)
        arguments = {"states": ["position"], "actions": ["force"], "time_step": 0.05, "progress": False}
        milliseconds = np.round(1000 * log.pop("t")).astype("timedelta64[ms]")
        named = bagel.fit({"clock": milliseconds, **log}, time_column="clock", **arguments)
        usual = bagel.fit({"t": milliseconds, **log}, **arguments)
        for key in ("logMarginalLikelihood", "noiseDeviation"):
            self.assertEqual(named.json[key], usual.json[key])

    def test_held_out_logs_are_judged_the_same(self) -> None:
        log, other = spring_log(1, 60), spring_log(2, 60)
        names = [write_csv(Path(f"{k}.csv"), one) for k, one in enumerate((log, other))]
        figures = []
        for held_out in (names[1], [other]):
            fit = bagel.fit(
                names[0], states=["position"], actions=["force"], time_step=0.05, held_out=held_out,
                progress=False)
            figures.append(fit.held_out.rmse)
        np.testing.assert_array_equal(*figures)

    @unittest.skipIf(pandas is None, "pandas is not there")
    def test_pandas(self) -> None:
        log = spring_log(1, 60)
        wanted = self.fingerprint(write_csv(self.folder / "log.csv", log))
        frame = pandas.DataFrame(log)
        seconds = frame.set_index("t")
        stamps = pandas.to_timedelta(log["t"].round(9), unit="s")
        frames: List[Any] = [frame, seconds, seconds.rename_axis(None), frame.drop(columns="t").set_index(stamps)]
        for zone in (None, "Europe/Helsinki"):
            first = pandas.Timestamp("2026-03-29 02:59:58", tz=zone)
            frames.append(frame.drop(columns="t").set_index(first + stamps))
            frames.append(frame.assign(t=first + stamps))
        for number, one in enumerate(frames):
            with self.subTest(number):
                self.assertEqual(self.fingerprint(one), wanted)
        with self.assertRaises(bagel.DataError) as caught:
            self.fingerprint(frame.drop(columns="t"))
        self.assertIn("no time column", str(caught.exception))
        missing = frame.astype("Float64")
        missing.loc[7, "position"] = pandas.NA
        with self.assertRaises(bagel.DataError) as caught:
            self.fingerprint(missing)
        self.assertEqual((caught.exception.row, caught.exception.column), (7, "position"))


class TableTest(unittest.TestCase):
    def written(self, table: Any, columns: Any, **format: Any) -> LogFiles:
        return LogFiles(table, "logs", columns, LogFormat(**format))

    def test_every_digit_is_written(self) -> None:
        draws = np.random.default_rng(3)
        numbers = draws.normal(size=70_000) * 10.0 ** draws.integers(-300, 300, 70_000)
        table = {"t": np.arange(70_000) / 3, "x": numbers, "n": np.arange(70_000), "on": numbers > 0}
        files = self.written(table, ["x", "n", "on"])
        with open(files.paths[0], encoding="utf-8") as file:
            rows = list(csv.reader(file))
        self.assertEqual(rows[0], ["t", "x", "n", "on"])
        read = np.array(rows[1:], dtype=float).T
        for column, wanted in zip(read, table.values()):
            np.testing.assert_array_equal(column, wanted)

    def test_single_precision_keeps_its_numbers(self) -> None:
        numbers = np.random.default_rng(3).normal(size=9).astype(np.float32)
        files = self.written({"t": np.arange(9), "x": numbers}, ["x"])
        rows = Path(files.paths[0]).read_text().split()[1:]
        np.testing.assert_array_equal(np.array([row.split(",")[1] for row in rows], dtype=np.float32), numbers)

    def test_files_go_with_their_object(self) -> None:
        files = self.written({"t": [0, 1], "x": [0, 1]}, ["x"])
        path = Path(files.paths[0])
        self.assertTrue(path.is_file())
        del files
        gc.collect()
        self.assertFalse(path.parent.exists())

    def test_what_is_no_log(self) -> None:
        good = {"t": [0.0, 1.0], "x": [0.0, 1.0]}
        for table, place in [
            ({**good, "x": [0.0, "1,5"]}, (1, "x")), ({"t": [0.0, None], "x": [0, 1]}, (1, "t")),
            ({**good, "x": [1.0]}, (None, "x")), ({**good, "x": [[1, 2], [3, 4]]}, (None, "x")),
            ({"t": [0, 1], "X": [0, 1]}, (None, "x")), ({"x": [0, 1]}, (None, None)),
            (Frame({"x": [0, 1]}, np.arange(2)), (None, None)),
        ]:
            with self.assertRaises(bagel.DataError) as caught:
                self.written(table, ["x"])
            self.assertEqual((caught.exception.row, caught.exception.column), place)
            self.assertEqual(caught.exception.file, "logs")
        with self.assertRaises(bagel.DataError) as caught:
            self.written([good, {"t": [0, 1], "X": [0, 1]}], ["x"])
        self.assertEqual(str(caught.exception), "logs[1]: no column 'x' (did you mean 'X'?)")
        for nothing in (3, [3], None):
            with self.assertRaises(bagel.UsageError):
                self.written(nothing, ["x"])


if __name__ == "__main__":
    unittest.main()
