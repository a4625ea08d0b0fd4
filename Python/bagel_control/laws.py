# SPDX-License-Identifier: Apache-2.0
# The laws of policies: networks, radial basis functions, PID controllers, and the integral action that may
# follow each. In: what a policy reads at a step (`Reading`) and its numbers. Out: commands whose limits are
# -1 and 1, and what it keeps for the next step. Every line is that of the controller which the command runs
# on the machine.

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence, Tuple

import numpy as np

from .formula import larger, smaller
from .inputs import Inputs

_ROWS_OF_RATE = 10.0
_ROWS_OF_GAIN = 50.0
_MOST_INTEGRAL = 2.0
_MOST_FOLLOWED = 1.0

Blocks = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Reading:
    """A batch of N rows: states [N, S] and goals [N, G] in physical units, past actions in -1 ... 1 [N, rows,
    A]."""

    inputs: Inputs
    state: np.ndarray
    goal: np.ndarray
    past: np.ndarray

    @property
    def z(self) -> np.ndarray:
        """[N, D]"""
        return self.inputs.read(self.state, self.goal, self.past)

    @property
    def errors(self) -> np.ndarray:
        """[N, E]"""
        return self.inputs.errors(self.state, self.goal)


@dataclass(frozen=True, eq=False)
class Answer:
    """A command [N, A], what is kept [N, M], and what the step adds to the integral [N, A], where the law
    says it."""

    command: np.ndarray
    memory: np.ndarray
    integrand: Optional[np.ndarray] = None


def kept_within(value: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """-bound ... bound; what is no number stays so."""
    return smaller(bound, larger(-bound, value))


def logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))"""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def shapes(
    form: str, layers: Sequence[int], inputs: Inputs, actions: int
) -> List[Tuple[str, Tuple[int, ...]]]:
    """Name and shape of each block of numbers, in their order in the file."""
    width = inputs.length + inputs.action_history * actions
    errors = len(inputs.integrated)
    blocks: List[Tuple[str, Tuple[int, ...]]] = []
    if form == "network":
        widths = [width, *layers, actions]
        for index, (below, above) in enumerate(zip(widths, widths[1:])):
            blocks += [(f"layers.{index}.weight", (above, below)), (f"layers.{index}.bias", (above,))]
    elif form == "radial-basis":
        count = layers[0]
        blocks += [
            ("inverse_widths", (width,)), ("centres", (count, width)), ("exponents", (count,)),
            ("weights", (actions, count)), ("biases", (actions,)),
        ]
    else:
        blocks += [
            ("gain", (actions, errors)), ("log_integral_rate", (actions, errors)),
            ("log_derivative_time", (actions, errors)), ("biases", (actions,)),
            ("derivative_filter", (errors,)),
        ]
    if errors > 0:
        if form != "pid":
            blocks.append(("integral.gain", (actions, errors)))
        blocks += [("integral.tracking", (actions,)), ("integral.error_bounds", (errors,))]
    return blocks


def network(blocks: Blocks, reading: Reading, memory: np.ndarray) -> Answer:
    """tanh layers; the last one is the command."""
    h = reading.z
    for index in range(len([name for name in blocks if name.startswith("layers.")]) // 2):
        h = np.tanh(h @ blocks[f"layers.{index}.weight"].T + blocks[f"layers.{index}.bias"])
    return Answer(h, memory)


def radial_basis(blocks: Blocks, reading: Reading, memory: np.ndarray) -> Answer:
    """tanh(V phi + b) with Gaussians phi = exp(c (s z) + a - |s z|^2 / 2)."""
    scaled = reading.z * blocks["inverse_widths"]
    projected = scaled @ blocks["centres"].T + blocks["exponents"]
    basis = np.exp(projected - 0.5 * np.sum(scaled * scaled, axis=1, keepdims=True))
    return Answer(np.tanh(basis @ blocks["weights"].T + blocks["biases"]), memory)


def pid(blocks: Blocks, reading: Reading, memory: np.ndarray) -> Answer:
    """b + K (e - T_d d), and K / T_i e for the integral. Memory: y [E], d [E], 1 once there is a row
    before."""
    count = len(reading.inputs.integrated)
    before, rate, has_before = memory[:, :count], memory[:, count : 2 * count], memory[:, 2 * count :]
    bounds, errors = blocks["integral.error_bounds"], reading.errors
    reached = reading.inputs.integrated_of(reading.inputs.reached(reading.state))
    moved = reading.inputs.shorter_way(reached - before)
    change = has_before * kept_within(moved, bounds)
    filtered = rate + logistic(blocks["derivative_filter"]) * (change - rate)
    gain = blocks["gain"]
    derivative = _ROWS_OF_RATE * (gain * np.exp(blocks["log_derivative_time"]))
    integral = (1 / _ROWS_OF_GAIN) * (gain * np.exp(blocks["log_integral_rate"]))
    command = errors @ gain.T - filtered @ derivative.T + blocks["biases"]
    kept = np.concatenate([reached, filtered, np.ones((len(memory), 1))], axis=1)
    return Answer(command, kept, kept_within(errors, bounds) @ integral.T)


LAWS = {"network": network, "radial-basis": radial_basis, "pid": pid}


def law_memory(form: str, inputs: Inputs) -> int:
    """Numbers that a law keeps, beside the integral's."""
    return 2 * len(inputs.integrated) + 1 if form == "pid" else 0


def with_integral(
    blocks: Blocks, answer: Answer, reading: Reading, sent: np.ndarray, memory: np.ndarray
) -> Answer:
    """The command with what was integrated.

    Args:
        blocks: of the policy.
        answer: of its law.
        reading: of this step.
        sent: the last command that was sent, in -1 ... 1 [N, A].
        memory: integral and wanted command of the step before [N, 2 A].
    """
    actions = sent.shape[1]
    total, wanted = memory[:, :actions], memory[:, actions:]
    added = np.zeros_like(sent) if answer.integrand is None else answer.integrand
    if "integral.gain" in blocks:
        counted = kept_within(reading.errors, blocks["integral.error_bounds"])
        added = added + (1 / _ROWS_OF_GAIN) * (counted @ blocks["integral.gain"].T)
    # While the command is beyond a limit, nothing is added that leads further.
    beyond = wanted - kept_within(wanted, np.ones(actions))
    added = np.where(-(added * beyond) >= 0, added, 0.0)
    followed = logistic(blocks["integral.tracking"]) * kept_within(
        sent - wanted, np.full(actions, _MOST_FOLLOWED))
    integrated = kept_within(total + added + followed, np.full(actions, _MOST_INTEGRAL))
    now = answer.command + integrated
    kept = np.concatenate([answer.memory, integrated, now], axis=1)
    return Answer(kept_within(now, np.ones(actions)), kept)


def following(memory: np.ndarray, sent: np.ndarray) -> np.ndarray:
    """The integral's memory [N, 2 A] once another driver has sent a command in -1 ... 1 [N, A]: it goes on
    from there."""
    actions = sent.shape[1]
    moved = memory[:, :actions] + sent - memory[:, actions:]
    return np.concatenate([np.clip(moved, -_MOST_INTEGRAL, _MOST_INTEGRAL), sent], axis=1)
