"""A training step of the published solo model beside the original's, and an epoch: python benchmarks/solo_vae.py

Sizes as coded there: 64 frames, 53 markers, 256 latent numbers, 394 LSTM units (5,101,395 weights). The recipe's model
is linear and fitted, not trained, so it has no step. An epoch is one over 38,000 frames, cut, gathered and trained.
"""

from __future__ import annotations

import numpy as np
import torch
from side_by_side import compare, now, options, training_step
from torch import nn

from choreo_lib.body.motion import Motion
from choreo_lib.body.skeleton import Skeleton
from choreo_lib.sets.windows import cut
from choreo_lib.systems import SoloVAE

MARKERS, LATENT, HIDDEN = 53, 256, 394
SKELETON = Skeleton(("root", *(f"joint{k}" for k in range(MARKERS - 1))), (-1, *[0] * (MARKERS - 1)))


class Original(nn.Module):
    """The prototype's network and loss: its layers and their sizes, not its code."""

    def __init__(self) -> None:
        super().__init__()
        width = 3 * MARKERS
        self.encoder = nn.LSTM(width, HIDDEN, 2, batch_first=True)
        self.mean, self.log_variance = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)
        self.enter = nn.Linear(LATENT, HIDDEN)
        self.decoder = nn.LSTM(HIDDEN, HIDDEN, 2, batch_first=True)
        self.smooth = nn.Conv1d(HIDDEN, width, 3, padding=1)

    def loss(self, batch: torch.Tensor, number: int) -> dict[str, torch.Tensor]:
        """Twice the squared error, and the KL. Shapes: [B, T, 1, J, 3] -> []."""
        x = batch.flatten(2)  # [B, T, J * 3]
        last = self.encoder(x)[0][:, -1]  # [B, hidden]
        mean, log_variance = self.mean(last), self.log_variance(last)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        h = torch.relu(self.enter(z.unsqueeze(1).repeat(1, x.shape[1], 1)))
        h = self.decoder(h)[0]  # [B, T, hidden]
        made = self.smooth(h.reshape(len(x), HIDDEN, -1)).reshape(x.shape)  # as coded: not a transpose
        kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
        return {"loss": 2 * ((made - x) ** 2).mean() + 1e-4 * kl}


def epoch(frames: int, stride: int) -> tuple[int, float]:
    """Windows and seconds of one epoch, cut, gathered and trained, in batches of 256."""
    noise = np.random.default_rng(0).normal(size=(38_000, MARKERS, 3))
    model, began = SoloVAE(SKELETON, frames=frames, hidden=HIDDEN), now("cpu")
    windows, optimiser = cut(Motion(noise, 35, SKELETON), frames, stride), torch.optim.Adam(model.parameters(), 1e-3)
    for batch in windows.batches(256, seed=0):
        optimiser.zero_grad()
        model.loss(batch, 0)["loss"].backward()
        optimiser.step()
    return len(windows), now("cpu") - began


if __name__ == "__main__":
    asked = options()
    for size, frames in ((64, 64), (256, 1)):
        batch = torch.randn(size, frames, 1, MARKERS, 3, device=asked.device)
        original = Original().to(asked.device)
        shelf = SoloVAE(SKELETON, frames=frames, hidden=HIDDEN).to(asked.device)
        assert [sum(p.numel() for p in model.parameters()) for model in (original, shelf)] == [5_101_395] * 2
        compare(f"solo: {size} windows of {frames} frames, {MARKERS} markers", {
            "the original, stated anew": training_step(original, batch),
            "the shelf's SoloVAE": training_step(shelf, batch),
        }, asked)
    for what, *how in (("poses", 1, 1), ("phrases without overlap", 64, 64)):
        count, took = epoch(*how)
        print(f"an epoch over 38,000 frames, {what}: {count:,} windows in {took:.1f} s of processor time; measured "
              f"elsewhere, the prototype spent {0.021 * count:.0f} s on preparing them, before any training")
