"""The duet prototype with its measured faults, and every repair, and every other choice of ours, as a switch.

Taught in chapter 5, "A partner", which turns the switches on one at a time. `DuetVAE` is where they lead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.nn.functional import pad

from ..body.reference import reference_frame
from ..body.skeleton import Skeleton
from ..core.precision import LSTM, in_full_precision
from ..systems.losses import kl_per_unit
from .duet_vae import clock

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


class AsCodedReader(nn.Module):
    """One VAE of the prototype. Without ``time`` its layers take the batch for time, as the original's do. Chapter: 5.

    Shapes: [B, T, width] in and out.
    """

    def __init__(self, width: int, features: int, heads: int, latent: int, units: int, time: bool):
        super().__init__()
        self.time = time
        self.open = nn.Linear(width, features)
        self.attention = nn.MultiheadAttention(features, heads, batch_first=time)
        self.reader = LSTM(features, units, 2, batch_first=time)
        self.to_mean, self.to_log_variance = nn.Linear(units, latent), nn.Linear(units, latent)
        self.smoother = nn.Conv1d(latent, units, 3)
        self.to_pose = nn.Linear(units, width)

    def encode(self, x, when, mask) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes [B, T, latent], drawn (at rest: the means), and nats a unit [latent]."""
        h = self.open(x) + when
        h = self.attention(h, h, h, attn_mask=mask, need_weights=False)[0]
        h = self.reader(h)[0]
        mean, log_variance = self.to_mean(h).to(x), self.to_log_variance(h).to(x)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean) if self.training else mean
        return z, kl_per_unit(mean.flatten(0, 1), log_variance.flatten(0, 1))

    def decode(self, z) -> torch.Tensor:
        """Poses rebuilt from codes. Without ``time``, a reshape puts numbers of several frames into one channel."""
        if self.time:
            h = self.smoother(pad(z.transpose(1, 2), (2, 0))).transpose(1, 2)
        else:
            h = self.smoother(pad(z.reshape(len(z), z.shape[2], -1), (1, 1))).reshape(*z.shape[:2], -1)
        return self.to_pose(h).to(z)


class DuetAsCoded(nn.Module):
    """Three VAEs and a transformer decoder as the prototype has them, but for the ``repairs``, names of `REPAIRS`.

    From both dancers up to a frame it answers with one dancer's next frame; with "chunk", from the past of both and
    from the partner's frames ahead, with all frames ahead. Sizes and losses are the published best ones. A
    `choreo_lib.evaluation.baselines.Forecaster`, trained by `choreo_lib.training.loop.fit`. Shapes: windows [B, past +
    ahead, 2, J, 3].
    Errors: ValueError for a repair that there is not. Chapter: 5.
    """

    def __init__(self, skeleton: Skeleton, repairs: Iterable[str] = (), past=34, ahead=30, features=64, heads=8,
                 latent=64, units=64, layers=2, dropout=0.1, no_input=0.1, mse=0.5, kl=5e-5, velocity=0.05):
        super().__init__()
        self.repairs = tuple(repairs)
        if unknown := set(self.repairs) - set(REPAIRS):
            raise ValueError(f"there is no repair {', '.join(sorted(unknown))}; there are {', '.join(REPAIRS)}")
        self.skeleton, self.past, self.ahead, self.chunk = skeleton, past, ahead, "chunk" in self.repairs
        self.no_input, self.mse, self.kl, self.velocity = no_input, mse, kl, velocity
        width, time = 3 * len(skeleton), "time" in self.repairs
        self.readers = nn.ModuleDict({name: AsCodedReader(width, features, heads, latent, units, time)
                                      for name in ("a", "b", "apart")})
        self.open, self.remember = nn.Linear(width, features), nn.Linear(latent, features)
        layer = nn.TransformerDecoderLayer(features, heads, 4 * features, dropout, batch_first=time)
        self.decoder = nn.TransformerDecoder(layer, layers)
        self.to_pose = nn.Linear(features, width)
        self.flag = nn.Parameter(torch.zeros(features))
        self.register_buffer("middle", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("unit", torch.ones(ahead if self.chunk else 1, 1))
        self.register_buffer("clock", clock(1024, features), persistent=False)

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Measure the training windows: the middle and spread of what goes in, and the size of what should come out."""
        seen = [self.seen(batch, who) for batch in batches for who in "ab"]
        x = torch.cat([own.flatten(0, 1) for own, _ in seen])
        self.middle.copy_(x.mean(0))
        self.scale.copy_(x.std(0).clamp_min(0.02))
        if "level" in self.repairs:
            asked = torch.cat([true - self._base(known) for known, _, true in (self._split(*pair) for pair in seen)])
            self.unit.copy_(asked.square().mean((0, 2) if self.chunk else (0, 1, 2)).sqrt()[..., None])

    def seen(self, batch, who: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Own and partner's joints [B, T, J * 3]: in the world, or from where ``who`` is at the last known frame."""
        if "frame" in self.repairs:
            batch = reference_frame(batch[:, : self.past], -1, self.skeleton, of=who).to_local(batch)
        return batch[:, :, "ab".index(who)].flatten(2), batch[:, :, "ba".index(who)].flatten(2)

    def _split(self, own, partner):
        """What is known of both, and what is asked for."""
        if self.chunk:
            return own[:, : self.past], partner, own[:, self.past :]
        return own[:, :-1], partner[:, :-1], own[:, 1:]

    def _base(self, own):
        """What answers are added to."""
        if "displacement" in self.repairs:
            return own[:, -1:] if self.chunk else own
        return self.middle if "level" in self.repairs else torch.zeros_like(self.middle)

    def answer(self, own, partner, who: str) -> tuple[torch.Tensor, torch.Tensor]:
        """From own [B, P, J * 3] and partner [B, P + f, J * 3], metres, the next frame after each of own's (f is 0), or
        with "chunk" the f frames ahead; and nats a unit of the codes that were read."""
        known, frames = own.shape[1], partner.shape[1]
        held = torch.cat([own, own[:, -1:].expand(-1, frames - known, -1)], 1)
        held, partner = ((x - self.middle) / self.scale for x in (held, partner))
        when, mask = self.clock[: len(own), None], None  # the batch taken for time
        if "time" in self.repairs:
            when = self.clock[:frames]
        if "causal" in self.repairs:
            mask = torch.ones(frames, frames, dtype=torch.bool, device=own.device).triu(1)
        flag = self.flag * (torch.arange(frames, device=own.device) >= known)[:, None]
        other, nats = self.readers["ba"["ab".index(who)]].encode(partner, when, mask)
        apart, more = self.readers["apart"].encode((held - partner).abs(), when, mask)
        out = self.decoder(self.open(held) + when + flag, self.remember(other + apart) + when, tgt_mask=mask,
                           memory_mask=mask)
        out = self.to_pose(out).to(own)[:, known if self.chunk else 0 :]
        return self._base(own) + self.unit[: out.shape[1] if self.chunk else 1] * out, torch.cat([nats, more])

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """As `DuetVAE.losses`, but that without "gate" the chance of rebuilding one dancer is drawn as the prototype
        draws it."""
        batch = batch.to(self.clock.device)
        resting = step is None or not self.training
        chance = torch.rand if "gate" in self.repairs else torch.randn
        if not resting and float(chance(())) < self.no_input:
            return self._rebuild(batch, "ba"[step % 2])
        told = []
        for who in "ab" if resting else "ba"[step % 2]:
            own, partner, true = self._split(*self.seen(batch, who))
            made, nats = self.answer(own, partner, who)
            steps = (made - true).diff(dim=1)
            told.append({"squared": ((made - true) / self.unit).square().mean(),
                         "velocity": steps.norm(dim=2).mean(), "kl_nats": nats.sum(),
                         "error_m": (made - true).detach().unflatten(2, (-1, 3)).norm(dim=-1).mean()})
        told = {name: torch.stack([each[name] for each in told]).mean() for name in told[0]}
        return {"loss": self.mse * told["squared"] + self.velocity * told["velocity"] + self.kl * told["kl_nats"],
                **told}

    def _rebuild(self, batch, who: str) -> dict[str, torch.Tensor]:
        x = (self.seen(batch, who)[0] - self.middle) / self.scale
        when = self.clock[: x.shape[1]] if "time" in self.repairs else self.clock[: len(x), None]
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1) \
            if "causal" in self.repairs else None
        z, nats = self.readers[who].encode(x, when, mask)
        squared = (self.readers[who].decode(z) - x).square().mean()
        return {"loss": self.mse * squared + self.kl * nats.sum(), "rebuilt": torch.ones_like(squared)}

    @torch.no_grad()
    def predict(self, past, partner, horizons: Sequence[int], who: str = "b") -> torch.Tensor:
        """As every `choreo_lib.evaluation.baselines.Forecaster`; one frame at a time, each from those before, or all
        at once."""
        self.eval()
        both = past.clone().to(self.clock.device)
        own, other = self.seen(both, who)
        ahead = partner[:, : max(horizons)].to(both)[:, :, None].expand(-1, -1, 2, -1, -1)
        frame = reference_frame(both, -1, self.skeleton, of=who) if "frame" in self.repairs else None
        ahead = ahead if frame is None else frame.to_local(ahead)
        partner = torch.cat([other, ahead[:, :, 0].flatten(2)], 1)
        if self.chunk:
            made = self.answer(own, partner, who)[0]
        else:
            for _ in range(max(horizons)):
                own = torch.cat([own, self.answer(own, partner[:, : own.shape[1]], who)[0][:, -1:]], 1)
            made = own[:, both.shape[1] :]
        made = made[:, [h - 1 for h in horizons]].unflatten(2, (-1, 3))
        return (made if frame is None else frame.to_world(made)).to(past.device)
