"""The duet VAE: three variational autoencoders and a transformer decoder predict each dancer's next frame.

The system of Wang, Zerkowski, Vidrin and Pettee, "Dyads: Artist-Centric, AI-Generated Dance Duets", arXiv:2503.03954,
as described there. With a and b the two dancers' poses up to frame t, normalised:

    h = W x + positional encoding;  h = Attention(h, h, h);  h = LSTM(h)        encoder, for x = a, b and |a - b|
    z = mean(h) + exp(log_variance(h) / 2) * standard normal                    reparameterisation
    VAE(x) = W Conv1d(z)                                                        decoder
    b[t+1] = b[t] + TransformerDecoder(tgt = b[..t], memory = VAE1(a) + VAE3(|a - b|))
    a[t+1] = a[t] + TransformerDecoder(tgt = a[..t], memory = VAE2(b) + VAE3(|a - b|))
    loss = w MSE + v velocity + beta (KL1 + KL2 + KL3)     VAE1, 2, 3: ``vaes["a"]``, ``["b"]``, ``["difference"]``

Repaired faults of the published code: attention and positional encoding run along time, not along the batch; every
layer is causal; the probability of reconstruction steps is the one asked for; targets are normalised as inputs are; the
convolution runs along time. The one repair beyond the description is the residual: a step is added to the last pose.
Taught in chapter 5, "A partner".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.functional import pad

from ..body.compatibility import require_fit
from ..body.motion import Motion, dancer_index
from ..body.skeleton import Skeleton
from ..body.source import OURS, Source
from .layers import LSTM, System, eval_mode, plain_attention, positional_encoding, reparameterise
from .losses import Schedule, kl_loss, kl_per_unit


@dataclass(frozen=True)
class Config:
    """Settings of `DuetVAE`; the values are those of the best model of arXiv:2503.03954 and of its code. Chapter: 5."""

    fps: float = 30.0  # frames a second
    frames: int = 64  # seq_len: frames of a window; the target is one frame later
    features: int = 64  # linear_num_features: width of attention and transformer
    heads: int = 8  # n_head
    latent: int = 64  # latent_dim, numbers a frame
    hidden: int = 64  # n_units of the LSTMs
    layers: int = 2  # of the transformer decoder; as coded
    feedforward: int = 256  # of its layers; as coded
    dropout: float = 0.1  # of its layers; as coded
    no_input_prob: float = 0.1  # probability of a step that only reconstructs one dancer
    mse: float = 0.5  # mse_loss_weight
    velocity: float = 0.05  # velocity_loss_weight
    velocity_frames: int = 1  # frames: over how many frames a velocity is taken
    kl: Schedule = Schedule(5e-5)  # kl_loss_weight
    residual: bool = True  # not in the paper: predict the step from the last pose, not the pose


class SequenceVAE(nn.Module):
    """A variational autoencoder of a sequence, with a latent vector a frame; no frame depends on a later one.

    Shapes: [B, T, width] in and out; latents [B, T, latent]. Chapter: 5.
    """

    def __init__(self, width: int, features: int, heads: int, latent: int, hidden: int):
        super().__init__()
        self.input_proj = nn.Linear(width, features)
        self.attention = nn.MultiheadAttention(features, heads, batch_first=True)
        self.encoder = LSTM(features, hidden, 2, batch_first=True)
        self.to_mean = nn.Linear(hidden, latent)
        self.to_log_variance = nn.Linear(hidden, latent)
        self.smoothing = nn.Conv1d(latent, hidden, 3)
        self.to_pose = nn.Linear(hidden, width)

    def encode(self, x: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None
               ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log-variance of the posterior of each frame's latent vector.

        Shapes: ``x`` [B, T, width], ``positions`` [T, features] the positional encoding, ``mask`` [T, T], True where a
        frame may not attend; gives [B, T, latent] twice. Chapter: 5.
        """
        h = self.input_proj(x) + positions  # [B, T, features]
        h = self.attention(h, h, h, attn_mask=mask, need_weights=False)[0]
        h = self.encoder(h)[0]  # [B, T, hidden]
        return self.to_mean(h).to(x), self.to_log_variance(h).to(x)  # [B, T, latent] each

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """The output sequence of latent vectors.

        Shapes: [B, T, latent] -> [B, T, width]. Chapter: 5.
        """
        h = pad(z.transpose(1, 2), (2, 0))  # [B, latent, 2 + T]: time last, and only the past for the convolution
        h = self.smoothing(h).transpose(1, 2)  # [B, T, hidden]
        return self.to_pose(h).to(z)

    def forward(self, x: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None
                ) -> tuple[torch.Tensor, torch.Tensor]:
        """Output [B, T, width] and KL, nats a latent unit [latent]; under ``eval()`` z is the mean. Chapter: 5."""
        mean, log_variance = self.encode(x, positions, mask)
        z = reparameterise(mean, log_variance) if self.training else mean
        kl = kl_per_unit(mean.flatten(0, 1), log_variance.flatten(0, 1))
        return self.decode(z), kl


class Prediction(NamedTuple):
    """What `DuetVAE.forward` gives: a, b [B, T, J, 3], metres; kl [3], nats a frame, one a VAE. Chapter: 5."""

    a: torch.Tensor
    b: torch.Tensor
    kl: torch.Tensor


class DuetVAE(System):
    """Three VAEs and a transformer decoder, which predict each dancer's next frame from both dancers' frames so far.

    Shapes: windows [B, frames + 1, 2, J, 3]. Units: metres, world coordinates. Chapter: 5. arXiv:2503.03954.
    """

    Config = Config

    def __init__(self, skeleton: Skeleton, config: Any = None, **changes: Any):
        super().__init__(skeleton, config, **changes)
        c: Config = self.config
        self.fps, width = c.fps, 3 * len(skeleton)  # J * 3
        self.vaes = nn.ModuleDict({name: SequenceVAE(width, c.features, c.heads, c.latent, c.hidden)
                                   for name in ("a", "b", "difference")})
        self.input_proj = nn.Linear(width, c.features)
        layer = nn.TransformerDecoderLayer(c.features, c.heads, c.feedforward, c.dropout, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, c.layers)
        self.output_proj = nn.Linear(c.features, width)
        if c.residual:  # training begins at the last pose, which an arbitrary step is far from
            for weight in self.output_proj.parameters():
                nn.init.zeros_(weight)
        self.mean, self.std = nn.Buffer(torch.zeros(width)), nn.Buffer(torch.ones(width))
        self.positions = nn.Buffer(positional_encoding(c.frames, c.features), persistent=False)  # [T, features]
        self.causal_mask = nn.Buffer(torch.ones(c.frames, c.frames).triu(1).bool(), persistent=False)

    @torch.no_grad()
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Measure the training windows: mean and standard deviation of each coordinate, of both dancers together.

        Shapes: windows [B, T, 2, J, 3]. Chapter: 5.
        """
        x = torch.cat([batch.flatten(3).flatten(0, 2) for batch in batches])  # [B * T * 2, J * 3]
        self.mean.copy_(x.mean(0))
        self.std.copy_(x.std(0).clamp_min(0.01))

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> Prediction:
        """Each dancer one frame later, for every frame.

        Shapes: [B, T, J, 3] each, T at most ``frames``. Units: metres. Chapter: 5.
        """
        a, b = self._normalise(a), self._normalise(b)  # [B, T, J * 3]
        time = self._time(a.shape[1])
        out_a, kl_a = self.vaes["a"](a, *time)
        out_b, kl_b = self.vaes["b"](b, *time)
        out_apart, kl_apart = self.vaes["difference"]((a - b).abs(), *time)
        # memory of a: VAE2(b) + VAE3(|a - b|); of b: VAE1(a) + VAE3(|a - b|)
        memory = torch.cat([out_b, out_a]) + out_apart.repeat(2, 1, 1)  # [2 * B, T, J * 3]
        poses = self._decode(torch.cat([a, b]), memory, *time)  # [2 * B, T, J, 3]
        kl = torch.stack([kl_loss(each) for each in (kl_a, kl_b, kl_apart)])  # [3]
        return Prediction._make([*poses.chunk(2), kl])  # a and b, [B, T, J, 3] each

    def _decode(self, tgt: torch.Tensor, memory: torch.Tensor, positions: torch.Tensor, mask: Any) -> torch.Tensor:
        tgt_in, memory = (self.input_proj(x) + positions for x in (tgt, memory))
        h = self.decoder(tgt_in, memory, mask, mask, tgt_is_causal=False)  # [B, T, features]; False: the mask as given
        step = self.output_proj(h).to(tgt)  # [B, T, J * 3]
        following = tgt + step if self.config.residual else step  # b[t+1] = b[t] + step
        return (following * self.std + self.mean).unflatten(2, (-1, 3))  # [B, T, J, 3]

    def _following(self, window: torch.Tensor, own: int) -> torch.Tensor:
        """One of the two dancers of `forward`, for half the work. Shapes: [B, T, 2, J, 3] -> [B, T, J, 3]."""
        x, partner = self._normalise(window[:, :, own]), self._normalise(window[:, :, 1 - own])  # [B, T, J * 3]
        time = self._time(x.shape[1])
        memory = self.vaes["ab"[1 - own]](partner, *time)[0] + self.vaes["difference"]((x - partner).abs(), *time)[0]
        return self._decode(x, memory, *time)

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """The training loss: inputs [t, t + frames), targets one frame later; or, at times, a reconstruction.

        With probability ``no_input_prob`` a step optimises the reconstruction of VAE 1 or VAE 2 alone; never where
        ``step`` is None or under ``model.eval()``. "loss" is minimised; "error_m" is the mean joint error, metres.
        Shapes: ``batch`` [B, frames + 1, 2, J, 3]. Chapter: 5. arXiv:2503.03954.
        """
        c: Config = self.config
        kl_weight, batch = c.kl.at(step), batch.to(self.mean.device)
        if self.training and step is not None and torch.rand(()) < c.no_input_prob:
            return self._reconstruction_loss(batch[:, : c.frames], "ab"[int(torch.rand(()) < 0.5)], kl_weight)
        predicted = self(*batch[:, : c.frames].unbind(2))
        off = torch.stack(predicted[:2], 2) - batch[:, 1 : c.frames + 1]  # [B, T, 2, J, 3]
        mse = (off.flatten(3) / self.std).square().mean()  # of y' - y, in units of the standard deviation
        k = c.velocity_frames  # mean of || (y'[t+k] - y'[t]) - (y[t+k] - y[t]) ||
        velocity = ((off[:, k:] - off[:, :-k]).flatten(3) / self.std).norm(dim=3).mean()
        kl = predicted.kl.sum()  # of N(mean, variance) from N(0, 1), over latent units and the three VAEs
        loss = c.mse * mse + c.velocity * velocity + kl_weight * kl
        return {"loss": loss, "mse": mse, "velocity": velocity, "kl_nats": kl,
                "error_m": off.detach().norm(dim=-1).mean()}

    def _reconstruction_loss(self, window: torch.Tensor, dancer: str, kl_weight: float) -> dict[str, torch.Tensor]:
        x = self._normalise(window[:, :, dancer_index(dancer)])  # [B, T, J * 3]
        output, kl = self.vaes[dancer](x, *self._time(x.shape[1]))
        reconstruction = (output - x).square().mean()
        return {"loss": self.config.mse * reconstruction + kl_weight * kl_loss(kl), "reconstruction": reconstruction}

    def _normalise(self, poses: torch.Tensor) -> torch.Tensor:
        return (poses.flatten(2) - self.mean) / self.std  # [B, T, J * 3]

    def _time(self, frames: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        return self.positions[:frames], self.causal_mask[:frames, :frames]  # [T, features], [T, T]: True, no attention

    @torch.no_grad()
    def predict(self, past: torch.Tensor, partner: torch.Tensor, horizons: Sequence[int], who: str = "b"
                ) -> torch.Tensor:
        """Dancer ``who`` at each horizon after a window: each predicted frame is the next step's input.

        The partner is known up to each step. Shapes: ``past`` [B, P, 2, J, 3], ``partner`` [B, F, J, 3], F at least the
        largest of ``horizons`` (frames after the past, from 1); gives [B, H, J, 3]. Units: metres. Chapter: 5.
        """
        own, window, made = dancer_index(who), past.to(self.mean)[:, -self.config.frames :], []
        with eval_mode(self), plain_attention():
            for t in range(max(horizons)):
                made.append(self._following(window, own)[:, -1])  # [B, J, 3]
                pair = partner[:, t].to(window), made[t]
                following = torch.stack(pair if own else pair[::-1], 1)[:, None]  # [B, 1, 2, J, 3]
                window = torch.cat([window, following], 1)[:, -self.config.frames :]
        return torch.stack([made[h - 1] for h in horizons], 1).to(past)

    def rollout(self, leader: Motion, seed: Motion, steps: int | None = None) -> Motion:
        """Autoregressive rollout: dancer b for a take of dancer a, the seed and then ``steps`` predicted frames.

        ``seed``: b's first frames, at the same time as the leader's; ``steps`` None: to the leader's end.
        Errors: ValueError for other joints or frames a second, or a leader who ends before ``steps``. Chapter: 5.
        """
        for name, motion in (("leader", leader), ("seed", seed)):
            require_fit(name, motion, self.skeleton, self.config.fps)
        known, most = len(seed), len(leader) - len(seed)
        steps = most if steps is None else steps
        if not 0 < steps <= most:
            raise ValueError(f"steps must be from 1 to {most}, the leader's frames after the seed; got {steps}")
        lead = torch.from_numpy(leader.positions)[None]  # [1, T, J, 3]
        past = torch.stack([lead[:, :known], torch.from_numpy(seed.positions)[None]], 2)  # [1, P, 2, J, 3]
        poses = torch.cat([past[0, :, 1], self.predict(past, lead[:, known:], range(1, steps + 1))[0]]).numpy()
        return Motion(poses, leader.fps, self.skeleton, source=Source.join(OURS, seed.source, leader.source))
