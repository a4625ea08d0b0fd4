# SPDX-License-Identifier: Apache-2.0
# A learnt model as an environment of Gymnasium, for reinforcement learning. In: a model, a reward of states and
# actions, limits of the actions. Out: `ModelVectorEnv`, N machines that are stepped together, and `ModelEnv`, one.
# A machine is what a search of `optimize` believes: the model's mean, its doubt, its noise.
"""Environments on a learnt model; `pip install "bagel-control[gym]"` installs Gymnasium.

    from bagel_control.env import ModelVectorEnv
    machines = ModelVectorEnv(
        "boom-out", 64, reward=lambda states, actions, after: -(after[:, 0] - 0.3) ** 2, horizon=100, seed=1)
    observations, _ = machines.reset()
    observations, rewards, terminations, truncations, _ = machines.step(machines.action_space.sample())
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import numpy as np

try:
    import gymnasium
    from gymnasium.vector import AutoresetMode
except ImportError as error:
    raise ImportError(
        f'bagel_control.env needs Gymnasium 1.1 or later (pip install "bagel-control[gym]"): {error}') from error

from .vector_env import ModelVectorEnv

__all__ = ["ModelEnv", "ModelVectorEnv"]


class ModelEnv(gymnasium.Env):
    """One machine on a learnt model; arguments are those of `ModelVectorEnv`. `reward` and `terminated` still get
    batches, of one row."""

    metadata: Dict[str, Any] = {"render_modes": []}

    def __init__(self, model: Any, **arguments: Any) -> None:
        self.machines = ModelVectorEnv(model, 1, autoreset_mode=AutoresetMode.DISABLED, **arguments)
        self.observation_space = self.machines.single_observation_space
        self.action_space = self.machines.single_action_space

    def reset(
        self, *, seed: Optional[int] = None, options: Optional[Dict[str, Any]] = None
    ) -> Tuple[np.ndarray, Dict[str, Any]]:
        """Begins an episode; see `ModelVectorEnv.reset`."""
        super().reset(seed=seed)
        observations, _ = self.machines.reset(seed=seed, options=options)
        return observations[0], {}

    def step(self, action: Any) -> Tuple[np.ndarray, float, bool, bool, Dict[str, Any]]:
        """One time step; see `ModelVectorEnv.step`."""
        observations, rewards, terminations, truncations, infos = self.machines.step(
            np.asarray(action, dtype=np.float32)[np.newaxis])
        info = {"diverged": True} if infos else {}
        return observations[0], float(rewards[0]), bool(terminations[0]), bool(truncations[0]), info

    def close(self) -> None:
        """Ends the machine."""
        self.machines.close()
