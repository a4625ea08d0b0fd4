#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference values from other implementations: GPyTorch's covariance functions, PyTorch's multivariate
normal, NumPy's linear algebra, all in double precision. Gradients by central differences (step 1e-5,
relative error about 1e-9). Writes gaussian_processes.json beside itself.

usage: make_references.py   (needs numpy, torch, gpytorch)"""
import json, math, os
import numpy as np, torch, gpytorch

HERE = os.path.dirname(os.path.abspath(__file__))
SEED, N, D, M = 20220523, 24, 3, 6
rng = np.random.default_rng(SEED)
X, Z = rng.normal(size=(N, D)), rng.normal(size=(M, D))
y = np.sin(X[:, 0]) + 0.5 * X[:, 1] + 0.1 * rng.normal(size=N)
K = gpytorch.kernels


def stationary(kind, parameters):
    *lengthscales, variance = np.exp(parameters)
    base = {"squared-exponential": lambda: K.RBFKernel(ard_num_dims=D),
            "matern-3/2": lambda: K.MaternKernel(nu=1.5, ard_num_dims=D),
            "matern-5/2": lambda: K.MaternKernel(nu=2.5, ard_num_dims=D)}[kind]().double()
    base.lengthscale = torch.tensor(np.array(lengthscales))
    kernel = K.ScaleKernel(base).double()
    kernel.outputscale = torch.tensor(variance)
    return kernel


def linear(parameters):
    kernel = K.LinearKernel(ard_num_dims=D).double()
    kernel.variance = torch.tensor(np.exp(parameters))
    return kernel


def gram(case, parameters, a, b):
    """The covariance matrix of a case, by GPyTorch."""
    a, b = torch.tensor(a), torch.tensor(b)
    full = lambda kernel: kernel(a, b).to_dense().detach().numpy()
    if case == "linear":
        return full(linear(parameters))
    if case in ("sum", "product"):
        left, right = full(stationary("squared-exponential", parameters[:D + 1])), full(linear(parameters[D + 1:]))
        return left + right if case == "sum" else left * right
    return full(stationary(case, parameters))


def log_likelihood(case, vector):
    k = gram(case, vector[:-1], X, X) + math.exp(vector[-1]) * np.eye(N)
    normal = torch.distributions.MultivariateNormal(torch.zeros(N, dtype=torch.float64), torch.tensor(k))
    return normal.log_prob(torch.tensor(y)).item()


cases = []
for case in ["squared-exponential", "matern-3/2", "matern-5/2", "linear", "sum", "product"]:
    parameters = {"linear": [.3, -.4, .1], "sum": [.2, -.1, .4, .3, -.5, .2, -.3],
                  "product": [.2, -.1, .4, .3, -.5, .2, -.3]}.get(case, [.2, -.1, .4, .3])
    vector = np.array(parameters + [math.log(0.05)])
    gradient = []
    for i in range(len(vector)):
        step = np.zeros_like(vector); step[i] = 1e-5
        gradient.append((log_likelihood(case, vector + step) - log_likelihood(case, vector - step)) / 2e-5)
    k = gram(case, vector[:-1], X, X) + 0.05 * np.eye(N)
    cross = gram(case, vector[:-1], Z, X)
    mean = cross @ np.linalg.solve(k, y)
    variance = np.diag(gram(case, vector[:-1], Z, Z)) - np.einsum("ij,ji->i", cross, np.linalg.solve(k, cross.T))
    cases.append(dict(name=case, parameters=parameters, noiseVariance=0.05, gradient=gradient,
                      logMarginalLikelihood=log_likelihood(case, vector), mean=mean.tolist(), variance=variance.tolist()))

# Linear mean by generalised least squares with prior N(0, 10^2 I), squared exponential.
k = gram("squared-exponential", [.2, -.1, .4, .3], X, X) + 0.05 * np.eye(N)
H = np.hstack([np.ones((N, 1)), X])
inverse = np.linalg.inv(k)
beta = np.linalg.solve(H.T @ inverse @ H + np.eye(D + 1) / 100, H.T @ inverse @ y)
residual = y - H @ beta
cross = gram("squared-exponential", [.2, -.1, .4, .3], Z, X)
linear_mean = dict(coefficients=beta.tolist(),
                   logMarginalLikelihood=float(-.5 * residual @ inverse @ residual - .5 * np.linalg.slogdet(k)[1] - .5 * N * math.log(2 * math.pi)),
                   mean=(np.hstack([np.ones((M, 1)), Z]) @ beta + cross @ inverse @ residual).tolist())
json.dump(dict(versions=dict(numpy=np.__version__, torch=torch.__version__, gpytorch=gpytorch.__version__), seed=SEED,
               x=X.tolist(), y=y.tolist(), z=Z.tolist(), cases=cases, linearMean=linear_mean),
          open(os.path.join(HERE, "gaussian_processes.json"), "w"), indent=1)
