#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Serves a Gymnasium environment with a continuous action as a BAGEL plant.

    pip install gymnasium
    plant: {process: [python3, plant.py, Pendulum-v1]}

The environment's observation is the state, its action space is the action. One JSON object a line: see
"A plant of your own" in the README.
"""
import json
import sys

import gymnasium
import numpy

environment = gymnasium.make(sys.argv[1])
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
    answer["state"] = [float(x) for x in state]
    answer["done"] = over
    print(json.dumps(answer), flush=True)
environment.close()
