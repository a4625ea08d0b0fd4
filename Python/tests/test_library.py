# SPDX-License-Identifier: Apache-2.0
# Machines in this process, by the shared library: the same numbers as by the command, Ctrl-C, threads, forks, ends, and
# where the library is looked for.

from __future__ import annotations

import dataclasses
import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
import unittest
import warnings
from typing import Any, Dict, List
from unittest import mock

import numpy as np
from env_makers import EnvTest
from log_makers import command
from test_errors import PACKAGE

import bagel_control as bagel
from bagel_control import library
from bagel_control.model_file import ModelFile
from bagel_control.simulation import Simulation


def found() -> bool:
    try:
        return library.find() is not None
    except bagel.BagelError:
        return False


IS_THERE = found()
if not IS_THERE:
    print("tests of the shared library are skipped: it is not there (make c-library)", file=sys.stderr)


def without_library() -> Any:
    return mock.patch.dict(os.environ, {"BAGEL_LIBRARY": "none"})


@unittest.skipIf(not IS_THERE, "the shared library is not there")
class LibraryTest(EnvTest):
    @property
    def model(self) -> ModelFile:
        return ModelFile.read(self.fit.model_path)

    def test_the_same_numbers_as_the_command(self) -> None:
        # Each way with the same kernels of BLAS: a command chooses those of its CPU, a library has those of its process.
        code = (
            "import sys, numpy as np; from bagel_control.env import ModelVectorEnv\n"
            "for doubt in ('function', 'steps', 'none'):\n"
            "  for noise in (True, False):\n"
            "    env = ModelVectorEnv(sys.argv[1], 5, reward=lambda s, a, n: n[:, 0], horizon=6, seed=3, doubt=doubt,\n"
            "        sensor_noise=noise, device='interpreter')\n"
            "    print(type(env._simulation).__name__)\n"
            "    env.reset(); rows = [env.states]\n"
            "    for k in range(15):\n"
            "      env.step(np.sin(np.arange(5, dtype=np.float32)[:, None] + k)); rows.append(env.states)\n"
            "    env.reset(options={'state': [0.3, 0.0], 'reset_mask': np.arange(5) % 2 == 0}); rows.append(env.states)\n"
            "    env.reset(seed=2**63 - 1); rows.append(env.states)\n"
            "    none = env._simulation.reset(np.arange(0), seed=5)\n"
            "    print(np.array(rows).tobytes().hex() + f'-{none.shape}-'.replace(' ', '') + env._simulation.reset().tobytes().hex())\n")
        answers: List[List[str]] = []
        for more in ({}, {"BAGEL_LIBRARY": "none"}):
            surroundings = {**os.environ, "PYTHONPATH": PACKAGE, "OPENBLAS_CORETYPE": "Prescott", **more}
            ended = subprocess.run(
                [sys.executable, "-c", code, str(self.fit.model_path)], capture_output=True, text=True, check=False,
                env=surroundings)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            answers.append(ended.stdout.split())
        self.assertEqual((answers[0][0], answers[1][0]), ("LibrarySimulation", "Simulation"))
        self.assertEqual(answers[0][1::2], answers[1][1::2])

    def test_errors_are_the_commands(self) -> None:
        calls, whole = library.find(), self.fit.model_path
        damaged = self.folder / "model.safetensors"
        damaged.write_bytes(whole.read_bytes()[:-8])
        wanted: Dict[str, Any] = {"doubt": "none", "sensor_noise": False}
        for path, device, kind, words in [
            (damaged, None, bagel.DataError, "model.safetensors"), (whole, "abacus", bagel.UsageError, "abacus"),
        ]:
            model = dataclasses.replace(self.model, path=path)
            for make in (Simulation, lambda *given, **more: library.LibrarySimulation(calls, *given, **more)):
                with self.assertRaisesRegex(kind, words):
                    make(model, 2, **wanted, device=device)

    def test_ctrl_c(self) -> None:
        # Whoever starts the tests in the background has Ctrl-C ignored, or held back.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        self.addCleanup(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        env = self.machines()
        first, _ = env.reset(seed=7)
        for after in (0.02, 0.03, 0.05):
            timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
            with self.assertRaises(KeyboardInterrupt):
                timer.start()
                for _ in range(100_000):
                    env.step(np.zeros((3, 1)))
            timer.join()
            np.testing.assert_array_equal(env.reset(seed=7)[0], first)
            env.step(np.zeros((3, 1)))
        # In the middle of a call its answer is lost.
        env._simulation._turn = mock.MagicMock()
        env._simulation._turn.__enter__.side_effect = KeyboardInterrupt
        with self.assertRaises(KeyboardInterrupt):
            env.step(np.zeros((3, 1)))
        with self.assertRaisesRegex(bagel.BagelError, "interrupted"):
            env.step(np.zeros((3, 1)))
        np.testing.assert_array_equal(env.reset(seed=7)[0], first)

    def test_ends(self) -> None:
        env = self.machines()
        env.close()
        env.close()
        for call in (env.reset, lambda: env.step(np.zeros((3, 1)))):
            with self.assertRaisesRegex(bagel.BagelError, "closed"):
                call()
        calls = mock.Mock(wraps=library.find())
        simulation = library.LibrarySimulation(
            calls, self.model, 2, doubt="none", sensor_noise=False, device="interpreter")
        calls.bagel_model_free.assert_not_called()
        del simulation
        gc.collect()
        calls.bagel_model_free.assert_called_once()

    def test_threads(self) -> None:
        def drive(env: Any, rows: List[np.ndarray]) -> None:
            env.reset(seed=5)
            rows += self.run_of(env, 20)

        results: List[List[np.ndarray]] = [[], [], []]
        workers = [
            threading.Thread(target=drive, args=(self.machines(), rows)) for rows in results]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual([len(rows) for rows in results], [20, 20, 20])
        for rows in results[1:]:
            np.testing.assert_array_equal(rows, results[0])

    def test_a_process_that_is_forked(self) -> None:
        env = self.machines()
        first, _ = env.reset(seed=7)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                env.step(np.zeros((3, 1)))
            except bagel.BagelError as error:
                # Its own machines are those of a command.
                own = self.made(3)
                same = bool((own.reset(seed=7)[0] == first).all())
                if "another process" in str(error) and isinstance(own._simulation, Simulation) and same:
                    code = 0
                own.close()
            finally:
                os._exit(code)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        env.step(np.zeros((3, 1)))

    def test_where_it_is(self) -> None:
        self.assertIsInstance(self.machines()._simulation, library.LibrarySimulation)
        with without_library():
            self.assertIsInstance(self.machines()._simulation, Simulation)
        for path in (str(self.folder / "nowhere.so"), "/lib/x86_64-linux-gnu/libc.so.6"):
            with mock.patch.dict(os.environ, {"BAGEL_LIBRARY": path}):
                with self.assertRaisesRegex(bagel.BagelError, "BAGEL_LIBRARY is '"):
                    self.machines()
        # Beside the command; one that cannot be used is said once, and the command serves.
        beside = self.folder / "bagel"
        shutil.copy(command(), beside)
        (self.folder / "libbagel.so").write_text("none")
        with mock.patch.dict(os.environ, {"BAGEL": str(beside), "BAGEL_LIBRARY": ""}):
            with self.assertWarnsRegex(UserWarning, "cannot be opened"):
                self.assertIsInstance(self.machines()._simulation, Simulation)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self.machines()


if __name__ == "__main__":
    unittest.main()
