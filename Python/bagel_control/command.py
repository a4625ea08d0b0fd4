# SPDX-License-Identifier: Apache-2.0
# The command `bagel` as a child process. In: its arguments. Out: the JSON object of its last line, its words,
# its exit code. Ctrl-C is passed on, as often as it comes, and the child's end is awaited: it leaves a
# machine safe and saves a search's state.

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .errors import BagelError, Interrupted, error_of
from .progress import Reporter

NOT_SOLVED = 2
"""Exit code of a command that finished, but did not solve its task."""

_AFTERWARDS = 1.0
"""Seconds in which lines are still read after the child's end: something that it started may hold its
standard error."""


@dataclass(frozen=True)
class Outcome:
    """What a command left that ended with exit code 0, or 2 for done but not solved: its JSON, its lines on
    standard error."""

    json: Dict[str, Any]
    words: Tuple[str, ...]


def find() -> str:
    """The path of the command: $BAGEL, beside this package, on PATH, or built in its checkout.

    Raises:
        BagelError: it is nowhere, or $BAGEL names no program.
    """
    named = os.environ.get("BAGEL")
    if named:
        found = shutil.which(named)
        if found is None:
            raise BagelError(f"BAGEL is '{named}', which is no program that can be run")
        return found
    package = Path(__file__).resolve().parent
    checkout = package.parent.parent
    built = checkout / ".build" / "release" / "bagel"
    places = [str(package / "bin" / "bagel"), shutil.which("bagel")]
    if (checkout / "Package.swift").is_file():
        places.append(str(built))
    for place in places:
        if place and os.access(place, os.X_OK) and os.path.isfile(place):
            return place
    raise BagelError(
        "the command `bagel` was not found: neither in the package (a wheel of Scripts/wheel.sh has it), nor on "
        "PATH, nor built beside it. Build it with `make build`, and set the environment variable BAGEL to its path "
        "(.build/release/bagel)"
    )


def run(
    arguments: Sequence[str],
    reporter: Reporter,
    *,
    inputs: Sequence[str] = (),
    written: Optional[Mapping[str, str]] = None,
) -> Outcome:
    """Runs the command with --json.

    Args:
        arguments: the subcommand and its arguments.
        reporter: gets every line of standard error.
        inputs: files among the arguments, for messages.
        written: files that this package wrote: path -> what the caller called it.

    Raises:
        DataError, UsageError, Interrupted, BagelError: by the exit code.
    """
    child = _Child([find(), *arguments, "--json"])
    try:
        child.follow(reporter)
    finally:
        reporter.finish()
    result = child.result()
    if child.interrupts > 0 and child.code in (0, NOT_SOLVED):
        raise Interrupted(
            "interrupted, but the command had finished", json=result, exit_code=child.code,
            words=child.words)
    if child.code not in (0, NOT_SOLVED):
        error = error_of(child.code, child.words, inputs, written)
        if isinstance(error, Interrupted):
            error.json = result
        raise error
    if result is None:
        raise BagelError(
            "the command wrote no JSON object on its last line; is it another program?",
            exit_code=child.code, words=child.words)
    return Outcome(result, tuple(child.words))


class _Child:
    """A process, what it wrote, and how often it was interrupted.

    It stays in this process's group, so that ending a notebook also ends it. (Rejected: its own group.
    It would continue to drive when a kernel is restarted.) A Ctrl-C of a terminal then reaches it twice, which
    counts as one: it ends at once only at a third signal, two seconds after the first.
    """

    def __init__(self, command: List[str]) -> None:
        self.words: List[str] = []
        self.interrupts = 0
        self._output: List[bytes] = []
        self._lines: "queue.Queue[Optional[str]]" = queue.Queue()
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            raise BagelError(f"{command[0]} cannot be run: {error.strerror}") from error
        for read, stream in (
            (self._read_words, self._process.stderr), (self._read_output, self._process.stdout)
        ):
            threading.Thread(target=read, args=(stream,), daemon=True).start()

    @property
    def code(self) -> int:
        return self._process.returncode

    def _read_words(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line.decode("utf-8", "replace").rstrip("\r\n"))
        self._lines.put(None)

    def _read_output(self, stream: IO[bytes]) -> None:
        with stream:
            self._output += stream
        self._lines.put(None)

    def follow(self, reporter: Reporter) -> None:
        """Hands lines on until the process has ended."""
        open_streams = [2]
        while True:
            try:
                self._follow(reporter, open_streams)
                return
            except KeyboardInterrupt:
                self.interrupts += 1
                self._interrupt()
            except BaseException:
                # The callback's own error: the command is of no use any more.
                self._interrupt()
                self._process.wait()
                raise

    def _interrupt(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def _follow(self, reporter: Reporter, open_streams: List[int]) -> None:
        ended: Optional[float] = None
        while open_streams[0] > 0:
            try:
                line = self._lines.get(timeout=0.2)
            except queue.Empty:
                reporter.tick()
                if self._process.poll() is not None:
                    ended = ended or time.monotonic()
                    if time.monotonic() - ended > _AFTERWARDS:
                        break
                continue
            if line is None:
                open_streams[0] -= 1
            else:
                self.words.append(line)
                reporter.line(line)
        self._process.wait()

    def result(self) -> Optional[Dict[str, Any]]:
        """The JSON object of the last line of standard output; None where there is none."""
        lines = [line for line in b"".join(self._output).splitlines() if line.strip()]
        try:
            result = json.loads(lines[-1]) if lines else None
        except ValueError:
            return None
        return result if isinstance(result, dict) else None
