"""A linear VAE of the solo system's windows: principal components, bone projection, a fitted prior, sampled residuals.

    model      x = mean + W z + noise,  z ~ N(0, I),  noise ~ N(0, s^2 I)
    posterior  p(z | x) = N(M^-1 W^T (x - mean), s^2 M^-1),  M = W^T W + s^2 I
    fit        W = U (L - s^2 I)^(1/2):  U and L hold the first eigenvectors and eigenvalues of the training windows'
               covariance, and s^2 is the mean of those that are left out

Taught in chapter 4, "A dancer in 256 numbers". Source: Tipping and Bishop, "Probabilistic principal component
analysis", Journal of the Royal Statistical Society B 1999. It is the optimum of a VAE whose encoder and decoder are
linear (Lucas et al., "Don't blame the ELBO!", NeurIPS 2019), so nothing is left to gradient descent. The published
LSTM-VAE, after eleven epochs on the same windows of salsa (benchmarks/solo_lstm.py), rebuilds the validation take to
73.7 mm; this model to 6.1.
"""

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
from ..systems.layers import System
from ..systems.solo_vae import root_frame
from .latents import components, subsample

ABLATIONS: dict[str, dict[str, object]] = {
    "align_heading": {"align_heading": False}, "project_bones": {"project_bones": False},
    "fitted_prior": {"fitted_prior": False}, "residual_rank": {"residual_rank": 0}}
"""Each option of `LinearVAE`, and the settings that switch it off."""


@dataclass(frozen=True)
class Config:
    """The settings of `LinearVAE`; windows and latent as in the published solo system. Chapter: 4."""

    frames: int = 64
    fps: float = 30.0
    latent: int = 256
    align_heading: bool = True
    project_bones: bool = True
    fitted_prior: bool = True
    residual_rank: int = 0


class LinearVAE(System):
    """A VAE of motion windows of one dancer whose encoder and decoder are linear, fitted in closed form.

    Its options, each of which `ABLATIONS` switches off, with what they are worth on the validation take of salsa:

    - ``align_heading``: windows are rotated so that the dancer faces along X in the middle frame (canonical frame);
      off for bodies without left and right by name. Reconstruction error 6.1 mm instead of 6.8.
    - ``project_bones``: decoded bones are brought back to one length over the window (`project_bone_lengths`): 6.1 mm
      instead of 6.5.
    - ``fitted_prior``: latents are sampled as far from the origin as those of the training set (`fit_residuals`).
      Frechet distance of samples from training windows 16 instead of 28.
    - ``residual_rank``: directions of the reconstruction's error that `add_residual` samples (`fit_residuals`). Jerk of
      samples 1.08 times that of training windows instead of 0.90.

    Shapes: windows [B, T, 1, J, 3]; x [B, T, J * 3]; latents [B, Z]. Units: metres.
    Errors: ValueError for more latent units than a window has coordinates. Chapter: 4.
    """

    Config = Config

    def __init__(self, skeleton: Skeleton, config: Any = None, **changes: Any):
        super().__init__(skeleton, config, **changes)
        s, width = self.config, len(skeleton) * 3
        if s.latent > s.frames * width:
            raise ValueError(f"{s.frames} x {width} coordinates have no {s.latent} principal components; make latent "
                             "smaller")
        self.frames, self.fps = s.frames, s.fps
        self.mean_window = nn.Buffer(torch.zeros(s.frames, width))
        self.loadings = nn.Buffer(torch.zeros(s.latent, s.frames * width))  # W^T
        self.noise_std = nn.Buffer(torch.ones(()))  # s, in metres
        self.latent_norms = nn.Buffer(torch.full((101,), s.latent**0.5))  # quantiles 0, 0.01 ... 1
        self.residuals = nn.Buffer(torch.zeros(s.residual_rank, s.frames * width))

    @takes(batch=tensor("windows", "frames", 1, "joints", 3))
    def canonicalise(self, batch: torch.Tensor) -> tuple[torch.Tensor, ReferenceFrame]:
        """Windows in their canonical frame, and that frame.

        It stands at the pelvis's place on the floor in the middle frame; with ``align_heading`` it looks as the dancer.
        Shapes: [B, T, 1, J, 3] -> [B, T, J * 3], on the model's device. Units: metres. Chapter: 4.
        """
        batch = batch.to(self.mean_window)
        middle = batch.shape[1] // 2
        frame = (reference_frame(batch, middle, self.skeleton, of="a") if self.config.align_heading
                 else root_frame(batch, middle, self.skeleton))
        return frame.to_local(batch).flatten(2), frame  # [B, T, 1, J, 3] -> [B, T, J * 3]

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Fit the model: the mean window, the loadings and the noise of the training set.

        Shapes: ``batches`` of windows [B, T, 1, J, 3]; with augmented ones the loadings learn these too. Chapter: 4.
        """
        x = subsample(torch.cat([self.canonicalise(batch)[0] for batch in batches]))  # [N, T, J * 3]
        self.mean_window.copy_(x.mean(0))
        x = (x - self.mean_window).flatten(1)  # [N, T * J * 3]
        stds, directions = components(x, self.config.latent)
        left_out = x.square().sum() / max(len(x) - 1, 1) - stds.square().sum()
        variance = (left_out / max(x.shape[1] - len(stds), 1)).clamp_min(1e-12)
        self.noise_std.copy_(variance.sqrt())
        # W = U (L - s^2 I)^(1/2)
        self.loadings.copy_((stds.square() - variance).clamp_min(0).sqrt()[:, None] * directions)

    @torch.no_grad()
    @in_full_precision
    def fit_residuals(self, batches: Iterable[torch.Tensor]) -> None:
        """Measure what sampling needs: norms of latents, and directions of reconstruction errors.

        A normal prior in many dimensions has latents of one norm; those of the training set are nearer for small
        movements and farther for large ones. A decoder gives the mean of all windows with a latent, and so leaves out
        what differs among them. Shapes: ``batches`` of training windows [B, T, 1, J, 3].
        Chapter: 4. Ghosh et al., "From variational to deterministic autoencoders", ICLR 2020 (prior fitted afterwards).
        """
        residuals, norms = [], []
        for batch in batches:
            x, _ = self.canonicalise(batch)
            reconstruction, mean, _ = self(x)
            norms.append(mean.norm(dim=1))
            residuals.append((x - reconstruction).flatten(1))
        shares = torch.linspace(0, 1, len(self.latent_norms), device=self.latent_norms.device)
        self.latent_norms.copy_(torch.cat(norms).quantile(shares))
        if len(self.residuals):
            stds, directions = components(subsample(torch.cat(residuals)), len(self.residuals))
            self.residuals.copy_(stds[:, None] * directions)

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The posterior's mean and log-variance, which is the same for all windows.

        Shapes: [B, T, J * 3] -> [B, Z] each. Units: metres. Chapter: 4.
        """
        variance = self.noise_std.square()
        scale = self.loadings.square().sum(1) + variance  # [Z]: M, which is diagonal
        mean = product((x - self.mean_window).flatten(1), self.loadings.T) / scale  # M^-1 W^T (x - mean)
        return mean, (variance / scale).log().expand_as(mean)

    def decode(self, z: torch.Tensor, project_bones: bool | None = None) -> torch.Tensor:
        """Windows from latents; ``project_bones`` in place of the model's own setting. Chapter: 4."""
        x = self.mean_window + product(z, self.loadings).unflatten(1, self.mean_window.shape)  # mean + W z
        if not (self.config.project_bones if project_bones is None else project_bones):
            return x
        return project_bone_lengths(self.skeleton, x.unflatten(2, (-1, 3)), compliance=8).flatten(2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The reconstruction of canonical windows, and the posterior's mean and log-variance. Chapter: 4."""
        mean, log_variance = self.encode(x)
        return self.decode(mean), mean, log_variance

    @takes(count=count(1, 100_000), seed=seed)
    def sample_latents(self, count: int, seed: int = 0) -> torch.Tensor:
        """Latents [count, Z] from the prior; with ``fitted_prior``, of norms like the training set's. Chapter: 4."""
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(count, self.config.latent, generator=generator)
        if not self.config.fitted_prior:
            return z.to(self.mean_window)
        quantile = torch.rand(count, generator=generator) * (len(self.latent_norms) - 1)
        low = quantile.long()
        norms = torch.lerp(self.latent_norms.cpu()[low], self.latent_norms.cpu()[low + 1], quantile - low)
        return (z / z.norm(dim=1, keepdim=True) * norms[:, None]).to(self.mean_window)

    @takes(x=tensor("windows", "frames", "width", finite=True), seed=seed)
    def add_residual(self, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
        """Decoded windows with a sampled residual, as errors on training windows are. Chapter: 4."""
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

        Shapes: [B, Z]. Errors: ValueError for no motions, or of other frames, frame rate or joints. Chapter: 4.
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
        if latents.shape[-1] != self.config.latent or not latents.numel():
            raise ValueError(f"latents must be a tensor [motions, {self.config.latent}], or one "
                             f"[{self.config.latent}]; got {shown(latents)}")
        x = self.decode(latents.to(self.mean_window).reshape(-1, self.config.latent))  # [B, T, J * 3]
        if residual_seed is not None:
            x = self.add_residual(x, residual_seed)
        x = x.unflatten(2, (-1, 3))  # [B, T, J, 3]
        x = x if reference is None else reference.to_world(x)
        return [Motion(window, self.fps, self.skeleton, source=source) for window in x.cpu().numpy()]
