# SPDX-License-Identifier: Apache-2.0
# A learnt model as N machines inside this process: BAGEL's shared library (bagel.h) by ctypes, without a child and
# without text. In: actions [N, A]. Out: what sensors measure [N, M]. The same numbers as `bagel simulate`'s.
#
# The library is $BAGEL_LIBRARY, or lies beside the command, or where `make c-library` puts it. Where it is not, the
# command does the work.

from __future__ import annotations

import ctypes
import os
import threading
import warnings
import weakref
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple

import numpy as np

from . import command
from .errors import BagelError, error_of
from .model_file import ModelFile

_NAME = "libbagel.so"
_DOUBTS = ("function", "steps", "none")

_SIZE, _CODE, _HANDLE, _ARRAY = ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p
_DECLARED: Dict[str, Tuple[Any, List[Any]]] = {
    "bagel_version": (ctypes.c_char_p, []),
    "bagel_last_error": (ctypes.c_char_p, []),
    "bagel_model_load": (_CODE, [
        ctypes.c_char_p, _SIZE, _CODE, _CODE, ctypes.c_uint64, ctypes.c_char_p, ctypes.POINTER(_HANDLE)]),
    "bagel_model_free": (None, [_HANDLE]),
    "bagel_model_doubt": (_CODE, [_HANDLE]),
    "bagel_model_reset": (_CODE, [
        _HANDLE, _ARRAY, _SIZE, ctypes.POINTER(ctypes.c_uint64), _ARRAY, _SIZE, _ARRAY, _SIZE]),
    "bagel_model_step": (_CODE, [_HANDLE, _ARRAY, _SIZE, _ARRAY, _SIZE]),
}


class _Loaded:
    """An opened library. Once per process: its threads cannot be ended."""

    def __init__(self, path: str) -> None:
        self.path, self.owner = path, os.getpid()
        self.calls = ctypes.CDLL(path)
        for name, (result, arguments) in _DECLARED.items():
            function = getattr(self.calls, name)
            function.restype, function.argtypes = result, arguments


_loaded: Dict[str, _Loaded] = {}
_refused: Set[str] = set()
"""Of which somebody has been told."""


def find() -> Optional[Any]:
    """The functions of the library; None where there is none, or BAGEL_LIBRARY is "none". A process that was forked
    from one that has opened it has none either: the library's threads are not there.

    Raises:
        BagelError: $BAGEL_LIBRARY names no library of this version.
    """
    named = os.environ.get("BAGEL_LIBRARY")
    if named == "none":
        return None
    path = os.path.abspath(named) if named else _beside_the_command()
    if path is None or path in _refused:
        return None
    if path not in _loaded:
        problem = _open(path)
        if problem is not None:
            if named:
                raise BagelError(f"BAGEL_LIBRARY is '{named}', {problem}")
            _refuse(path, problem)
            return None
    loaded = _loaded[path]
    return loaded.calls if loaded.owner == os.getpid() else None


def _open(path: str) -> Optional[str]:
    """The reason why it cannot be used."""
    from . import __version__

    try:
        loaded = _Loaded(path)
    except OSError as error:
        return f"which cannot be opened: {error}"
    except AttributeError as error:
        return f"which is not a library of bagel: {error}"
    version = loaded.calls.bagel_version().decode()
    if version != __version__:
        return f"which is of version {version}; this package is of {__version__}"
    _loaded[path] = loaded
    return None


def _beside_the_command() -> Optional[str]:
    """Beside it, or where `make c-library` puts it in a checkout whose command this is."""
    try:
        program = Path(command.find()).resolve()
    except BagelError:
        return None
    path = program.parent / _NAME
    if path.is_file():
        return str(path)
    build = Path(__file__).resolve().parent.parent.parent / ".build"
    path = build / "c-library" / _NAME
    if build not in program.parents or not path.is_file():
        return None
    if path.stat().st_mtime < program.stat().st_mtime:
        _refuse(str(path), "it is older than the command: make c-library")
        return None
    return str(path)


def _refuse(path: str, problem: str) -> None:
    if path not in _refused:
        _refused.add(path)
        warnings.warn(f"{path}: {problem}; the command is used, which is slower", stacklevel=2)


class LibrarySimulation:
    """N machines on a model, stepped together in this process.

    Attributes:
        words: the library's messages.
    """

    def __init__(
        self, calls: Any, model: ModelFile, count: int, *, doubt: str, sensor_noise: bool, device: Optional[str]
    ) -> None:
        """Reads the model and compiles its kernels.

        Raises:
            DataError: the model cannot be driven.
            BagelError: anything else.
        """
        self._calls, self._model, self._count = calls, model, count
        self._path = str(model.path)
        self._why = ""
        self._owner = os.getpid()
        # A handle is for one thread at a time.
        self._turn = threading.Lock()
        self._measured = list(model.measured)
        self._handle = _HANDLE()
        place = None if device in (None, "automatic") else str(device).encode()
        self._check(calls.bagel_model_load(
            os.fsencode(self._path), count, _DOUBTS.index(doubt), int(sensor_noise), 0, place,
            ctypes.byref(self._handle)))
        self._end = weakref.finalize(self, _end, calls, self._handle, self._owner)
        taken = _DOUBTS[calls.bagel_model_doubt(self._handle)]
        self.words: Tuple[str, ...] = () if taken == doubt else (
            "no function can be drawn from this model: a new draw is made at each time step",)
        self.reset()

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return bool(self._end.alive)

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
        machines = None if which is None else np.ascontiguousarray(which, dtype=np.uintp)
        start = None if state is None else np.ascontiguousarray(state, dtype=np.float64)
        drawn = None if seed is None else ctypes.byref(ctypes.c_uint64(seed))
        states = np.empty((self._count if machines is None else len(machines), len(self._model.states)))
        self._ask(
            "bagel_model_reset", *_array(machines), drawn, *_array(start), *_array(states))
        return states[:, self._measured]

    def step(self, actions: np.ndarray) -> np.ndarray:
        """One time step of all machines: actions [N, A], float32 -> what is measured [N, M]."""
        sent = np.ascontiguousarray(actions, dtype=np.float64)
        states = np.empty((self._count, len(self._model.states)))
        self._ask("bagel_model_step", *_array(sent), *_array(states))
        return states[:, self._measured]

    def close(self) -> None:
        """Frees the machines; closing twice does nothing."""
        self._stop(self._why or "the simulation is closed")

    def _stop(self, why: str) -> None:
        """Frees the machines once no other thread is in a call with them."""
        self._why = why
        self._turn.acquire()
        try:
            self._end()
        finally:
            self._turn.release()

    def _ask(self, name: str, *arguments: Any) -> None:
        if not self._end.alive:
            raise BagelError(self._why)
        if os.getpid() != self._owner:
            raise BagelError(
                "the simulation belongs to another process: make it in the process that drives it")
        try:
            with self._turn:
                # Another thread may have closed it while this one waited.
                is_open = self._end.alive
                code = getattr(self._calls, name)(self._handle, *arguments) if is_open else 0
        except BaseException:
            # Ctrl-C is heard when the call is over; nobody has its answer.
            self._stop("the simulation was interrupted and has ended; call reset() to begin again")
            raise
        if not is_open:
            raise BagelError(self._why)
        self._check(code)

    def _check(self, code: int) -> None:
        if code != 0:
            text = self._calls.bagel_last_error().decode("utf-8", "replace")
            raise error_of(code, [f"error: {text}"], [self._path])


def _array(values: Optional[np.ndarray]) -> Tuple[Optional[int], int]:
    """Address and count; the caller keeps the array."""
    return (None, 0) if values is None else (values.ctypes.data, values.size)


def _end(calls: Any, handle: Any, owner: int) -> None:
    """Frees machines; a process that was forked from their owner lets them be."""
    if os.getpid() == owner:
        calls.bagel_model_free(handle)
