#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The scores of the AI Olympics' simulation leaderboards for one episode of the double pendulum.

    python3 score.py pendubot pendubot-out/evaluation-1.csv
    python3 score.py trajectory.csv        with time,q1,q2,dq1,dq2,tau1,tau2 every 2 ms

in:   BAGEL's log of an episode (t, q1, q2, dq1, dq2, torque; s, rad, rad/s, N m), or a trajectory with both torques
out:  what the scores are made of, and the scores, 0 to 1

The leaderboards judge rows of 2 ms. BAGEL's log has one a time step, so the rows between are computed by plant.py's
equations from each logged row and its torque. They are exact if the log has no noise.

With the first t from which the tip stays above 0.45 m until the end (the swing-up time), it is a success if that is
before the end. A failure scores 0, in v1 and v2.

    v1 = 1 - sum of w c / c_max        (competition at IJCAI 2023)
    v2 = 1 - mean of tanh(pi c / s)    (IROS 2024)
    v3 = time above 0.45 m / duration  (ICRA 2025)

Weights and scales: https://github.com/dfki-ric-underactuated-lab/real_ai_gym_leaderboard
"""
import argparse
import csv
import math
import statistics

from plant import DESIGNS, INNER_STEP, DoublePendulum

LENGTHS = (0.2, 0.3)  # m
LINE = 0.9 * sum(LENGTHS)  # m above the shoulder
DURATION = 10.0  # s

# Criterion -> weight, and the value that costs all of it.
V1 = {
    "swing-up time": (0.2, 10), "energy": (0.1, 100), "largest torque": (0.1, 6),
    "integrated torque": (0.1, 60), "torque cost": (0.1, 360), "torque smoothness": (0.2, 12),
    "velocity cost": (0.2, 1000),
}
# Criterion -> scale.
V2 = {
    "swing-up time": 20, "energy": 60, "torque cost": 20, "torque smoothness": 0.1, "velocity cost": 400,
}


def tip_height(q1, q2):
    """Of the second link's end above the shoulder, m."""
    return -LENGTHS[0] * math.cos(q1) - LENGTHS[1] * math.cos(q1 + q2)


def read(path, robot, design):
    """A file -> times [n], states [n][4], torques [n][2]."""
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row]
    if not rows:
        raise SystemExit(f"{path} has no rows")

    def numbers(*names):
        missing = [name for name in names if name not in rows[0]]
        if missing:
            raise SystemExit(f"{path} has no column {', '.join(missing)}; it has {', '.join(rows[0])}")
        return [[float(row[name]) for name in names] for row in rows]

    states = numbers("q1", "q2", "dq1", "dq2")
    if "tau1" in rows[0]:
        return [t for (t,) in numbers("time")], states, numbers("tau1", "tau2")
    if robot is None:
        raise SystemExit(f"{path} has one torque: say which motor it is of, pendubot or acrobot")
    torques = [[u, 0.0] if robot == "pendubot" else [0.0, u] for (u,) in numbers("torque")]
    return filled([t for (t,) in numbers("t")], states, torques, design)


def filled(times, states, torques, design):
    """Rows of a log -> rows every 2 ms. The last logged row only ends the one before."""
    pendulum = DoublePendulum(design)
    fine_states, fine_torques = [], []
    for start, end, state, torque in zip(times, times[1:], states, torques):
        for _ in range(round((end - start) / INNER_STEP)):
            fine_states.append(state)
            fine_torques.append(torque)
            state = pendulum.step(state, torque)
    return [times[0] + INNER_STEP * k for k in range(len(fine_states))], fine_states, fine_torques


def swing_up_time(times, above):
    """From when on the tip is above the line until the end, s; infinite if the episode is too short. `above` is [n]."""
    if times[-1] < 0.99 * DURATION:
        return math.inf
    # The leaderboards' rule leaves out the first and the last row.
    first = len(times) - 1
    while first > 1 and above[first - 1]:
        first -= 1
    return times[first]


def criteria(times, states, torques):
    """Times [n] in s, states [n][4], torques [n][2] -> what the scores are made of, by name."""
    above = [tip_height(q1, q2) > LINE for q1, q2, _, _ in states]
    steps = [b - a for a, b in zip(times, times[1:])]

    def integral(of):
        return sum(of(row) * step for row, step in zip(range(len(steps)), steps))

    def changes(joint):
        return [b[joint] - a[joint] for a, b in zip(torques, torques[1:])]

    return {
        "swing-up time": swing_up_time(times, above),
        "energy": sum(
            abs(torque[joint] * (after[joint] - before[joint]))
            for torque, before, after in zip(torques, states, states[1:]) for joint in (0, 1)),
        "largest torque": max(abs(u) for torque in torques for u in torque),
        "integrated torque": integral(lambda k: sum(abs(u) for u in torques[k])),
        "torque cost": integral(lambda k: sum(u * u for u in torques[k])),
        "torque smoothness": sum(statistics.pstdev(changes(joint)) for joint in (0, 1)),
        "velocity cost": integral(lambda k: sum(v * v for v in states[k][2:])),
        "time above the line": sum(step for step, up in zip(steps, above[1:]) if up),
    }


def scores(found, duration):
    """Criteria by name, the episode's duration in s -> scores by name."""
    if found["swing-up time"] < duration:
        v1 = 1 - sum(weight * found[name] / most for name, (weight, most) in V1.items())
        v2 = 1 - statistics.fmean(math.tanh(math.pi * found[name] / scale) for name, scale in V2.items())
    else:
        v1 = v2 = 0.0
    return {"score v1": v1, "score v2": v2, "score v3": found["time above the line"] / duration}


def main():
    options = argparse.ArgumentParser(description="The AI Olympics' scores of an episode.")
    options.add_argument("robot", nargs="?", choices=["acrobot", "pendubot"],
                         help="whose motor `torque` is, in BAGEL's log")
    options.add_argument("file", help="a CSV file: BAGEL's log, or time,q1,q2,dq1,dq2,tau1,tau2")
    options.add_argument("--design", choices=sorted(DESIGNS), default="C.1")
    given = options.parse_args()
    times, states, torques = read(given.file, given.robot, given.design)
    found = criteria(times, states, torques)
    for name, value in (found | scores(found, times[-1])).items():
        print(f"{name:20s} {value:.4g}")


if __name__ == "__main__":
    main()
