#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second peer of `bagel benchmark iteration`: the inner loop as one jitted JAX scan over the horizon, exact kernel and a
rank-r root of the predictive covariance (by eigenvalues), on the data of `bagel benchmark fit --data FILE`. Fixed
lengthscales: speed only. Prints one JSON line: median seconds of an iteration and seconds of compiling.

usage: jax_iteration.py FILE [--particles 100] [--horizon 300] [--iterations 5] [--rank 100]"""
import argparse, json
import numpy as np, jax, jax.numpy as jnp
from jax_timing import measured

jax.config.update("jax_default_matmul_precision", "highest")  # single precision on GPUs too, not TF32
p = argparse.ArgumentParser()
p.add_argument("file")
for name, value in [("particles", 100), ("horizon", 300), ("iterations", 5), ("rank", 100)]:
    p.add_argument("--" + name, type=int, default=value)
a = p.parse_args()
table = np.genfromtxt(a.file, delimiter=",", names=True)
x = np.stack([table[f"x{i}"] for i in range(3)], 1)
scaled = x / np.array([1.2, .8, .8])
kernel = np.exp(-.5 * ((scaled[:, None] - scaled[None]) ** 2).sum(-1)) + .05 * np.eye(len(x))
values, vectors = np.linalg.eigh(kernel)
# The largest eigenvalues of K explain the variance best; their inverses make the root.
root = jnp.array((vectors / np.sqrt(values))[:, -a.rank:], jnp.float32)
alphas = jnp.array(np.stack([np.linalg.solve(kernel, table[f"y{j}"]) for j in range(2)], 1), jnp.float32)
points = jnp.array(scaled, jnp.float32)


def moments(inputs):
    z = inputs / jnp.array([1.2, .8, .8])
    k = jnp.exp(-.5 * ((z * z).sum(1)[:, None] + (points * points).sum(1)[None] - 2 * z @ points.T))
    # As for BAGEL, each output pays for its own variance.
    variance = jnp.stack([1 - ((k * (1 + 1e-7 * j)) @ root).__pow__(2).sum(1) for j in range(2)], 1)
    return k @ alphas, jnp.sqrt(jnp.maximum(variance, 1e-8))


def rollout(parameters, key):
    def step(state, key):
        h = state
        for weights, bias in parameters:
            h = jnp.tanh(h @ weights + bias)
        mean, deviation = moments(jnp.concatenate([state, h], 1))
        state = state + (mean + deviation * jax.random.normal(key, state.shape)) * jnp.array([.05, .3])
        return state, jnp.exp(-.5 * (10 * state[:, 0] ** 2 + .1 * state[:, 1] ** 2))
    _, rewards = jax.lax.scan(step, jnp.tile(jnp.array([[-1.5, 0.]]), (a.particles, 1)), jax.random.split(key, a.horizon))
    return -rewards.sum(0).mean()


keys = jax.random.split(jax.random.PRNGKey(0), 3)
parameters = [(.5 * jax.random.normal(k, shape), jnp.zeros(shape[1])) for k, shape in zip(keys, [(2, 8), (8, 8), (8, 1)])]
gradient = jax.jit(jax.value_and_grad(rollout))
print(json.dumps(dict(peer="jax " + jax.__version__, particles=a.particles, horizon=a.horizon, n=len(x), rank=a.rank,
                      **measured(gradient, parameters, a.iterations))))
