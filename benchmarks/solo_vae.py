"""How long a training step of the published solo model takes, and an epoch: python benchmarks/solo_vae.py

Sizes as in the prototype: 64 frames, 53 joints, 256 latent units, 394 LSTM units, two threads. An epoch is one over
38,000 frames, beside the 21 ms a window that the prototype spends on preparing it, before any training.
"""

import time

import numpy as np
import torch

from choreo_lib.body.motion import Motion
from choreo_lib.body.skeleton import Skeleton
from choreo_lib.sets.windows import cut
from choreo_lib.systems import SoloVAE

SKELETON = Skeleton(("root", *(f"joint{k}" for k in range(52))), (-1, *[0] * 52))
PREPARATION = 0.021  # seconds a window, measured on the prototype


def epoch(frames, stride, train, dtype=torch.float32):
    """Windows and seconds of one epoch, cut and gathered and, if asked, trained."""
    noise = np.random.default_rng(0).normal(size=(38_000, 53, 3))
    model = SoloVAE(SKELETON, frames=frames, hidden=394)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    started = time.perf_counter()
    windows = cut(Motion(noise, 35, SKELETON), frames, stride)
    for batch in windows.batches(256, seed=0):
        if train:
            step(model, optimiser, batch, 0, dtype)
        else:
            model.canonicalise(batch)
    return len(windows), time.perf_counter() - started


def step(model, optimiser, batch, number, dtype):
    """One training step."""
    optimiser.zero_grad()
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        loss = model.loss(batch, number)["loss"]
    loss.backward()
    optimiser.step()


def seconds(model, batch, repeats=5, dtype=torch.float32):
    """The quickest of some training steps."""
    optimiser, best = torch.optim.AdamW(model.parameters(), 1e-3), float("inf")
    for number in range(repeats):
        started = time.perf_counter()
        step(model, optimiser, batch, number, dtype)
        best = min(best, time.perf_counter() - started)
    return best


if __name__ == "__main__":
    torch.set_num_threads(2)
    print("a training step, milliseconds      float32    bfloat16")
    for size, frames in ((256, 64), (64, 64), (256, 1)):
        batch, model = torch.randn(size, frames, 1, 53, 3), SoloVAE(SKELETON, frames=frames, hidden=394)
        full, half = seconds(model, batch), seconds(model, batch, dtype=torch.bfloat16)
        print(f"{size} windows of {frames} frames".ljust(32), f"{1000 * full:10.0f} {1000 * half:11.0f}")
    print("an epoch over 38,000 frames, seconds          windows    ours   preparation of the prototype   ratio")
    for what, *how in (("poses, trained", 1, 1, True), ("phrases, prepared", 64, 1, False),
                       ("phrases without overlap, trained", 64, 64, True),
                       ("the same in bfloat16", 64, 64, True, torch.bfloat16)):
        count, took = epoch(*how)
        print(f"{what:44s} {count:8,d} {took:7.1f} {PREPARATION * count:18.0f} {PREPARATION * count / took:18.1f}")
