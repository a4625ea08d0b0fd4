#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Moments of Gaussian processes at uncertain inputs: the published formulas (Deisenroth, Efficient Reinforcement Learning
using Gaussian Processes, 2010, equations 2.34 to 2.55) written out in NumPy, each checked here against Gauss-Hermite
quadrature of the posterior. Writes moment_matching.json beside itself.

usage: make_moment_references.py   (needs numpy)"""
import itertools, json, os
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 7
rng = np.random.default_rng(SEED)
N, D = 40, 3
X = rng.normal(size=(N, D))
Y = np.stack([np.sin(X[:, 0]) + 0.5 * X[:, 1] * X[:, 2], np.cos(X[:, 1]) - 0.3 * X[:, 0]])
Y += 0.05 * rng.normal(size=Y.shape)
LENGTHSCALES = np.array([[1.2, 0.9, 1.6], [0.8, 1.4, 2.5]])
SIGNAL = np.array([1.3, 0.7])
NOISE = np.array([0.01, 0.02])


def covariance(a, x, z):
    difference = (x[:, None, :] - z[None, :, :]) / LENGTHSCALES[a]
    return SIGNAL[a] * np.exp(-0.5 * np.sum(difference**2, axis=-1))


INVERSE = [np.linalg.inv(covariance(a, X, X) + NOISE[a] * np.eye(N)) for a in range(2)]
BETA = [INVERSE[a] @ Y[a] for a in range(2)]


def formulas(m, S):
    mean, cross, second = np.zeros(2), np.zeros((D, 2)), np.zeros((2, 2))
    nu = X - m
    for a in range(2):
        L = np.diag(LENGTHSCALES[a]**2)
        B = np.linalg.inv(S + L)
        q = SIGNAL[a] / np.sqrt(np.linalg.det(S @ np.linalg.inv(L) + np.eye(D))) \
            * np.exp(-0.5 * np.einsum("ni,ij,nj->n", nu, B, nu))
        mean[a] = BETA[a] @ q
        cross[:, a] = S @ B @ (nu.T @ (BETA[a] * q))
    for a, b in itertools.product(range(2), repeat=2):
        La, Lb = np.diag(LENGTHSCALES[a]**-2.0), np.diag(LENGTHSCALES[b]**-2.0)
        R = S @ (La + Lb) + np.eye(D)
        z = (nu @ La)[:, None, :] + (nu @ Lb)[None, :, :]
        exponent = 0.5 * np.einsum("nmi,ij,nmj->nm", z, np.linalg.solve(R, S), z)
        Q = np.outer(covariance(a, X, m[None])[:, 0], covariance(b, X, m[None])[:, 0]) \
            / np.sqrt(np.linalg.det(R)) * np.exp(exponent)
        second[a, b] = BETA[a] @ Q @ BETA[b] - mean[a] * mean[b]
        if a == b:
            second[a, a] += SIGNAL[a] - np.trace(INVERSE[a] @ Q)
    return mean, cross, second


def quadrature(m, S, nodes=24):
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    weights = weights / weights.sum()
    values, vectors = np.linalg.eigh(S)
    root = vectors * np.sqrt(np.maximum(values, 0))
    grid = np.array(list(itertools.product(points, repeat=D)))
    w = np.prod(np.array(list(itertools.product(weights, repeat=D))), axis=1)
    x = m + grid @ root.T
    f, v = [], []
    for a in range(2):
        k = covariance(a, x, X)
        f.append(k @ BETA[a])
        v.append(SIGNAL[a] - np.einsum("pi,ij,pj->p", k, INVERSE[a], k))
    f, v = np.array(f), np.array(v)
    mean = f @ w
    cross = (x - m).T @ (w[:, None] * (f - mean[:, None]).T)
    second = ((f - mean[:, None]) * w) @ (f - mean[:, None]).T + np.diag(v @ w)
    return mean, cross, second


cases = []
root = np.array([[0.5, 0, 0], [0.3, 0.4, 0], [-0.2, 0.1, 0.6]])
for m, S in [([0.3, -0.2, 0.5], root @ root.T), ([-1.5, 0.4, 0.1], np.diag([0.04, 0.0, 0.25])),
             ([0.1, 0.2, -0.3], np.zeros((3, 3)))]:
    m = np.array(m)
    found, truth = formulas(m, S), quadrature(m, S)
    for one, other in zip(found, truth):
        assert np.max(np.abs(one - other)) < 1e-8, (one, other)
    cases.append({"mean": m.tolist(), "covariance": S.tolist(), "outputMean": found[0].tolist(),
                  "cross": found[1].tolist(), "outputCovariance": found[2].tolist()})
json.dump({"versions": {"numpy": np.__version__}, "seed": SEED, "x": X.tolist(),
           "y": Y.tolist(), "lengthscales": LENGTHSCALES.tolist(), "signalVariances": SIGNAL.tolist(),
           "noiseVariances": NOISE.tolist(), "cases": cases},
          open(os.path.join(HERE, "moment_matching.json"), "w"), indent=1)
