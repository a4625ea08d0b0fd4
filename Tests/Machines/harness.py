# SPDX-License-Identifier: Apache-2.0
"""Runs the real binary on `machine.py`: a task, a policy for it, what the machine received, what is left of its processes."""
import csv
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = sys.executable
SAFE = 0.25

TASK = """
name: m
timeStep: {time_step}
states: [{{name: x{limits}}}]
actions: [{{name: u, limits: [-1, 1], safe: 0.25}}]
plant: {{process: {process}, timeout: {timeout}, resetTimeout: {reset_timeout}}}
explore: {{kind: smooth, seconds: {seconds}, episodes: {episodes}}}
model: {{sampler: tabulated, tablePoints: 1000}}
policy: {{layers: [4]}}
reward: {{saturating: {{weights: [1]}}}}
start: [0]
goal: [0.5]
optimise: {{particles: 16, horizon: 20, iterations: 10, starts: 1}}
evaluate: {{seconds: {seconds}, episodes: {episodes}, tolerance: 5, settle: 0.1}}
learn: {{trials: 1}}
"""


def write_task(folder, behaviour="fine", phase="step", process=None, time_step=0.02, timeout=0.4, reset_timeout=5,
               seconds=0.6, episodes=1, limits=""):
    """Writes FOLDER/m.yaml; returns its path."""
    os.makedirs(folder, exist_ok=True)
    process = process or [PYTHON, HERE + "/machine.py", folder, behaviour, phase, str(time_step)]
    path = folder + "/m.yaml"
    with open(path, "w") as file:
        file.write(TASK.format(process=json.dumps(process), **{k: v for k, v in locals().items() if k in (
            "time_step", "timeout", "reset_timeout", "seconds", "episodes", "limits")}))
    return path


def make_policy(bagel, folder):
    """A policy for every task of this file, learnt once."""
    task = write_task(folder, seconds=1)
    subprocess.run([bagel, "learn", task, "--output", folder + "/out"], capture_output=True, timeout=120)
    path = folder + "/out/policy.safetensors"
    assert os.path.exists(path), "no policy was learnt on the well-behaved machine"
    return path


def received(folder):
    """(time, message) of each command that the machine read."""
    try:
        lines = [json.loads(line) for line in open(folder + "/received")]
    except FileNotFoundError:
        return []
    return [(stamp, json.loads(text)) for stamp, text in lines]


def actions(folder):
    return [message["action"][0] for _, message in received(folder) if message["command"] == "step"]


def last_rows(folder):
    """The last row of each log that was written, as {column: number}."""
    rows = {}
    for root, _, files in os.walk(folder):
        for name in files:
            if name.endswith(".csv"):
                table = list(csv.DictReader(open(os.path.join(root, name))))
                rows[name] = {k: float(v) for k, v in table[-1].items()} if table else None
    return rows


def processes(folder):
    """Processes that a machine of this folder left behind."""
    left = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{pid}/cmdline").read().split("\0")
            state = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0]
            cwd = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue
        is_machine = any("machine.py" in word for word in words) and folder in words
        if state != "Z" and (is_machine or cwd == folder) and int(pid) != os.getpid():
            left.append((int(pid), " ".join(words)))
    return left


def run(command, folder, timeout=60, **more):
    """Exit code, output and errors together, seconds."""
    start = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, **more)
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    return done.returncode, text, time.monotonic() - start
