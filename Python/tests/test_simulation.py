# SPDX-License-Identifier: Apache-2.0
# The child process behind environments: however it ends, and whoever ends it, there is an exception or nothing at
# all, and no process is left.

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import unittest
from unittest import mock

import numpy as np
from env_makers import EnvTest
from test_errors import PACKAGE

import bagel_control as bagel


class ChildTest(EnvTest):
    def setUp(self) -> None:
        super().setUp()
        # Without the shared library.
        without = mock.patch.dict(os.environ, {"BAGEL_LIBRARY": "none"})
        without.start()
        self.addCleanup(without.stop)

    def test_a_child_that_dies(self) -> None:
        for code, kind, words in [
            (lambda env: os.kill(env._simulation._process.pid, signal.SIGKILL), bagel.BagelError, "signal 9"),
            (lambda env: env._simulation._write(b"nonsense\n"), bagel.DataError, "'nonsense' is not a command"),
        ]:
            env = self.machines()
            first, _ = env.reset(seed=7)
            code(env)
            with self.assertRaisesRegex(kind, words):
                for _ in range(3):
                    env.step(np.zeros((3, 1)))
            with self.assertRaisesRegex(bagel.BagelError, "has ended"):
                env.step(np.zeros((3, 1)))
            np.testing.assert_array_equal(env.reset(seed=7)[0], first)
        with mock.patch.dict(os.environ, {"BAGEL": "true"}), self.assertRaises(bagel.BagelError):
            self.machines()
        other = self.folder / "other"
        other.write_text("#!/bin/sh\nread line\necho hello\nread line\n")
        other.chmod(0o755)
        with mock.patch.dict(os.environ, {"BAGEL": str(other)}):
            with self.assertRaisesRegex(bagel.BagelError, "answered 'hello'"):
                self.machines()

    def test_an_interrupt(self) -> None:
        env = self.machines()
        env.reset()
        with mock.patch.object(type(env._simulation), "_read_line", side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                env.step(np.zeros((3, 1)))
        with self.assertRaisesRegex(bagel.BagelError, "interrupted"):
            env.step(np.zeros((3, 1)))
        env.reset()
        env.step(np.zeros((3, 1)))

    def test_ends_of_the_child(self) -> None:
        env = self.machines()
        process = env._simulation._process
        env.close()
        self.assertEqual(process.returncode, 0)
        env.close()
        for call in (env.reset, lambda: env.step(np.zeros((3, 1)))):
            with self.assertRaisesRegex(bagel.BagelError, "closed"):
                call()
        # Without a cleanup, which would keep it.
        other = self.made(3)
        process = other._simulation._process
        del other
        gc.collect()
        self.assertEqual(process.returncode, 0)

    def test_the_interpreters_end(self) -> None:
        code = (
            "import sys; from bagel_control.env import ModelVectorEnv\n"
            "env = ModelVectorEnv(sys.argv[1], 2, reward=len, horizon=9, device='interpreter')\n"
            "print(env._simulation._process.pid, flush=True)\n"
            "if len(sys.argv) > 2: import os; os.kill(os.getpid(), 9)\n")
        for more in ([], ["killed"]):
            ended = subprocess.run(
                [sys.executable, "-W", "error", "-c", code, str(self.fit.model_path), *more],
                capture_output=True, text=True, env={**os.environ, "PYTHONPATH": PACKAGE}, timeout=60, check=False)
            self.assertEqual(ended.stderr, "")
            for _ in range(100):
                try:
                    os.kill(int(ended.stdout), 0)
                except ProcessLookupError:
                    break
                subprocess.run(["sleep", "0.05"], check=True)
            else:
                self.fail(f"the child {ended.stdout} is still there")

    def test_a_process_that_is_forked(self) -> None:
        env = self.machines()
        env.reset()
        child = os.fork()
        if child == 0:
            try:
                env.step(np.zeros((3, 1)))
            except bagel.BagelError as error:
                env._simulation._end()
                os._exit(0 if "another process" in str(error) else 1)
            os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        env.step(np.zeros((3, 1)))


if __name__ == "__main__":
    unittest.main()
