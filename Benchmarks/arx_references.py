# SPDX-License-Identifier: Apache-2.0
"""What textbook methods predict of a log, computed apart from BAGEL (NumPy alone): staying where one is, and least squares (ARX).

ARX(k): all states one row on, from states and actions of the last k rows and a constant, by least squares of least norm; k is the one of 1, 2, 3,
5, 8 with the least root mean square error (its mean over horizons and states, in the states' deviations) on four left-out blocks. For each state and
horizon the one of the two with the smaller such error there is the reference, and the quantiles of its errors there are its distribution. Blocks: every fourth episode, or quarters
of each where there are fewer than four.
"""
import csv

import numpy as np

HORIZONS = [1, 2, 5, 10, 20, 50, 100]
LEVELS = np.array([0.025] + [round(0.05 * i, 2) for i in range(1, 20)] + [0.975])
ROWS = [1, 2, 3, 5, 8]
KNOWN = max(ROWS)  # rows before the first start
FEWEST = 30        # starts of a horizon that is scored
BLOCKS = 4
FARTHEST = 10      # a run that leaves the data by so many ranges stays there


class Log:
    """A file as it stands, cut where its stamps have holes of more than three steps."""

    def __init__(self, path, step):
        with open(path, newline="") as file:
            names, *rows = [row for row in csv.reader(file) if row]
        table = np.array(rows, dtype=float)
        self.columns = dict(zip(names, table.T))
        self.time = self.columns["t"]
        gaps = np.diff(self.time)
        ends = np.flatnonzero(gaps > 3 * max(step, np.median(gaps))) + 1
        self.parts = [(a, b) for a, b in zip([0, *ends], [*ends, len(self.time)]) if b - a > 1]

    def at(self, name, time):
        return np.interp(time, self.time, self.columns[name])

    def episodes(self, states, actions, step):
        """[rows, S + A] on the time step: states between rows, actions (each held until the next) by their mean over a step."""
        for first, end in self.parts:
            time = self.time[first:end]
            values = {name: self.columns[name][first:end] for name in states + actions}
            if abs(np.median(np.diff(time)) / step - 1) < 0.05:
                episode = np.column_stack([values[name] for name in states + actions])
            else:
                grid = np.arange(time[0], time[-1] - step + 1e-9, step)
                def held(y):
                    area = np.concatenate([[0], np.cumsum(np.diff(time) * y[:-1])])
                    return (np.interp(grid + step, time, area) - np.interp(grid, time, area)) / step
                episode = np.column_stack([np.interp(grid, time, values[name]) for name in states]
                                          + [held(values[name]) for name in actions])
            if len(episode) > KNOWN + 2:
                yield episode


def windows(episode, rows, k):
    """The last k rows at each of some rows, newest first."""
    return np.column_stack([episode[rows - lag] for lag in range(k)])


class ARX:
    def __init__(self, episodes, k, states):
        x = np.concatenate([windows(e, np.arange(k - 1, len(e) - 1), k) for e in episodes])
        y = np.concatenate([e[k:, :states] for e in episodes])
        self.k, self.states = k, states
        self.x_mean, self.x_scale = x.mean(0), x.std(0) + 1e-12
        self.y_mean, self.y_scale = y.mean(0), y.std(0) + 1e-12
        self.weights = np.linalg.lstsq((x - self.x_mean) / self.x_scale, (y - self.y_mean) / self.y_scale, rcond=1e-10)[0]
        span = y.max(0) - y.min(0)
        self.low, self.high = y.min(0) - FARTHEST * span, y.max(0) + FARTHEST * span

    def errors(self, episodes):
        """Truth less prediction by horizon [starts, S], from every row with `KNOWN` rows before it."""
        found = {steps: [np.empty((0, self.states))] for steps in HORIZONS}
        for e in episodes:
            starts = np.arange(KNOWN, len(e) - 1)
            past = [e[starts - lag] for lag in range(self.k)]
            for step in range(1, HORIZONS[-1] + 1):
                left = starts + step < len(e)
                starts, past = starts[left], [p[left] for p in past]
                if not len(starts):
                    break
                x = (np.column_stack(past) - self.x_mean) / self.x_scale
                y = np.clip(x @ self.weights * self.y_scale + self.y_mean, self.low, self.high)
                if step in found:
                    found[step].append(e[starts + step, :self.states] - y)
                past = [np.column_stack([y, e[starts + step, self.states:]]), *past[:-1]]
        return {steps: np.concatenate(parts) for steps, parts in found.items()}


def staying(episodes, states):
    return {steps: np.concatenate([np.empty((0, states))] + [
        e[KNOWN + steps:, :states] - e[KNOWN:-steps, :states] for e in episodes if len(e) > KNOWN + steps])
        for steps in HORIZONS}


def blocks(episodes):
    """(the rest, the block) four times."""
    for b in range(BLOCKS):
        if len(episodes) >= BLOCKS:
            parts = [([], [e]) if i % BLOCKS == b else ([e], []) for i, e in enumerate(episodes)]
        else:
            parts = []
            for e in episodes:
                quarters = np.array_split(e, BLOCKS)
                around = [np.concatenate(q) for q in (quarters[:b], quarters[b + 1:]) if q]
                parts.append((around, [quarters[b]]))
        rest, own = ([e for part in parts for e in part[side] if len(e) > KNOWN + 2] for side in (0, 1))
        if rest and own:
            yield rest, own


def crps(errors, quantiles):
    """Mean over starts, twice the mean pinball loss. errors [starts, S], quantiles [levels, S]."""
    losses = [(p - (errors < q)) * (errors - q) for p, q in zip(LEVELS, quantiles)]
    return 2 * np.mean(losses, axis=(0, 1))


def references(learn, held, states, actions, step):
    """CRPS by (state, steps) on held-out files of the better method."""
    learn, held = ([e for path in paths for e in Log(path, step).episodes(states, actions, step)] for paths in (learn, held))
    count = len(states)
    scale = np.concatenate(learn)[:, :count].std(0) + 1e-12
    pairs = list(blocks(learn))

    def left_out(errors):
        parts = [errors(rest, own) for rest, own in pairs]
        return {steps: np.concatenate([part[steps] for part in parts]) for steps in HORIZONS}

    def rms(errors):
        return np.sqrt(np.mean(errors**2, axis=0))

    tried = {k: left_out(lambda rest, own: ARX(rest, k, count).errors(own)) for k in ROWS}
    best = min(ROWS, key=lambda k: np.mean([rms(e) / scale for e in tried[k].values() if len(e)]))
    candidates = [(tried[best], ARX(learn, best, count).errors(held)), (left_out(lambda rest, own: staying(own, count)), staying(held, count))]
    found = {}
    for steps in HORIZONS:
        if len(candidates[0][1][steps]) < FEWEST or len(candidates[0][0][steps]) < FEWEST:
            continue
        scores = [(rms(known[steps]), crps(new[steps], np.quantile(known[steps], LEVELS, axis=0))) for known, new in candidates]
        for i, state in enumerate(states):
            found[state, steps] = min(scores, key=lambda score: score[0][i])[1][i]
    return found


def predicted(predictions, held, step):
    """CRPS and coverage of the 95 % band by (state, steps) of a file of `bagel fit --predictions`, against the raw logs."""
    logs = {path.rsplit("/", 1)[-1]: Log(path, step) for path in held}
    cells = {}
    with open(predictions, newline="") as file:
        for row in csv.DictReader(file):
            quantiles = np.array([float(row[f"q{p:g}"]) for p in LEVELS])
            truth = logs[row["file"]].at(row["state"], float(row["start"]) + int(row["steps"]) * step)
            loss = 2 * np.mean((LEVELS - (truth < quantiles)) * (truth - quantiles))
            cells.setdefault((row["state"], int(row["steps"])), []).append((loss, quantiles[0] <= truth <= quantiles[-1]))
    return {cell: np.mean(values, axis=0) for cell, values in cells.items()}
