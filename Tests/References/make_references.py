#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference values from other implementations: GPyTorch's covariance functions, PyTorch's multivariate
normal, NumPy's linear algebra, all in double precision. Gradients by central differences (step 1e-5,
relative error about 1e-9). Interpolation weights of KISS-GP from GPyTorch. Writes gaussian_processes.json beside itself.

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
    lengthscales, variance = np.exp(parameters[:D]), np.exp(parameters[D])
    base = {"squared-exponential": lambda: K.RBFKernel(ard_num_dims=D),
            "matern-3/2": lambda: K.MaternKernel(nu=1.5, ard_num_dims=D),
            "matern-5/2": lambda: K.MaternKernel(nu=2.5, ard_num_dims=D),
            "rational-quadratic": lambda: K.RQKernel(ard_num_dims=D)}[kind]().double()
    if kind == "rational-quadratic":
        base.alpha = torch.tensor(math.exp(parameters[D + 1]), dtype=torch.float64)
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
for case in ["squared-exponential", "matern-3/2", "matern-5/2", "linear", "sum", "product", "rational-quadratic"]:
    parameters = {"rational-quadratic": [.2, -.1, .4, .3, -.6], "linear": [.3, -.4, .1], "sum": [.2, -.1, .4, .3, -.5, .2, -.3],
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

# The largest likelihood of a rational quadratic of one input, by GPyTorch and PyTorch's L-BFGS from two starts, on a draw from
# one with a heavy tail. Logarithms: lengthscale, variance, alpha, noise variance.
def rational_quadratic(theta, x):
    kernel = K.ScaleKernel(K.RQKernel()).double()
    kernel.outputscale, kernel.base_kernel.lengthscale, kernel.base_kernel.alpha = theta[1].exp(), theta[0].exp(), theta[2].exp()
    return kernel


def largest_likelihood():
    own = np.random.default_rng(7)
    x = torch.tensor(np.sort(own.uniform(-4, 4, size=(120, 1)), axis=0))
    truth = torch.tensor(np.log([.7, 1, .2, .0025]))
    square = lambda t: ((x - x.T) / t[0].exp()) ** 2
    gram = lambda t: t[1].exp() * torch.exp(-t[2].exp() * torch.log1p(square(t) / (2 * t[2].exp()))) + t[3].exp() * torch.eye(120)
    targets = torch.linalg.cholesky(gram(truth)) @ torch.tensor(own.normal(size=120))
    value = lambda t: torch.distributions.MultivariateNormal(torch.zeros(120, dtype=torch.float64), gram(t)).log_prob(targets)
    by_gpytorch = rational_quadratic(truth, x)(x).to_dense() + truth[3].exp() * torch.eye(120)
    assert (by_gpytorch - gram(truth)).abs().max() < 1e-12
    best = None
    for start in ([1.1, 0, 0, math.log(.1)], [0, 0, 0, math.log(.01)]):
        theta = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        search = torch.optim.LBFGS([theta], max_iter=500, tolerance_grad=1e-9, tolerance_change=0, line_search_fn="strong_wolfe")
        def loss():
            search.zero_grad()
            result = -value(theta)
            result.backward()
            return result
        search.step(loss)
        if best is None or value(theta).item() > best["logMarginalLikelihood"]:
            best = dict(logMarginalLikelihood=value(theta).item(), parameters=theta.tolist())
    return dict(best, x=x[:, 0].tolist(), y=targets.tolist())


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
# Noise that differs from row to row.
factors = rng.uniform(.3, 3, size=N)
base = gram("squared-exponential", [.2, -.1, .4, .3], X, X)
cross0 = gram("squared-exponential", [.2, -.1, .4, .3], Z, X)
prior = np.diag(gram("squared-exponential", [.2, -.1, .4, .3], Z, Z))
khat = base + .05 * np.diag(factors)
normal = torch.distributions.MultivariateNormal(torch.zeros(N, dtype=torch.float64), torch.tensor(khat))
varying_noise = dict(factors=factors.tolist(), mean=(cross0 @ np.linalg.solve(khat, y)).tolist(),
                     variance=(prior - np.einsum("ij,ji->i", cross0, np.linalg.solve(khat, cross0.T))).tolist(),
                     logMarginalLikelihood=normal.log_prob(torch.tensor(y)).item())

# Blocks of rows predicted from all the others, each by a solve of its own; linear mean integrated out.
marginal = base + .05 * np.eye(N) + 100 * H @ H.T
blocks = [list(range(0, 8)), list(range(8, 16)), list(range(16, 24))]
block_errors, block_variances = np.zeros(N), np.zeros(N)
for block in blocks:
    rest = [i for i in range(N) if i not in block]
    gain = marginal[np.ix_(block, rest)] @ np.linalg.inv(marginal[np.ix_(rest, rest)])
    block_errors[block] = y[block] - gain @ y[rest]
    block_variances[block] = np.diag(marginal[np.ix_(block, block)] - gain @ marginal[np.ix_(rest, block)])
block_out = dict(errors=block_errors.tolist(), variances=block_variances.tolist())

# KISS-GP on a grid: interpolation weights by GPyTorch, the rest by NumPy.
counts, lower, spacing = [9, 8, 10], [-3.2, -3.0, -3.4], [.8, .9, .75]
axes = [torch.tensor(l + s * np.arange(n)) for l, s, n in zip(lower, spacing, counts)]
def weights(points):
    indices, values = gpytorch.utils.interpolation.Interpolation().interpolate(axes, torch.tensor(points))
    w = np.zeros((len(points), math.prod(counts)))
    for row in range(len(points)):
        np.add.at(w[row], indices[row].numpy(), values[row].numpy())
    return w
inside_x, inside_z = np.clip(X, -2.2, 2.2), np.clip(Z, -2.2, 2.2)
nodes = np.stack(np.meshgrid(*[a.numpy() for a in axes], indexing="ij"), -1).reshape(-1, D)
kuu = gram("squared-exponential", [.2, -.1, .4, .3], nodes, nodes)
wx, wz = weights(inside_x), weights(inside_z)
kx = wx @ kuu @ wx.T + .05 * np.eye(N)
kz = wz @ kuu @ wx.T
kiss = dict(counts=counts, lower=lower, spacing=spacing, x=inside_x.tolist(), z=inside_z.tolist(),
            weights=[[[int(i), float(row[i])] for i in np.nonzero(np.abs(row) > 1e-14)[0]] for row in wz],
            mean=(kz @ np.linalg.solve(kx, y)).tolist(),
            variance=np.diag(wz @ kuu @ wz.T - kz @ np.linalg.solve(kx, kz.T)).tolist())

# SGPR's predictive distribution (Titsias 2009, equation 6) with the first eight pivots as inducing points.
residual_diagonal, factor, pivots = np.diag(base).copy(), np.zeros((N, 0)), []
for _ in range(8):
    pivot = int(np.argmax(residual_diagonal)); pivots.append(pivot)
    column = (base[:, pivot] - factor @ factor[pivot]) / math.sqrt(residual_diagonal[pivot])
    factor = np.hstack([factor, column[:, None]]); residual_diagonal -= column ** 2; residual_diagonal[pivot] = 0
P = X[pivots]
m = gram("squared-exponential", [.2, -.1, .4, .3], P, P)
mx = gram("squared-exponential", [.2, -.1, .4, .3], P, X)
mz = gram("squared-exponential", [.2, -.1, .4, .3], P, Z)
sigma = np.linalg.inv(m + mx @ mx.T / .05)
sparse = dict(pivots=pivots, mean=(mz.T @ sigma @ mx @ y / .05).tolist(),
              variance=(prior - np.diag(mz.T @ (np.linalg.inv(m) - sigma) @ mz)).tolist())
json.dump(dict(versions=dict(numpy=np.__version__, torch=torch.__version__, gpytorch=gpytorch.__version__), seed=SEED,
               x=X.tolist(), y=y.tolist(), z=Z.tolist(), cases=cases, linearMean=linear_mean,
               varyingNoise=varying_noise, blockOut=block_out, kiss=kiss, sparse=sparse,
               rationalQuadraticFit=largest_likelihood()),
          open(os.path.join(HERE, "gaussian_processes.json"), "w"), indent=1)
