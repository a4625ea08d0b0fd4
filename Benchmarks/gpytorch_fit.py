#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GPyTorch on the data of `bagel benchmark fit --data FILE`: 100 Adam steps at 0.1, squared exponential with
ARD, constant mean, single output at a time. Prints one JSON line: seconds and log marginal likelihood per
point of each output.

usage: gpytorch_fit.py FILE [--steps 100] [--mean constant|linear] [--double]"""
import argparse, json, time, warnings
warnings.filterwarnings("ignore")
import numpy as np, torch, gpytorch

p = argparse.ArgumentParser()
p.add_argument("file")
p.add_argument("--steps", type=int, default=100)
p.add_argument("--mean", default="constant")
p.add_argument("--double", action="store_true")
a = p.parse_args()
table = np.genfromtxt(a.file, delimiter=",", names=True)
dtype = torch.float64 if a.double else torch.float32
inputs = [n for n in table.dtype.names if n.startswith("x")]
targets = [n for n in table.dtype.names if n.startswith("y")]
x = torch.tensor(np.stack([table[n] for n in inputs], 1), dtype=dtype)


class GP(gpytorch.models.ExactGP):
    def __init__(self, x, y, likelihood):
        super().__init__(x, y, likelihood)
        self.mean_module = (gpytorch.means.LinearMean(x.shape[1]) if a.mean == "linear"
                            else gpytorch.means.ConstantMean())
        self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel(ard_num_dims=x.shape[1]))

    def forward(self, x):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


start, per_point, lengthscales = time.time(), [], []
for name in targets:
    y = torch.tensor(table[name], dtype=dtype)
    likelihood = gpytorch.likelihoods.GaussianLikelihood().to(dtype)
    model = GP(x, y, likelihood).to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=.1)
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    model.train(), likelihood.train()
    for _ in range(a.steps):
        optimizer.zero_grad()
        loss = -objective(model(x), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
        per_point.append(objective(model(x), y).item())
    lengthscales.append([round(v, 3) for v in model.covar_module.base_kernel.lengthscale[0].tolist()])
print(json.dumps(dict(peer="gpytorch " + gpytorch.__version__, n=len(x), steps=a.steps, seconds=round(time.time() - start, 2),
                      log_marginal_likelihood_per_point=[round(v, 5) for v in per_point], lengthscales=lengthscales)))
