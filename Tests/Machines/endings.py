#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signals at random moments while a machine is driven: `run`, `learn`, `evaluate` and `fit`, one to three signals of any kind,
`timeout` with and without --foreground, a closed standard output. Each time the machine's last action must be the safe one, the
log's last row too if the machine took it, the words right, and no process left.

    endings.py BAGEL [COUNT] [SEED]      exit code 0 if all are as they should be
"""
import concurrent.futures
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

import harness

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
           signal.SIGTSTP, signal.SIGVTALRM, signal.SIGPROF, signal.SIGXCPU, signal.SIGIO,
           signal.SIGPWR, signal.SIGRTMIN, signal.SIGRTMAX]
# These do not end a command: a file at its size limit and a closed pipe are errors of write, a terminal is not waited for.
IGNORED = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTTIN, signal.SIGTTOU]
# And a crash writes the safe action before the process dies of it.
CRASHES = [signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGBUS, signal.SIGTRAP, signal.SIGSYS]


def command_of(name, bagel, task, policy, folder):
    common = [task, "--output", folder + "/out"]
    with_policy = ["--policy", policy] if name in ("run", "evaluate") else []
    return [bagel, name, *common, *with_policy]


def ending(bagel, policy, root, index, seed):
    """What is wrong, in words; nothing if all is well; and what was done."""
    draw = random.Random(f"{seed} {index}")
    folder = f"{root}/{index}"
    name = draw.choice(["run", "run", "learn", "evaluate", "fit"])
    slow = draw.random() < 0.2
    task = harness.write_task(folder, "a_little_late" if slow else "fine", "every", seconds=2, episodes=2, timeout=1)
    command = command_of(name, bagel, task, policy, folder)
    way = draw.choices(["signals", "timeout", "foreground", "head", "ignored", "crash"], [12, 2, 2, 1, 1, 2])[0]
    moment = draw.uniform(0.02, 2.5)
    what = f"{name}, {way}, {moment:.2f} s"
    files = [open(folder + "/" + n, "wb") for n in ("stdout", "stderr")]
    start = time.monotonic()
    if way == "head":
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=files[1], stdin=subprocess.DEVNULL, cwd=folder)
        process.stdout.readline()
        process.stdout.close()
    elif way in ("timeout", "foreground"):
        prefix = ["timeout"] + (["--foreground"] if way == "foreground" else []) + [f"{moment:.2f}"]
        process = subprocess.Popen(prefix + command, stdout=files[0], stderr=files[1], stdin=subprocess.DEVNULL, cwd=folder)
    else:
        process = subprocess.Popen(command, stdout=files[0], stderr=files[1], stdin=subprocess.DEVNULL, cwd=folder)
        time.sleep(moment)
        kinds = {"signals": SIGNALS, "ignored": IGNORED, "crash": CRASHES}[way]
        sent = []
        for _ in range(1 if way == "crash" else draw.randint(1, 3)):
            if process.poll() is not None: break
            sent.append(draw.choice(kinds))
            process.send_signal(sent[-1])
            time.sleep(draw.choice([0, 0.005, 0.06, 0.3]))
        what += ", " + " ".join(s.name for s in sent)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        return what, ["it did not end in 60 s"]
    for file in files: file.close()
    seconds = time.monotonic() - start
    if way in ("foreground", "crash"): time.sleep(0.5)
    text = "".join(open(folder + "/" + n, errors="replace").read() for n in ("stdout", "stderr"))
    wrong = []
    acted = harness.actions(folder)
    live = [a for a in acted if a != harness.SAFE]
    if live and acted[-1] != harness.SAFE: wrong.append(f"the machine's last actions are {acted[-3:]}")
    left = harness.processes(folder)
    if left: wrong.append(f"left behind: {left}")
    status = process.returncode
    was_driving = bool(live)
    if way == "crash":
        before_watch = not acted
        if not (status < 0 or before_watch or status == 0 or status == 2): wrong.append(f"exit code {status} after a crash")
        if was_driving and status < 0 and "safe action" not in text and not re.search("done|report", text):
            wrong.append("nothing is said of the safe action")
    else:
        usual = {0, 2, 130, 124} | ({65} if slow else set())
        # Before main watches for signals there is nothing to leave safe; nor is there while `fit` learns from its logs.
        if status < 0 and was_driving and name != "fit": wrong.append(f"exit code {status}")
        if status >= 0 and status not in usual: wrong.append(f"exit code {status}")
        if status == 130 and was_driving and "safe action sent" not in text: wrong.append("nothing is said of the safe action")
        if "NOT delivered" in text: wrong.append("it is said that the safe action was not delivered")
        if status in (0, 130, 124, 2) and was_driving:
            rows = harness.last_rows(folder + "/out")
            newest = max(rows, key=lambda n: os.path.getmtime(next(
                os.path.join(r, n) for r, _, fs in os.walk(folder + "/out") if n in fs)), default=None)
            if newest and rows[newest] and rows[newest]["u"] != harness.SAFE: wrong.append(f"{newest} ends with {rows[newest]}")
    if way in ("signals", "timeout", "foreground") and seconds > moment + 5:
        wrong.append(f"it ended {seconds - moment:.1f} s after the signal")
    if wrong: wrong.append("it said: " + text.strip()[-700:])
    return what, wrong


def main():
    bagel = os.path.abspath(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    failures = 0
    with tempfile.TemporaryDirectory() as root:
        policy = harness.make_policy(bagel, root + "/policy")
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for index, (what, wrong) in enumerate(pool.map(lambda k: ending(bagel, policy, root, k, seed), range(count))):
                failures += bool(wrong)
                if wrong or count <= 30: print(f"{'FAILED' if wrong else 'ok    '} {index} {what}" + "".join("\n         " + w for w in wrong), flush=True)
    print(f"{count - failures} of {count} endings leave the machine safe (seed {seed})")
    sys.exit(failures > 0)


main()
