# SPDX-License-Identifier: Apache-2.0
# Ctrl-C: the command ends as it does on a terminal, and only then the call. A search is saved and goes on; a
# machine has the safe action as its last one.

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path
from typing import Any, Callable, List

from log_makers import CommandTest, spring_log, write_csv
from test_errors import PACKAGE
from test_results import spring_task

import bagel_control as bagel

PLANT = """
import json, sys, time
log = open(sys.argv[1], "a")
for line in sys.stdin:
    log.write(line)
    log.flush()
    time.sleep(0.05)
    if json.loads(line)["command"] != "close":
        print(json.dumps({"state": [0.1, 0.0]}), flush=True)
"""


class InterruptTest(CommandTest):
    def setUp(self) -> None:
        super().setUp()
        # Whoever starts the tests in the background has Ctrl-C ignored, or held back.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        self.addCleanup(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        write_csv(self.folder / "log.csv", spring_log(1, 120))
        write_csv(self.folder / "other.csv", spring_log(2, 150))

    def when(self, is_time: Callable[[], bool]) -> None:
        """Presses Ctrl-C once something is so."""
        def wait() -> None:
            while not is_time() and time.monotonic() < end:
                time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGINT)

        end = time.monotonic() + 30
        thread = threading.Thread(target=wait)
        thread.start()
        self.addCleanup(thread.join)

    def long_task(self, **more: Any) -> bagel.Task:
        search = {"particles": 20, "horizon": 40, "starts": 1, "iterations": 10_000_000, "patience": 1_000_000}
        return bagel.Task(spring_task(optimise=search, **more))

    def test_a_search_is_saved_and_goes_on(self) -> None:
        self.saved_and_goes_on(
            self.long_task(goal=[0.4, 0], reward={"saturating": {"weights": [10, 0.1]}}))

    def test_the_same_with_goals_by_name(self) -> None:
        self.saved_and_goes_on(self.long_task(goal={"position": 0.4}))
        self.saved_and_goes_on(
            self.long_task(name="range", goal={"position": [0.1, 0.4]}, policy={"goal": "error"}))

    def saved_and_goes_on(self, task: bagel.Task) -> None:
        fit = bagel.fit(task, progress=False)
        state = fit.folder / "search-state.safetensors"
        self.when(state.is_file)
        with self.assertRaises(bagel.Interrupted) as caught:
            bagel.optimize(fit, progress=False)
        self.assertEqual(caught.exception.exit_code, 130)
        self.assertIn("state saved", str(caught.exception))
        path = Path(caught.exception.policy_path)
        self.assertTrue(path.is_file())
        policy = bagel.Policy.load(path)
        self.assertEqual(policy.form, "network")
        policy([0.0, 0.0], {name: 0.2 for name in policy.goals})
        before = state.stat().st_mtime_ns
        self.when(lambda: state.stat().st_mtime_ns > before)
        with self.assertRaises(bagel.Interrupted) as caught:
            bagel.optimize(fit, progress=False)
        iterations = int(str(caught.exception).split("iteration ")[1].split(";")[0])
        self.assertGreater(iterations, 0)

    def test_by_a_terminal_both_get_it(self) -> None:
        fit = bagel.fit(self.long_task(), progress=False)
        code = (
            "import json, sys, bagel_control as bagel\n"
            "try: bagel.optimize(bagel.Task(json.load(open('task.json'))), progress=False)\n"
            "except bagel.Interrupted as error: print('ended:', error)\n")
        self.long_task().save("task.json")
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "PYTHONPATH": PACKAGE})
        state, end = fit.folder / "search-state.safetensors", time.monotonic() + 30
        while not state.is_file() and time.monotonic() < end:
            time.sleep(0.02)
        os.killpg(child.pid, signal.SIGINT)
        output, _ = child.communicate(timeout=30)
        self.assertEqual(child.returncode, 0)
        self.assertTrue(output.startswith("ended: interrupted at iteration"), output)

    def test_the_safe_action_is_the_machines_last(self) -> None:
        Path("plant.py").write_text(PLANT)
        task = bagel.Task(
            spring_task(
                plant={"process": [sys.executable, "plant.py", "sent.txt"], "clock": "machine"},
                evaluate={"seconds": 60, "episodes": 1, "track": {"position": 0.05}},
                actions=[{"name": "force", "limits": [-1, 1], "safe": 0.25}]))
        found = bagel.optimize(bagel.fit(task, progress=False), progress=False)
        sent = Path("sent.txt")
        self.when(lambda: sent.is_file() and len(sent.read_text().split("\n")) > 10)
        with self.assertRaises(bagel.Interrupted):
            bagel.evaluate(found, progress=False)
        lines = [json.loads(line) for line in sent.read_text().split("\n") if line]
        self.assertEqual(lines[-1], {"command": "close"})
        self.assertEqual(lines[-2], {"command": "step", "action": [0.25]})

    def test_an_error_of_the_callback_ends_the_command(self) -> None:
        seen: List[str] = []

        def callback(line: str) -> None:
            seen.append(line)
            raise ZeroDivisionError

        arguments: Any = {"states": ["position"], "actions": ["force"], "time_step": 0.05}
        with self.assertRaises(ZeroDivisionError):
            bagel.fit("log.csv", progress=callback, **arguments)
        self.assertEqual(len(seen), 1)
        # The folder is free again.
        bagel.fit("log.csv", progress=False, **arguments)


if __name__ == "__main__":
    unittest.main()
