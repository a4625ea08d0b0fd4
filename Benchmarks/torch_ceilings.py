#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A large matrix product in single precision (no TF32) and a large copy through PyTorch on the GPU: the ceilings that a
user of PyTorch sees. Prints one JSON line."""
import json, time
import torch

torch.backends.cuda.matmul.allow_tf32 = False


def seconds(body):
    best = float("inf")
    for _ in range(8):
        torch.cuda.synchronize()
        start = time.perf_counter()
        body()
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


n = 8_192
a, b = torch.randn(n, n, device="cuda"), torch.randn(n, n, device="cuda")
product = 2 * n ** 3 / seconds(lambda: torch.mm(a, b))
source = torch.randn(1 << 29, device="cuda")
target = torch.empty_like(source)
print(json.dumps(dict(peer="torch " + torch.__version__, flopPerSecond=product,
                      bytesPerSecond=8 * source.numel() / seconds(lambda: target.copy_(source)))))
