#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Serves a Gymnasium environment with a continuous action as a BAGEL plant.

    pip install gymnasium                  # or gymnasium[mujoco]
    plant: {process: [python3, plant.py, Pendulum-v1]}
    plant: {process: [python3, plant.py, Pendulum-v1, --state]}
    plant: {process: [python3, plant.py, InvertedDoublePendulum-v5, --state, --returns]}

The environment's observation is the state. With --state it is what the environment keeps: of a MuJoCo environment all
positions (qpos) and then all velocities (qvel), else its `state` (for Pendulum-v1 angle and rate in place of cosine,
sine and rate). Its action space is the action. --returns says the sum of the rewards on standard error when the
environment ends an episode. One JSON object a line, see Examples/simulink-or-your-own/plant.py.
"""
import json
import sys

import gymnasium
import numpy

environment = gymnasium.make(sys.argv[1])
shows_state = "--state" in sys.argv
says_returns = "--returns" in sys.argv


def shown(observation):
    if not shows_state:
        return observation
    inner = environment.unwrapped
    return numpy.concatenate([inner.data.qpos, inner.data.qvel]) if hasattr(inner, "data") else inner.state


over = False
steps, total = 0, 0.0
for line in sys.stdin:
    message = json.loads(line)
    if message["command"] == "close":
        break
    answer = {}
    if message["command"] == "reset":
        observation, _ = environment.reset(seed=message["seed"] % 2**31)
        over = False
        steps, total = 0, 0.0
    elif not over:  # the safe action after the end of an episode changes nothing
        space = environment.action_space
        action = numpy.clip(numpy.asarray(message["action"], space.dtype), space.low, space.high)
        observation, reward, terminated, truncated, _ = environment.step(action)
        over = bool(terminated or truncated)
        steps, total = steps + 1, total + float(reward)
        answer["reward"] = float(reward)
        if over and says_returns:
            print(f"return {total:.1f} in {steps} steps", file=sys.stderr, flush=True)
    answer["state"] = [float(x) for x in shown(observation)]
    answer["done"] = over
    print(json.dumps(answer), flush=True)
environment.close()
