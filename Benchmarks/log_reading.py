#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reading long logs: megabytes a second and peak memory of `bagel fit` on a generated CSV file, by dialect.

    Benchmarks/log_reading.py [GIGABYTES [RECORD.json]]

The file has a stamp a millisecond and twelve columns, two of which are read at a coarse time step, so that reading is what costs. Each row of the
table is a process of its own; the fit's own seconds are taken off.
"""
import json
import math
import os
import subprocess
import sys
import tempfile
import time

from bagel_runs import BAGEL, keep

COLUMNS = ["x", "u"] + [f"other{c}" for c in range(10)]
TIME_STEP = 2.0


def block(first, rows, separator, comma):
    lines = []
    for k in range(first, first + rows):
        t = k / 1000
        numbers = [f"{t:.3f}", f"{math.sin(0.3 * t) + 0.2 * math.sin(2 * t):.7f}", f"{math.cos(0.7 * t):.6f}"]
        numbers += [f"{(k * 7919 + 104729 * c) % 1000003 / 1000:.4f}" for c in range(10)]
        lines.append(separator.join(numbers))
    text = "\n".join(lines) + "\n"
    return text.replace(".", ",") if comma else text


def generate(path, size, separator, comma):
    """Writes at least `size` bytes: of one block of 20,000 rows, with the stamps counted on."""
    rows = 20_000
    body = [line.split(separator, 1)[1] for line in block(0, rows, separator, comma).splitlines()]
    with open(path, "w") as file:
        file.write(separator.join(["t"] + COLUMNS) + "\n")
        k = 0
        while file.tell() < size:
            stamps = (f"{(k + i) // 1000}{',' if comma else '.'}{(k + i) % 1000:03d}" for i in range(rows))
            file.write("\n".join(stamp + separator + rest for stamp, rest in zip(stamps, body)) + "\n")
            k += rows


def measure(path, standard_input):
    command = [
        BAGEL, "fit", "--log", "/dev/stdin" if standard_input else path, "--states", "x", "--actions", "u",
        "--time-step", str(TIME_STEP), "--json"]
    with tempfile.TemporaryDirectory() as folder, open(path, "rb") as file:
        start = time.monotonic()
        done = subprocess.run(
            command + ["--output", folder], stdin=file if standard_input else subprocess.DEVNULL, capture_output=True, text=True)
        seconds = time.monotonic() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-500:]}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    return seconds, said["fitSeconds"], said["peakMemoryBytes"]


def main():
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    record = {"gigabytes": gigabytes, "rows": {}}
    print(f"{'dialect':<34}{'MB':>7}{'s':>8}{'MB/s':>7}{'peak MB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name, separator, comma in [("commas, decimal points", ",", False), ("semicolons, decimal commas", ";", True)]:
            path = os.path.join(folder, "log.csv")
            generate(path, gigabytes * 1e9, separator, comma)
            size = os.path.getsize(path)
            for standard_input in [False, True]:
                seconds, fitting, peak = measure(path, standard_input)
                reading = seconds - fitting
                row = {
                    "bytes": size, "seconds": seconds, "fitSeconds": fitting,
                    "megabytesPerSecond": size / 1e6 / reading, "peakMemoryBytes": peak}
                label = name + (", standard input" if standard_input else "")
                record["rows"][label] = row
                print(f"{label:<34}{size / 1e6:>7.0f}{reading:>8.1f}{row['megabytesPerSecond']:>7.0f}{peak / 1e6:>9.0f}", flush=True)
            os.remove(path)
    if len(sys.argv) > 2:
        keep(record, sys.argv[2])


if __name__ == "__main__":
    main()
