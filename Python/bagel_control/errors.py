# SPDX-License-Identifier: Apache-2.0
# What can go wrong, as exceptions. In: the exit code of the command and what it wrote to standard error. Out:
# an exception that names file, line and column where the command named them.

from __future__ import annotations

import os
import re
from typing import Any, Dict, Mapping, Optional, Sequence

_PLACE = re.compile(
    r"^(?P<file>.+?)(?::(?P<line>\d+)(?::\d+)?)?(?:, column '(?P<column>[^']*)')?: (?P<problem>.+)$",
    re.DOTALL,
)


class BagelError(Exception):
    """Anything that ended a command or a call of this package.

    Attributes:
        message: one or a few lines for people.
        exit_code: of the command; None where no command ran.
        words: every line that the command wrote to standard error.
    """

    def __init__(
        self, message: str, *, exit_code: Optional[int] = None, words: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.words = tuple(words)


class UsageError(BagelError):
    """A call or command line that is not valid (exit code 64)."""


class DataError(BagelError):
    """Input that cannot be used, or a plant that fails (exit code 65).

    Attributes:
        file: the file, or which argument it was ("logs[0]", "task"); None if the message has none.
        line: of the file, counted from 1; None where it is not known.
        column: of a table; None where it is not known.
        row: of a DataFrame or of arrays, counted from 0; None for files.
        problem: the message without the place.
    """

    def __init__(
        self,
        message: str,
        *,
        file: Optional[str] = None,
        line: Optional[int] = None,
        column: Optional[str] = None,
        row: Optional[int] = None,
        problem: Optional[str] = None,
        exit_code: Optional[int] = None,
        words: Sequence[str] = (),
    ) -> None:
        super().__init__(message, exit_code=exit_code, words=words)
        self.file, self.line, self.column, self.row = file, line, column, row
        self.problem = message if problem is None else problem


class Interrupted(BagelError):
    """Ctrl-C, after the command has ended: the machine is safe, and a search's state is saved (exit code
    130).

    Attributes:
        policy_path: file of the best policy so far; None if there is none.
        json: the command's result, if it was whole.
    """

    def __init__(
        self,
        message: str,
        *,
        json: Optional[Mapping[str, Any]] = None,
        exit_code: Optional[int] = None,
        words: Sequence[str] = (),
    ) -> None:
        super().__init__(message, exit_code=exit_code, words=words)
        found = re.search(r"best policy so far: ([^;\n]+)", message)
        self.policy_path = found.group(1) if found else None
        self.json = json


def error_of(
    code: int,
    words: Sequence[str],
    inputs: Sequence[str] = (),
    written: Optional[Mapping[str, str]] = None,
) -> BagelError:
    """The exception for a command that ended with `code`.

    Args:
        code: the exit code; negative for a signal.
        words: lines of standard error.
        inputs: files that the command was given.
        written: of files that this package wrote for the command: their path -> what the caller called them.
    """
    details: Dict[str, Any] = {"exit_code": code, "words": words}
    if code in (130, -2, -15):
        return Interrupted(_last(words, "interrupted") or "interrupted", **details)
    if code == 64:
        return UsageError(_last(words, "error: ") or "wrong usage", **details)
    message = _last(words, "error: ") or (words[-1] if words else "")
    if code == 65:
        return _data_error(message or "unusable input", inputs, written or {}, details)
    if code < 0:
        message = f"the command was ended by signal {-code}" + (f": {message}" if message else "")
    return BagelError(message or f"the command ended with exit code {code}", **details)


def _last(words: Sequence[str], start: str) -> str:
    """The last message that begins with `start`, without "error: "; it goes on to the next blank line or
    `Usage:`."""
    for index in reversed(range(len(words))):
        if not words[index].lower().startswith(start):
            continue
        lines = []
        for line in words[index:]:
            if not line.strip() or line.startswith("Usage:"):
                break
            lines.append(line)
        text = "\n".join(lines)
        return text[len("error: "):] if start == "error: " else text
    return ""


def _data_error(
    message: str, inputs: Sequence[str], written: Mapping[str, str], details: Mapping[str, Any]
) -> DataError:
    found = _PLACE.match(message)
    if found is None or message.startswith("plant '"):
        return DataError(message, **details)
    file, problem = found.group("file"), found.group("problem")
    line = int(found.group("line")) if found.group("line") else None
    missing = re.match(r"(?:has )?no column '([^']*)'", problem)
    column = found.group("column") or (missing.group(1) if missing else None)
    label = next((name for path, name in written.items() if _is_same(path, file)), None)
    if label is None:
        named = line is not None or column is not None or os.path.exists(file)
        if not (named or file in inputs or re.search(r"\.\w{1,12}$", file)):
            return DataError(message, **details)
        return DataError(
            message, file=file, line=line, column=column, problem=problem, **details)
    # A file that nobody has seen: its name and lines would tell nothing.
    row = line - 2 if label != "task" and line is not None and line >= 2 else None
    place = label + (f", row {row}" if row is not None else "")
    place += f", column '{column}'" if column is not None else ""
    return DataError(
        f"{place}: {problem}", file=label, column=column, row=row, problem=problem, **details)


def _is_same(path: str, shown: str) -> bool:
    """Whether a message shows this path; long ones lose their beginning."""
    return path == shown or (shown.startswith("\u2026") and path.endswith(shown[1:]))
