"""Settings and networks of `choreo_lib.extensions.MotionTranslator`, each addition of which is an option.

Taught in chapter 6, "Translating a dancer", and chapter 7, "A deepfake of dancers".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import interpolate

from ..systems import vae_rnn
from ..systems.losses import Schedule

FORMATS = {"quaternion": 4, "6d": 6}
"""Numbers a rotation: a quaternion, or two axes made perpendicular (Zhou et al., CVPR 2019)."""
ABLATIONS: dict[str, dict[str, object]] = {
    "rotations in 6d": {"rotation_format": "quaternion"},
    "latents along the window": {"segments": 1},
    "velocity loss": {"velocity": 0.0},
    "position and velocity losses": {"position": 0.0, "velocity": 0.0},
    "joint positions": {"show_positions": False},
    "skip connection": {"skip": False},
    "dropout": {"dropout": 0.0},
    "PCA shortcut": {"shortcut": False},
    "leverage": {"leverage": False},
    "optimal transport": {"transport": False},
}
"""The settings that switch each addition off. Without `Config.networks` there is nothing left to train: what those are
worth is in the row "pca" of `choreo_lib.evaluation.evaluate_deepfake`."""


@dataclass(frozen=True)
class Config(vae_rnn.Config):
    """The published sizes, and what this book adds, each switched off by name (`ABLATIONS`). Chapter: 6; 7."""

    kl: Schedule = Schedule(0.003)  # of the sum in nats, in steps; 0.003 is the published 0.1 of the mean of 32
    rotation_format: str = "quaternion"  # "6d" on three takes left out: 258 mm, quaternions 252
    segments: int = 1  # latent vectors along the window; 8 instead of 1: 258 mm instead of 347
    velocity: float = 0.0  # weight of the error's change from frame to frame, metres
    dropout: float = 0.0  # with it and twice the size, 6 % less error
    show_positions: bool = True  # the encoder is shown joint positions beside the rotations
    skip: bool = True  # a linear map past the decoder's LSTM
    shortcut: bool = False  # principal components of the segments, and the networks learn what these leave out
    leverage: bool = False  # components weigh a joint by how many hang from it: no difference
    networks: bool = True  # False: the components alone, whose deepfakes are taken for the other as often
    transport: bool = True  # of a deepfake: covariances of poses are matched, too, and not only means

    def __post_init__(self):
        if self.rotation_format not in FORMATS:
            raise ValueError(f"rotation_format {self.rotation_format!r} must be {' or '.join(FORMATS)}")
        if self.frames % (2 * self.segments) or (self.segments % 2 and self.segments > 1):
            raise ValueError(f"{self.frames} frames, {self.segments} segments: windows overlap by half, which must be "
                             "whole segments, and segments must have an even number of frames")
        if not (self.networks or self.shortcut):
            raise ValueError("without networks a model needs its shortcut")


class Encoder(vae_rnn.Encoder):
    """A window to a latent vector for each of its segments: [B, T, W] to [B, C, Z] twice. Chapter: 6."""

    def __init__(self, width: int, config: Config):
        super().__init__(width, config)
        self.segments, self.dropout, self.lstm.dropout = config.segments, nn.Dropout(config.dropout), config.dropout
        nn.init.constant_(self.log_variance.bias, -5.0)  # a wide posterior's noise would drown what is encoded

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode windows. Shapes: [B, T, W] -> [B, C, Z], [B, C, Z]."""
        h = self.lstm(x)[0].unflatten(1, (self.segments, -1)).mean(2)  # [B, C, 2 * hidden]
        h = self.dropout(self.dense(self.dropout(h)).relu())  # [B, C, dense]
        return self.mean(h).to(x), self.log_variance(h).to(x).clamp(-12, 4)  # [B, C, Z] each


class Decoder(vae_rnn.Decoder):
    """Latent vectors along a window to the window: [B, C, Z] to [B, T, W]. Chapter: 6."""

    def __init__(self, width: int, config: Config):
        super().__init__(width, config)
        self.dropout, self.lstm.dropout = nn.Dropout(config.dropout), config.dropout
        self.skip = nn.Linear(config.latent, width) if config.skip else None

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """Decode latent vectors. Shapes: [B, C, Z] -> [B, T, W]."""
        z = interpolate(latent.transpose(1, 2), self.frames, mode="linear").transpose(1, 2)  # [B, T, Z]
        h = self.dropout(self.dense(z).relu())  # [B, T, dense]
        x = self.output(self.lstm(h)[0])  # [B, T, W]
        return (x if self.skip is None else x + self.skip(z)).to(latent)
