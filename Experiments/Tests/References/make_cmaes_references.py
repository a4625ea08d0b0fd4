#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Evaluations that the reference implementation of CMA-ES needs on standard functions in ten dimensions, from (3, ..., 3)
with step size 0.5 to 1e-9, over 41 seeds: median and quartiles. Writes cmaes.json beside itself.

usage: make_cmaes_references.py   (needs cma, numpy)"""
import json, os, warnings
warnings.simplefilter("ignore")
import cma
import numpy as np

N = 10
POWERS = np.arange(N) / (N - 1)
FUNCTIONS = {
    "sphere": lambda x: float(np.sum(x**2)),
    "ellipsoid": lambda x: float(np.sum(10**(6 * POWERS) * x**2)),
    "different powers": lambda x: float(np.sum(np.abs(x)**(2 + 4 * POWERS))),
    "rosenbrock": lambda x: float(np.sum(100 * (x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2)),
}
result = {}
for name, function in FUNCTIONS.items():
    counts = []
    for seed in range(1, 42):
        search = cma.CMAEvolutionStrategy(N * [3.0], 0.5, {"seed": seed, "verbose": -9, "ftarget": 1e-9, "maxfevals": 100000})
        search.optimize(function)
        if search.best.f <= 1e-9:
            counts.append(search.result.evaluations)
    result[name] = {"solved": len(counts), "quartiles": [float(q) for q in np.quantile(counts, [0.25, 0.5, 0.75])]}
json.dump({"version": cma.__version__, "dimensions": N, "functions": result},
          open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "cmaes.json"), "w"), indent=1)
print(result)
