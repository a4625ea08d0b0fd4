#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A double pendulum with one motor, as a BAGEL plant: the simulated machine of the AI Olympics with RealAIGym.

    plant: {process: [python3, plant.py, pendubot]}     the motor turns the shoulder
    plant: {process: [python3, plant.py, acrobot]}      the motor turns the elbow

in:   the torque of the motor (N m), once a step of `--step` seconds
out:  q1, q2 (rad), dq1, dq2 (rad/s); q1 = 0 hangs down, q2 is relative to the first link; upright is (pi, 0)

With the links' angles from the vertical a = q1 and b = q1 + q2, and k = m2 l1 r2:

    M(q) ddq = torques - h(q, dq) - g(q) - friction

    M   = [[I1 + I2 + m2 l1^2 + 2 k cos q2,  I2 + k cos q2], [I2 + k cos q2,  I2]]
    h   = [-k sin q2 (2 dq1 + dq2) dq2,  k sin q2 dq1^2]
    g   = G [(m1 r1 + m2 l1) sin a + m2 r2 sin b,  m2 r2 sin b]

(Spong, The swing up control problem for the acrobot, 1995.) The inertias are about the joints. Integrated by fourth-order
Runge-Kutta at 2 ms, with the torque held over a step. Nothing but Python's standard library is needed.
"""
import argparse
import json
import math
import random
import sys

GRAVITY = 9.81  # m/s^2
INNER_STEP = 0.002  # s, that of the competition
LARGEST_TORQUE = 6.0  # N m

# Identified on the machines of the competition: designs C.0 and C.1 of
# https://github.com/dfki-ric-underactuated-lab/double_pendulum. Lengths and distances of the centres of mass from the
# joints in m, masses in kg, inertias about the joints in kg m^2. The simulated machine has no friction.
DESIGNS = {
    "C.0": {
        "l1": 0.2, "r1": 0.2, "m1": 0.6416937799349799, "I1": 0.02671076499939512,
        "r2": 0.3212669909674605, "m2": 0.563935954099688, "I2": 0.053878129629650884,
    },
    "C.1": {
        "l1": 0.2, "r1": 0.2, "m1": 0.5234602302310271, "I1": 0.031887199591513114,
        "r2": 0.25569305436052964, "m2": 0.6255677234174437, "I2": 0.05086984812807257,
    },
}


class DoublePendulum:
    """The equations of motion. `viscous` and `coulomb` are the joints' friction, N m s/rad and N m."""

    def __init__(self, design="C.1", viscous=(0.0, 0.0), coulomb=(0.0, 0.0)):
        part = DESIGNS[design]
        self.viscous, self.coulomb = viscous, coulomb
        self.coupling = part["m2"] * part["l1"] * part["r2"]
        self.upper = part["I1"] + part["m2"] * part["l1"] ** 2
        self.lower = part["I2"]
        self.first_weight = GRAVITY * (part["m1"] * part["r1"] + part["m2"] * part["l1"])
        self.second_weight = GRAVITY * part["m2"] * part["r2"]

    def accelerations(self, state, torques):
        """(q1, q2, dq1, dq2), (shoulder, elbow) in N m -> (ddq1, ddq2) in rad/s^2."""
        q1, q2, dq1, dq2 = state
        bend = self.coupling * math.cos(q2)
        swing = self.coupling * math.sin(q2)
        hang = self.second_weight * math.sin(q1 + q2)
        # What is left to accelerate the joints with.
        shoulder = (
            torques[0] + swing * (2 * dq1 + dq2) * dq2
            - self.first_weight * math.sin(q1) - hang - self.friction(0, dq1)
        )
        elbow = torques[1] - swing * dq1**2 - hang - self.friction(1, dq2)
        across = self.lower + bend
        own = self.upper + self.lower + 2 * bend
        determinant = own * self.lower - across**2
        return (
            (self.lower * shoulder - across * elbow) / determinant,
            (own * elbow - across * shoulder) / determinant,
        )

    def friction(self, joint, rate):
        return self.viscous[joint] * rate + self.coulomb[joint] * math.atan(100 * rate)

    def step(self, state, torques, seconds=INNER_STEP):
        """One step of Runge-Kutta with constant torques."""

        def slope(at):
            return (at[2], at[3], *self.accelerations(at, torques))

        def moved(along, by):
            return [x + by * v for x, v in zip(state, along)]

        first = slope(state)
        second = slope(moved(first, seconds / 2))
        third = slope(moved(second, seconds / 2))
        fourth = slope(moved(third, seconds))
        mean = [(a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(first, second, third, fourth)]
        return moved(mean, seconds)


def main():
    options = argparse.ArgumentParser(description="A double pendulum as a BAGEL plant.")
    options.add_argument("robot", choices=["acrobot", "pendubot"])
    options.add_argument("--design", choices=sorted(DESIGNS), default="C.1")
    options.add_argument("--step", type=float, default=0.02, help="the task's timeStep, s")
    options.add_argument("--limit", type=float, default=LARGEST_TORQUE, help="largest torque, N m")
    options.add_argument("--spread", type=float, default=0.0,
                         help="standard deviation of the start about hanging, rad and rad/s")
    options.add_argument("--noise", type=float, default=0.0,
                         help="standard deviation of the measurements' noise, rad and rad/s")
    given = options.parse_args()
    pendulum = DoublePendulum(given.design)
    inner_steps = round(given.step / INNER_STEP)
    motor = 0 if given.robot == "pendubot" else 1
    state, draws = [0.0] * 4, random.Random(0)
    for line in sys.stdin:
        message = json.loads(line)
        if message["command"] == "close":
            break
        if message["command"] == "reset":
            draws = random.Random(message["seed"])
            state = [draws.gauss(0, given.spread) for _ in range(4)]
        else:
            torques = [0.0, 0.0]
            torques[motor] = max(-given.limit, min(given.limit, message["action"][0]))
            for _ in range(inner_steps):
                state = pendulum.step(state, torques)
        shown = [x + draws.gauss(0, given.noise) for x in state]
        print(json.dumps({"state": shown}), flush=True)


if __name__ == "__main__":
    main()
