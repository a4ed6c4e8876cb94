"""How long a training step of the solo model takes, beside its LSTMs alone: python benchmarks/solo_vae.py

Sizes as in the prototype: 64 frames, 53 joints, 256 numbers, 394 units, two threads. "Bare" is what the description
asks for and no more: two LSTMs of two layers, mean and log-variance, a linear layer, the convolution.
"""

import time

import torch
from torch import nn

from choreo_lib.models import SoloVAE
from choreo_lib.skeleton import Skeleton

SIDES = ["left_hip", "right_hip", "left_arm", "right_arm"]  # what a place and a heading are taken from
SKELETON = Skeleton(("root", *SIDES, *(f"joint{k}" for k in range(48))), (-1, *[0] * 52))


class Bare(nn.Module):
    """The described system, without the shortcut, the clock and the frame of reference."""

    def __init__(self, width=159, latent=256, hidden=394):
        super().__init__()
        self.reader, self.writer = (nn.LSTM(n, hidden, 2, batch_first=True) for n in (width, hidden))
        self.mean, self.spread = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.opener, self.out = nn.Linear(latent, hidden), nn.Linear(hidden, width)
        self.smoother = nn.Conv1d(width, width, 3, padding=1)

    def losses(self, batch, step):
        """Squared error and the KL, at the prototype's prices."""
        x = batch.flatten(2)
        last = self.reader(x)[0][:, -1]
        mean, spread = self.mean(last), self.spread(last)
        z = mean + torch.randn_like(mean) * (0.5 * spread).exp()
        hidden = self.writer(self.opener(z).relu()[:, None].expand(-1, x.shape[1], -1))[0]
        again = self.smoother(self.out(hidden).transpose(1, 2)).transpose(1, 2)
        kl = 0.5 * (mean**2 + spread.exp() - 1 - spread).sum(1).mean()
        return {"loss": 2 * ((again - x) ** 2).mean() + 1e-4 * kl}


def seconds(model, batch, repeats=5, dtype=torch.float32):
    """The quickest of some training steps."""
    optimiser, best = torch.optim.AdamW(model.parameters(), 1e-3), float("inf")
    for step in range(repeats):
        started = time.perf_counter()
        optimiser.zero_grad()
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            loss = model.losses(batch, step)["loss"]
        loss.backward()
        optimiser.step()
        best = min(best, time.perf_counter() - started)
    return best


if __name__ == "__main__":
    torch.set_num_threads(2)
    print("a training step, milliseconds      bare    ours    ours / bare    ours in bfloat16")
    for size, frames in ((256, 64), (64, 64), (256, 1)):
        batch = torch.randn(size, frames, 1, 53, 3)
        ours = SoloVAE(SKELETON, frames, latent=256, hidden=394)
        bare, full, half = seconds(Bare(), batch), seconds(ours, batch), seconds(ours, batch, dtype=torch.bfloat16)
        print(f"{size} windows of {frames} frames".ljust(32),
              f"{1000 * bare:7.0f} {1000 * full:7.0f} {full / bare:11.2f} {1000 * half:17.0f}")
