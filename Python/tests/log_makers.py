# SPDX-License-Identifier: Apache-2.0
# What tests share: where package and command are, and logs of a simple machine. In: a seed. Out: a mass on a
# spring with a damper, pushed by a force that changes every 15 rows.

from __future__ import annotations

import os
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Dict

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bagel_control.command import find  # noqa: E402
from bagel_control.errors import BagelError  # noqa: E402

TIME_STEP = 0.05


def command() -> str:
    """The command's path."""
    return find()


def has_command() -> bool:
    try:
        return bool(find())
    except BagelError:
        return False


def spring_log(seed: int, rows: int) -> Dict[str, np.ndarray]:
    """t (s), position (m, with noise of 1 mm), velocity (m/s), force (N)."""
    draws = np.random.default_rng(seed)
    position, velocity, force = 0.0, 0.0, 0.0
    log = np.zeros((rows, 4))
    for k in range(rows):
        if k % 15 == 0:
            force = draws.uniform(-1, 1)
        log[k] = k * TIME_STEP, position + 1e-3 * draws.normal(), velocity, force
        for _ in range(5):
            step = TIME_STEP / 5
            position, velocity = (
                position + step * velocity,
                velocity + step * (3 * force - 2 * position - 1.2 * velocity))
    return dict(zip(("t", "position", "velocity", "force"), log.T))


def write_csv(path: Path, log: Dict[str, np.ndarray]) -> Path:
    """The log as a CSV file with every digit."""
    rows = zip(*(map(repr, column.tolist()) for column in log.values()))
    path.write_text("\n".join([",".join(log), *(",".join(row) for row in rows)]) + "\n")
    return path


@unittest.skipUnless(has_command(), "the command is not there: set BAGEL to its path")
class CommandTest(unittest.TestCase):
    """A test that runs the command, in a folder of its own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
