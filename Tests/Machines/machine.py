#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A machine of one state and one action that misbehaves as it is told: for tests of what a plant can do to BAGEL.

    machine.py FOLDER BEHAVIOUR [PHASE] [TIME_STEP]

BEHAVIOUR is a function below, called at PHASE: start, reset, step (the fourth), safe (the first safe action after a live
one), close. Every command is noted in FOLDER/received, with the time at which it came.
"""
import json
import os
import signal
import subprocess
import sys
import time

SAFE = 0.25
FOLDER, BEHAVIOUR = sys.argv[1], sys.argv[2]
PHASE = sys.argv[3] if len(sys.argv) > 3 else "step"
TIME_STEP = float(sys.argv[4]) if len(sys.argv) > 4 else 0.02
RECEIVED = open(FOLDER + "/received", "a", buffering=1)


def put(text):
    os.write(1, text.encode() if isinstance(text, str) else text)


class Machine:
    x = 0.0
    due = 0.0
    steps = 0
    episodes = 0

    def answer(self, **more):
        return json.dumps({"state": [self.x], **more}) + "\n"


machine = Machine()


# Behaviours: True if the command is answered by them, otherwise the usual answer follows.
def fine(): pass
def silent(): return True
def late(): time.sleep(1)
def a_little_late(): time.sleep(0.15)
def very_late_once():
    if machine.steps == 4 and machine.episodes == 1: time.sleep(0.25)
def exits(): sys.exit(0)
def exits_with_3(): sys.exit(3)
def is_killed(): os.kill(os.getpid(), signal.SIGKILL)
def is_stopped(): os.kill(os.getpid(), signal.SIGSTOP)
def raises(): raise RuntimeError("the bus is down")
def banner_and_exits(): put("Good bye\n"); sys.exit(0)
def half_a_line(): put('{"state":[0.1'); return True
def half_then_dies(): put('{"state":[0.1'); os._exit(4)
def half_then_rest(): put('{"state":['); time.sleep(0.05); put("0.5]}\n"); return True
def banner(): put("Machine v1.2 ready\n")
def prompt(): put("ready> ")
def banner_on_stderr(): sys.stderr.write("Machine v1.2 ready\n")
def stderr_flood(): sys.stderr.write("x" * 100_000 + "\n")
def garbage(): put("hello\n"); return True
def empty_line(): put("\n"); return True
def a_list(): put("[1]\n"); return True
def a_string(): put('"x"\n'); return True
def a_number(): put("7\n"); return True
def two_objects(): put('{"state":[1]}{"state":[1]}\n'); return True
def no_state(): put('{"position":[1]}\n'); return True
def state_number(): put('{"state":1}\n'); return True
def state_nested(): put('{"state":[[1]]}\n'); return True
def state_text(): put('{"state":["1"]}\n'); return True
def state_null(): put('{"state":[null]}\n'); return True
def state_empty(): put('{"state":[]}\n'); return True
def state_too_long(): put('{"state":[1,2]}\n'); return True
def nan(): put('{"state":[NaN]}\n'); return True
def infinite(): put('{"state":[Infinity]}\n'); return True
def overflow(): put('{"state":[1e400]}\n'); return True
def huge(): put('{"state":[1e10]}\n'); return True
def hexadecimal(): put('{"state":[0x1F]}\n'); return True
def trailing_comma(): put('{"state":[1,]}\n'); return True
def single_quotes(): put("{'state':[1]}\n"); return True
def duplicate_keys(): put('{"state":[1],"state":[2]}\n'); return True
def done_number(): put('{"state":[1],"done":1}\n'); return True
def reward_text(): put('{"state":[1],"reward":"x"}\n'); return True
def time_text(): put('{"state":[1],"time":"now"}\n'); return True
def control_characters(): put('\x1b[2J\x1b]0;owned\x07 not json\n'); return True
def bad_utf8(): put(b'\xff\xfe{"state":[1]}\n'); return True
def nul(): put(b'\x00\n'); return True
def deep(): put('{"state":' + "[" * 5000 + "]" * 5000 + "}\n"); return True
def long_line(): put('{"x":"' + "y" * 5_000_000 + '","state":[1]}\n'); return True
def nearly_too_long(): put('{"x":"' + "y" * 1_000_000 + '","state":[0.1]}\n'); return True
def endless_line():
    while True: put("y" * 65536)
def flood():
    while True: put(machine.answer())
def answers_twice(): put(machine.answer() * 2); return True
def crlf(): put('{"state":[0.1]}\r\n'); return True
def spaces(): put('  { "state" : [ 0.1 , ] }\n'.replace(" , ", " ")); return True
def unknown_keys(): put('{"state":[0.1],"note":"\\u00e9","more":{"a":[1,null,true]}}\n'); return True
def done(): put(machine.answer(done=True)); return True
def done_and_exits(): put(machine.answer(done=True)); sys.exit(0)
def done_and_fails(): put(machine.answer(done=True)); os._exit(3)
def closes_stdout(): os.close(1); time.sleep(30)
def closes_stdin(): os.close(0); put(machine.answer()); time.sleep(30)
def stops_reading():
    while True: put(machine.answer()); time.sleep(TIME_STEP)
def ignores_term(): signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)
def ignores_close(): signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)
def forks():
    if os.fork() == 0: time.sleep(60); os._exit(0)
def forks_and_ignores():
    if os.fork() == 0: signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60); os._exit(0)
def forks_and_exits():
    if os.fork() == 0: time.sleep(60); os._exit(0)
    sys.exit(0)
def starts_a_program(): subprocess.Popen(["sleep", "61.25"])
def goes_outside(): put('{"state":[50]}\n'); return True


def own_time(): put(machine.answer(time=100 + 0.02 * machine.steps)); return True
def time_backwards(): put(machine.answer(time=100 - machine.steps)); return True
def time_lost(): put(machine.answer(**({"time": 1 + machine.steps} if machine.steps < 3 else {}))); return True


def main():
    act, every = globals()[BEHAVIOUR], PHASE == "every"
    live = False
    if PHASE == "start": act()
    for line in sys.stdin:
        RECEIVED.write(json.dumps([time.time(), line.strip()]) + "\n")
        message = json.loads(line)
        command = message["command"]
        if command == "close":
            if PHASE == "close": act()
            break
        acts = every
        if command == "reset":
            machine.x, machine.steps, live = 0.0, 0, False
            machine.due = time.monotonic()
            acts = acts or PHASE == "reset" or PHASE == "reset2" and machine.episodes == 1
            machine.episodes += 1
        else:
            action = message["action"][0]
            machine.steps += 1
            acts = acts or PHASE == "step" and machine.steps == 4
            acts = acts or PHASE == "after" and machine.steps >= 4
            acts = acts or PHASE == "safe" and live and action == SAFE
            live = live or action != SAFE
            machine.x += TIME_STEP * (2 * action - machine.x)
            machine.due = max(machine.due + TIME_STEP, time.monotonic() - TIME_STEP)
            time.sleep(max(0, machine.due - time.monotonic()))
        if not (acts and act()):
            put(machine.answer())
        if PHASE == "between" and command == "step" and live and action == SAFE:
            act()


main()
