#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A plant for BAGEL: copy this file and put your simulator, or your machine's interface, into three functions.

BAGEL starts this program and writes one JSON object a line to its standard input; every reset and step wants one line
back on standard output. Print anything else to standard error. Any language will do.

    {"command":"reset","seed":7}        ->  {"state":[...]}
    {"command":"step","action":[...]}   ->  {"state":[...]}   perhaps with "done": true, "reward": 1.5
    {"command":"close"}                 ->  nothing; stop

The state is in the order and units of the task's `states:` (those with rateOf are derived by BAGEL and left out), the
action in those of `actions:`. A step lasts one `timeStep`: a simulator computes that far, a machine waits that long.
When an episode ends, for whatever reason, the last action is the safe one (`safe:` of an action, zero by default).
"""
import json
import sys

TIME_STEP = 0.05


class Machine:
    """An example: a cart pushed over a rough floor. Replace it."""

    def reset(self, seed):
        """Brings the machine to where an episode starts; returns the measured state."""
        self.position, self.speed = 0.0, 0.0
        return [self.position]

    def step(self, action):
        """Applies an action for one time step; returns the measured state and whether the episode is over."""
        for _ in range(10):
            self.speed += TIME_STEP / 10 * (action[0] - 0.8 * self.speed)
            self.position += TIME_STEP / 10 * self.speed
        return [self.position], abs(self.position) > 5

    def close(self):
        """Leaves the machine safe."""


# Simulink: start the engine once (`import matlab.engine`), set the model's input with set_param, advance it by one
# TIME_STEP with its simulation stepping commands and read the outputs back.
# A machine on a bus: keep the connection in reset, write the command and wait for the next measurement in step.


def main():
    machine = Machine()
    for line in sys.stdin:
        message = json.loads(line)
        if message["command"] == "close":
            break
        done = False
        if message["command"] == "reset":
            state = machine.reset(message["seed"])
        else:
            state, done = machine.step(message["action"])
        print(json.dumps({"state": state, "done": done}), flush=True)
    machine.close()


main()
