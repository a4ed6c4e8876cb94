"""The nearest frames of a forecast: a mean of ridge regression and of the network's. Taught in chapter 5."""

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from ..core.precision import in_full_precision


class RidgeBlend(nn.Module):
    """For each of the nearest frames, a share of ridge regression from the own past in what is predicted.

    A few hundredths of a second on, movement is so smooth that least squares over all joints is nearer than the
    network, and a third of a second on further off; a mean of both is nearer than either. Before `fit` and
    `fit_shares` it changes nothing. For pasts that were danced: a generated one is not as smooth as what the
    regression was fitted to, so rollouts and streams leave it out.
    Shapes: B windows, P frames of past, f frames ahead, W coordinates. Units: metres. Chapter: 5.
    """

    stored_in_full = ("weights",)  # they cancel each other: in float16, forecasts would be off by half a millimetre

    def __init__(self, frames: int, past: int, width: int):
        super().__init__()
        self.past = past  # frames that it looks at
        self.weights = nn.Buffer(torch.zeros(1 + past * width, frames, width))  # of a constant, and of these
        self.shares = nn.Buffer(torch.zeros(frames))

    @in_full_precision
    def forward(self, own: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
        """Displacements from the last pose, [B, f, W], of which the nearest are blended. Chapter: 5."""
        near = min(predicted.shape[1], len(self.shares))
        blended = torch.lerp(predicted[:, :near], self.regressed(own)[:, :near], self.shares[:near, None])
        return torch.cat([blended, predicted[:, near:]], 1)

    def regressed(self, own: torch.Tensor) -> torch.Tensor:
        """What ridge regression alone predicts: [B, P, W] -> [B, frames, W]. Chapter: 5."""
        x = torch.cat([own.new_ones(len(own), 1), own[:, -self.past :].flatten(1)], 1)  # [B, 1 + past * W]
        return torch.einsum("bc,cfw->bfw", x, self.weights)

    def fit(self, weights: Mapping[int, torch.Tensor]) -> None:
        """Take weights [1 + past * W, W] of a `baselines.Ridge` of the own past, one a horizon. Chapter: 5."""
        for frame, solved in weights.items():
            self.weights[:, frame - 1] = solved.to(self.weights)

    def fit_shares(self, windows: Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]) -> None:
        """For each frame the share, of 0, 0.05 ... 1, with the least mean distance to what was danced.

        Over the farther half of the frames shares taper off: a last one of 0.3 would end in a jump, and was measured to
        make a forecast 1.6 to 1.8 times as jerky as the network's own, for an error 3 to 4 % smaller at that frame.
        ``windows``: own pasts [B, P, W], and predicted and danced [B, f, W], of dances not trained on. Chapter: 5.
        """
        near = len(self.shares)
        own, predicted, danced = (torch.cat(each) for each in zip(*windows))
        regressed, shares = self.regressed(own), torch.linspace(0, 1, 21).to(own)
        errors = torch.stack([(torch.lerp(predicted[:, :near], regressed, share) - danced[:, :near])
                              .unflatten(2, (-1, 3)).norm(dim=-1).mean((0, 2)) for share in shares])  # [21, frames]
        taper = 2 * (1 - torch.arange(near) / near)  # from 2 at the first frame down to 2 / near at the last
        self.shares.copy_(shares[errors.argmin(0)] * taper.clamp(max=1).to(own))
