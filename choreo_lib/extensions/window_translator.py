"""What this book adds to the VAE-RNN for translation: above all latent vectors along the window, and a velocity loss.

Taught in chapter 6, "Translating a dancer". The published system, which this one extends: `choreo_lib.systems.vae_rnn`.
Whole takes: `choreo_lib.extensions.motion_translator`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import interpolate

from ..body.kinematics import joint_positions, positions_of
from ..body.motion import dancer_index
from ..body.reference import ReferenceFrame
from ..body.rotations import quaternion_from_6d, quaternion_to_6d, turn_angle
from ..body.skeleton import Skeleton
from ..core.precision import in_full_precision
from ..systems import vae_rnn
from ..systems.losses import Schedule, kl_loss, kl_per_unit, rotation_difference
from ..systems.vae_rnn import VAERNN, Decoded

FORMATS = {"quaternion": 4, "6d": 6}
"""Numbers a rotation: a quaternion, or two axes made perpendicular (`choreo_lib.body.rotations.quaternion_to_6d`)."""
ABLATIONS: dict[str, dict[str, object]] = {
    "rotations in 6d": {"rotation_format": "quaternion"}, "latents along the window": {"segments": 1},
    "velocity loss": {"velocity": 0.0}, "position and velocity losses": {"position": 0.0, "velocity": 0.0},
    "joint positions": {"show_positions": False}, "skip connection": {"skip": False}, "dropout": {"dropout": 0.0}}
"""The settings that switch each addition off."""


@dataclass(frozen=True)
class Config(vae_rnn.Config):
    """The published sizes, and what this book adds, each switched off by name (`ABLATIONS`). Chapter: 6.

    Errors of three takes left out: `benchmarks/turning_choices.py`. Of a validation take after 45 steps, 117 mm with
    everything: ``data/ablations/translate-salsa.json``.
    """

    kl: Schedule = Schedule(0.003)  # of the sum in nats, in steps; 0.003 is the published 0.1 of the mean of 32
    rotation_format: str = "quaternion"  # "6d" on three takes left out: 258 mm, quaternions 252
    segments: int = 1  # latent vectors along the window; 8 instead of 1: 258 mm instead of 347
    velocity: float = 0.0  # weight of the error's change from frame to frame, metres; after 45 steps no difference
    dropout: float = 0.0  # with it and twice the size, 6 % less error; after 45 steps 4 % more
    show_positions: bool = True  # the encoder is shown joint positions too; without them 118 mm after 45 steps
    skip: bool = True  # a linear map past the decoder's LSTM; without it 122 mm after 45 steps

    def __post_init__(self):
        if self.rotation_format not in FORMATS:
            raise ValueError(f"rotation_format {self.rotation_format!r} must be {' or '.join(FORMATS)}")
        if self.frames % (2 * self.segments) or (self.segments % 2 and self.segments > 1):
            raise ValueError(f"{self.frames} frames, {self.segments} segments: windows overlap by half, which must be "
                             "whole segments, and segments must have an even number of frames")
        if set(self.routes) == {"aa", "bb"}:
            raise ValueError(f"routes {self.routes}: the deepfake is choreo_lib.systems.VAERNN, or without networks "
                             "choreo_lib.extensions.StyleTransport")


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
        z = interpolate(latent.mT, self.frames, mode="linear").mT  # [B, T, Z]
        h = self.dropout(self.dense(z).relu())  # [B, T, dense]
        x = self.output(self.lstm(h)[0])  # [B, T, W]
        return (x if self.skip is None else x + self.skip(z)).to(latent)


class WindowTranslator(VAERNN):
    """Translation of windows of rotations, with what this book adds to `VAERNN`.

    Features are standardised by the training set's mean and standard deviation.
    Shapes: windows [B, T, 2, J, 7]; latents [B, C, Z]. Units: metres, world coordinates.
    Errors: ValueError for the routes of a deepfake. Chapter: 6.
    """

    Config = Config
    bones: torch.Tensor

    def __init__(self, skeleton: Skeleton, config: Any = None, **changes: Any):
        super().__init__(skeleton, config, **changes)
        s = self.config
        width = FORMATS[s.rotation_format] * len(skeleton) + 3  # of a target's features
        source_width = width + 3 * len(skeleton) * s.show_positions
        self.encoders = nn.ModuleDict({who: Encoder(source_width, s) for who in self.encoders})
        self.decoders = nn.ModuleDict({who: Decoder(width, s) for who in self.decoders})
        self.bones = nn.Buffer(torch.zeros(2, len(skeleton), 3))  # mean bodies of the training set
        # the farthest that each joint of each dancer turned from one frame to the next, radians
        self.largest_turn = nn.Buffer(torch.full((2, len(skeleton)), torch.pi))
        for side, people, size in (("source", self.encoders, source_width), ("target", self.decoders, width)):
            for who in people:
                self.register_buffer(f"{side}_mean_{who}", torch.zeros(size))
                self.register_buffer(f"{side}_scale_{who}", torch.ones(size))

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Measure training windows: mean bodies, and each dancer's means and standard deviations."""
        batches = [batch[:, : self.config.frames] for batch in batches]
        self.bones.copy_(torch.cat([batch[:, 0, :, :, :3] for batch in batches]).mean(0))
        turns = [turn_angle(x[:, :-1], x[:, 1:]).amax((0, 1)) for x in (batch[..., 3:] for batch in batches)]  # [2, J]
        self.largest_turn.copy_(torch.stack(turns).amax(0))
        for route in self.config.routes:
            parts = [self.source_and_target(batch, route)[:2] for batch in batches]
            for side, who, x in zip(("source", "target"), route, map(torch.cat, zip(*parts))):
                mean, scale = self.statistics(side, who)
                mean.copy_(x.mean((0, 1)))
                scale.copy_(x.std((0, 1)).clamp_min(0.05))

    def statistics(self, side: str, who: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation [W] of a dancer's features as the "source" or the "target"."""
        return getattr(self, f"{side}_mean_{who}"), getattr(self, f"{side}_scale_{who}")

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """As `VAERNN.loss`, and the velocity; the KL is summed over all latent vectors, in nats."""
        terms = super().loss(batch, step)
        return terms | {"loss": terms["loss"] + self.config.velocity * terms["velocity"]}

    def loss_terms(self, batch: torch.Tensor, route: str) -> dict[str, torch.Tensor]:
        """Compute the losses of a route: those of `VAERNN`, and how much the error changes from frame to frame."""
        source, target, _, bones = self.source_and_target(batch, route)
        predicted, mean, log_variance = self(source, route, sample=self.training)
        true = self.decoded(target, self.origin(source))
        positions = joint_positions(self.skeleton, predicted.rotations, predicted.root, bones)  # [B, T, J, 3]
        error = positions - joint_positions(self.skeleton, true.rotations, true.root, bones)  # [B, T, J, 3]
        distance, change = error.norm(dim=-1), error.diff(dim=1).norm(dim=-1)  # [B, T, J], [B, T - 1, J]
        nats = kl_loss(kl_per_unit(mean.flatten(1), log_variance.flatten(1)))
        return {
            "norm": self.norm_error(predicted.features),
            "position": (self.joint_weights * distance).mean(),
            "rotation": (self.joint_weights * rotation_difference(predicted.rotations, true.rotations)).mean(),
            "velocity": (self.joint_weights * change).mean(),
            "kl": nats, "kl_nats": nats, "error_m": distance.detach().mean()}  # fmt: skip

    def norm_error(self, x: torch.Tensor) -> torch.Tensor:
        """How far features [B, T, W] are from rotations: of length 1 and, of two axes, perpendicular."""
        if self.config.rotation_format == "quaternion":
            return ((x[..., :-3].unflatten(-1, (-1, 4)).norm(dim=-1) - 1) ** 2).mean()
        axes = x[..., :-3].unflatten(-1, (-1, 3, 2))
        return ((axes.norm(dim=-2) - 1) ** 2).mean() + (axes.prod(-1).sum(-1) ** 2).mean()

    def encode(self, source: torch.Tensor, who: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode a dancer's features [B, T, W] to the posterior's means and log-variances, [B, C, Z] each."""
        mean, scale = self.statistics("source", who)
        return super().encode((source - mean) / scale, who)

    def decode(self, latent: torch.Tensor, who: str, origin: torch.Tensor | float = 0.0) -> Decoded:
        """Decode latents [B, C, Z] as a dancer, whose root's path is relative to ``origin`` (see `origin`)."""
        mean, scale = self.statistics("target", who)
        return self.decoded(self.decoders[who](latent) * scale + mean, origin)

    def source_and_target(self, batch: torch.Tensor, route: str):
        """Describe windows as `VAERNN.source_and_target`; the source's joint positions stand before its rotations."""
        source, target, frame, bones = super().source_and_target(batch, route)
        if self.config.show_positions:
            positions = positions_of(self.skeleton, batch[:, :, dancer_index(route[0])].to(source.device))
            source = torch.cat([frame.to_local(positions).flatten(2), source], 2)  # [B, T, 3 J + W]
        return source, target, frame, bones

    def features(self, transforms: torch.Tensor, frame: ReferenceFrame) -> torch.Tensor:
        """Describe a dancer by quaternions or by two axes a joint, and the root's path. [B, T, J, 7] -> [B, T, W]."""
        x = super().features(transforms, frame)
        if self.config.rotation_format == "quaternion":
            return x
        axes = quaternion_to_6d(x[..., :-3].unflatten(-1, (-1, 4)))  # [B, T, J, 6]
        return torch.cat([axes.flatten(2), x[..., -3:]], 2)

    def decoded(self, x: torch.Tensor, origin: torch.Tensor | float = 0.0) -> Decoded:
        """Read features [B, T, W]: unit rotations, and the root's path as seen from the frame of reference."""
        if self.config.rotation_format == "quaternion":
            return super().decoded(x, origin)
        return Decoded(x, quaternion_from_6d(x[..., :-3].unflatten(-1, (-1, 6))), x[..., -3:] + origin)
