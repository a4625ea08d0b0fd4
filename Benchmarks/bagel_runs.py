# SPDX-License-Identifier: Apache-2.0
"""Runs of the built binary for tables over tasks and seeds."""
import json
import os
import subprocess
import sys

BAGEL = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".build", "release", "bagel"))


def bagel(*arguments):
    """The JSON object of a command."""
    done = subprocess.run([BAGEL, *map(str, arguments), "--json"], capture_output=True, text=True)
    lines = done.stdout.strip().split("\n")
    # 2: not solved, and says so.
    if done.returncode not in (0, 2) or not lines[-1].startswith("{"):
        raise SystemExit(f"bagel {arguments}: {done.returncode} {done.stderr[-400:]}")
    return json.loads(lines[-1])


def wanted_rows(usual, seeds):
    """Seeds by task: of RECORD.json [TASK [SEEDS]] on the command line.

    usual: seeds by task without TASK; seeds: of another task."""
    rows = {sys.argv[2]: usual.get(sys.argv[2], seeds)} if len(sys.argv) > 2 else usual
    return {task: int(sys.argv[3]) for task in rows} if len(sys.argv) > 3 else rows


def write_table(rows, run, summary):
    """Runs every task and seed, prints a summary a task, and keeps both in RECORD.json beside what stands there.

    rows: seeds by task; run: (task, seed) -> what a run found; summary: of a task's runs."""
    record = sys.argv[1]
    table = json.load(open(record)) if os.path.exists(record) else {}
    for task, seeds in rows.items():
        runs = [run(task, seed) for seed in range(seeds)]
        table[task] = {**summary(runs), "runs": runs}
        print(task, json.dumps(summary(runs)), flush=True)
        json.dump(table, open(record, "w"), indent=1, sort_keys=True)


def keep(record, path):
    """Writes a record with what `bagel doctor` says of the machine."""
    writer = os.path.join(os.path.dirname(os.path.abspath(__file__)), "write_record.py")
    whole = json.dumps({**record, "doctor": bagel("doctor")})
    subprocess.run([sys.executable, writer, path], input=whole, text=True, check=True)
