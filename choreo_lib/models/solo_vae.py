"""One dancer in a few hundred numbers: an LSTM variational autoencoder of short phrases, or of single poses.

Taught in chapter 4, "A dancer in 256 numbers". After the solo system of the prototypes; repaired and extended there.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from ..losses import Schedule, kl_loss, kl_per_unit
from ..skeleton import Skeleton
from ..windows import Frame, frame_of


class SoloVAE(nn.Module):
    """A phrase of ``frames`` frames becomes ``latent`` numbers, and a phrase again. ``frames`` 1: a model of poses.

    The encoder reads the phrase with ``layers`` LSTM layers of ``hidden`` units and answers with a mean and a
    log-variance; the decoder repeats the code over time, beside where in the phrase it is, through a linear layer,
    as many LSTM layers, and a convolution of three frames that smooths along time. ``shortcut`` adds a straight way
    through both: the principal components of the training set (`prepare`), which training leaves alone, so that the
    LSTMs learn what a linear code leaves over.
    Shapes: windows [B, T, 1, J, 3]; codes [B, Z]. Units: metres; phrases are seen from the dancer's place and heading
    at the middle frame. Chapter: 4. Kingma and Welling, ICLR 2014; Pettee et al., ICCC 2019.
    """

    def __init__(self, skeleton: Skeleton, frames=64, latent=256, hidden=384, layers=2, shortcut=True,
                 kl: Schedule = Schedule(1e-4), free_bits=0.0):  # noqa: B008 (frozen)
        super().__init__()
        self._config = {"names": skeleton.names, "parents": skeleton.parents, "frames": frames, "latent": latent,
                        "hidden": hidden, "layers": layers, "shortcut": shortcut, "kl": vars(kl),
                        "free_bits": free_bits}
        self.skeleton, self.frames, self.latent, self.kl, self.free_bits = skeleton, frames, latent, kl, free_bits
        width = len(skeleton) * 3
        self.reader = nn.LSTM(width, hidden, layers, batch_first=True)
        self.to_mean, self.to_log_variance = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.opener = nn.Sequential(nn.Linear(latent + 8, hidden), nn.ReLU())
        self.writer = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.to_pose = nn.Linear(hidden, width)
        self.smoother = nn.Conv1d(width, width, 3, padding=1, padding_mode="replicate")
        self.shortcut = nn.ModuleList([nn.Linear(frames * width, latent), nn.Linear(latent, frames * width)]
                                      if shortcut else []).requires_grad_(False)
        self.register_buffer("middle", torch.zeros(frames, width))
        self.register_buffer("scale", torch.ones(()))
        time = torch.arange(frames)[:, None] / frames * 3.14159265 * 2.0 ** torch.arange(4)
        self.register_buffer("clock", torch.cat([time.sin(), time.cos()], 1), persistent=False)  # [T, 8]

    def config(self) -> dict:
        """What `from_config` needs to build the same model, without its weights; JSON takes it."""
        return self._config

    @classmethod
    def from_config(cls, config: dict) -> SoloVAE:
        """The inverse of `config`."""
        config = dict(config)
        skeleton = Skeleton(tuple(config.pop("names")), tuple(config.pop("parents")))
        return cls(skeleton, kl=Schedule(**config.pop("kl")), **config)

    @torch.no_grad()
    def prepare(self, batches: Iterable[torch.Tensor], most: int = 30_000) -> None:
        """Measure the training set: its mean phrase, its spread, and the principal components of the shortcut.

        ``batches`` of training windows, augmented ones too if the components are to know them; of more than ``most``
        windows, that many are drawn.
        """
        phrases = torch.cat([self.seen(batch)[0].flatten(1) for batch in batches])  # [N, T * J * 3]
        drawn = torch.randperm(len(phrases), generator=torch.Generator().manual_seed(0))[:most]
        phrases = phrases[drawn.to(phrases.device)]
        middle = phrases.mean(0)
        self.middle.copy_(middle.view_as(self.middle))
        self.scale.copy_((phrases - middle).std())
        if len(self.shortcut):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)  # the components are found by a random projection
                few = min(self.latent + 64, *phrases.shape)  # more than are kept, so that those are accurate
                _, size, axes = torch.pca_lowrank((phrases - middle) / self.scale, few, center=False, niter=4)
            size, axes = size[: self.latent], axes[:, : self.latent]
            spread = (size / (len(phrases) - 1) ** 0.5).clamp_min(1e-6)  # so that every unit of the code has variance 1
            read, write = self.shortcut
            read.weight.copy_((axes / spread).T)
            write.weight.copy_(axes * spread)
            for layer in (read, write, self.to_mean, self.to_pose, self.smoother):
                nn.init.zeros_(layer.bias)
            for layer in (self.to_mean, self.to_pose):  # at first the LSTMs add nothing, and all of them get a gradient
                nn.init.zeros_(layer.weight)
            nn.init.dirac_(self.smoother.weight)
            nn.init.constant_(self.to_log_variance.bias, -6.0)

    def seen(self, batch: torch.Tensor) -> tuple[torch.Tensor, Frame]:
        """Windows [B, T, 1, J, 3] from the dancer's own place, [B, T, J * 3], and the place."""
        frame = frame_of(batch, batch.shape[1] // 2, self.skeleton, of="a")
        return frame.to_local(batch).flatten(2), frame

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Phrases as seen, [B, T, J * 3] in metres, to mean and log-variance [B, Z]."""
        x = (x - self.middle) / self.scale
        last = self.reader(x)[0][:, -1]  # [B, hidden]
        mean = self.to_mean(last)
        if len(self.shortcut):
            mean = mean + self.shortcut[0](x.flatten(1))
        return mean, self.to_log_variance(last).clamp(-12, 4)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Codes [B, Z] to phrases as seen, [B, T, J * 3], metres."""
        clock = self.clock.expand(len(z), -1, -1)
        hidden = self.opener(torch.cat([z[:, None].expand(-1, self.frames, -1), clock], 2))  # [B, T, hidden]
        x = self.to_pose(self.writer(hidden)[0])  # [B, T, J * 3]
        x = self.smoother(x.transpose(1, 2)).transpose(1, 2)  # a convolution along time, not across joints
        if len(self.shortcut):
            x = x + self.shortcut[1](z).view_as(x)
        return x * self.scale + self.middle

    def losses(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """What training makes small: squared error, in units of the set's spread, and the KL at its price.

        ``step`` None: at rest, with the mean as the code and the KL at its highest price.
        """
        x, _ = self.seen(batch)
        mean, log_variance = self.encode(x)
        noise = torch.randn_like(mean) * (0.5 * log_variance).exp() if self.training else 0.0
        again = self.decode(mean + noise)
        squared = (((again - x) / self.scale) ** 2).mean()
        units = kl_per_unit(mean, log_variance)
        weight = self.kl.high if step is None else self.kl.at(step)
        error = (again - x).detach().unflatten(2, (-1, 3)).norm(dim=-1).mean()
        return {"loss": squared + weight * kl_loss(units, self.free_bits), "squared": squared, "error_m": error,
                "kl_nats": units.sum()}
