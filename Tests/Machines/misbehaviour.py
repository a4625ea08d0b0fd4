#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What plants can do, and what `bagel run` makes of each: exit code, one line with step and cause, words about the safe action,
the last row of the log, no process left, ended within the plant's timeout and 2 s.

    misbehaviour.py BAGEL [NAME]      exit code 0 if all are as they should be
"""
import concurrent.futures
import os
import re
import sys
import tempfile

import harness

SENT, CONFIRMED, LOST = r"safe action sent", r"safe action sent($|[^,])", r"NOT delivered: the machine may hold"

# name: (behaviour, phase, exit code, what is said, what of the safe action, whether the last row has it)
CASES = {
    "fine": ("fine", "step", 0, r"31 rows", CONFIRMED, True),
    "late": ("late", "step", 65, r"step 4: did not answer a step within 0.4 s", SENT, None),
    "late in time": ("a_little_late", "step", 0, r"late", CONFIRMED, True),
    "silent": ("silent", "step", 65, r"step 4: did not answer a step within", SENT, None),
    "silent for ever": ("silent", "after", 65, r"step 4: did not answer a step within", r"safe action sent, not confirmed", False),
    "silent at reset": ("silent", "reset", 65, r"did not answer a reset within", SENT, None),
    "silent at the safe action": ("silent", "safe", 65, r"did not answer a step within", SENT, None),
    "slow start": ("a_little_late", "start", 0, r"31 rows", CONFIRMED, True),
    "exits": ("exits", "step", 65, r"step 4: ended \(exit code 0\) instead of answering a step", LOST, False),
    "exits with 3": ("exits_with_3", "step", 65, r"step 4: ended \(exit code 3\)", LOST, False),
    "exits at start": ("exits_with_3", "start", 65, r"ended \(exit code 3\)", LOST, None),
    "exits at reset": ("exits_with_3", "reset", 65, r"ended \(exit code 3\) instead of answering a reset", LOST, None),
    "exits at the safe action": ("exits_with_3", "safe", 65, r"ended \(exit code 3\)", r"safe action sent, not confirmed", True),
    "exits at close": ("exits_with_3", "close", 0, r"31 rows", CONFIRMED, True),
    "killed": ("is_killed", "step", 65, r"step 4: ended \(signal 9\)", LOST, False),
    "killed at start": ("is_killed", "start", 65, r"signal 9", LOST, None),
    "stopped": ("is_stopped", "step", 65, r"step 4: did not answer", LOST, False),
    "raises": ("raises", "step", 65, r"step 4: ended \(exit code 1\)", LOST, False),
    "raises at start": ("raises", "start", 65, r"ended \(exit code 1\)", LOST, None),
    "half a line": ("half_a_line", "step", 65, r"step 4: .*it wrote '\{\"state\":\[0.1' without an end of line", SENT, None),
    "half a line, then dead": ("half_then_dies", "step", 65, r"step 4: ended .*it wrote '\{\"state\":\[0.1'", LOST, False),
    "half a line, then the rest": ("half_then_rest", "step", 0, r"31 rows", CONFIRMED, True),
    "banner": ("banner", "start", 65, r"'Machine v1.2 ready', which is not one JSON object \(write messages for people", CONFIRMED, None),
    "banner at a step": ("banner", "step", 65, r"step 4: answered a step with 'Machine v1.2 ready'", CONFIRMED, True),
    "prompt": ("prompt", "start", 65, r"'ready> \{.*not one JSON object", CONFIRMED, None),
    "banner on standard error": ("banner_on_stderr", "start", 0, r"31 rows", CONFIRMED, True),
    "flood on standard error": ("stderr_flood", "step", 0, r"31 rows", CONFIRMED, True),
    "garbage": ("garbage", "step", 65, r"step 4: answered a step with 'hello', which is not one JSON object", CONFIRMED, True),
    "garbage for ever": ("garbage", "after", 65, r"step 4: answered a step with 'hello'", r"not confirmed \(its answer is not a measurement", False),
    "garbage at reset": ("garbage", "reset", 65, r"answered a reset with 'hello'", CONFIRMED, None),
    "garbage at the safe action": ("garbage", "safe", 65, r"answered a step with 'hello'", SENT, True),
    "empty line": ("empty_line", "step", 65, r"step 4: answered a step with ''", CONFIRMED, True),
    "a list": ("a_list", "step", 65, r"not one JSON object", CONFIRMED, True),
    "a string": ("a_string", "step", 65, r"not one JSON object", CONFIRMED, True),
    "a number": ("a_number", "step", 65, r"not one JSON object", CONFIRMED, True),
    "two objects": ("two_objects", "step", 65, r"not one JSON object", CONFIRMED, True),
    "no state": ("no_state", "step", 65, r"has no list \"state\"", CONFIRMED, True),
    "state is a number": ("state_number", "step", 65, r"\"state\" is not a list of numbers", CONFIRMED, True),
    "state is nested": ("state_nested", "step", 65, r"\"state\" is not a list of numbers", CONFIRMED, True),
    "state is text": ("state_text", "step", 65, r"\"state\" is not a list of numbers", CONFIRMED, True),
    "state is null": ("state_null", "step", 65, r"\"state\" is not a list of numbers", CONFIRMED, True),
    "state is empty": ("state_empty", "step", 65, r"answered 0 states, but the task measures 1 \(x\)", CONFIRMED, True),
    "state too long": ("state_too_long", "step", 65, r"answered 2 states, but the task measures 1 \(x\)", CONFIRMED, True),
    "NaN": ("nan", "step", 65, r"NaN is no JSON", CONFIRMED, True),
    "infinite": ("infinite", "step", 65, r"not finite", CONFIRMED, True),
    "overflow": ("overflow", "step", 65, r"'x' is not a finite number between .*1e400", CONFIRMED, True),
    "huge": ("huge", "step", 65, r"'x' is not a finite number between .*1e10", CONFIRMED, True),
    "hexadecimal": ("hexadecimal", "step", 65, r"not one JSON object", CONFIRMED, True),
    "trailing comma": ("trailing_comma", "step", 65, r"not one JSON object", CONFIRMED, True),
    "single quotes": ("single_quotes", "step", 65, r"not one JSON object", CONFIRMED, True),
    "duplicate keys": ("duplicate_keys", "step", 65, r"which has \"state\" twice", CONFIRMED, True),
    "done is a number": ("done_number", "step", 65, r"\"done\" is not true or false", CONFIRMED, True),
    "reward is text": ("reward_text", "step", 65, r"\"reward\" is not a number", CONFIRMED, True),
    "time is text": ("time_text", "step", 65, r"\"time\" is not a number", CONFIRMED, True),
    "control characters": ("control_characters", "step", 65, r"\\u\{1b\}\[2J", CONFIRMED, True),
    "bad UTF-8": ("bad_utf8", "step", 65, r"not one JSON object", CONFIRMED, True),
    "a zero byte": ("nul", "step", 65, r"not one JSON object", CONFIRMED, True),
    "deep": ("deep", "step", 65, r"not one JSON object", CONFIRMED, True),
    "5 MB in a line": ("long_line", "step", 65, r"step 4: answered a step with a line of more than 1048576 bytes", SENT, None),
    "1 MB in a line": ("nearly_too_long", "step", 0, r"31 rows", CONFIRMED, True),
    "endless line": ("endless_line", "step", 65, r"line of more than 1048576 bytes", LOST, False),
    "flood": ("flood", "step", 65, r"wrote '.*' before it was sent a step|answers without reading", LOST, False),
    "answers twice": ("answers_twice", "step", 65, r"wrote '\{.*' before it was sent a step", SENT, True),
    "CRLF": ("crlf", "every", 0, r"31 rows", CONFIRMED, True),
    "spaces": ("spaces", "every", 0, r"31 rows", CONFIRMED, True),
    "unknown keys": ("unknown_keys", "every", 0, r"31 rows", CONFIRMED, True),
    "done": ("done", "step", 0, r"the plant ended the episode at step 4", CONFIRMED, True),
    "done and exits": ("done_and_exits", "step", 0, r"the plant ended the episode at step 4", SENT + "|the plant's program had finished", True),
    "done and fails": ("done_and_fails", "step", 65, r"did not accept the safe action", LOST, True),
    "ended, its output held by a child": ("forks_and_exits", "step", 65, r"step 4: ended \(exit code 0\)", LOST, False),
    "closes its output": ("closes_stdout", "step", 65, r"step 4: ended \(its output is closed, but it still runs\)", LOST, False),
    "closes its input": ("closes_stdin", "step", 65, r"closed its standard input but still runs; a step could not be sent|had ended .* when a step was sent", LOST, False),
    "stops reading": ("stops_reading", "step", 65, r"before it was sent a step|answers without reading", LOST, None),
    "ignores SIGTERM": ("ignores_term", "step", 65, r"step 4: did not answer", LOST, False),
    "ignores close": ("ignores_close", "close", 0, r"31 rows", CONFIRMED, True),
    "forks": ("forks", "step", 0, r"31 rows", CONFIRMED, True),
    "forks a child that ignores SIGTERM": ("forks_and_ignores", "start", 0, r"31 rows", CONFIRMED, True),
    "starts a program": ("starts_a_program", "start", 0, r"31 rows", CONFIRMED, True),
    "goes outside": ("goes_outside", "step", 2, r"'x' left its limits at step 4: 50", CONFIRMED, True),
    "own time": ("own_time", "every", 0, r"31 rows", CONFIRMED, True),
    "time backwards": ("time_backwards", "every", 65, r"\"time\" does not increase", CONFIRMED, None),
    "time lost": ("time_lost", "every", 65, r"answered without the \"time\" that it gave before", CONFIRMED, None),
}

# name: (command, exit code, what is said); nothing was started, or nothing that understands
STARTS = {
    "no program": (["no-such-program-here"], 65, r"there is no program 'no-such-program-here' on PATH"),
    "no such path": (["./nothing.py"], 65, r"there is no program './nothing.py'"),
    "not executable": (["./m.yaml"], 65, r"'./m.yaml' is not executable"),
    "no interpreter": (["./script"], 65, r"the interpreter in the first line of './script' does not exist"),
    "a folder": (["./"], 65, r"cannot be started: './' is not executable"),
    "true": (["true"], 65, r"ended \(exit code 0\)"),
    "cat": (["cat"], 65, r"has no list \"state\""),
    "yes": (["yes"], 65, r"wrote 'y' before|not one JSON object"),
    "a pipeline": (["sh", "-c", "cat | sleep 62.5"], 65, r"did not answer a reset within"),
    "null in the command": (["python3", None], 65, r"'plant.process' must be a list of names; null is not a name"),
}


# name: (command, behaviour, phase, exit code, what is said); over two episodes
LOOPS = {
    "evaluate: dies between episodes": ("evaluate", "exits", "between", 0, r"had ended between episodes and was started again"),
    "evaluate: dies at the second reset": ("evaluate", "exits_with_3", "reset2", 0, r"had ended between episodes and was started again"),
    "evaluate: farewell, then dead": ("evaluate", "banner_and_exits", "between", 0, r"had ended between episodes and was started again"),
    "learn: dies between episodes": ("learn", "exits", "between", 0, r"had ended between episodes and was started again"),
    "learn: late": ("learn", "late", "step", 65, r"step 4: did not answer a step within 0.4 s"),
    "fit: exits": ("fit", "exits_with_3", "step", 65, r"step 4: ended \(exit code 3\).*NOT delivered"),
    "fit: late in time": ("fit", "very_late_once", "every", 0, r"\b[1-9] of 60 steps late .* worst by [23]\d\d ms"),
    "evaluate: all late": ("evaluate", "a_little_late", "every", 0, r"most steps are late: the plant needs 1[5-9]\d ms"),
}


def check_loop(bagel, policy, root, name):
    folder = os.path.join(root, re.sub(r"\W", "-", name))
    command, behaviour, phase, code, said = LOOPS[name]
    task = harness.write_task(folder, behaviour, phase, episodes=2)
    options = ["--policy", policy] if command == "evaluate" else []
    status, text, _ = harness.run([bagel, command, task, *options, "--output", folder + "/out"], folder)
    wrong = []
    if status != code: wrong.append(f"exit code {status}, not {code}")
    if not re.search(said, text): wrong.append(f"nothing like /{said}/ is said")
    left = harness.processes(folder)
    if left: wrong.append(f"left behind: {left}")
    if wrong: wrong.append("it said: " + text.strip()[-900:])
    return wrong


def check(bagel, policy, root, name):
    """What is wrong, in words; nothing if all is well."""
    if name in LOOPS: return check_loop(bagel, policy, root, name)
    folder = os.path.join(root, re.sub(r"\W", "-", name))
    timeout = 0.4
    if name in CASES:
        behaviour, phase, code, said, safety, in_row = CASES[name]
        limits = ", limits: [-40, 40]" if name == "goes outside" else ""
        reset = 0.8 if name == "silent at reset" else 5
        task = harness.write_task(folder, behaviour, phase, timeout=timeout, reset_timeout=reset, limits=limits)
    else:
        process, code, said = STARTS[name]
        safety, in_row, reset = None, None, 1
        task = harness.write_task(folder, process=process, timeout=timeout, reset_timeout=reset)
        with open(folder + "/script", "w") as script:
            script.write("#!/no/such/interpreter\n")
        os.chmod(folder + "/script", 0o755)
    status, text, seconds = harness.run(
        [bagel, "run", task, "--policy", policy, "--output", folder + "/out"], folder)
    wrong = []
    if status != code: wrong.append(f"exit code {status}, not {code}")
    lines = [line for line in text.splitlines() if re.search(said, line)]
    if not lines: wrong.append(f"nothing like /{said}/ is said")
    if safety and not re.search(safety, text, re.M): wrong.append(f"nothing like /{safety}/ is said")
    if status == 65 and sum(line.startswith("error:") for line in text.splitlines()) != 1:
        wrong.append("the error is not one line")
    # The goal is the timeout and 2 s; before that come up to 0.6 s of driving and the start of two Pythons beside others.
    limit = (reset if "reset" in name or name in STARTS else timeout) + 2 + 0.6 + 0.6
    if seconds > limit: wrong.append(f"{seconds:.1f} s, more than {limit:.1f}")
    left = harness.processes(folder)
    if left: wrong.append(f"left behind: {left}")
    rows, acted = harness.last_rows(folder + "/out"), harness.actions(folder)
    log = rows.get("run-1.csv")
    if in_row is not None and (log is not None and log["u"] == harness.SAFE) != in_row:
        wrong.append(f"the last row is {log}")
    delivered = not re.search("NOT delivered", text)
    if name in CASES and safety in (CONFIRMED, LOST) and delivered != (bool(acted) and acted[-1] == harness.SAFE):
        wrong.append(f"said {'sent' if delivered else 'NOT delivered'}, the machine's last actions are {acted[-3:]}")
    if wrong: wrong.append("it said: " + text.strip()[-600:])
    return wrong


def main():
    bagel = os.path.abspath(sys.argv[1])
    names = sys.argv[2:] or list(CASES) + list(STARTS) + list(LOOPS)
    failures = 0
    with tempfile.TemporaryDirectory() as root:
        policy = harness.make_policy(bagel, root + "/policy")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for name, wrong in zip(names, pool.map(lambda n: check(bagel, policy, root, n), names)):
                failures += bool(wrong)
                print(f"{'FAILED' if wrong else 'ok    '} {name}" + "".join("\n         " + w for w in wrong), flush=True)
    print(f"{len(names) - failures} of {len(names)} kinds of plants end as they should")
    sys.exit(failures > 0)


main()
