# SPDX-License-Identifier: Apache-2.0
# N machines on a learnt model as a vector environment of Gymnasium. In: a model, reward, limits of the actions. Out:
# observations, rewards, ends, batch by batch. The machines are in this process where the shared library is, else in
# one child process, `bagel simulate`.
#
# Observations and actions are float32, as learners have them, in physical units; `reward` and `terminated` get
# float64.

from __future__ import annotations

import warnings
from typing import Any, Dict, Optional, Tuple, Union

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from .causal_states import CausalStates
from .errors import BagelError, DataError, UsageError
from .fitting import LogSource
from .model_file import ModelFile, model_path
from .simulation import Machines, simulate
from .spaces import action_space, state_space
from .wishes import Judge, Reward, Start, Terminated, machines_of, start_state

DOUBTS = ("function", "steps", "none")


class ModelVectorEnv(VectorEnv):
    """N machines on a learnt model, stepped together.

    An episode that leaves the observation space is truncated: there are no logs there, and the model extrapolates.
    `infos["diverged"]` marks these machines.

    Attributes:
        model: names, units and bounds of the channels (`ModelFile`).
        states: of all machines, float64 [N, S], with every state in the layout's order.
        doubt: how the model's uncertainty enters; "steps" if the model has no functions for "function".
    """

    def __init__(
        self,
        model: Any,
        num_envs: int,
        *,
        reward: Reward,
        horizon: int,
        action_limits: Any = None,
        start: Start = None,
        terminated: Optional[Terminated] = None,
        doubt: str = "function",
        sensor_noise: bool = True,
        observe: str = "states",
        seed: Optional[int] = None,
        autoreset_mode: Union[str, AutoresetMode] = AutoresetMode.NEXT_STEP,
        device: Optional[str] = None,
    ) -> None:
        """Starts the machines.

        Args:
            model: a `Fit`, an `Optimization` (its model), a path of model.safetensors, or an output folder.
            num_envs: N
            reward: of a batch: states [N, S], actions [N, A] as they were sent, next states [N, S] -> [N]. States
                are those of the machine's sensors, with every state, independent of `observe`.
            horizon: steps after which an episode is truncated.
            action_limits: {action: [lower, upper]} or one pair for each, [A, 2]; actions beyond are clipped. By
                default the range of the logs: nothing beyond was tried.
            start: where episodes begin: [S] or {state: value} (a derived rate is 0 unless it is named), or a
                function of a random generator that returns one of them, called for each machine. None for logged
                states, drawn.
            terminated: of a batch: next states [N, S] -> bool [N]. None for never.
            doubt: how the model's uncertainty enters: "function", one function that agrees with the logs, drawn
                per episode; "steps", a new draw at each time step; "none".
            sensor_noise: whether measurements have the sensors' noise.
            observe: "states", derived rates among them, computed as on the machine; or "measured", without them.
            seed: of the first reset; None for another one each time.
            autoreset_mode: the reset after an episode's end: NEXT_STEP, SAME_STEP or DISABLED.
            device: where kernels run: automatic, host, cuda or interpreter.

        Raises:
            UsageError: arguments that are not valid.
            DataError: no model of this version, or one that cannot be driven.
            BagelError: the command was not found, or ends.
        """
        self._is_started = False
        if num_envs < 1 or horizon < 1:
            raise UsageError(f"num_envs= and horizon= must be at least 1, not {num_envs} and {horizon}")
        for name, value, known in (("doubt", doubt, DOUBTS), ("observe", observe, ("states", "measured"))):
            if value not in known:
                raise UsageError(f"{name}= is '{value}'; it is one of {', '.join(known)}")
        self.num_envs, self.horizon, self.doubt = num_envs, horizon, doubt
        self.model = ModelFile.read(model_path(model))
        self._source = getattr(model, "source", None)
        self._judge, self._start, self._seed = Judge(reward, terminated), start, seed
        self._options: Dict[str, Any] = {
            "doubt": doubt, "sensor_noise": sensor_noise, "device": device}
        self._mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self._mode}
        everything = range(len(self.model.states))
        self._observed = list(everything if observe == "states" else self.model.measured)
        self._known = state_space(self.model, everything)
        self._seen, self._limits = state_space(self.model, self._observed), action_space(self.model, action_limits)
        self.single_observation_space, self.single_action_space = self._seen, self._limits
        self.observation_space = batch_space(self._seen, num_envs)
        self.action_space = batch_space(self._limits, num_envs)
        if not callable(start):
            start_state(self.model, start)
        self._steps = np.zeros(num_envs, dtype=np.int64)
        self._is_over = np.zeros(num_envs, dtype=bool)
        self._signals = CausalStates(self.model, num_envs)
        self._simulation = self._simulate()

    @property
    def states(self) -> np.ndarray:
        return self._signals.states

    def reset(
        self, *, seed: Optional[int] = None, options: Optional[Dict[str, Any]] = None
    ) -> Tuple[np.ndarray, Dict[str, Any]]:
        """Begins episodes of all machines.

        Args:
            seed: for all draws from now on; None continues with other episodes.
            options: "state": where these episodes begin, as `start`; "reset_mask": bool [N], which machines; the
                others continue.

        Raises:
            UsageError: arguments that are not valid.
            BagelError: the simulation has ended.
        """
        options = options or {}
        which = machines_of(options.get("reset_mask"), self.num_envs)
        if self.closed:
            raise BagelError("the environment is closed")
        if not self._simulation.is_open:
            # After Ctrl-C in the middle of a step, or a child's end.
            self._simulation, self._is_started = self._simulate(), False
        if not self._is_started:
            if len(which) < self.num_envs:
                raise UsageError("the first reset must be of all machines")
            seed, self._seed = self._seed if seed is None else seed, None
        if seed is not None and not 0 <= seed < 1 << 63:
            raise UsageError(f"a seed must be a whole number from 0 to 2^63 - 1, not {seed}")
        super().reset(seed=seed)
        if seed is None and not self._is_started:
            seed = int(self.np_random.integers(1 << 63))
        self._begin(which, options.get("state", self._start), seed)
        self._is_started = True
        return self._observations(), {}

    def step(
        self, actions: Any
    ) -> Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Dict[str, Any]]:
        """One time step of all machines: actions [N, A] -> observations, rewards, terminations, truncations,
        infos.

        Raises:
            UsageError: an action is missing or is not finite; machines are not reset.
            DataError: a reward is not finite.
            BagelError: the simulation has ended.
        """
        if not self._is_started and not self.closed:
            raise UsageError("call reset() before step()")
        over = self._is_over
        if self._mode is AutoresetMode.DISABLED and over.any():
            raise UsageError("an episode is over: call reset() to begin the next one")
        sent = self._sent(actions)
        before = self._signals.states
        self._signals.next(self._simulation.step(sent))
        after = self._signals.states
        rewards, terminations = self._judge.judged(before, sent.astype(np.float64), after, ~over)
        self._steps += 1
        diverged = ~over & ((after < self._known.low) | (after > self._known.high)).any(axis=1)
        truncations = ~over & ((self._steps >= self.horizon) | diverged)
        self._is_over = terminations | truncations
        infos = {"diverged": diverged, "_diverged": diverged.copy()} if diverged.any() else {}
        begun = over if self._mode is AutoresetMode.NEXT_STEP else self._is_over
        if self._mode is not AutoresetMode.DISABLED and begun.any():
            if self._mode is AutoresetMode.SAME_STEP:
                infos = self._final(infos)
            self._begin(np.flatnonzero(begun), self._start, None)
        return self._observations(), rewards, terminations, truncations, infos

    def close_extras(self, **kwargs: Any) -> None:
        """Ends the machines, and the child process where there is one."""
        if hasattr(self, "_simulation"):
            self._simulation.close()

    def _simulate(self) -> Machines:
        try:
            simulation = simulate(self.model, self.num_envs, **self._options)
        except DataError as error:
            if not isinstance(self._source, LogSource):
                raise
            raise DataError(
                f"{error}. In Python: optimize(fit, ...) learns such a model from the same logs, and so does fit(a "
                "dict of a task)", exit_code=error.exit_code, words=error.words) from error
        if simulation.words:
            warnings.warn(" ".join(simulation.words), stacklevel=3)
            self.doubt = "steps" if self.doubt == "function" else self.doubt
        return simulation

    def _begin(self, which: np.ndarray, start: Start, seed: Optional[int]) -> None:
        """First rows of episodes of these machines."""
        if callable(start):
            rows = []
            for machine in which:
                state = start_state(self.model, start(self.np_random))
                rows.append(self._simulation.reset(np.array([machine]), seed=seed, state=state))
                seed = None
            measured = np.concatenate(rows)
        else:
            named = None if len(which) == self.num_envs else which
            measured = self._simulation.reset(
                named, seed=seed, state=start_state(self.model, start))
        self._signals.begin(which, measured)
        self._steps[which] = 0
        self._is_over[which] = False

    def _sent(self, actions: Any) -> np.ndarray:
        """float32 [N, A], within the limits."""
        array = np.asarray(actions, dtype=np.float32)
        if array.shape != self.action_space.shape or not np.isfinite(array).all():
            wanted = f"{list(self.action_space.shape or ())} of finite numbers"
            raise UsageError(f"actions have the shape {list(array.shape)}; wanted are {wanted}")
        return np.clip(array, self._limits.low, self._limits.high)

    def _observations(self) -> np.ndarray:
        """float32 [N, observed], within the space."""
        seen = self._signals.states[:, self._observed].astype(np.float32)
        return np.clip(seen, self._seen.low, self._seen.high)

    def _final(self, infos: Dict[str, Any]) -> Dict[str, Any]:
        """What the ended episodes saw last, before others begin."""
        observations, over = self._observations(), self._is_over
        final = np.full(self.num_envs, None, dtype=object)
        for machine in np.flatnonzero(over):
            final[machine] = observations[machine]
        return {
            "final_obs": final, "_final_obs": over.copy(), "final_info": infos,
            "_final_info": over.copy()}
