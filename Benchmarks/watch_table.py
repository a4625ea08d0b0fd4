#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a watch finds: for every seed `bagel learn`, then alarms in quiet hours and how soon faults are noticed, on the simulated plant.

    Benchmarks/watch_table.py RECORD.json [TASK [SEEDS [HOURS]]]

Without TASK: boom-goals (10 seeds of an hour), boom-delayed and crane (3 seeds each). Five minutes on two cores.
"""
import json
import statistics
import sys
import tempfile

from bagel_runs import bagel, wanted_rows

ROWS = {"boom-goals": 10, "boom-delayed": 3, "crane": 3}


def run(task, seed, hours):
    with tempfile.TemporaryDirectory() as folder:
        learnt = bagel("learn", task, "--seed", seed, "--output", folder)
        found = bagel("benchmark", "watch", task, "--seed", seed, "--output", folder, "--hours", hours, "--runs", 10)
    found["seed"], found["solved"] = seed, learnt["solved"]
    beyond = sum("outside the data" in words for words in found["quiet"]["words"])
    found["quiet"]["beyondData"] = beyond
    found["quiet"]["words"] = found["quiet"]["words"][:20]
    print(f"{task} seed {seed}: {found['quiet']['alarms']} alarms ({beyond} beyond the data) in {hours} h; " + ", ".join(
        f"{f['fault']} {f['inTime']}/{f['runs']}" for f in found["faults"]), flush=True)
    return found


def main():
    record = sys.argv[1]
    rows = wanted_rows(ROWS, 3)
    hours = float(sys.argv[4]) if len(sys.argv) > 4 else 1
    table = {}
    for task, seeds in rows.items():
        runs = [run(task, seed, hours) for seed in range(seeds)]
        faults = {}
        for found in runs:
            for fault in found["faults"]:
                total = faults.setdefault(fault["fault"], {"inTime": 0, "runs": 0, "limit": fault["limit"]})
                total["inTime"] += fault["inTime"]
                total["runs"] += fault["runs"]
        table[task] = {
            "hours": hours * seeds, "alarms": [found["quiet"]["alarms"] for found in runs],
            "medianAlarms": statistics.median(found["quiet"]["alarms"] for found in runs), "faults": faults, "runs": runs,
        }
        print(task, json.dumps({key: value for key, value in table[task].items() if key != "runs"}), flush=True)
    json.dump(table, open(record, "w"), indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
