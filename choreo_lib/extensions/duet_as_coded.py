"""The published duet prototype, its faults mended one by one until it is the shelf's. Taught in chapter 5."""

from collections.abc import Iterable
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import torch
from torch import nn

from ..body.skeleton import Skeleton
from ..systems.duet_vae import DuetVAE, Prediction, SequenceVAE
from ..systems.layers import positional_encoding

REPAIRS = {
    "time": "attention, LSTM and convolution run along time, not along the batch",
    "causal": "no frame attends to a later one, so the target is not in the input",
    "probability": "a probability of 0.1 is 0.1: torch.rand, not torch.randn",
    "targets": "targets are normalised as inputs are",
    "residual": "the network predicts the step from the last pose, not the pose"}
"""What is mended, in the order in which the chapter does it: four faults, and the shelf's one repair beyond them."""


class _AsCodedVAE(SequenceVAE):
    """A VAE along the batch, whose convolution has numbers of several frames in one channel, by a reshape."""

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """As the shelf's, with the batch where time should be. Shapes: [T, B, latent] -> [T, B, width]. Chapter: 5."""
        z = z.transpose(0, 1)  # [B, T, latent]
        channels = nn.functional.pad(z.reshape(len(z), z.shape[2], -1), (1, 1))  # [B, latent, 1 + T + 1]
        h = self.smoothing(channels).reshape(*z.shape[:2], -1)  # [B, T, hidden]
        return self.to_pose(h).to(z).transpose(0, 1)  # [T, B, width]


class DuetAsCoded(DuetVAE):
    """The shelf's `DuetVAE` with the prototype's faults, but for the first ``repairs`` of `REPAIRS`.

    With all five it is the shelf's. Shapes, units and the other settings are the shelf's, too. Chapter: 5.
    """

    def __init__(self, skeleton: Skeleton, repairs: int = 0, **changes: Any):
        super().__init__(skeleton, residual=repairs > 4, **changes)
        self.repairs = tuple(REPAIRS)[:repairs]
        c, width = self.config, 3 * len(skeleton)
        if "time" not in self.repairs:
            self.vaes = nn.ModuleDict({name: _AsCodedVAE(width, c.features, c.heads, c.latent, c.hidden)
                                       for name in self.vaes})
        if "probability" not in self.repairs:  # a standard normal number is below p with the probability Phi(p)
            self.config = replace(c, no_input_prob=NormalDist().cdf(c.no_input_prob))
        self.input_mean, self.input_std = nn.Buffer(torch.zeros(width)), nn.Buffer(torch.ones(width))

    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """As the shelf's, of [B, T, 2, J, 3]; without "targets" only inputs are normalised. Chapter: 5."""
        super().fit_statistics(batches)
        self.input_mean.copy_(self.mean)
        self.input_std.copy_(self.std)
        if "targets" not in self.repairs:
            self.mean.zero_()
            self.std.fill_(1.0)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> Prediction:
        """As the shelf's; without "time" the batch takes the place of time. Shapes: [B, T, J, 3] each. Chapter: 5."""
        if "time" in self.repairs:
            return super().forward(a, b)
        made_a, made_b, kl = super().forward(a.transpose(0, 1), b.transpose(0, 1))  # [T, B, J, 3] in and out
        return Prediction(made_a.transpose(0, 1), made_b.transpose(0, 1), kl)

    def _following(self, window: torch.Tensor, own: int) -> torch.Tensor:
        if "time" in self.repairs:
            return super()._following(window, own)
        return super()._following(window.transpose(0, 1), own).transpose(0, 1)

    def _reconstruction_loss(self, window: torch.Tensor, dancer: str, kl_weight: float) -> dict[str, torch.Tensor]:
        window = window if "time" in self.repairs else window.transpose(0, 1)
        return super()._reconstruction_loss(window, dancer, kl_weight)

    def _normalise(self, poses: torch.Tensor) -> torch.Tensor:
        return (poses.flatten(2) - self.input_mean) / self.input_std

    def _time(self, frames: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        if "causal" in self.repairs:
            return super()._time(frames)
        return positional_encoding(frames, self.config.features).to(self.positions), None  # a batch has any length
