#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fits logs of real machines and records what the chosen models predict of held-out logs, by steps ahead, beside the references.

usage: real_logs.py BAGEL DATA RECORD [SETS]

DATA is the folder that the files of SETS (by default real_logs.json beside this script) are in; the logs are not part of the project,
Documentation/Numerics.md says where they come from. For each set: candidates with their scores on left-out blocks, the chosen one,
seconds, RMSE, CRPS over the references' and coverage by horizon and state; and the RMSE of a run over the whole held-out log from its
first `knownRows` rows, where a set has them and one state.
"""
import csv, glob, json, math, os, subprocess, sys, tempfile, time


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


def fit(bagel, data, log):
    folder = tempfile.mkdtemp()
    held = paths(data, log["heldOut"])
    command = [bagel, "fit", "--log", *paths(data, log["logs"]), "--held-out", *held, "--states", log["states"],
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
    ratios = [own / reference for row, other in zip(horizons["crps"], horizons["referenceCRPS"])
              for own, reference in zip(row, other)]
    record["geometricMean"] = math.exp(sum(map(math.log, ratios)) / len(ratios))
    record["worst"] = max(ratios)
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
              f"{record['worst']:.2f}{whole}; {record['seconds']:.1f} s", flush=True)
    total = math.exp(sum(math.log(record["geometricMean"]) for record in records.values()) / len(records))
    print(f"geometric mean {total:.3f}")
    doctor = json.loads(subprocess.run([bagel, "doctor", "--json"], capture_output=True, text=True).stdout.splitlines()[-1])
    writer = subprocess.run([sys.executable, os.path.join(here, "write_record.py"), target], text=True,
                            input=json.dumps({"doctor": doctor, "sets": records, "geometricMean": total}))
    sys.exit(writer.returncode)


if __name__ == "__main__":
    main()
