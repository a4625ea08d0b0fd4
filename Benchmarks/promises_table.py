#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How promises are kept: for every seed `bagel learn`, then `bagel evaluate`, whose 90 % bounds of the plant's errors and intervals of
its return are stated before it drives.

    Benchmarks/promises_table.py RECORD.json [TASK [SEEDS]]

Without TASK: boom, boom-goals, boom-delayed and pendulum, 20 seeds each. Fifteen minutes on two cores.
"""
import statistics
import tempfile

from bagel_runs import bagel, wanted_rows, write_table

ROWS = {"boom": 20, "boom-goals": 20, "boom-delayed": 20, "pendulum": 20}


def run(task, seed):
    with tempfile.TemporaryDirectory() as folder:
        bagel("learn", task, "--seed", seed, "--output", folder)
        found = bagel("evaluate", task, "--seed", seed + 100, "--output", folder)
    kept = found["promise"]
    return {"seed": seed, "promise": kept, "tracked": found.get("tracked"), "successes": found["successes"]}


def summary(runs):
    result = {"seeds": len(runs), "promised": sum(r["promise"] is not None for r in runs)}
    errors = [(entry, r["tracked"][name]["steadyStateError"]) for r in runs if r["promise"]
              for name, entry in r["promise"]["tracked"].items()]
    if errors:
        result["errors"] = {
            "inside": sum(e["inside"] for e, _ in errors), "responses": sum(e["steps"] for e, _ in errors),
            "medianBound": statistics.median(e["atMost90"] for e, _ in errors),
            "medianError": statistics.median(mean for _, mean in errors),
            "insideBySeed": [e["inside"] / e["steps"] for e, _ in errors],
        }
    returns = [r["promise"]["return"] for r in runs if r["promise"] and "return" in r["promise"]]
    if returns:
        result["returns"] = {"inside": sum(e["inside"] for e in returns), "episodes": sum(e["episodes"] for e in returns)}
    exploited = [100 * r["promise"]["exploited"] / abs(r["promise"]["searchedReturn"]) for r in runs if r["promise"]]
    result["medianExploitedPercent"] = statistics.median(exploited) if exploited else None
    return result


if __name__ == "__main__":
    write_table(wanted_rows(ROWS, 5), run, summary)
