# SPDX-License-Identifier: Apache-2.0
# A learnt model as N machines. In: actions [N, A]. Out: what sensors measure [N, M]. It needs no other package than
# NumPy. By the shared library inside this process where there is one (library.py); else by the command `bagel
# simulate` as a child process, one JSON object a line. Both give the same numbers.
#
# The child ends with `close`, with this object, or with this process: its standard input ends then.

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import weakref
from typing import IO, Any, Dict, List, Optional, Tuple, Union

import numpy as np

from . import command, library
from .errors import BagelError, error_of
from .model_file import ModelFile

_BYTES_AT_A_TIME = 1 << 20
_SECONDS_TO_END = 2.0


class Simulation:
    """N machines on a model, stepped together by a child process.

    Attributes:
        words: lines of the child's standard error so far.
    """

    def __init__(
        self, model: ModelFile, count: int, *, doubt: str, sensor_noise: bool, device: Optional[str]
    ) -> None:
        """Starts the child and waits until it has compiled its kernels.

        Raises:
            DataError: the model cannot be driven.
            BagelError: the command was not found, or ends.
        """
        self._model, self._count = model, count
        self._path = str(model.path)
        self._rest = b""
        self._why = ""
        self._owner = os.getpid()
        # Every digit of the double that a float32 is: the same numbers as the library's.
        row = "[" + ",".join(["%.17g"] * len(model.actions)) + "]"
        self._step_line = '{"command":"step","actions":[' + ",".join([row] * count) + "]}\n"
        arguments = [
            command.find(), "simulate", self._path, f"--particles={count}", f"--doubt={doubt}",
            "--sensor-noise" if sensor_noise else "--no-sensor-noise"]
        # A file, because nobody reads while the child works. A session of its own: a Ctrl-C of the terminal is for
        # whoever drives the machines.
        self._complaints: IO[bytes] = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                arguments + ([f"--device={device}"] if device else []), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=self._complaints, bufsize=0, start_new_session=True)
        except OSError as error:
            raise BagelError(f"{arguments[0]} cannot be run: {error.strerror}") from error
        self._end = weakref.finalize(self, _end, self._process, self._complaints, self._owner)
        self.reset()

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return bool(self._end.alive)

    @property
    def words(self) -> Tuple[str, ...]:
        if not self._end.alive:
            return ()
        text = os.pread(self._complaints.fileno(), _BYTES_AT_A_TIME, 0).decode("utf-8", "replace")
        return tuple(line for line in text.splitlines() if line.strip())

    def reset(
        self, which: Optional[np.ndarray] = None, *, seed: Optional[int] = None,
        state: Optional[np.ndarray] = None,
    ) -> np.ndarray:
        """Begins episodes.

        Args:
            which: machines [K]; None for all.
            seed: of everything that is drawn from now on; None goes on.
            state: where they begin [S]; None for logged states, drawn.

        Returns:
            What is measured [K, M].
        """
        message: Dict[str, Any] = {"command": "reset"}
        if which is not None:
            message["of"] = which.tolist()
        if seed is not None:
            message["seed"] = seed
        if state is not None:
            message["state"] = state.tolist()
        return self._ask(
            json.dumps(message).encode() + b"\n", self._count if which is None else len(which))

    def step(self, actions: np.ndarray) -> np.ndarray:
        """One time step of all machines: actions [N, A], float32 -> what is measured [N, M]."""
        return self._ask((self._step_line % tuple(actions.ravel().tolist())).encode(), self._count)

    def close(self) -> None:
        """Ends the child; closing twice does nothing."""
        self._why = self._why or "the simulation is closed"
        self._end()

    def _ask(self, line: bytes, count: int) -> np.ndarray:
        if not self._end.alive:
            raise BagelError(self._why)
        if os.getpid() != self._owner:
            raise BagelError(
                "the simulation belongs to another process: make it in the process that drives it")
        try:
            self._write(line)
            answer = self._read_line()
        except OSError:
            raise self._death() from None
        except BagelError:
            raise
        except BaseException:
            # What was asked is not answered yet: the next answer would be that one.
            self._why = "the simulation was interrupted and has ended; call reset() to begin again"
            self._end()
            raise
        try:
            measured = np.array(json.loads(answer)["states"], dtype=np.float64)
            return measured.reshape(count, len(self._model.measured))
        except (ValueError, KeyError, TypeError):
            self._why = f"the command answered '{answer[:80].decode('utf-8', 'replace')}'; is it another program?"
            self._end()
            raise BagelError(self._why) from None

    def _write(self, line: bytes) -> None:
        stream, view = self._process.stdin, memoryview(line)
        while stream is not None and len(view) > 0:
            view = view[os.write(stream.fileno(), view):]

    def _read_line(self) -> bytes:
        stream = self._process.stdout
        parts: List[bytes] = [self._rest]
        while stream is not None and b"\n" not in parts[-1]:
            part = os.read(stream.fileno(), _BYTES_AT_A_TIME)
            if not part:
                raise self._death()
            parts.append(part)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line

    def _death(self) -> BagelError:
        """The exception for a child that has ended by itself; its last words are in it."""
        try:
            code = self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        words = self.words
        self._why = "the simulation has ended" + (f": {words[-1]}" if words else "")
        self._end()
        if code > 0:
            return error_of(code, words, [self._path])
        how = f"was ended by signal {-code}" if code < 0 else "ended"
        last = f"; its last words: {words[-1]}" if words else "; it wrote no message"
        return BagelError(f"the simulation {how}{last}", exit_code=code, words=words)


Machines = Union[Simulation, library.LibrarySimulation]


def simulate(
    model: ModelFile, count: int, *, doubt: str, sensor_noise: bool, device: Optional[str]
) -> Machines:
    """Machines by the library, or by a child process.

    Raises:
        DataError: the model cannot be driven.
        BagelError: neither library nor command was found, or the child ends.
    """
    calls = library.find()
    if calls is None:
        return Simulation(model, count, doubt=doubt, sensor_noise=sensor_noise, device=device)
    return library.LibrarySimulation(
        calls, model, count, doubt=doubt, sensor_noise=sensor_noise, device=device)


def _end(process: "subprocess.Popen[bytes]", complaints: IO[bytes], owner: int) -> None:
    """Ends a child; a process that was forked from its owner only lets go of it."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    if os.getpid() != owner:
        return
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    complaints.close()
