# SPDX-License-Identifier: Apache-2.0
# How logs are written, where they do not tell. In: arguments of `fit`. Out: the command's options, and the
# same in words of a task's file.

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from .errors import UsageError

Words = Union[None, str, Sequence[str]]


@dataclass(frozen=True)
class LogFormat:
    """Of all logs of a fit, held-out ones too; what is None, the logs tell."""

    time_column: Optional[str] = None
    time_unit: Optional[str] = None
    """s, ms, us or ns."""
    missing: Optional[str] = None
    """refuse, drop or hold."""
    header: Tuple[str, ...] = ()
    """Names of all columns, in place of the file's."""
    converter: Union[str, Tuple[str, ...]] = ()
    """A program and its first arguments, or a line for the shell."""

    @staticmethod
    def of(
        time_column: Optional[str], time_unit: Optional[str], missing: Optional[str], header: Words,
        converter: Words,
    ) -> "LogFormat":
        """Raises: UsageError."""
        names = (header,) if isinstance(header, str) else tuple(header or ())
        for name in names:
            if not isinstance(name, str) or "," in name:
                raise UsageError(f"header has {name!r}; a list of names without commas is wanted")
        words = converter if isinstance(converter, str) else tuple(converter or ())
        if not all(isinstance(word, str) and word for word in words):
            raise UsageError(f"converter= is a list of words, a program and its first arguments, not {converter!r}")
        return LogFormat(time_column, time_unit, missing, names, words)

    @property
    def given(self) -> Tuple[str, ...]:
        """Names of the arguments that were given."""
        return tuple(name for name, value in vars(self).items() if value)

    @property
    def is_of_files(self) -> bool:
        """Whether it says what only a file can be: without names of its own, or in another format."""
        return bool(self.header or self.converter)

    @property
    def allows_missing(self) -> bool:
        return self.missing in ("drop", "hold")

    def arguments(self) -> Dict[str, Any]:
        """Options of `bagel fit`, by name."""
        line = self.converter if isinstance(self.converter, str) else shlex.join(self.converter)
        return {
            "time_column": self.time_column, "time_unit": self.time_unit, "missing": self.missing,
            "header": ",".join(self.header) or None, "converter": line or None}

    def task_keys(self) -> Dict[str, Any]:
        """Keys of a task's file."""
        return {
            "timeColumn": self.time_column, "timeUnit": self.time_unit, "missing": self.missing}

    def task_logs(self, paths: Sequence[str]) -> List[Any]:
        """Entries of a task's `logs:`."""
        if not self.is_of_files:
            return list(paths)
        more: Dict[str, Any] = {"header": list(self.header)} if self.header else {}
        if self.converter:
            more["process"] = self._process()
        return [{"file": path, **more} for path in paths]

    def _process(self) -> List[str]:
        """One word with blanks is a line for the shell; the log's path is its first parameter."""
        if not isinstance(self.converter, str):
            return list(self.converter)
        if " " not in self.converter:
            return [self.converter]
        return ["sh", "-c", f'exec {self.converter} "$1"', "sh"]
