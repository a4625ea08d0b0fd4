# SPDX-License-Identifier: Apache-2.0
# Tasks: what the machine is and what it should do. In: a YAML file's path, a built-in name, or a dict with
# the keys of the YAML. Out: what the command is given as its task; a dict is written as JSON, which is YAML,
# for as long as the command runs.

from __future__ import annotations

import copy
import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Tuple, Union

import numpy as np

from .errors import BagelError, UsageError


@dataclass(frozen=True, eq=False)
class Task:
    """A task of the command; `bagel new NAME` writes a file with every key.

    Attributes:
        source: a path, a built-in name ("boom", "pendulum", "cart-pole", ...), or a dict with the YAML's
            keys.
        folder: of a dict: where its paths begin and its plant's program runs; the current folder by default.
    """

    source: Union[str, os.PathLike, Mapping[str, Any]]
    folder: Union[None, str, os.PathLike] = None

    def __post_init__(self) -> None:
        if isinstance(self.source, Mapping):
            object.__setattr__(self, "source", copy.deepcopy(dict(self.source)))
            object.__setattr__(self, "folder", str(Path(self.folder or ".").absolute()))
            return
        if not isinstance(self.source, (str, os.PathLike)):
            raise UsageError(
                f"a task is a path, a built-in name or a dict, not {type(self.source).__name__}")
        if self.folder is not None:
            raise UsageError("folder= is only for tasks that are dicts; a file's paths begin at the file")
        source = os.fspath(self.source)
        # A name of a built-in task stays as it is.
        if not isinstance(self.source, str) or os.sep in source or Path(source).suffix:
            source = str(Path(source).expanduser().absolute())
        object.__setattr__(self, "source", source)

    @staticmethod
    def of(task: Any) -> "Task":
        """The task itself, or one of what a task can be made of. Raises: UsageError."""
        return task if isinstance(task, Task) else Task(task)

    @property
    def is_dict(self) -> bool:
        return isinstance(self.source, Mapping)

    def updated(self, **sections: Any) -> "Task":
        """The same with other values of some keys; None takes a key out.

        Raises:
            UsageError: the task is a file or built in.
        """
        if not isinstance(self.source, Mapping):
            raise UsageError(f"{self.source} is not a dict: change the file, or build the task as a dict")
        merged = {**self.source, **sections}
        return Task({key: value for key, value in merged.items() if value is not None}, self.folder)

    def text(self) -> str:
        """A dict as JSON, which the command reads as YAML. Raises: UsageError."""
        try:
            return json.dumps(
                self.source, indent=1, ensure_ascii=False, allow_nan=False, default=plain) + "\n"
        except (TypeError, ValueError) as error:
            raise UsageError(f"the task cannot be written: {error}") from error

    def save(self, path: Union[str, os.PathLike]) -> None:
        """Writes a dict as a task file for the command line; its relative paths then begin at that file.

        Raises:
            UsageError: the task is a file or built in.
        """
        if not self.is_dict:
            raise UsageError(f"{self.source} is not a dict; there is a file already")
        Path(path).write_text(self.text(), encoding="utf-8")

    @contextmanager
    def argument(self) -> Iterator[Tuple[str, Dict[str, str]]]:
        """What the command is given, and of a file that was written for it: path -> "task"."""
        if not self.is_dict:
            yield str(self.source), {}
            return
        text, folder = self.text(), str(self.folder)
        try:
            handle, path = tempfile.mkstemp(prefix=".bagel-task-", suffix=".json", dir=folder)
        except OSError as error:
            raise BagelError(
                f"cannot write the task's file to {folder} ({error.strerror}): give the task a folder that can "
                "be written, Task(..., folder=...)") from error
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            yield path, {path: "task"}
        finally:
            Path(path).unlink()

    def __repr__(self) -> str:
        if isinstance(self.source, Mapping):
            return f"Task '{self.source.get('name', '?')}' ({', '.join(self.source)}) in {self.folder}"
        return f"Task {self.source}"


def plain(value: Any) -> Any:
    """NumPy's and pathlib's values as JSON has them."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"a {type(value).__name__} is not a value of a task")
