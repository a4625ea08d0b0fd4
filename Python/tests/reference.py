# SPDX-License-Identifier: Apache-2.0
# The command's own answers as references. In: the numbers and words of a policy. Out: policy.safetensors as
# the command reads it, and the rows of the test that `bagel export --format c` writes beside a controller:
# what was measured, what the original answered.

from __future__ import annotations

import json
import math
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping

import numpy as np
from log_makers import command


def write_policy(path: Path, words: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    """A policy's file of these words and numbers."""
    header: Dict[str, Any] = {"__metadata__": {"format": "bagel-policy-4", "structure": json.dumps(words)}}
    data = b""
    for name, values in sorted(tensors.items()):
        array = np.asarray(values, dtype="<f8")
        header[name] = {
            "dtype": "F64", "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@dataclass
class Row:
    """One row of the exported test: whether a reset stands before it, seconds since the row before, what was
    measured, the answer."""

    reset: bool
    seconds: float
    measured: List[float]
    goal: List[float]
    action: List[float]

    @property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.measured).all())


def exported_rows(task: Mapping[str, Any], policy: Path) -> List[Row]:
    """What the command's controller answers to the rows of its exported test."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "task.json").write_text(json.dumps(task))
        ended = subprocess.run(
            [command(), "export", f"{folder}/task.json", "--format=c", f"--policy={policy}",
             f"--output={folder}/out"], capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise AssertionError(f"bagel export: {ended.stderr}")
        text = (Path(folder) / "out" / "controller" / "controller_test.c").read_text()
    numbers = r"\{([^{}]*)\}"
    pattern = re.compile(rf"^  \{{(\d), ([^,]+), {numbers}, {numbers}, {numbers}, (\d+)u\}},$", re.M)
    return [
        Row(found[0] == "1", _list(found[1])[0], _list(found[2]), _list(found[3]), _list(found[4]))
        for found in pattern.findall(text)
    ]


def _list(text: str) -> List[float]:
    names = {"NAN": math.nan, "INFINITY": math.inf, "-INFINITY": -math.inf}
    return [names[word] if word in names else float(word) for word in text.split(", ")]
