#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fits logs of real machines and records what the chosen models predict of held-out logs, by steps ahead, beside the references.

usage: real_logs.py BAGEL DATA RECORD [SETS]

DATA is the folder that the files of SETS (by default real_logs.json beside this script) are in; the logs are not part of the project,
Documentation/Numerics.md says where they come from. For each set: candidates with their scores on left-out blocks, the chosen one,
seconds; of the predictions, scored here against the raw held-out logs, CRPS over that of references made apart from BAGEL (arx_references.py, which
needs NumPy) and coverage of the 95 % band, by state and horizon; what `bagel fit` says of them itself; and the RMSE of a run over the whole held-out log
from its first `knownRows` rows, where a set has them and one state.
"""
import csv, glob, json, math, os, subprocess, sys, tempfile, time

import arx_references


def paths(data, patterns):
    found = [path for pattern in patterns for path in sorted(glob.glob(os.path.join(data, pattern)))]
    if not found:
        sys.exit(f"no file like {patterns} in {data}")
    return found


def whole_run(simulation, logs, state):
    """RMSE of the simulated against the measured values at the same stamps."""
    measured = {}
    for path in logs:
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                measured[os.path.basename(path), float(row["t"])] = float(row[state])
    errors = []
    with open(simulation, newline="") as file:
        for row in csv.DictReader(file):
            if row["state"] == state:
                errors.append(float(row["mean"]) - measured[row["file"], float(row["time"])])
    return math.sqrt(sum(error * error for error in errors) / len(errors))


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def fit(bagel, data, log):
    folder = tempfile.mkdtemp()
    learn, held = paths(data, log["logs"]), paths(data, log["heldOut"])
    predictions = os.path.join(folder, "predictions.csv")
    command = [bagel, "fit", "--log", *learn, "--held-out", *held, "--predictions", predictions, "--states", log["states"],
               "--actions", log["actions"], "--time-step", str(log["timeStep"]), "--rates", log.get("rates", "auto"),
               "--json", "--output", folder]
    simulation = os.path.join(folder, "simulation.csv")
    if "knownRows" in log:
        command += ["--simulation", simulation, "--known-rows", str(log["knownRows"])]
    start = time.time()
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.time() - start
    result = json.loads(run.stdout.strip().splitlines()[-1])
    horizons = result["heldOut"]["horizons"]
    record = {"seconds": seconds, "model": result["model"], "horizons": horizons}
    if "knownRows" in log:
        record["wholeRunRMSE"] = whole_run(simulation, held, log["states"])
    references = arx_references.references(learn, held, log["states"].split(","), log["actions"].split(","), log["timeStep"])
    found = arx_references.predicted(predictions, held, log["timeStep"])
    ratios = {cell: found[cell][0] / reference for cell, reference in references.items()}
    record["cells"] = [{"state": state, "steps": steps, "crpsOverReference": ratio, "coverage95": found[state, steps][1]}
                       for (state, steps), ratio in ratios.items()]
    record["geometricMean"], record["worst"] = geometric_mean(ratios.values()), max(ratios.values())
    covered = [found[cell][1] for cell in ratios]
    record["coverage95"] = [min(covered), max(covered)]
    return record


def main():
    bagel, data, target = sys.argv[1:4]
    here = os.path.dirname(os.path.abspath(__file__))
    with open(sys.argv[4] if len(sys.argv) > 4 else os.path.join(here, "real_logs.json")) as file:
        sets = json.load(file)
    records = {}
    for log in sets:
        records[log["name"]] = record = fit(bagel, data, log)
        whole = f", whole run {record['wholeRunRMSE']:.4g}" if "wholeRunRMSE" in record else ""
        print(f"{log['name']}: {record['model']['chosen']}: CRPS over the references' {record['geometricMean']:.2f}, worst "
              f"{record['worst']:.2f}, 95 % bands hold {record['coverage95'][0]:.2f} to {record['coverage95'][1]:.2f}{whole}; "
              f"{record['seconds']:.1f} s", flush=True)
    total = geometric_mean([record["geometricMean"] for record in records.values()])
    print(f"geometric mean {total:.3f}")
    doctor = json.loads(subprocess.run([bagel, "doctor", "--json"], capture_output=True, text=True).stdout.splitlines()[-1])
    writer = subprocess.run([sys.executable, os.path.join(here, "write_record.py"), target], text=True,
                            input=json.dumps({"doctor": doctor, "sets": records, "geometricMean": total}))
    sys.exit(writer.returncode)


if __name__ == "__main__":
    main()
