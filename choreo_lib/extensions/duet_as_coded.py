"""The duet prototype with its measured faults, and every repair, and every other choice of ours, as a switch.

Taught in chapter 5, "A partner", which turns the switches on one at a time. `DuetForecaster` is where they lead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from ..body.motion import dancer_index, other_dancer
from ..body.reference import reference_frame
from ..body.skeleton import Skeleton
from ..core.precision import in_full_precision
from ..systems.duet_vae import SequenceVAE
from ..systems.layers import eval_mode, positional_encoding, reparameterise
from ..systems.losses import kl_per_unit

REPAIRS = {
    "time": "attention, LSTM and convolution run along time, not along the batch",
    "causal": "no frame sees a later one, so the answer is not in the question",
    "gate": "a chance of 0.1 is 0.1: torch.rand, not torch.randn",
    "level": "answers are in the same units as questions",
    "displacement": "the answer is how far to go, not where to be",
    "frame": "everything is seen from the dancer's own place and heading",
    "chunk": "all frames ahead are answered at once, not one after another",
}
"""What each switch does, in the order in which the chapter turns them on: four mend faults, three choose otherwise."""


class AsCodedVAE(SequenceVAE):
    """The shelf's `SequenceVAE`; without ``time`` its layers take the batch for time, as the prototype's do.

    Shapes: [B, T, width] in and out; latents [B, T, latent]. Chapter: 5.
    """

    def __init__(self, width: int, features: int, heads: int, latent: int, hidden: int, time: bool):
        super().__init__(width, features, heads, latent, hidden)
        self.time = self.attention.batch_first = self.encoder.batch_first = time

    def draw(self, x: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None
             ) -> tuple[torch.Tensor, torch.Tensor]:
        """Latent vectors [B, T, latent], the posterior's means under ``model.eval()``, and nats a unit [latent].

        Chapter: 5.
        """
        mean, log_variance = self.encode(x, positions, mask)
        z = reparameterise(mean, log_variance) if self.training else mean
        return z, kl_per_unit(mean.flatten(0, 1), log_variance.flatten(0, 1))

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """As the shelf's; without ``time``, a reshape puts numbers of several frames into one channel. Chapter: 5."""
        if self.time:
            return super().decode(z)
        channels = nn.functional.pad(z.reshape(len(z), z.shape[2], -1), (1, 1))
        return self.to_pose(self.smoothing(channels).reshape(*z.shape[:2], -1)).to(z)


class DuetAsCoded(nn.Module):
    """Three VAEs and a transformer decoder as the prototype has them, but for the ``repairs``, names of `REPAIRS`.

    From both dancers up to a frame it predicts one dancer's next frame; with "chunk", from the past of both and from
    the partner's frames ahead, all frames ahead. Sizes and losses are the published best ones. A
    `choreo_lib.evaluation.baselines.Forecaster`, trained by `choreo_lib.training.loop.fit`. Shapes: windows [B, past +
    ahead, 2, J, 3].
    Errors: ValueError for a repair that there is not. Chapter: 5.
    """

    vaes: Any  # of AsCodedVAE: mypy knows no item types of a ModuleDict

    def __init__(self, skeleton: Skeleton, repairs: Iterable[str] = (), past: int = 34, ahead: int = 30,
                 features: int = 64, heads: int = 8, latent: int = 64, hidden: int = 64, layers: int = 2,
                 dropout: float = 0.1, no_input_prob: float = 0.1, mse: float = 0.5, kl: float = 5e-5,
                 velocity: float = 0.05):
        super().__init__()
        self.repairs = tuple(repairs)
        if unknown := set(self.repairs) - set(REPAIRS):
            raise ValueError(f"there is no repair {', '.join(sorted(unknown))}; there are {', '.join(REPAIRS)}")
        self.skeleton, self.past, self.ahead, self.chunk = skeleton, past, ahead, "chunk" in self.repairs
        self.no_input_prob, self.mse, self.kl, self.velocity = no_input_prob, mse, kl, velocity
        width, time = 3 * len(skeleton), "time" in self.repairs
        self.vaes = nn.ModuleDict({name: AsCodedVAE(width, features, heads, latent, hidden, time)
                                   for name in ("a", "b", "difference")})
        self.input_proj, self.memory_proj = nn.Linear(width, features), nn.Linear(latent, features)
        layer = nn.TransformerDecoderLayer(features, heads, 4 * features, dropout, batch_first=time)
        self.decoder = nn.TransformerDecoder(layer, layers)
        self.output_proj = nn.Linear(features, width)
        self.future_flag = nn.Parameter(torch.zeros(features))
        self.mean, self.std = nn.Buffer(torch.zeros(width)), nn.Buffer(torch.ones(width))
        self.unit = nn.Buffer(torch.ones(ahead if self.chunk else 1, 1))
        self.positions = nn.Buffer(positional_encoding(1024, features), persistent=False)

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Measure the training windows: mean and standard deviation of the inputs, and the size of the targets.

        Chapter: 5.
        """
        pairs = [self.local_view(batch, who) for batch in batches for who in "ab"]
        x = torch.cat([own.flatten(0, 1) for own, _ in pairs])
        self.mean.copy_(x.mean(0))
        self.std.copy_(x.std(0).clamp_min(0.02))
        if "level" in self.repairs:
            targets = torch.cat([true - self._base(own) for own, _, true in (self.split(*pair) for pair in pairs)])
            self.unit.copy_(targets.square().mean((0, 2) if self.chunk else (0, 1, 2)).sqrt()[..., None])

    def local_view(self, batch: torch.Tensor, who: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Own and partner's joints: in the world, or with "frame" in the canonical frame at the last known frame.

        Shapes: [B, T, 2, J, 3] -> [B, T, J * 3] twice. Chapter: 5.
        """
        if "frame" in self.repairs:
            batch = reference_frame(batch[:, : self.past], -1, self.skeleton, of=who).to_local(batch)
        return batch[:, :, dancer_index(who)].flatten(2), batch[:, :, dancer_index(other_dancer(who))].flatten(2)

    def split(self, own: torch.Tensor, partner: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Own and partner's inputs, and the target. Shapes: [B, T, J * 3] each. Chapter: 5."""
        if self.chunk:
            return own[:, : self.past], partner, own[:, self.past :]
        return own[:, :-1], partner[:, :-1], own[:, 1:]

    def _base(self, own: torch.Tensor) -> torch.Tensor:
        """What the network's output is added to."""
        if "displacement" in self.repairs:
            return own[:, -1:] if self.chunk else own
        return self.mean if "level" in self.repairs else torch.zeros_like(self.mean)

    def _mask(self, frames: int) -> torch.Tensor | None:
        causal = torch.ones(frames, frames, dtype=torch.bool, device=self.mean.device).triu(1)
        return causal if "causal" in self.repairs else None

    def _positions(self, x: torch.Tensor) -> torch.Tensor:
        """The positional encoding of frames [T, features]; as coded, of the batch [B, 1, features]."""
        return self.positions[: x.shape[1]] if "time" in self.repairs else self.positions[: len(x), None]

    def forward(self, own: torch.Tensor, partner: torch.Tensor, who: str) -> tuple[torch.Tensor, torch.Tensor]:
        """The next frame after each of own's, or with "chunk" the frames ahead; and the KL, nats a latent unit.

        Shapes: own [B, P, J * 3], partner [B, P + f, J * 3], f 0 without "chunk"; gives [B, P or f, J * 3], [2 *
        latent]. Units: metres. Chapter: 5.
        """
        known, frames = own.shape[1], partner.shape[1]
        held = torch.cat([own, own[:, -1:].expand(-1, frames - known, -1)], 1)  # [B, P + f, J * 3]
        held, partner = ((x - self.mean) / self.std for x in (held, partner))
        positions, mask = self._positions(held), self._mask(frames)
        flag = self.future_flag * (torch.arange(frames, device=own.device) >= known)[:, None]
        z, kl = self.vaes[other_dancer(who)].draw(partner, positions, mask)
        z_difference, kl_difference = self.vaes["difference"].draw((held - partner).abs(), positions, mask)
        out = self.decoder(self.input_proj(held) + positions + flag, self.memory_proj(z + z_difference) + positions,
                           tgt_mask=mask, memory_mask=mask)
        out = self.output_proj(out).to(own)[:, known if self.chunk else 0 :]
        return self._base(own) + self.unit[: out.shape[1] if self.chunk else 1] * out, torch.cat([kl, kl_difference])

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """As `DuetForecaster.loss`, with the prototype's chance of a reconstruction step unless "gate" is repaired.

        Shapes: [B, past + ahead, 2, J, 3] -> [] each. Chapter: 5.
        """
        batch = batch.to(self.positions.device)
        training = self.training and step is not None
        who = "ba"[(step or 0) % 2]
        draw = torch.rand if "gate" in self.repairs else torch.randn
        if training and float(draw(())) < self.no_input_prob:
            return self._reconstruction_loss(batch, who)
        rows = []
        for each in who if training else "ab":
            own, partner, true = self.split(*self.local_view(batch, each))
            made, kl = self(own, partner, each)
            error = made - true
            rows.append({"mse": (error / self.unit).square().mean(),
                         "velocity": error.diff(dim=1).norm(dim=2).mean(), "kl_nats": kl.sum(),
                         "error_m": error.detach().unflatten(2, (-1, 3)).norm(dim=-1).mean()})
        losses = {name: torch.stack([row[name] for row in rows]).mean() for name in rows[0]}
        total = self.mse * losses["mse"] + self.velocity * losses["velocity"] + self.kl * losses["kl_nats"]
        return {"loss": total, **losses}

    def _reconstruction_loss(self, batch: torch.Tensor, who: str) -> dict[str, torch.Tensor]:
        x = (self.local_view(batch, who)[0] - self.mean) / self.std
        z, kl = self.vaes[who].draw(x, self._positions(x), self._mask(x.shape[1]))
        error = (self.vaes[who].decode(z) - x).square().mean()
        return {"loss": self.mse * error + self.kl * kl.sum(), "reconstruction": error}

    @torch.no_grad()
    def predict(self, past: torch.Tensor, partner: torch.Tensor, horizons: Sequence[int], who: str = "b"
                ) -> torch.Tensor:
        """As every `choreo_lib.evaluation.baselines.Forecaster`; by an autoregressive rollout, or all at once.

        Shapes: [B, P, 2, J, 3] and [B, F, J, 3] -> [B, H, J, 3]. Units: metres. Chapter: 5.
        """
        both = past.clone().to(self.positions.device)
        own, other = self.local_view(both, who)
        frame = reference_frame(both, -1, self.skeleton, of=who) if "frame" in self.repairs else None
        following = partner[:, : max(horizons)].to(both)
        following = (following if frame is None else frame.to_local(following)).flatten(2)
        seen = torch.cat([other, following], 1)  # [B, P + F, J * 3]
        with eval_mode(self):
            if self.chunk:
                made = self(own, seen, who)[0]
            else:
                for _ in range(max(horizons)):
                    own = torch.cat([own, self(own, seen[:, : own.shape[1]], who)[0][:, -1:]], 1)
                made = own[:, both.shape[1] :]
        poses = made[:, [h - 1 for h in horizons]].unflatten(2, (-1, 3))  # [B, H, J, 3]
        return (poses if frame is None else frame.to_world(poses)).to(past.device)
