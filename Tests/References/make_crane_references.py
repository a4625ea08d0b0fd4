#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Motion of the hydraulic crane of Sources/Plants/HydraulicCrane.swift by another integrator: its equations written once more
for NumPy, the classical Runge-Kutta method at 0.1 ms in place of the midpoint rule at 0.5 ms, the stops after every inner step.
Random commands in steps of 0.05 s, each held for half a second. Writes crane.json beside itself.

usage: make_crane_references.py   (needs numpy)"""
import json, os
import numpy as np

LENGTH, MASS = np.array([1.7, 0.9, 0.5]), np.array([60.0, 30.0, 25.0])
UP, DOWN, FLOW = np.array([0.45, 0.8, 1.4]), np.array([0.55, 0.9, 1.5]), np.array([1.0, 0.8, 0.5])
LOW, HIGH = np.array([-0.6, -2.4, -1.8]), np.array([1.1, -0.4, 0.9])
STEP, INNER, SPOOL, OIL, DEADBAND, LOAD, PUMP = 0.05, 1e-4, 0.08, 0.06, 0.04, 0.5, 1.6


def torques(cosines):
    """Gravity about each joint: every link's weight times the level way to its middle."""
    starts = np.concatenate([[0], np.cumsum(LENGTH * cosines)])
    middles = starts[:3] + LENGTH / 2 * cosines
    return np.array([(MASS[i:] * 9.81 * (middles[i:] - starts[i])).sum() for i in range(3)])


def slope(x, command):
    angles, rates, spools = x[:3], x[3:6], x[6:]
    opening = np.sign(spools) * np.clip(np.abs(spools) - DEADBAND, 0, None) / (1 - DEADBAND)
    asked = (FLOW * np.abs(opening)).sum()
    share = torques(np.cos(np.cumsum(angles))) / torques(np.ones(3))
    full = np.where(opening > 0, UP, DOWN) * np.sqrt(1 - np.where(opening > 0, 1, -1) * LOAD * share)
    wanted = opening * full * min(1, PUMP / asked if asked > 0 else 1)
    return np.concatenate([rates, (wanted - rates) / OIL, (command - spools) / SPOOL])


def main():
    draw = np.random.default_rng(7)
    x, last, rows = np.array([0.2, -1.2, -0.4] + [0.0] * 6), np.zeros(3), []
    for k in range(120):
        if k % 10 == 0:
            command = draw.uniform(-1, 1, 3).round(3)
        for _ in range(round(STEP / INNER)):  # the delay is one step
            a = slope(x, last)
            b = slope(x + INNER / 2 * a, last)
            c = slope(x + INNER / 2 * b, last)
            d = slope(x + INNER * c, last)
            x = x + INNER / 6 * (a + 2 * b + 2 * c + d)
            below, above = x[:3] < LOW, x[:3] > HIGH
            x[:3] = np.clip(x[:3], LOW, HIGH)
            x[3:6] = np.where(below, np.maximum(x[3:6], 0), np.where(above, np.minimum(x[3:6], 0), x[3:6]))
        last = command
        rows.append({"command": command.tolist(), "state": x[:6].tolist()})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "crane.json")
    with open(path, "w") as file:
        json.dump({"start": [0.2, -1.2, -0.4], "rows": rows}, file)


main()
