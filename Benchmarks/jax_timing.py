# SPDX-License-Identifier: Apache-2.0
"""What the JAX peers measure alike: seconds of compiling a jitted gradient, and of an iteration of it."""
import time

import jax
import numpy as np


def measured(gradient, parameters, iterations):
    """Compiling and median seconds of gradient(parameters, key), as entries of a peer's JSON line."""
    begin = time.time()
    jax.block_until_ready(gradient(parameters, jax.random.PRNGKey(0)))
    compiling, times = time.time() - begin, []
    for i in range(iterations):
        begin = time.time()
        jax.block_until_ready(gradient(parameters, jax.random.PRNGKey(i)))
        times.append(time.time() - begin)
    return dict(device=str(jax.devices()[0]), compile_seconds=round(compiling, 2),
                seconds_per_iteration=round(float(np.median(times)), 4))
