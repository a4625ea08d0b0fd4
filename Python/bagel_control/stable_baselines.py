# SPDX-License-Identifier: Apache-2.0
# A learnt model for Stable-Baselines3, whose vector environments are none of Gymnasium's. In: what
# `ModelVectorEnv` takes. Out: a VecEnv of N machines.
#
# Rejected: DummyVecEnv of `ModelEnv`s. It works, with a child process for each machine, which compiles its own
# kernels, and a call for each machine and step.
"""N machines on a learnt model for Stable-Baselines3.

    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecMonitor
    from bagel_control.stable_baselines import ModelVecEnv
    machines = VecMonitor(ModelVecEnv("boom-out", 64, reward=reward, horizon=100))
    learner = PPO("MlpPolicy", machines, n_steps=100, batch_size=800).learn(100_000)
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices

from .env import ModelVectorEnv


class ModelVecEnv(VecEnv):
    """N machines that are stepped together; arguments are those of `ModelVectorEnv`, which is `machines`."""

    def __init__(self, model: Any, num_envs: int, **arguments: Any) -> None:
        self.machines = ModelVectorEnv(
            model, num_envs, autoreset_mode=AutoresetMode.SAME_STEP, **arguments)
        self._actions: Optional[np.ndarray] = None
        super().__init__(
            num_envs, self.machines.single_observation_space, self.machines.single_action_space)

    def reset(self) -> np.ndarray:
        """Begins all episodes, with the last values of `seed` and `set_options`."""
        observations, _ = self.machines.reset(
            seed=self._seeds[0], options=self._options[0] or None)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> Tuple[np.ndarray, np.ndarray, np.ndarray, List[Dict[str, Any]]]:
        """Observations of the next episode where one has ended; its own last one is "terminal_observation"."""
        observations, rewards, terminations, truncations, more = self.machines.step(self._actions)
        dones = terminations | truncations
        infos: List[Dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for machine in np.flatnonzero(dones):
            infos[machine] = {
                "terminal_observation": more["final_obs"][machine],
                "TimeLimit.truncated": bool(truncations[machine] and not terminations[machine])}
            if "diverged" in more["final_info"]:
                infos[machine]["diverged"] = bool(more["final_info"]["diverged"][machine])
        return observations, rewards.astype(np.float32), dones, infos

    def close(self) -> None:
        self.machines.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> List[Any]:
        """The attribute that all machines share, once for each."""
        return [getattr(self.machines, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Of all machines at once."""
        setattr(self.machines, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> List[Any]:
        """Machines have no methods of their own. Raises: AttributeError."""
        raise AttributeError(f"machines share one environment; call machines.{method_name}")

    def env_is_wrapped(self, wrapper_class: Any, indices: VecEnvIndices = None) -> List[bool]:
        return [False for _ in self._get_indices(indices)]
