"""What this book adds to the solo system (`choreo_lib.systems.solo_vae`): a frame of reference, PCA, bones, a prior.

Taught in chapter 4, "A dancer in 256 numbers".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..body.bones import project_bone_lengths
from ..body.compatibility import require_fit
from ..body.motion import Motion
from ..body.reference import ReferenceFrame, reference_frame
from ..body.skeleton import Skeleton
from ..body.source import OURS, Source
from ..core.arguments import a, count, each, seed, shown, takes
from ..core.precision import in_full_precision, product
from ..core.shapes import tensor
from ..systems import solo_vae
from ..systems.layers import DropoutLSTM, eval_mode
from ..systems.losses import kl_loss, kl_per_unit
from .latents import components, subsample

ABLATIONS: dict[str, dict[str, object]] = {
    "align_heading": {"align_heading": False}, "shortcut": {"shortcut": False},
    "project_bones": {"project_bones": False}, "phase_features": {"phase_features": 0},
    "fitted_prior": {"fitted_prior": False}, "residual_rank": {"residual_rank": 0}, "dropout": {"dropout": 0.0},
}  # fmt: skip
"""Each option of `PhraseVAE`, and the settings that switch it off."""


@dataclass(frozen=True)
class Config(solo_vae.Config):
    """The settings of `PhraseVAE`: those of the published system, and one for each option. Chapter: 4."""

    mse_weight: float = 1.0
    align_heading: bool = True
    shortcut: bool = True
    project_bones: bool = True
    phase_features: int = 4
    fitted_prior: bool = True
    residual_rank: int = 0
    dropout: float = 0.0
    free_bits: float = 0.0


class PhraseVAE(solo_vae.SoloVAE):
    """The solo system with this book's options, each of which `ABLATIONS` switches off.

    - ``align_heading``: windows are rotated so that the dancer faces along X in the middle frame (canonical frame);
      off for bodies without left and right by name.
    - ``shortcut``: the principal components of the training set beside the networks, fixed before training; the LSTMs
      learn what a linear model leaves over.
    - ``project_bones``: decoded bones are brought back to one length over the window (`project_bone_lengths`).
    - ``phase_features``: frequencies of sines and cosines that tell the decoder where in the window a frame is.
    - ``fitted_prior``: latents are sampled as far from the origin as those of the training set (`fit_residuals`).
    - ``residual_rank``: directions of the reconstruction's error that `add_residual` samples (`fit_residuals`).
    - ``dropout``: the share of LSTM outputs that are zeroed in training.
    - ``free_bits``: nats of KL a latent unit that are not penalised.

    Shapes: windows [B, T, 1, J, 3]; x [B, T, J * 3]; latents [B, Z]. Units: metres.
    Errors: ValueError for a shortcut with more latent units than a window has coordinates. Chapter: 4.
    """

    Config = Config
    components: torch.Tensor
    component_stds: torch.Tensor
    latent_norms: torch.Tensor
    residuals: torch.Tensor
    phase: torch.Tensor

    def __init__(self, skeleton: Skeleton, config: Any = None, **changes: Any):
        super().__init__(skeleton, config, **changes)
        s, width = self.settings, len(skeleton) * 3
        if s.shortcut and s.latent > s.frames * width:
            raise ValueError(f"{s.frames} x {width} coordinates have no {s.latent} principal components; make latent "
                             "smaller, or leave the shortcut out")
        self.encoder.lstm = DropoutLSTM(width, s.hidden, s.layers, s.dropout)
        self.decoder = solo_vae.Decoder(s.latent + 2 * s.phase_features, width, s.hidden, s.layers)
        self.decoder.lstm = DropoutLSTM(s.hidden, s.hidden, s.layers, s.dropout)
        self.register_buffer("components", torch.zeros(s.latent if s.shortcut else 0, s.frames * width))
        self.register_buffer("component_stds", torch.ones(s.latent if s.shortcut else 0))
        self.register_buffer("latent_norms", torch.full((101,), s.latent**0.5))  # quantiles 0, 0.01 ... 1
        self.register_buffer("residuals", torch.zeros(s.residual_rank, s.frames * width))
        angle = torch.arange(s.frames)[:, None] / s.frames * torch.pi * 2.0 ** torch.arange(s.phase_features)
        self.register_buffer("phase", torch.cat([angle.sin(), angle.cos()], 1), persistent=False)  # [T, 2 * features]

    def reference(self, batch: torch.Tensor) -> ReferenceFrame:
        """The pelvis's place on the floor in the middle frame and, with ``align_heading``, the dancer's heading there.

        Shapes: [B, T, 1, J, 3]. Chapter: 4.
        """
        if not self.settings.align_heading:
            return super().reference(batch)
        return reference_frame(batch, batch.shape[1] // 2, self.skeleton, of="a")

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Measure the training set before training: mean window, standard deviation, principal components.

        Shapes: ``batches`` of windows [B, T, 1, J, 3]; with augmented ones the components learn these too. Chapter: 4.
        """
        x = subsample(torch.cat([self.canonicalise(batch)[0] for batch in batches]))  # [N, T, J * 3]
        self.mean_window.copy_(x.mean(0))
        self.scale.copy_((x - self.mean_window).std())
        if not self.settings.shortcut:
            return
        stds, directions = components(((x - self.mean_window) / self.scale).flatten(1), self.settings.latent)
        self.components.copy_(directions)
        self.component_stds.copy_(stds)  # divided by these, each latent unit has variance 1
        for parameter in (*self.encoder.to_mean.parameters(), *self.decoder.smooth.parameters()):
            nn.init.zeros_(parameter)  # at first the networks add nothing to the components
        nn.init.constant_(self.encoder.to_log_variance.bias, -6.0)

    @torch.no_grad()
    @in_full_precision
    def fit_residuals(self, batches: Iterable[torch.Tensor]) -> None:
        """Measure after training what sampling needs: norms of latents, and directions of reconstruction errors.

        A normal prior in many dimensions has latents of one norm; those of the training set are nearer for small
        movements and farther for large ones. A decoder gives the mean of all windows with a latent, and so leaves out
        what differs among them. Shapes: ``batches`` of training windows [B, T, 1, J, 3].
        Chapter: 4. Ghosh et al., "From variational to deterministic autoencoders", ICLR 2020 (prior fitted afterwards).
        """
        residuals, norms = [], []
        with eval_mode(self):
            for batch in batches:
                x, _ = self.canonicalise(batch)
                mean, _ = self.encode(x)
                norms.append(mean.norm(dim=1))
                residuals.append((x - self.decode(mean)).flatten(1))
        shares = torch.linspace(0, 1, len(self.latent_norms), device=self.latent_norms.device)
        self.latent_norms.copy_(torch.cat(norms).quantile(shares))
        if len(self.residuals):
            stds, directions = components(subsample(torch.cat(residuals)), len(self.residuals))
            self.residuals.copy_(stds[:, None] * directions)

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The posterior's mean and log-variance. Shapes: [B, T, J * 3] -> [B, Z] each. Units: metres. Chapter: 4."""
        mean, log_variance = super().encode(x)
        if self.settings.shortcut:
            x = (x - self.mean_window) / self.scale
            mean = mean + product(x.flatten(1), self.components.T) / self.component_stds
        return mean, log_variance.clamp(-12, 4)

    def decode(self, z: torch.Tensor, project_bones: bool | None = None) -> torch.Tensor:
        """Windows from latents; ``project_bones`` in place of the model's own setting.

        Shapes: [B, Z] -> [B, T, J * 3]. Units: metres. Chapter: 4.
        """
        repeated = z[:, None].expand(-1, self.frames, -1)  # [B, Z] -> [B, T, Z]
        x = self.decoder(torch.cat([repeated, self.phase.expand(len(z), -1, -1)], 2))  # [B, T, J * 3]
        if self.settings.shortcut:
            x = x + product(z * self.component_stds, self.components).view_as(x)
        x = x * self.scale + self.mean_window
        if not (self.settings.project_bones if project_bones is None else project_bones):
            return x
        return project_bone_lengths(self.skeleton, x.unflatten(2, (-1, 3)), compliance=8).flatten(2)

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """As `choreo_lib.systems.SoloVAE.loss`, with free bits. Chapter: 4."""
        x, _ = self.canonicalise(batch)
        reconstruction, mean, log_variance = self(x)
        mse = ((reconstruction - x) / self.scale).square().mean()
        units = kl_per_unit(mean, log_variance)  # [Z]
        penalty = self.settings.kl.at(step) * kl_loss(units, self.settings.free_bits)
        error = (reconstruction - x).detach().unflatten(2, (-1, 3)).norm(dim=-1).mean()  # [B, T, J] -> []
        return {"loss": self.settings.mse_weight * mse + penalty, "mse": mse, "kl_nats": units.sum(), "error_m": error}

    @takes(count=count(1, 100_000), seed=seed)
    def sample_latents(self, count: int, seed: int = 0) -> torch.Tensor:
        """Latents from the prior; with ``fitted_prior``, of any direction and of norms like the training set's.

        Shapes: [count, Z]. Chapter: 4.
        """
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(count, self.settings.latent, generator=generator)
        if not self.settings.fitted_prior:
            return z.to(self.mean_window)
        quantile = torch.rand(count, generator=generator) * (len(self.latent_norms) - 1)
        low = quantile.long()
        norms = torch.lerp(self.latent_norms.cpu()[low], self.latent_norms.cpu()[low + 1], quantile - low)
        return (z / z.norm(dim=1, keepdim=True) * norms[:, None]).to(self.mean_window)

    @takes(x=tensor("windows", "frames", "width", finite=True), seed=seed)
    def add_residual(self, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
        """Decoded windows with a sampled residual, of the size and directions of errors on training windows.

        Shapes: [B, T, J * 3] -> [B, T, J * 3]. Units: metres. Chapter: 4.
        """
        generator = torch.Generator().manual_seed(seed)
        generator.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))  # not the numbers of sample_latents
        weights = torch.randn(len(x), len(self.residuals), generator=generator)  # [B, K]
        return x + product(weights.to(x), self.residuals).view_as(x)

    def mean_pose(self) -> np.ndarray:
        """The training set's mean pose [J, 3] in metres, in which limbs that move much are too short. Chapter: 4."""
        return self.mean_window.mean(0).view(-1, 3).cpu().double().numpy()

    @torch.no_grad()
    @takes(motions=a(Motion) | each(a(Motion)))
    def encode_motion(self, motions: Motion | list[Motion]) -> tuple[torch.Tensor, ReferenceFrame]:
        """The latents (posterior means) of one motion of ``frames`` frames or of several, and where each was danced.

        Shapes: [B, Z]. Errors: ValueError for no motions, or another number of frames, frame rate or joints.
        Chapter: 4.
        """
        motions = [motions] if isinstance(motions, Motion) else list(motions)
        if not motions:
            raise ValueError("there are no motions to encode")
        for k, motion in enumerate(motions):
            require_fit(f"motion {k}", motion, self.skeleton, self.fps)
            if len(motion) != self.frames:
                raise ValueError(f"motion {k} has {len(motion)} frames; this model encodes {self.frames}")
        batch = torch.stack([torch.from_numpy(motion.positions) for motion in motions])[:, :, None]  # [B, T, 1, J, 3]
        x, reference = self.canonicalise(batch)
        with eval_mode(self):
            return self.encode(x)[0], reference

    @torch.no_grad()
    @takes(latents=tensor(..., "latents", finite=True), reference=a(ReferenceFrame), source=a(Source),
           residual_seed=seed)
    def decode_motion(self, latents: torch.Tensor, reference: ReferenceFrame | None = None,
                      source: Source | None = OURS, residual_seed: int | None = None) -> list[Motion]:
        """The motions of several latents, or of one.

        ``reference``: where to dance them, as `encode_motion` gives it; None: in the middle of the room, facing along
        X. ``source``: whose motion it is, since what is made from a recording stays its makers'. ``residual_seed``:
        for `add_residual`; None: no residual.
        Shapes: [B, Z], or [Z]. Errors: ValueError for another number of latent units. Chapter: 4.
        """
        if latents.shape[-1] != self.settings.latent or not latents.numel():
            raise ValueError(f"latents must be a tensor [motions, {self.settings.latent}], or one "
                             f"[{self.settings.latent}]; got {shown(latents)}")
        with eval_mode(self):
            x = self.decode(latents.to(self.mean_window).reshape(-1, self.settings.latent))  # [B, T, J * 3]
        if residual_seed is not None:
            x = self.add_residual(x, residual_seed)
        x = x.unflatten(2, (-1, 3))  # [B, T, J, 3]
        x = x if reference is None else reference.to_world(x)
        return [Motion(window, self.fps, self.skeleton, source=source) for window in x.cpu().numpy()]
