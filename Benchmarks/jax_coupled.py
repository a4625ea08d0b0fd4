#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer of `bagel optimize` on a machine whose outputs read all inputs: the inner loop as one jitted JAX scan, exact means over n rows
and a rank-r root of the predictive covariance. J joints (angle, rate, command each): J outputs of 3 J inputs; angles are integrated.
Random data and fixed lengthscales: speed only. Prints one JSON line.

usage: jax_coupled.py [--joints 3] [--rows 6000] [--particles 100] [--horizon 200] [--rank 100] [--iterations 5]"""
import argparse, json
import numpy as np, jax, jax.numpy as jnp
from jax_timing import measured

jax.config.update("jax_default_matmul_precision", "highest")  # single precision on GPUs too, not TF32
p = argparse.ArgumentParser()
for name, value in [("joints", 3), ("rows", 6000), ("particles", 100), ("horizon", 200), ("rank", 100), ("iterations", 5)]:
    p.add_argument("--" + name, type=int, default=value)
a = p.parse_args()
J, D = a.joints, 3 * a.joints
draws = np.random.default_rng(0)
x = draws.standard_normal((a.rows, D))
lengths = np.full(D, 3.0)
scaled = x / lengths
# The root of a subset costs the same to read; a decomposition of all rows would only take longer to prepare.
squares = (scaled * scaled).sum(1)
subset = scaled[: 2 * a.rank]
kernel = np.exp(-.5 * ((subset[:, None] - subset[None]) ** 2).sum(-1)) + .05 * np.eye(len(subset))
values, vectors = np.linalg.eigh(kernel)
root = np.zeros((a.rows, a.rank), np.float32)
root[: len(subset)] = (vectors / np.sqrt(values))[:, -a.rank:]
root, points = jnp.array(root), jnp.array(scaled, jnp.float32)
alphas = jnp.array(1e-3 * draws.standard_normal((a.rows, J)), jnp.float32)
own = jnp.array(squares, jnp.float32)


def moments(inputs):
    z = inputs / jnp.array(lengths, jnp.float32)
    k = jnp.exp(-.5 * ((z * z).sum(1)[:, None] + own[None] - 2 * z @ points.T))
    # Each output has lengthscales and a variance of its own: it pays for its own kernel.
    kernels = [k * (1 + 1e-7 * j) for j in range(J)]
    mean = jnp.stack([kernels[j] @ alphas[:, j] for j in range(J)], 1)
    variance = jnp.stack([1 - ((kernels[j] @ root) ** 2).sum(1) for j in range(J)], 1)
    return mean, jnp.sqrt(jnp.maximum(variance, 1e-8))


def rollout(parameters, key):
    def step(state, key):
        h = state
        for weights, bias in parameters:
            h = jnp.tanh(h @ weights + bias)
        mean, deviation = moments(jnp.concatenate([state, h], 1))
        rates = state[:, J:] + .1 * (mean + deviation * jax.random.normal(key, mean.shape))
        state = jnp.concatenate([state[:, :J] + .05 * rates, rates], 1)
        return state, jnp.exp(-.5 * (state[:, :J] ** 2).sum(1))
    _, rewards = jax.lax.scan(step, jnp.zeros((a.particles, 2 * J)), jax.random.split(key, a.horizon))
    return -rewards.sum(0).mean()


shapes = [(2 * J, 32), (32, 32), (32, J)]
parameters = [(.3 * jax.random.normal(k, shape), jnp.zeros(shape[1]))
              for k, shape in zip(jax.random.split(jax.random.PRNGKey(0), 3), shapes)]
gradient = jax.jit(jax.value_and_grad(rollout))
print(json.dumps(dict(peer="jax " + jax.__version__, joints=J, inputs=D, rows=a.rows, particles=a.particles, horizon=a.horizon,
                      rank=a.rank, **measured(gradient, parameters, a.iterations))))
