# SPDX-License-Identifier: Apache-2.0
# Where the words of a running command go: one line that changes in a notebook, standard error elsewhere, a
# callback, or nowhere. In: lines, as the command writes them. Out: what a person sees.

from __future__ import annotations

import sys
import time
from typing import Any, Callable, Optional, Union

Progress = Union[None, bool, Callable[[str], None]]
"""None or True: shown; False: silent; a callable gets each line."""


class Reporter:
    """Shows nothing; the base of the other classes."""

    def line(self, text: str) -> None:
        """A line of the command."""

    def tick(self) -> None:
        """Some tenths of a second have passed."""

    def finish(self) -> None:
        """The command has ended."""


class _Callback(Reporter):
    def __init__(self, callback: Callable[[str], None]) -> None:
        self._callback = callback

    def line(self, text: str) -> None:
        self._callback(text)


class _StandardError(Reporter):
    def line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class _NotebookLine(Reporter):
    """One line under the cell: seconds so far and the last words; at the end the seconds alone."""

    def __init__(self, title: str) -> None:
        from IPython.display import display

        self._title, self._words, self._start = title, "", time.monotonic()
        self._shown = self._text()
        self._handle = display(_Plain(self._shown), display_id=True)

    def _text(self) -> str:
        words = f": {self._words}" if self._words else ""
        return f"bagel {self._title}, {time.monotonic() - self._start:.0f} s{words}"[:160]

    def _show(self, text: str) -> None:
        if text != self._shown:
            self._shown = text
            self._handle.update(_Plain(text))

    def line(self, text: str) -> None:
        if text.strip():
            self._words = text.strip()
        self._show(self._text())

    def tick(self) -> None:
        self._show(self._text())

    def finish(self) -> None:
        self._show(f"bagel {self._title}: {time.monotonic() - self._start:.1f} s")


class _Plain:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def reporter(progress: Progress, title: str) -> Reporter:
    """What shows the words of a command.

    Args:
        progress: see `Progress`.
        title: of the command, for the line in a notebook.
    """
    if progress is False:
        return Reporter()
    if callable(progress):
        return _Callback(progress)
    return _NotebookLine(title) if _notebook() is not None else _StandardError()


def _notebook() -> Optional[Any]:
    """IPython's shell if its output is a notebook's."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None
