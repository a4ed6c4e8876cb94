"""Principal components along a window: a linear model of segments that overlap, beside which networks learn the rest.

Taught in chapter 6, "Translating a dancer"; principal components in chapter 4, "A dancer in 256 numbers".
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pad

from ..core.precision import product
from .solo_vae import components

MOST_SEGMENTS = 20_000  # that components are computed from


class LappedPCA(nn.Module):
    """Windows [B, T, W] as principal components [B, C, Z] of C segments, and as windows again.

    Segments overlap by half and are faded by half a sine before and after, since side by side they would not fit at
    their ends. Shapes: ``weights`` [W], how much each number counts. Chapter: 6. Malvar, "Lapped transforms for
    efficient transform/subband coding", IEEE Transactions on Acoustics, Speech, and Signal Processing 1990.
    """

    axes: torch.Tensor
    scale: torch.Tensor
    fade: torch.Tensor
    weights: torch.Tensor

    def __init__(self, latent: int, frames: int, segments: int, weights: torch.Tensor):
        super().__init__()
        length = 2 * frames // segments  # of a segment
        fade = torch.sin(torch.pi * (torch.arange(length) + 0.5) / length)[:, None]  # [length, 1]
        self.register_buffer("axes", torch.zeros(latent, length * len(weights)))
        self.register_buffer("scale", torch.ones(latent))
        self.register_buffer("fade", fade, persistent=False)
        self.register_buffer("weights", weights, persistent=False)

    def fit(self, x: torch.Tensor) -> None:
        """Compute the components of windows [N, T, W]."""
        segments = self.split(x).flatten(0, 1)  # [N * C, length * W]
        chosen = torch.randperm(len(segments), generator=torch.Generator().manual_seed(0))[:MOST_SEGMENTS]
        scale, axes = components(segments[chosen.to(segments.device)], len(self.axes))
        self.scale.copy_(scale)
        self.axes.copy_(axes)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Project windows onto the components, each of variance 1. Shapes: [B, T, W] -> [B, C, Z]."""
        return product(self.split(x), self.axes.T) / self.scale

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Rebuild windows from components. Shapes: [B, C, Z] -> [B, T, W]."""
        return self.join(product(latent * self.scale, self.axes))

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """Cut windows into faded, weighted segments. Shapes: [B, T, W] -> [B, C, length * W]."""
        length = len(self.fade)
        first, last = (x[:, at, None].expand(-1, length // 4, -1) for at in (0, -1))
        x = torch.cat([first, x, last], 1) * self.weights  # [B, T + length / 2, W]
        return (x.unfold(1, length, length // 2).transpose(2, 3) * self.fade).flatten(2)

    def join(self, segments: torch.Tensor) -> torch.Tensor:
        """Fade segments into each other, the inverse of `split`. Shapes: [B, C, length * W] -> [B, T, W]."""
        half = len(self.fade) // 2
        faded = segments.unflatten(2, (2 * half, -1)) * self.fade  # [B, C, length, W]
        x = pad(faded[:, :, :half], (0, 0, 0, 0, 0, 1)) + pad(faded[:, :, half:], (0, 0, 0, 0, 1, 0))
        share = torch.ones(x.shape[1], half, 1, device=x.device)  # at either end half a segment stands alone
        share[0], share[-1] = self.fade[:half] ** 2, self.fade[half:] ** 2
        return (x / share).flatten(1, 2)[:, half // 2 : -(half // 2)] / self.weights
