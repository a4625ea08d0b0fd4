#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`bagel run` at 20, 100 and 500 Hz, alone and beside two busy processes: the periods that it reports against the stamps that
the machine took. The machine answers at once (BAGEL keeps the time) or waits for its own time step.

    lateness.py BAGEL [SECONDS] [--realtime]     exit code 0 if all differ by less than 1 ms
"""
import json
import math
import os
import subprocess
import sys
import tempfile

import harness

MACHINE = """
import json, sys, time
out, waits, step = open(sys.argv[1], "w"), sys.argv[2] == "waits", float(sys.argv[3])
due, stamps, x = time.monotonic(), [], 0.0
for line in sys.stdin:
    stamp = time.monotonic()
    message = json.loads(line)
    if message["command"] == "close": break
    if message["command"] == "step":
        stamps.append(stamp)
        x += step * (2 * message["action"][0] - x)
        if waits:
            due = max(due + step, stamp)
            time.sleep(max(0, due - time.monotonic()))
    else: due = stamp
    print(json.dumps({"state": [x]}), flush=True)
json.dump(stamps, out)
"""


def measure(bagel, root, policy, rate, waits, busy, seconds, flags):
    folder = f"{root}/{rate}-{waits}-{busy}"
    os.makedirs(folder)
    open(folder + "/own.py", "w").write(MACHINE)
    step = 1 / rate
    # BAGEL's policies are for a time step: one learnt at another is not this task's.
    task = harness.write_task(folder, process=[harness.PYTHON, "own.py", "stamps.json", waits, str(step)], time_step=step, seconds=seconds)
    if not os.path.exists(f"{policy}-{rate}"):
        learn = harness.write_task(f"{policy}-{rate}-task", time_step=step, seconds=60 * step)
        subprocess.run([bagel, "learn", learn, "--output", f"{policy}-{rate}"], capture_output=True)
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 if busy else 0)]
    try:
        done = subprocess.run([bagel, "run", task, "--policy", f"{policy}-{rate}/policy.safetensors", "--json", *flags],
                              cwd=folder, capture_output=True, timeout=seconds + 60)
    finally:
        for process in load: process.kill()
    said = json.loads(done.stdout.splitlines()[-1])
    stamps = json.load(open(folder + "/stamps.json"))[: said["steps"] + 1]
    periods = sorted(b - a for a, b in zip(stamps, stamps[1:]))
    own = {"median": periods[len(periods) // 2], "p99": periods[math.ceil(0.99 * len(periods)) - 1], "worst": periods[-1]}
    reported = said["timing"]["periodSeconds"]
    late = sum(p > 1.05 * step for p in periods)
    row = f"{rate:4} Hz, machine {waits:7}, {'busy ' if busy else 'quiet'}:"
    for key in own: row += f"  {key} {1e3 * reported[key]:7.3f} / {1e3 * own[key]:7.3f} ms"
    worst = max(abs(reported[k] - own[k]) for k in own)
    row += f"  late {said['lateSteps']} / {late} of {said['steps']}, decision {1e3 * said['timing']['decisionSeconds']['median']:.3f} ms"
    print(row + ("" if worst < 1e-3 else "   DIFFERS"), flush=True)
    return worst < 1e-3


def main():
    bagel = os.path.abspath(sys.argv[1])
    flags = [a for a in sys.argv[2:] if a.startswith("--")]
    seconds = float(next((a for a in sys.argv[2:] if not a.startswith("--")), 10))
    with tempfile.TemporaryDirectory() as root:
        policy = root + "/policy"
        print("reported / by the machine")
        fine = [measure(bagel, root, policy, rate, waits, busy, seconds, flags)
                for busy in (False, True) for rate in (20, 100, 500) for waits in ("answers", "waits")]
    print(f"{sum(fine)} of {len(fine)} agree within 1 ms")
    sys.exit(not all(fine))


main()
