#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Serves a Gymnasium environment with a continuous action as a BAGEL plant.

    pip install gymnasium
    plant: {process: [python3, plant.py, Pendulum-v1]}
    plant: {process: [python3, plant.py, Pendulum-v1, --state]}

The environment's observation is the state; with --state it is what the environment keeps as `state` (for Pendulum-v1
angle and rate in place of cosine, sine and rate). Its action space is the action. One JSON object a line, see
Examples/simulink-or-your-own/plant.py.
"""
import json
import sys

import gymnasium
import numpy

environment = gymnasium.make(sys.argv[1])
shows_state = "--state" in sys.argv
over = False
for line in sys.stdin:
    message = json.loads(line)
    if message["command"] == "close":
        break
    answer = {}
    if message["command"] == "reset":
        state, _ = environment.reset(seed=message["seed"] % 2**31)
        over = False
    elif not over:  # the safe action after the end of an episode changes nothing
        space = environment.action_space
        action = numpy.clip(numpy.asarray(message["action"], space.dtype), space.low, space.high)
        state, reward, terminated, truncated, _ = environment.step(action)
        over = bool(terminated or truncated)
        answer["reward"] = float(reward)
    shown = environment.unwrapped.state if shows_state else state
    answer["state"] = [float(x) for x in shown]
    answer["done"] = over
    print(json.dumps(answer), flush=True)
environment.close()
