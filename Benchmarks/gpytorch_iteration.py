#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer of `bagel benchmark iteration`: one iteration of Algorithm 1 (lines 8-18) written on GPyTorch, on the
data of `bagel benchmark fit --data FILE` (columns x0 x1 x2 y0 y1: standardised angle, rate, valve and increments).
Variances by LOVE (fast_pred_var), on the exact kernel or with --grid G by KISS-GP on a G x G x G grid. Prints one JSON
line: median seconds of an iteration, and of filling the caches.

usage: gpytorch_iteration.py FILE [--particles 100] [--horizon 300] [--layers 8,8] [--iterations 3] [--rank 100]
[--grid G] [--device cpu|cuda]"""
import argparse, json, resource, time, warnings
warnings.filterwarnings("ignore")
import numpy as np, torch, gpytorch

p = argparse.ArgumentParser()
p.add_argument("file")
p.add_argument("--particles", type=int, default=100)
p.add_argument("--horizon", type=int, default=300)
p.add_argument("--layers", default="8,8")
p.add_argument("--iterations", type=int, default=3)
p.add_argument("--rank", type=int, default=100)
p.add_argument("--grid", type=int)
p.add_argument("--device", default="cpu")
a = p.parse_args()
torch.set_default_device(a.device)
table = np.genfromtxt(a.file, delimiter=",", names=True)
x = torch.tensor(np.stack([table[f"x{i}"] for i in range(3)], 1), dtype=torch.float32)


def wait():
    if a.device == "cuda":
        torch.cuda.synchronize()


class Process(gpytorch.models.ExactGP):
    def __init__(self, y, likelihood):
        super().__init__(x, y, likelihood)
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel(ard_num_dims=3))

    def forward(self, points):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(points), self.covar_module(points))


def learn(y, steps=30):
    likelihood = gpytorch.likelihoods.GaussianLikelihood()
    process = Process(y, likelihood)
    optimizer = torch.optim.Adam(process.parameters(), lr=.1)
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, process)
    process.train(), likelihood.train()
    for _ in range(steps):
        optimizer.zero_grad()
        (-objective(process(x), y)).backward()
        optimizer.step()
    if a.grid:
        bounds = [(low - 3, high + 3) for low, high in zip(x.min(0)[0].tolist(), x.max(0)[0].tolist())]
        process.covar_module.base_kernel = gpytorch.kernels.GridInterpolationKernel(
            process.covar_module.base_kernel, grid_size=a.grid, num_dims=3, grid_bounds=bounds)
    process.eval(), likelihood.eval()
    return process.requires_grad_(False)


processes = [learn(torch.tensor(table[f"y{j}"], dtype=torch.float32)) for j in range(2)]
if a.device == "cuda":
    torch.cuda.reset_peak_memory_stats()  # learning is not in the figure
layer = torch.nn.Linear
widths = [2] + [int(w) for w in a.layers.split(",")] + [1]
policy = torch.nn.Sequential(*[part for i, o in zip(widths, widths[1:]) for part in (layer(i, o), torch.nn.Tanh())])
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
weights, gain = torch.tensor([10., .1]), torch.tensor([.05, .3])
start = torch.tensor([-1.5, 0.]).repeat(a.particles, 1)


def iteration():
    state, total = start, 0.
    for _ in range(a.horizon):
        inputs, increments = torch.cat([state, policy(state)], 1), []
        if a.grid:  # GPyTorch stops at points outside its grid
            inputs = torch.minimum(torch.maximum(inputs, x.min(0)[0] - 2.9), x.max(0)[0] + 2.9)
        for process in processes:
            moments = process(inputs)
            draw = torch.randn(a.particles)
            increments.append(moments.mean + moments.variance.clamp_min(1e-10).sqrt() * draw)
        state = state + torch.stack(increments, 1) * gain
        total = total + torch.exp(-.5 * (weights * state * state).sum(1))
    loss = -total.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


with gpytorch.settings.fast_pred_var(), gpytorch.settings.max_root_decomposition_size(a.rank):
    begin = time.time()
    with torch.no_grad():
        for process in processes:
            process(torch.cat([start, start[:, :1]], 1)).variance
    wait()
    caching = time.time() - begin
    times = []
    for _ in range(a.iterations):
        begin = time.time()
        iteration()
        wait()
        times.append(time.time() - begin)
print(json.dumps(dict(peer="gpytorch " + gpytorch.__version__, particles=a.particles, horizon=a.horizon, layers=widths[1:-1], n=len(x),
                      grid=a.grid, device=a.device,
                      caching_seconds=round(caching, 2), seconds_per_iteration=round(float(np.median(times)), 4),
                      gpu_mib=torch.cuda.max_memory_allocated() >> 20 if a.device == "cuda" else None,
                      peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)))
