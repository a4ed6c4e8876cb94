"""What this book adds to the VAE-RNN: latent vectors along the window, linear components, styles moved onto each other.

Taught in chapter 6, "Translating a dancer", and chapter 7, "A deepfake of dancers". The published system, which this
one extends: `choreo_lib.systems.vae_rnn`. Whole takes: `choreo_lib.extensions.motion_translator`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ..body.kinematics import forward_kinematics, positions_of
from ..body.motion import dancer_index
from ..body.skeleton import Skeleton
from ..core.deferred import roma
from ..core.precision import in_full_precision, product
from ..systems.losses import kl_loss, kl_per_unit, rotation_difference
from ..systems.vae_rnn import VAERNN, Decoded
from .lapped_pca import LappedPCA
from .optimal_transport import gaussian_ot_map, regularised_covariance
from .vae_rnn_networks import FORMATS, Config, Decoder, Encoder

RIDGE = 0.5  # of a pose's variance, added in every direction before two styles are compared


class WindowTranslator(VAERNN):
    """Translation or deepfake of windows of rotations, with what this book adds to `VAERNN`.

    Features are standardised by the training set's mean and standard deviation. Of a deepfake a mean pose is not all of
    a style: before they share an encoder, the two dancers' distributions of poses are moved onto each other by the
    optimal transport of Gaussians, and what is decoded is moved back.
    Shapes: windows [B, T, 2, J, 7]; latents [B, C, Z]. Units: metres, world coordinates. Chapter: 6; 7 (deepfake).
    """

    Config, Encoder, Decoder = Config, Encoder, Decoder
    bones: torch.Tensor

    def __init__(self, skeleton: Skeleton, config: Any = None, **changes: Any):
        super().__init__(skeleton, config, **changes)
        s = self.settings
        for side, names, width in zip(("source", "target"), zip(*s.routes), self.widths()):
            for who in sorted(set(names)):
                self.register_buffer(f"{side}_mean_{who}", torch.zeros(width))
                self.register_buffer(f"{side}_scale_{who}", torch.ones(width))
        width = self.widths()[1]
        for who in "ab" if self.shared_encoder else "":  # from a dancer's standardised poses to the shared ones
            self.register_buffer(f"transport_{who}", torch.eye(width))
        self.register_buffer("bones", torch.zeros(2, len(skeleton), 3))  # mean bodies of the training set
        self.pca = LappedPCA(s.latent, s.frames, s.segments, self._leverage()) if s.shortcut else None
        if not s.networks:
            self.encoders, self.decoders = nn.ModuleDict(), nn.ModuleDict()
        if s.shortcut:  # at first the networks add nothing to the components
            for name, parameter in self.named_parameters():
                if name.split(".")[-2] in ("mean", "output", "skip"):
                    nn.init.zeros_(parameter)

    def _leverage(self) -> torch.Tensor:
        """How much each target feature counts for the components, [W]: the root of how many joints a joint moves."""
        if not self.settings.leverage:
            return torch.ones(self.widths()[1])
        moved = torch.ones(len(self.skeleton))
        for parent, child in reversed(self.skeleton.bones):
            moved[parent] += moved[child]
        moved = moved.repeat_interleave(FORMATS[self.settings.rotation_format])
        return torch.cat([moved, torch.full((3,), 10.0)]).sqrt()  # the root's path counts as ten joints

    def widths(self) -> tuple[int, int]:
        """How many numbers describe a frame of the source, and one of the target."""
        width = len(self.skeleton) * FORMATS[self.settings.rotation_format] + 3
        return width + 3 * len(self.skeleton) * self.settings.show_positions, width

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Measure training windows: bodies, means and standard deviations, styles, principal components."""
        batches = [batch[:, : self.settings.frames] for batch in batches]
        self.bones.copy_(torch.cat([batch[:, 0, :, :, :3] for batch in batches]).mean(0))
        seen = {}
        for route in self.settings.routes:
            parts = [self.source_and_target(batch, route)[:2] for batch in batches]
            for side, who, x in zip(("source", "target"), route, map(torch.cat, zip(*parts))):
                seen[side, who] = x  # [N, T, W]
                self._statistic(side, "mean", who).copy_(x.mean((0, 1)))
                self._statistic(side, "scale", who).copy_(x.std((0, 1)).clamp_min(0.05))
        if self.shared_encoder:
            self._share_statistics()
            if self.settings.transport:
                self._fit_transport(seen)
        if self.pca is not None:
            self.pca.fit(torch.cat([self.normalise(x, side, who) for (side, who), x in seen.items()
                                    if side == "target"]))

    def _share_statistics(self) -> None:
        """Give both dancers one scale, so that a step means the same for both, and one facing and path on the floor.

        Where one faces and goes is no style, and half-way between two facings lies none; how high is one.
        """
        heading = [*range(-self.widths()[1], FORMATS[self.settings.rotation_format] - self.widths()[1]), -3, -2]
        for side in ("source", "target"):
            scales, means = ([self._statistic(side, name, who) for who in "ab"] for name in ("scale", "mean"))
            scale, mean = (scales[0] + scales[1]) / 2, (means[0] + means[1]) / 2
            for each in scales:
                each.copy_(scale)
            for each in means:
                each[heading] = mean[heading]

    def _fit_transport(self, seen: dict[tuple[str, str], torch.Tensor]) -> None:
        """Map either dancer's distribution of postures, without the root, half-way onto the other's."""
        posture = slice(FORMATS[self.settings.rotation_format], -3)
        maps = [self._statistic("transport", who) for who in "ab"]
        for each in maps:
            each.copy_(torch.eye(len(each)))
        covariances = [regularised_covariance(self.normalise(seen["target", who], "target", who)[..., posture], RIDGE)
                       for who in "ab"]
        for each, covariance in zip(maps, covariances):
            each[posture, posture] = gaussian_ot_map(covariance, (covariances[0] + covariances[1]) / 2)

    def _statistic(self, *name: str) -> torch.Tensor:
        return getattr(self, "_".join(name))

    def loss_weights(self, step: int | None) -> dict[str, float]:
        """Give the weight of each term of the loss at a training step."""
        weights = super().loss_weights(step)
        return {"velocity": self.settings.velocity, "kl_nats": weights.pop("kl"), **weights}

    def loss_terms(self, batch: torch.Tensor, route: str) -> dict[str, torch.Tensor]:
        """Compute the losses of a route: of `VAERNN`, the velocity, and the KL summed over all latent vectors."""
        source, target, _, bones = self.source_and_target(batch, route)
        predicted, mean, log_variance = self(source, route, sample=self.training)
        true = self.decoded(target, self.origin(source))
        positions = forward_kinematics(self.skeleton, predicted.rotations, predicted.root, bones)[0]  # [B, T, J, 3]
        error = positions - forward_kinematics(self.skeleton, true.rotations, true.root, bones)[0]  # [B, T, J, 3]
        distance, change = error.norm(dim=-1), error.diff(dim=1).norm(dim=-1)  # [B, T, J], [B, T - 1, J]
        return {
            "norm": self.norm_error(predicted.features),
            "position": (self.joint_weights * distance).mean(),
            "rotation": (self.joint_weights * rotation_difference(predicted.rotations, true.rotations)).mean(),
            "velocity": (self.joint_weights * change).mean(),
            "kl_nats": kl_loss(kl_per_unit(mean.flatten(1), log_variance.flatten(1))),
            "error_m": distance.detach().mean()}  # fmt: skip

    def encode(self, source: torch.Tensor, who: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode a dancer's features [B, T, W] to the posterior's means and log-variances, [B, C, Z] each."""
        x = self.normalise(source, "source", who)
        mean = log_variance = x.new_zeros(len(x), self.settings.segments, self.settings.latent)
        if self.settings.networks:
            mean, log_variance = super().encode(x, who)
        if self.pca is not None:
            mean = mean + self.pca.encode(x[..., -self.widths()[1] :])
        return mean, log_variance

    def decode(self, latent: torch.Tensor, who: str, origin: torch.Tensor | float = 0.0) -> Decoded:
        """Decode latents [B, C, Z] as a dancer, whose root's path is relative to ``origin`` (see `origin`)."""
        x = self.decoders[who](latent) if self.settings.networks else torch.zeros((), device=latent.device)
        if self.pca is not None:
            x = x + self.pca.decode(latent)
        if self.shared_encoder:
            x = product(x, torch.linalg.inv(self._statistic("transport", who)).T)
        x = x * self._statistic("target_scale", who) + self._statistic("target_mean", who)
        return self.decoded(x, origin)

    def normalise(self, x: torch.Tensor, side: str, who: str) -> torch.Tensor:
        """Standardise features [B, T, W] of a dancer ("source" or "target"); of a deepfake also move the style."""
        x = (x - self._statistic(side, "mean", who)) / self._statistic(side, "scale", who)
        if not self.shared_encoder:
            return x
        transport = self._statistic("transport", who)
        return torch.cat([x[..., : -len(transport)], product(x[..., -len(transport) :], transport.T)], -1)

    def source_and_target(self, batch: torch.Tensor, route: str):
        """Describe windows as `VAERNN.source_and_target`; the source's joint positions stand before its rotations."""
        source, target, frame, bones = super().source_and_target(batch, route)
        if self.settings.show_positions:
            positions = positions_of(self.skeleton, batch[:, :, dancer_index(route[0])].to(source.device))
            source = torch.cat([frame.to_local(positions).flatten(2), source], 2)  # [B, T, 3 J + W]
        return source, target, frame, bones

    def rotation_features(self, q: torch.Tensor) -> torch.Tensor:
        """Describe rotations by quaternions or by two axes. Shapes: [B, T, J, 4] -> [B, T, 4 J or 6 J]."""
        if self.settings.rotation_format == "quaternion":
            return super().rotation_features(q)
        return roma.unitquat_to_rotmat(q)[..., :2].flatten(2)  # of each joint x, x, y, y, z, z

    def rotations(self, x: torch.Tensor) -> torch.Tensor:
        """Unit quaternions [B, T, J, 4] of features [B, T, W]."""
        if self.settings.rotation_format == "quaternion":
            return super().rotations(x)
        axes = x[..., :-3].unflatten(-1, (len(self.skeleton), 3, 2))
        return roma.rotmat_to_unitquat(roma.special_gramschmidt(axes))

    def norm_error(self, x: torch.Tensor) -> torch.Tensor:
        """How far features [B, T, W] are from rotations: of length 1 and, of two axes, perpendicular."""
        if self.settings.rotation_format == "quaternion":
            return super().norm_error(x)
        axes = x[..., :-3].unflatten(-1, (len(self.skeleton), 3, 2))
        return ((axes.norm(dim=-2) - 1) ** 2).mean() + (axes.prod(-1).sum(-1) ** 2).mean()
