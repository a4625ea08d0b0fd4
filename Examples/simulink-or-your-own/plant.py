#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A plant for BAGEL: copy this file and put your simulator, or your machine's interface, into four functions.

BAGEL starts this program and writes one JSON object per line to its standard input; every reset and step wants one line
back on standard output. Print anything else to standard error. Any language will do.

    {"command":"reset","seed":7}        ->  {"state":[...]}
    {"command":"step","action":[...]}   ->  {"state":[...]}   perhaps with "time": 12.35, "done": true, "reward": 1.5
    {"command":"close"}                 ->  nothing; stop

The state is in the order and units of the task's `states:` (those with rateOf are derived by BAGEL and left out), the
action in those of `actions:`. A task with `disturbances:` wants them beside the state, "disturbance":[...]. A step lasts one `timeStep`: a simulator computes that far and answers at once, a machine
answers when the time step is over (--real-time). "time" is the time of the measurement in seconds, if you have a better
clock than BAGEL; then every answer has it.

When an episode ends, for whatever reason, the last action is the safe one (`safe:` of an action; zero, or the limit nearest to it, by default). If BAGEL
itself is killed, or its computer fails, the standard input ends: leave the machine safe then too, as `close` does below.
Only the machine's own watchdog helps where this program cannot.
"""
import json
import signal
import sys
import time

TIME_STEP = 0.05


class Machine:
    """An example: a cart pushed over a rough floor. Replace it."""

    def reset(self, seed):
        """Brings the machine to where an episode starts; returns the measured state."""
        self.position, self.speed = 0.0, 0.0
        return [self.position]

    def apply(self, action):
        """Begins a step: a machine's interface sends the action, a simulator computes to the end of the step."""
        for _ in range(10):
            self.speed += TIME_STEP / 10 * (action[0] - 0.8 * self.speed)
            self.position += TIME_STEP / 10 * self.speed

    def measure(self):
        """Called at the end of the step; returns the measured state and whether the episode is over."""
        return [self.position], abs(self.position) > 5

    def close(self):
        """Leaves the machine safe; called however this program ends."""


# Simulink: start the engine once (`import matlab.engine`), set the model's input with set_param, advance it by one
# TIME_STEP with its simulation stepping commands and read the outputs back.
# A machine on a bus: keep the connection in reset, write the command in apply, read the sensors in measure.


class StepTimer:
    """Waits for the end of each step. The ends are absolute times, one time step apart: sleeps of one time step each would
    add up what every answer costs, and the machine would run 5 to 12 % slow at 100 to 500 Hz."""

    def start(self):
        self.end = time.monotonic()

    def wait(self):
        # After a pause the steps go on from there: they do not hurry to catch up.
        self.end = max(self.end + TIME_STEP, time.monotonic())
        time.sleep(max(0.0, self.end - time.monotonic()))


def main():
    timer = StepTimer() if "--real-time" in sys.argv else None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that `finally` below is reached
    machine = Machine()
    try:
        for line in sys.stdin:
            message = json.loads(line)
            if message["command"] == "close":
                break
            done = False
            if message["command"] == "reset":
                state = machine.reset(message["seed"])
                if timer:
                    timer.start()
            else:
                machine.apply(message["action"])
                if timer:
                    timer.wait()
                state, done = machine.measure()
            print(json.dumps({"state": state, "done": done}), flush=True)
    finally:
        machine.close()


main()
