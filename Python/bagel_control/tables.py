# SPDX-License-Identifier: Apache-2.0
# Logs as a caller has them -> files that the command reads. In: paths of CSV files, DataFrames, or dicts of
# arrays with a time column. Out: paths; tables are written with every digit (a number that is read back is
# the same). Time may be seconds, dates, or an index of either.

from __future__ import annotations

import difflib
import os
import re
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from .errors import DataError, UsageError
from .log_format import LogFormat

TIME_NAMES = ("t", "time", "timestamp", "seconds", "time_s")
"""Usual names of the time column, if none is given; the first of them is used."""

_ROWS_AT_A_TIME = 65_536


class LogFiles:
    """Logs as files. Tables stand in a folder that lasts as long as this object."""

    def __init__(
        self, logs: Any, argument: str, columns: Sequence[str], format: LogFormat
    ) -> None:
        """Writes tables.

        Args:
            logs: one or several of: path, DataFrame, {name: array}.
            argument: what the caller calls them, for messages.
            columns: that are needed.
            format: of all of them; without a time column for the usual names, or a DataFrame's index.

        Raises:
            DataError: a table lacks a column or holds what is no number.
            UsageError: something is no log.
        """
        self.paths: List[str] = []
        self.labels: Dict[str, str] = {}
        """Of files that were written: path -> argument[index]."""
        self._folder: Optional[str] = None
        items = _as_list(logs)
        for index, log in enumerate(items):
            label = f"{argument}[{index}]" if len(items) > 1 else argument
            if isinstance(log, (str, os.PathLike)):
                self.paths.append(str(Path(log).expanduser().absolute()))
                continue
            if format.is_of_files:
                raise UsageError(f"{label} is a table; header= and converter= are only for files")
            path = os.path.join(self._temporary(), f"{argument}-{index + 1}.csv")
            _write(path, label, log, columns, format)
            self.labels[path] = label
            self.paths.append(path)

    def _temporary(self) -> str:
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="bagel-")
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def kept(self, folder: Path, names: Mapping[str, str]) -> List[str]:
        """The paths, with copies in a folder of tables that would not last.

        Args:
            folder: for the copies.
            names: of the copies: path -> file name.
        """
        result = []
        for path in self.paths:
            if path in self.labels:
                folder.mkdir(parents=True, exist_ok=True)
                copy = folder / names[path]
                shutil.copyfile(path, copy)
                path = str(copy)
            result.append(path)
        return result


def is_table(log: Any) -> bool:
    """Whether it is a DataFrame or a dict of arrays."""
    return isinstance(log, Mapping) or (hasattr(log, "columns") and hasattr(log, "__getitem__"))


def _as_list(logs: Any) -> List[Any]:
    if isinstance(logs, (str, os.PathLike)) or is_table(logs):
        return [logs]
    try:
        items = list(logs)
    except TypeError:
        items = [logs]
    for item in items:
        if not (isinstance(item, (str, os.PathLike)) or is_table(item)):
            raise UsageError(
                f"a log is a path, a DataFrame, or a dict of arrays with a time array, not {type(item).__name__}")
    return items


def _write(path: str, label: str, table: Any, columns: Sequence[str], format: LogFormat) -> None:
    time_name, time = _time(label, table, format)
    names = [name for name in columns if name != time_name]
    arrays = [time] + [
        _numbers(label, name, _column(label, table, name), format.allows_missing) for name in names]
    for name, array in zip(names, arrays[1:]):
        if len(array) != len(time):
            raise DataError(
                f"{label}, column '{name}': has {len(array)} rows, the time has {len(time)}",
                file=label, column=name, problem=f"has {len(array)} rows, the time has {len(time)}")
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(",".join(_quoted(name) for name in [time_name, *names]) + "\n")
        for start in range(0, len(time), _ROWS_AT_A_TIME):
            part = [map(repr, array[start : start + _ROWS_AT_A_TIME].tolist()) for array in arrays]
            file.writelines(",".join(row) + "\n" for row in zip(*part))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',;\t"\n\r') else name


def _names(table: Any) -> List[str]:
    return [str(name) for name in (table if isinstance(table, Mapping) else table.columns)]


def _column(label: str, table: Any, name: str) -> np.ndarray:
    known = _names(table)
    if known.count(name) != 1:
        problem = f"no column '{name}'" if name not in known else f"'{name}' occurs more than once"
        letters = {other.lower(): other for other in known}
        near = difflib.get_close_matches(name.lower(), letters, 1, 0.5)
        if name not in known and near:
            problem += f" (did you mean '{letters[near[0]]}'?)"
        raise DataError(f"{label}: {problem}", file=label, column=name, problem=problem)
    key = name if isinstance(table, Mapping) else table.columns[known.index(name)]
    array = table[key]
    array = array if _is_time(getattr(array, "dtype", None)) else np.asarray(array)
    if array.ndim != 1:
        problem = f"has {array.ndim} dimensions, but a column has one"
        raise DataError(f"{label}, column '{name}': {problem}", file=label, column=name, problem=problem)
    return array


def _time(label: str, table: Any, format: LogFormat) -> Tuple[str, np.ndarray]:
    """Name and numbers of the time column, or of the index."""
    known, wanted = _names(table), format.time_column
    index = getattr(table, "index", None) if not isinstance(table, Mapping) else None
    index_name = str(getattr(index, "name", None) or "")
    name = wanted or next((name for name in TIME_NAMES if name in known), None)
    if name is not None and (name in known or index is None or name != index_name):
        return name, _stamps(label, name, _column(label, table, name), _unit(name, format))
    kind = getattr(getattr(index, "dtype", None), "kind", "")
    if index is not None and (kind in "mMf" or index_name in TIME_NAMES or name == index_name != ""):
        name = index_name if index_name in (*TIME_NAMES, wanted) else "t"
        return name, _stamps(label, "index", index, _unit(name, format))
    problem = (
        f"no time column ({', '.join(TIME_NAMES)}) and no index of seconds or dates: give one with "
        "time_column=, or use table.set_index(...)")
    raise DataError(f"{label}: {problem}", file=label, problem=problem)


def _is_time(dtype: Any) -> bool:
    return getattr(dtype, "kind", "") in ("m", "M")


def _unit(name: str, format: LogFormat) -> str:
    """What the command takes stamps under this name to count."""
    found = re.search(r"[\[(_/ .,](ms|us|ns)[\])]*$", name)
    return format.time_unit or (found.group(1) if found else "s")


def _stamps(label: str, name: str, values: Any, unit: str) -> np.ndarray:
    """Numbers as they are; dates in the unit, since the first one."""
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if kind == "M":
        stamps = np.asarray(values, dtype="datetime64[ns]")
        values = stamps - stamps[:1] if len(stamps) else stamps.astype("timedelta64[ns]")
    if kind in ("m", "M"):
        length = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}.get(unit, 1)
        return np.asarray(values, dtype="timedelta64[ns]") / np.timedelta64(length, "ns")
    return _numbers(label, name, np.asarray(values))


def _numbers(
    label: str, name: str, array: np.ndarray, allows_missing: bool = False
) -> np.ndarray:
    """float64, the same numbers. Raises: DataError, with the row."""
    if array.dtype.kind in "fiub":
        return array.astype(np.float64)
    numbers = np.empty(len(array))
    for row, value in enumerate(array.tolist()):
        try:
            numbers[row] = float(value)
        except (TypeError, ValueError):
            # pandas' mark of a missing value has no number.
            if allows_missing and (value is None or type(value).__name__ == "NAType"):
                numbers[row] = np.nan
                continue
            problem = f"'{str(value)[:40]}' is not a number"
            raise DataError(
                f"{label}, row {row}, column '{name}': {problem}", file=label, row=row,
                column=name, problem=problem) from None
    return numbers
