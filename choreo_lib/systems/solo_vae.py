"""The solo system: an LSTM variational autoencoder of one dancer's motion windows, or of static poses.

    encoder   x_1 ... x_T  ->  two LSTM layers  ->  mean, log-variance
    sample    z = mean + sigma * noise
    decoder   z, repeated T times  ->  linear, ReLU  ->  two LSTM layers  ->  convolution over time  ->  x_1 ... x_T
    loss      2 MSE(x', x) + beta KL(N(mean, sigma^2) || N(0, I))

Taught in chapter 4, "A dancer in 256 numbers". Source: the prototype after Pettee et al., "Beyond imitation: generative
and variational choreography via machine learning", ICCC 2019; the loss is that of Kingma and Welling, "Auto-encoding
variational Bayes", ICLR 2014. Trained there with Adam, learning rate 1e-3 halved at epochs 200 and 300, batches of 256;
1,000 epochs for sequences, 500 for static poses. What is repaired: time and channels are transposed before the
convolution, not reshaped (their values were scrambled), and the convolution repeats the first and last frame instead of
adding zeros. What this book adds to the system is in `choreo_lib.extensions.linear_vae`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..body.reference import ReferenceFrame
from ..body.skeleton import Skeleton
from .layers import LSTM, System, eval_mode, reparameterise
from .losses import Schedule, kl_loss, kl_per_unit


@dataclass(frozen=True)
class Config:
    """The settings of `SoloVAE`, with the published values as defaults. Chapter: 4."""

    frames: int = 64  # seq_len, as described; 1: a model of static poses
    fps: float = 30.0  # of the windows; the network itself does not depend on it
    latent: int = 256  # latent_dim, the best size found
    hidden: int = 384  # LSTM units, the best size found (the text says 394)
    layers: int = 2  # LSTM layers of the encoder and of the decoder, as described
    mse_weight: float = 2.0  # as coded
    kl: Schedule = Schedule(1e-4)  # as coded: constant; the KL is summed over latent units and averaged over the batch


def root_frame(batch: torch.Tensor, at: int, skeleton: Skeleton) -> ReferenceFrame:
    """The frame of reference of each window: its pelvis's place on the floor at a frame, and the world's directions.

    Shapes: [B, T, 1, J, 3] -> origin [B, 3], heading [B]. Units: metres. Chapter: 4.
    """
    pelvis = batch[:, at, 0, skeleton.pelvis]  # [B, 3]
    return ReferenceFrame(pelvis * pelvis.new_tensor([1.0, 1.0, 0.0]), torch.zeros_like(pelvis[:, 0]))


class Encoder(nn.Module):
    """LSTM layers over the frames, and two linear layers for the posterior. Chapter: 4."""

    def __init__(self, width: int, latent: int, hidden: int, layers: int):
        super().__init__()
        self.lstm = LSTM(width, hidden, layers, batch_first=True)
        self.to_mean = nn.Linear(hidden, latent)
        self.to_log_variance = nn.Linear(hidden, latent)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The posterior's mean and log-variance. Shapes: [B, T, width] -> [B, Z] each. Chapter: 4."""
        last = self.lstm(x)[0][:, -1]  # [B, T, width] -> [B, hidden]
        # in float32 under autocast too, since exp(log-variance) is not for half precision
        return self.to_mean(last).float(), self.to_log_variance(last).float()  # [B, hidden] -> [B, Z] each


class Decoder(nn.Module):
    """A linear layer with ReLU, LSTM layers over the frames, and a convolution that smooths over time. Chapter: 4."""

    def __init__(self, features: int, width: int, hidden: int, layers: int):
        super().__init__()
        self.input_proj = nn.Linear(features, hidden)
        self.lstm = LSTM(hidden, hidden, layers, batch_first=True)
        self.smooth = nn.Conv1d(hidden, width, kernel_size=3, padding=1,
                                padding_mode="replicate")

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Poses from latents that are repeated over time. Shapes: [B, T, features] -> [B, T, width]. Chapter: 4."""
        h = self.input_proj(z).relu()  # [B, T, features] -> [B, T, hidden]
        h = self.lstm(h)[0]
        x = self.smooth(h.transpose(1, 2))  # [B, T, hidden] -> [B, width, T]: Conv1d convolves the last axis
        return x.transpose(1, 2).float()  # [B, T, width]


class SoloVAE(System):
    """An LSTM variational autoencoder of motion windows of one dancer.

    Positions are relative to the place on the floor below the pelvis in the window's middle frame. The networks get
    them minus the training set's mean window, over its one standard deviation (`fit_statistics`).
    Shapes: windows [B, T, 1, J, 3]; x [B, T, J * 3]; latents [B, Z]. Units: metres. Chapter: 4.
    """

    Config = Config
    mean_window: torch.Tensor
    scale: torch.Tensor

    def __init__(self, skeleton: Skeleton, config: Any = None, **changes: Any):
        super().__init__(skeleton, config, **changes)
        config, width = self.config, len(skeleton) * 3
        self.frames, self.fps = config.frames, config.fps
        self.encoder = Encoder(width, config.latent, config.hidden, config.layers)
        self.decoder = Decoder(config.latent, width, config.hidden, config.layers)
        self.register_buffer("mean_window", torch.zeros(config.frames, width))
        self.register_buffer("scale", torch.ones(()))

    def canonicalise(self, batch: torch.Tensor) -> tuple[torch.Tensor, ReferenceFrame]:
        """Windows relative to the pelvis's place on the floor in their middle frame, and that place.

        Shapes: [B, T, 1, J, 3] -> [B, T, J * 3], on the model's device. Units: metres.
        Errors: ValueError for windows of other than one dancer with the model's joints. Chapter: 4.
        """
        if batch.ndim != 5 or batch.shape[2:] != (1, len(self.skeleton), 3):
            raise ValueError(f"windows must be of one dancer, [windows, frames, 1, {len(self.skeleton)}, 3]; got "
                             f"{list(batch.shape)}")
        batch = batch.to(self.mean_window)
        frame = root_frame(batch, batch.shape[1] // 2, self.skeleton)
        return frame.to_local(batch).flatten(2), frame  # [B, T, 1, J, 3] -> [B, T, J * 3]

    @torch.no_grad()
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Measure the mean window and the standard deviation of the training set, before training.

        Shapes: ``batches`` of windows [B, T, 1, J, 3]. Chapter: 4.
        """
        x = torch.cat([self.canonicalise(batch)[0] for batch in batches])  # [N, T, J * 3]
        self.mean_window.copy_(x.mean(0))
        self.scale.copy_((x - self.mean_window).std())

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The posterior's mean and log-variance. Shapes: [B, T, J * 3] -> [B, Z] each. Units: metres. Chapter: 4."""
        return self.encoder((x - self.mean_window) / self.scale)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Windows from latents. Shapes: [B, Z] -> [B, T, J * 3]. Units: metres. Chapter: 4."""
        z = z[:, None].expand(-1, self.frames, -1)  # [B, Z] -> [B, T, Z]
        return self.decoder(z) * self.scale + self.mean_window

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The reconstruction of canonical windows, and the posterior's mean and log-variance.

        The latent is sampled in training mode; in evaluation mode it is the posterior's mean.
        Shapes: [B, T, J * 3] -> [B, T, J * 3], [B, Z], [B, Z]. Units: metres. Chapter: 4.
        """
        mean, log_variance = self.encode(x)
        z = reparameterise(mean, log_variance) if self.training else mean
        return self.decode(z), mean, log_variance

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """The loss at a training step, and its terms; ``step`` None: with the highest KL weight, for validation.

        "mse" is in units of the training set's variance, "kl_nats" the sum over latent units, "error_m" the mean joint
        error. Shapes: [B, T, 1, J, 3] -> [] each. Units: nats, metres. Chapter: 4.
        """
        x, _ = self.canonicalise(batch)
        reconstruction, mean, log_variance = self(x)
        mse = ((reconstruction - x) / self.scale).square().mean()
        kl = kl_loss(kl_per_unit(mean, log_variance))
        error = (reconstruction - x).detach().unflatten(2, (-1, 3)).norm(dim=-1).mean()  # [B, T, J] -> []
        # loss = w MSE + beta KL
        loss = self.config.mse_weight * mse + self.config.kl.at(step) * kl
        return {"loss": loss, "mse": mse, "kl_nats": kl, "error_m": error}

    @torch.no_grad()
    def reconstruct(self, batch: torch.Tensor) -> torch.Tensor:
        """Encode and decode windows where they are in the room, by the posterior's mean.

        Shapes: [B, T, 1, J, 3] -> [B, T, 1, J, 3]. Units: metres. Chapter: 4.
        """
        with eval_mode(self):
            x, frame = self.canonicalise(batch)
            made = self(x)[0].unflatten(2, (1, -1, 3))  # [B, T, J * 3] -> [B, T, 1, J, 3]
            return frame.to_world(made)

    @torch.no_grad()
    def sample(self, count: int, seed: int = 0) -> torch.Tensor:
        """Windows from latents drawn from the prior N(0, I), in the middle of the room.

        Shapes: [count, T, J, 3]. Units: metres. Chapter: 4.
        """
        with eval_mode(self):
            return self.decode(self.sample_latents(count, seed)).unflatten(2, (-1, 3))  # [count, T, J, 3]

    def sample_latents(self, count: int, seed: int = 0) -> torch.Tensor:
        """Latents from the prior N(0, I). Shapes: [count, Z]. Chapter: 4."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(count, self.config.latent, generator=generator).to(self.mean_window)
