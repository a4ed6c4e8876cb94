"""Latent spaces: interpolation, and the principal components that linear latents are made of. Taught in chapter 4."""

import torch

from ..core.arguments import count, takes
from ..core.shapes import tensor


@takes(start=tensor("latents", finite=True), end=tensor("latents", finite=True), steps=count(1, 100_000))
def interpolate(start: torch.Tensor, end: torch.Tensor, steps: int) -> torch.Tensor:
    """Latents on the way from one to another by spherical interpolation, both ends included.

    The direction turns at an even rate and the norm changes at an even rate, while linear interpolation passes nearer
    to the origin than latents lie. From the origin, which has no direction, interpolation is linear.
    Shapes: [Z] each -> [steps, Z]. Errors: ValueError for opposite latents, between which no way is the shortest.
    Chapter: 4. White, "Sampling generative networks", 2016.
    """
    share = torch.linspace(0, 1, steps, device=start.device)[:, None]  # [steps, 1]
    norms = start.norm(), end.norm()
    if min(norms) < 1e-6 or (angle := torch.arccos((start @ end / (norms[0] * norms[1])).clamp(-1, 1))) < 1e-4:
        return torch.lerp(start, end, share)
    if angle > 3.1415:
        raise ValueError("these latents are opposite, so there is no one way between them; go by a third")
    # direction(s) = (sin((1 - s) angle) start / |start| + sin(s angle) end / |end|) / sin(angle)
    directions = ((1 - share) * angle).sin() * start / norms[0] + (share * angle).sin() * end / norms[1]  # [steps, Z]
    return directions / angle.sin() * torch.lerp(*norms, share)


def subsample(windows: torch.Tensor, most: int = 30_000) -> torch.Tensor:
    """At most ``most`` of the windows, the same ones every time: [N, ...] -> [``most``, ...]. Chapter: 4."""
    chosen = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))[:most]
    return windows[chosen.to(windows.device)]


def components(x: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first principal components of data whose mean is zero: standard deviations and directions.

    Where the data have fewer directions than ``count``, the others are zero, with a standard deviation of 1e-6.
    Shapes: [N, D] -> [count], [count, D]. Chapter: 4. Halko et al., SIAM Review 2011 (randomised).
    """
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(0)
        # the last of the directions found are inexact, so 64 more are asked for: with two iterations what 256 of them
        # leave over is 0.06 % more than with four, in three fifths of the time
        _, singular, vectors = torch.pca_lowrank(x, min(count + 64, *x.shape), center=False, niter=2)
    found = len(singular[:count])
    stds, directions = x.new_full((count,), 1e-6), x.new_zeros(count, x.shape[1])
    stds[:found] = (singular[:count] / max(len(x) - 1, 1) ** 0.5).clamp_min(1e-6)
    directions[:found] = vectors[:, :count].T
    return stds, directions
