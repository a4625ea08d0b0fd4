#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Policies beside their rivals: for every seed `bagel fit`, `optimize` and `evaluate`, whose episodes a PID controller of the same
model drives too.

    Benchmarks/rivals_table.py RECORD.json [TASK [SEEDS]]

Without TASK: boom, boom-goals and boom-delayed with 8 seeds, crane with 3. Fifteen minutes on two cores.
"""
import statistics
import tempfile

from bagel_runs import bagel, wanted_rows, write_table

ROWS = {"boom": 8, "boom-goals": 8, "boom-delayed": 8, "crane": 3}


def run(task, seed):
    with tempfile.TemporaryDirectory() as folder:
        for command in ("fit", "optimize"):
            bagel(command, task, "--seed", seed, "--output", folder)
        found = bagel("evaluate", task, "--seed", seed + 100, "--output", folder)

    def figures(one):
        errors = {name: {key: entry[key] for key in ("steadyStateError", "largestError")}
                  for name, entry in one["tracked"].items()}
        return {"steps": one["steps"], "successes": one["stepSuccesses"], "tracked": errors}

    return {"seed": seed, "policy": figures(found), "pid": {**figures(found["rival"]), "gains": found["rival"]["gains"]}}


def summary(runs):
    def of(kind):
        errors = [entry["steadyStateError"] for r in runs for entry in r[kind]["tracked"].values()]
        return {"successes": sum(r[kind]["successes"] for r in runs), "steps": sum(r[kind]["steps"] for r in runs),
                "successesBySeed": [r[kind]["successes"] for r in runs],
                "medianError": statistics.median(errors), "worstMeanError": max(errors)}
    return {"seeds": len(runs), "policy": of("policy"), "pid": of("pid")}


if __name__ == "__main__":
    write_table(wanted_rows(ROWS, 5), run, summary)
