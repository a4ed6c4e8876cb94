"""A partner for a dancer: three variational autoencoders and a transformer decoder.

Taught in chapter 5, "A partner". After the duet system of the prototypes; repaired and extended there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pad

from ..body.bones import project_bone_lengths
from ..body.compatibility import body_size, require_dancer, require_fit
from ..body.motion import OURS, Motion, Source
from ..body.reference import ReferenceFrame, reference_frame
from ..body.skeleton import Skeleton
from ..core.arguments import a, choice, count, each, number, seed, shown, takes
from ..core.precision import LSTM, in_full_precision, product
from ..core.shapes import array, tensor
from ..systems.losses import kl_per_unit
from .solo_vae import components
from .stream import Guidance, Stream

CHUNK = 10  # frames after which a rollout's window moves on


class SequenceVAE(nn.Module):
    """A sequence of poses becomes a sequence of ``latent`` numbers a frame, and poses again; no frame sees a later one.

    Positions in time are added, frames look back by attention, two LSTM layers read, and every frame's code is a cloud.
    The decoder reads the codes with an LSTM and smooths along time by a convolution of three frames, the last of which
    is the frame itself. Shapes: [B, T, width] in and out; codes [B, T, latent]. Chapter: 5.
    """

    def __init__(self, width: int, features: int, heads: int, latent: int, units: int):
        super().__init__()
        self.open = nn.Linear(width, features)
        self.attention = nn.MultiheadAttention(features, heads, batch_first=True)
        self.level = nn.LayerNorm(features)
        self.reader = LSTM(features, units, 2, batch_first=True)
        self.beside = nn.Linear(features, units)  # a way past the LSTM, so that learning need not wait for it
        self.to_mean, self.to_log_variance = nn.Linear(units, latent), nn.Linear(units, latent)
        nn.init.constant_(self.to_log_variance.bias, -5.0)  # clouds begin small, or their noise is all one hears
        self.writer = LSTM(latent, units, batch_first=True)
        self.smoother = nn.Conv1d(units, units, 3)
        self.to_pose = nn.Linear(units, width)

    def encode(self, x, clock, mask, kept: dict | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log-variance [B, T, latent]; ``clock`` [T, features]; ``mask`` [T, T], True where one may not look.

        ``kept``: what was read before ``x``, which goes on from there, and adds itself; an empty one to begin.
        """
        h = self.open(x) + clock
        known = h if not kept else torch.cat([kept["known"], h], 1)
        h = self.level(h + self.attention(h, known, known, attn_mask=mask, need_weights=False)[0])
        read, state = self.reader(h, kept["state"] if kept else None)  # [B, T, units]
        h = self.beside(h) + read
        if kept is not None:
            kept.update(known=known, state=state)
        return self.to_mean(h).to(x), self.to_log_variance(h).to(x).clamp(-12, 4)

    def decode(self, z) -> torch.Tensor:
        """Codes to poses, as they were seen."""
        h = self.writer(z)[0].transpose(1, 2)  # [B, units, T]
        return self.to_pose(self.smoother(pad(h, (2, 0), mode="replicate")).transpose(1, 2)).to(z)


class DuetVAE(nn.Module):
    """Where one dancer will be, given both dancers' past and what the other one does meanwhile.

    A window is ``past`` frames that are known of both and ``ahead`` frames of which only the partner is known, each
    frame only up to itself. Everything is seen from the own dancer's place and heading at the last known frame, and the
    partner besides from its own, so that to do as the partner does is to copy. VAEs
    read dancer a, dancer b, and how far each joint of the one is from the other's; the codes of partner and distance
    are the ``memory`` of an `nn.TransformerDecoder`, whose ``tgt`` is the own dancer: the past, then the last pose
    again, with a flag. It answers with how far each coordinate will be from where its last nine steps carry it (or,
    where it does not trust them, the last one), in units of how far that usually is (3 mm at least).
    With probability ``no_input`` a training step rebuilds one dancer alone and foretells nothing; with probability
    ``chained``, of windows that are long enough, it goes on from a past that the model has danced itself.
    ``mse``, ``distance``, ``velocity``, ``kl`` weigh what training makes small: squares and distances in those units,
    errors of the change from frame to frame (metres), nats.
    ``detail``: how many directions of what the answers miss are kept (`finish`), to be drawn by chance.
    Shapes: windows [B, past + ahead, 2, J, 3]. Units: metres, world coordinates. Chapter: 5.
    """

    def __init__(self, skeleton: Skeleton, past=34, ahead=30, fps=30.0, features=64, heads=8, latent=64, units=64,
                 layers=2, dropout=0.1, no_input=0.1, mse=0.5, distance=0.0, kl=5e-5, velocity=0.05, chained=0.0,
                 detail=64):
        super().__init__()
        self._config = {"names": skeleton.names, "parents": skeleton.parents, "past": past, "ahead": ahead, "fps": fps,
                        "features": features, "heads": heads, "latent": latent, "units": units, "layers": layers,
                        "dropout": dropout, "no_input": no_input, "mse": mse, "distance": distance, "kl": kl,
                        "velocity": velocity, "chained": chained, "detail": detail}
        self.skeleton, self.past, self.ahead, self.fps = skeleton, past, ahead, fps
        self.no_input, self.mse, self.distance, self.kl = no_input, mse, distance, kl
        self.velocity, self.chained = velocity, chained
        width, frames = len(skeleton) * 3, past + ahead
        self.readers = nn.ModuleDict({name: SequenceVAE(wide, features, heads, latent, units)
                                      for name, wide in (("a", 4 * width), ("b", 4 * width), ("apart", width))})
        self.open = nn.Linear(3 * width, features)  # the own dancer's poses, their speed, and how that changes
        self.remember = nn.Linear(2 * latent, features)
        self.flag = nn.Parameter(torch.zeros(features))
        self.role = nn.ParameterDict({name: nn.Parameter(torch.zeros(features)) for name in "ab"})
        layer = nn.TransformerDecoderLayer(features, heads, 4 * features, dropout, batch_first=True, norm_first=True)
        self.decoder = nn.TransformerDecoder(layer, layers, nn.LayerNorm(features))
        self.to_step = nn.Linear(features, width)
        nn.init.zeros_(self.to_step.weight)
        nn.init.zeros_(self.to_step.bias)
        # which head listens to how long ago; each begins with a band of its own, or all would have to find one first
        band = (torch.arange(frames) * heads // past).clamp(max=heads - 1)
        self.lag = nn.Parameter(-4.0 * (band != torch.arange(heads)[:, None]).float())  # [heads, frames]
        # how the last steps go on, a horizon: the one alone, and nine, which foretell more where they are smooth
        self.register_buffer("glide", torch.zeros(2, ahead, min(9, past - 1)))
        # how far the nine are trusted: near ahead more, and in made dance, which is rougher than danced dance, less
        self.near, self.trust = nn.Parameter(3.0 - 0.6 * torch.arange(ahead)), nn.Linear(features, 1, bias=False)
        nn.init.zeros_(self.trust.weight)
        for name, wide in (("own", width), ("partner", 2 * width), ("apart", width)):
            self.register_buffer(f"{name}_middle", torch.zeros(wide))
            self.register_buffer(f"{name}_scale", torch.ones(wide))
        self.register_buffer("speed_scale", torch.ones(width))
        self.register_buffer("change_scale", torch.ones(width))
        self.register_buffer("stand", torch.zeros(2, len(skeleton), 3))  # a's, b's usual pose, seen from the other
        self.register_buffer("reach", torch.ones(ahead))  # how far out gliding on is, a horizon, metres
        self.register_buffer("detail", torch.zeros(detail, ahead * width))
        self.register_buffer("clock", clock(frames, features), persistent=False)  # [T, features]
        self.register_buffer("later", torch.ones(frames, frames, dtype=torch.bool).triu(1), persistent=False)

    def config(self) -> dict:
        """What `from_config` needs to build the same model, without its weights; JSON takes it."""
        return self._config

    @classmethod
    def from_config(cls, config: dict) -> DuetVAE:
        """The inverse of `config`."""
        config = dict(config)
        return cls(Skeleton(tuple(config.pop("names")), tuple(config.pop("parents"))), **config)

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Before training, measure the training windows: middles and spreads, and how steps go on by themselves."""
        batches = [batch[:, : self.past + self.ahead] for batch in batches]
        self.stand.copy_(self._usual(batches))
        sums, lags = {}, self.glide.shape[2]

        def add(name, x):  # batch by batch, for all windows at once would fill the memory of a small machine
            sums[name] = sums.get(name, 0.0) + x.double()

        def seen():
            for batch in batches:
                for who in "ab":
                    parts = batch[:, : self.past], batch[:, self.past :, "ba".index(who)]
                    yield *self.seen(*parts, who)[:2], self._future(batch, who)

        for own, partner, future in seen():
            held = torch.cat([own, own[:, -1:].expand(-1, self.ahead, -1)], 1)
            steps = own.diff(dim=1)[:, -lags:]  # [N, L, J * 3]
            for name, x in (("own", own), ("partner", partner), ("apart", self._apart(held, partner)),
                            ("speed", steps[:, -1:]), ("change", own.diff(n=2, dim=1))):
                add(name, torch.stack([torch.ones_like(x), x, x**2]).sum((1, 2)))
            add("known", torch.einsum("nlw,nmw->lm", steps.double(), steps.double()))
            add("asked", torch.einsum("nlw,nfw->lf", steps.double(), future.double()))
        for name in ("own", "partner", "apart"):
            count, total, squares = sums[name]
            getattr(self, f"{name}_middle").copy_(total / count)
            spread = (squares / count - (total / count) ** 2).clamp_min(0).sqrt()
            getattr(self, f"{name}_scale").copy_(spread.clamp_min(0.02))
        for name, least in (("speed", 0.002), ("change", 0.0005)):
            count, _, squares = sums[name]
            getattr(self, f"{name}_scale").copy_((squares / count).sqrt().clamp_min(least))
        count = sums["speed"][0]
        nothing = 1e-9 * count.sum() * torch.eye(lags).to(count)  # (30 micrometres) ** 2, should somebody stand still
        for k, first in ((0, lags - 1), (1, 0)):
            known, asked = (sums["known"] + nothing)[first:, first:], sums["asked"][first:]
            self.glide[k, :, first:] = torch.linalg.solve(known, asked).T.float()
        for own, _, future in seen():
            left = future - torch.lerp(*self._gliding(own, slice(None)), self.near.sigmoid()[:, None])
            add("left", torch.stack([torch.ones_like(left), left**2]).sum((1, 3)))
        self.reach.copy_((sums["left"][1] / sums["left"][0]).sqrt().clamp_min(0.003))

    @torch.no_grad()
    @in_full_precision
    def fit_residuals(self, batches: Iterable[torch.Tensor]) -> None:
        """After training, measure in which directions the answers miss, so that `sample` can draw from them."""
        self.eval()
        left = torch.cat([(self._future(batch, who) - self.displaced(batch, who)[0]).flatten(1)
                          for batch in (each[:, : self.past + self.ahead] for each in batches) for who in "ab"])
        size, axes = components(left, len(self.detail))
        self.detail.copy_(size[:, None] * axes)

    def _usual(self, batches) -> torch.Tensor:
        """How and where each dancer stands, seen from the other, [2, J, 3]: the mean pose, with bones of usual length,
        at the place and heading that are nearest to all others (their mean may be where nobody ever is)."""
        usual = []
        for who, other in ("ab", "ba"):
            poses, places = [], []
            for batch in batches:
                now, own, theirs = (
                    batch[:, :1],
                    *(reference_frame(batch, 0, self.skeleton, of=each) for each in (who, other)),
                )
                poses.append(own.to_local(now[:, 0, "ab".index(who)]))
                turn = own.heading - theirs.heading
                places.append(torch.cat([theirs.to_local(own.origin), turn.cos()[:, None], turn.sin()[:, None]], 1))
            poses, places = torch.cat(poses), torch.cat(places)[::2]  # [N, J, 3], [N / 2, 5]
            parents, children = zip(*self.skeleton.bones)
            lengths = (poses[:, children] - poses[:, parents]).norm(dim=-1).mean(0)
            pose = project_bone_lengths(self.skeleton, poses.mean(0)[None], lengths[None], iterations=30)
            x, y, z, cos, sin = places[torch.cdist(places, places).sum(1).argmin()]
            usual.append(ReferenceFrame(torch.stack([x, y, z])[None], torch.atan2(sin, cos)[None]).to_world(pose)[0])
        return torch.stack(usual)

    def seen(self, past, partner, who: str) -> tuple[torch.Tensor, torch.Tensor, tuple[ReferenceFrame, ReferenceFrame]]:
        """What is known, as the model sees it: own [B, P, J * 3], partner [B, P + F, 2 * J * 3], and from where.

        The places and headings are the own dancer's and the partner's at the last known frame.
        """
        past, partner = past.to(self.clock.device), partner.to(self.clock.device)
        frames = tuple(reference_frame(past, -1, self.skeleton, of=each) for each in (who, "ba"["ab".index(who)]))
        own, other = past[:, :, "ab".index(who)], past[:, :, "ba".index(who)]
        return frames[0].to_local(own).flatten(2), self.watched(torch.cat([other, partner], 1), frames), frames

    def watched(self, partner, frames: tuple[ReferenceFrame, ReferenceFrame]) -> torch.Tensor:
        """A partner [B, T, J, 3] twice, [B, T, 2 * J * 3]: from the own dancer's place, where it is, and from its own
        place and heading, what it does there."""
        return torch.cat([frame.to_local(partner).flatten(2) for frame in frames], 2)

    def displaced(self, batch, who: str, noise: float = 0.0):
        """For windows [B, P + F, 2, J, 3] the displacement of ``who`` from the last known pose, [B, F, J * 3]."""
        own, partner, _ = self.seen(batch[:, : self.past], batch[:, self.past :, "ba".index(who)], who)
        return self.answer(own, partner, who, noise)

    def answer(self, own, partner, who: str, noise: float = 0.0, kept: dict | None = None):
        """Displacements [B, f, J * 3] of the own dancer [B, P, J * 3], and nats a unit of the codes that were read.

        ``partner`` [B, P + f, 2 * J * 3], f from 1 to ``ahead``. ``noise``: the share of each cloud's spread that codes
        are drawn with. ``kept``, an empty dict at first: what was read stays in it, and the next call is given
        the frames that are new, and answers for those.
        """
        begin = kept.get("frames", 0) if kept is not None else 0
        end = begin + partner.shape[1]
        later, when = self.later[begin:end, :end], self.clock[begin:end]
        again = own[:, -1:].expand(-1, max(end - self.past, 0), -1)  # the last pose, as often as frames are ahead
        held = torch.cat([own, again], 1)[:, begin:end]
        codes, nats = [], []
        before = partner[:, :1] if begin == 0 else kept["last"]
        for name, x in (("ba"["ab".index(who)], self._moving(torch.cat([before, partner], 1), "partner")),
                        ("apart", self._level(self._apart(held, partner), "apart"))):
            read = None if kept is None else kept.setdefault(name, {})
            mean, log_variance = self.readers[name].encode(x, when, later, read)
            nats.append(kl_per_unit(mean.flatten(0, 1), log_variance.flatten(0, 1)))
            codes.append(mean + noise * (0.5 * log_variance).exp() * torch.randn_like(mean) if noise else mean)
        memory = self.remember(torch.cat(codes, 2)) + when
        flag = self.flag * (torch.arange(begin, end, device=own.device) >= self.past)[:, None]
        tgt = self.open(self._dancing(own, again)[:, begin:end]) + when + self.role[who] + flag
        if kept is None:
            out = self.decoder(tgt, memory, tgt_mask=later, memory_mask=self._listening(begin, end, len(tgt)),
                               tgt_is_causal=False)  # or torch compares masks, for which a GPU has to be waited for
        else:
            out = self._decode_on(tgt, memory, later, self._listening(begin, end, len(tgt)), kept)
            kept |= {"frames": end, "last": partner[:, -1:]}
        first = max(self.past - begin, 0)
        at = slice(begin + first - self.past, end - self.past)
        glide = torch.lerp(*self._gliding(own, at), (self.near[at, None] + self.trust(out[:, first:])).sigmoid())
        return glide + self.to_step(out[:, first:]) * self.reach[at, None], torch.cat(nats)

    @in_full_precision
    def _gliding(self, own, at: slice) -> torch.Tensor:
        """How far one step and nine carry every coordinate of ``own`` by themselves, [2, B, f, J * 3]."""
        return torch.einsum("kfl,blw->kbfw", self.glide[:, at], own.diff(dim=1)[:, -self.glide.shape[2] :])

    def _listening(self, begin: int, end: int, batch: int) -> torch.Tensor:
        """What is added before the softmax of attention to memory, [B * heads, f, T]: minus infinity for the future."""
        ago = torch.arange(begin, end, device=self.lag.device)[:, None] - torch.arange(end, device=self.lag.device)
        bias = self.lag[:, ago.clamp_min(0)].masked_fill(ago < 0, -torch.inf)  # [heads, f, T]
        return bias.repeat(batch, 1, 1)

    def _decode_on(self, x, memory, later, listening, kept: dict):
        """What `nn.TransformerDecoder` does at rest, for frames that come after those that were kept."""
        def joined(name, new):
            kept[name] = torch.cat([kept[name], new], 1) if name in kept else new
            return kept[name]

        memory = joined("memory", memory)
        for k, layer in enumerate(self.decoder.layers):
            query = layer.norm1(x)
            known = joined(k, query)
            x = x + layer.self_attn(query, known, known, attn_mask=later, need_weights=False)[0]
            x = x + layer.multihead_attn(layer.norm2(x), memory, memory, attn_mask=listening, need_weights=False)[0]
            x = x + layer.linear2(layer.activation(layer.linear1(layer.norm3(x))))
        return self.decoder.norm(x)

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """What training makes small. Even steps foretell b, odd ones a; some rebuild one dancer and foretell nothing.

        ``step`` None or at rest (``model.eval()``): both are foretold, and the codes are the means of their clouds.
        """
        resting = step is None or not self.training
        window = batch[:, : self.past + self.ahead]
        if not resting and float(torch.rand(())) < self.no_input:
            return self._rebuild(window, "ba"[step % 2])
        if not resting and float(torch.rand(())) < self.chained and batch.shape[1] >= window.shape[1] + CHUNK:
            window = self._danced(batch, "ba"[step % 2])
        told = []
        for who in "ab" if resting else "ba"[step % 2]:
            made, units = self.displaced(window, who, noise=0.0 if resting else 1.0)
            true = self._future(window, who)
            off = (made - true) / self.reach[:, None]  # [B, F, J * 3]
            steps = (made - true).diff(dim=1, prepend=torch.zeros_like(made[:, :1]))  # [B, F, J * 3]
            told.append({"squared": off.square().mean(), "velocity": steps.norm(dim=2).mean(), "kl_nats": units.sum(),
                         "distance": off.unflatten(2, (-1, 3)).norm(dim=-1).mean(),
                         "error_m": (made - true).detach().unflatten(2, (-1, 3)).norm(dim=-1).mean()})
        told = {name: torch.stack([each[name] for each in told]).mean() for name in told[0]}
        weighed = {"squared": self.mse, "distance": self.distance, "velocity": self.velocity, "kl_nats": self.kl}
        return {"loss": sum(weight * told[name] for name, weight in weighed.items()), **told}

    def _danced(self, batch, who: str, every: int = CHUNK) -> torch.Tensor:
        """A later window of longer ones, in whose past ``who`` dances as the model does: 1 to all of its spare chunks.

        What it should do then is come back to the true dance within the frames ahead, without a jump. So it learns to
        go on from its own past, not only from a perfect one: scheduled sampling, Bengio et al., NeurIPS 2015.
        """
        chunks = (batch.shape[1] - self.past - self.ahead) // every
        gone = every * (1 + int(torch.randint(chunks, ())))
        stream = self.stream(batch[:, : self.past], who, every)
        for k in range(self.past, self.past + gone, every):
            stream.dance(batch[:, k : k + every, "ba".index(who)])
        self.train()
        made = stream.past[:, -self.past :]
        true = batch[:, gone + self.past - 2 : gone + self.past + self.ahead].to(made)
        place, step = made[:, -1:] - true[:, 1:2], made[:, -2:].diff(dim=1) - true[:, :2].diff(dim=1)
        astray = place + self.glide[0, :, -1:, None, None] * step  # as both go on by themselves, [B, F, 2, J, 3]
        fade = (1 - self.reach / self.reach[-1])[:, None, None, None]  # as slowly as things become uncertain
        return torch.cat([made, true[:, 2:] + fade * astray], 1)

    def _rebuild(self, batch, who: str) -> dict[str, torch.Tensor]:
        """One dancer, and how far apart the two are, through their own VAEs and back; the transformer is not asked."""
        past, partner = batch[:, : self.past], batch[:, self.past :, "ab".index(who)]
        own, seen, _ = self.seen(past, partner, "ba"["ab".index(who)])
        held = torch.cat([own, own[:, -1:].expand(-1, partner.shape[1], -1)], 1)
        squared, nats = [], []
        for name, x in ((who, self._moving(torch.cat([seen[:, :1], seen], 1), "partner")),
                        ("apart", self._level(self._apart(held, seen), "apart"))):
            mean, log_variance = self.readers[name].encode(x, self.clock, self.later)
            again = self.readers[name].decode(mean + (0.5 * log_variance).exp() * torch.randn_like(mean))
            squared.append((again - x).square().mean())
            nats.append(kl_per_unit(mean.flatten(0, 1), log_variance.flatten(0, 1)).sum())
        squared, nats = torch.stack(squared).mean(), torch.stack(nats).sum()
        return {"loss": (self.mse + self.distance) * squared + self.kl * nats, "rebuilt": torch.ones_like(squared)}

    @takes(past=tensor("windows", "frames", 2, "joints", 3), partner=tensor("windows", "frames ahead", "joints", 3),
           horizons=each(count(), least=1), who=choice("a", "b"))
    def predict(self, past, partner, horizons: Sequence[int], who: str = "b") -> torch.Tensor:
        """As every `choreo_lib.evaluation.baselines.Forecaster`: dancer ``who`` at each horizon, [B, H, J, 3], in the
        world."""
        if max(horizons) > self.ahead:
            raise ValueError(f"horizons must be at most {self.ahead}, the frames this model looks ahead; got "
                             f"{shown(horizons)}")
        made, last, (frame, _) = self._ahead(past, partner[:, : max(horizons)], who)
        at = [h - 1 for h in horizons]
        return frame.to_world((last + made[:, at]).unflatten(2, (-1, 3))).to(past.device)

    @takes(past=tensor("windows", "frames", 2, "joints", 3), partner=tensor("windows", "frames ahead", "joints", 3),
           horizons=each(count(), least=1), who=choice("a", "b"), temperature=number(0, 100), count=count(1, 10_000),
           seed=seed)
    def sample(self, past, partner, horizons: Sequence[int], who: str = "b", temperature: float = 1.0, count: int = 10,
               seed: int = 0) -> torch.Tensor:
        """As `predict`, ``count`` times, with what answers miss drawn by chance: [count, B, H, J, 3]. See `finish`."""
        if max(horizons) > self.ahead:
            raise ValueError(f"horizons must be at most {self.ahead}, the frames this model looks ahead; got "
                             f"{shown(horizons)}")
        made, last, (frame, _) = self._ahead(past, partner[:, : max(horizons)], who)
        chance = torch.randn(count, len(made), len(self.detail), generator=torch.Generator().manual_seed(seed))
        noise = temperature * product(chance.to(made), self.detail)
        noise = noise.unflatten(2, (self.ahead, -1))  # [count, B, F, J * 3]
        at = [h - 1 for h in horizons]
        drawn = (last + made)[None, :, at] + noise[:, :, at]
        return torch.stack([frame.to_world(each.unflatten(2, (-1, 3))) for each in drawn]).to(past.device)

    @torch.no_grad()
    def _ahead(self, past, partner, who: str):
        self.eval()
        own, partner, frames = self.seen(past[:, -self.past :], partner, who)
        return self.answer(own, partner, who)[0], own[:, -1:], frames

    @takes(past=array(..., "frames", 2, "joints", 3, finite=False), who=choice("a", "b"), every=count(),
           temperature=number(0, 100), seed=seed, wish=a(Guidance))
    def stream(self, past, who: str = "b", every: int = CHUNK, temperature: float = 0.0, seed: int = 0,
               wish: Guidance | None = None) -> Stream:
        """A partner who dances along: give it the other dancer's frames one at a time. See `Stream`.

        Errors: ValueError for a past of other joints, or of dancers who lie or are too large to be dancers.
        """
        past = torch.as_tensor(past)
        if past.ndim not in (4, 5) or past.shape[-3:] != (2, len(self.skeleton), 3):
            raise ValueError(f"past has shape {tuple(past.shape)}; both dancers' frames are needed, [frames, 2, "
                             f"{len(self.skeleton)}, 3], of the joints {', '.join(self.skeleton.names)}. "
                             "choreo_lib.conform(duet, model) brings a recording onto them")
        stream = Stream(self, past, who, every, temperature, seed, wish)
        for name, dancer in zip("ab", stream.past[0].unbind(1)):
            require_dancer(f"dancer {name} of the past", self.skeleton, dancer, self.body_size)
        return stream

    @torch.no_grad()
    @takes(a=a(Motion), seed=a(Motion), steps=count(), temperature=number(0, 100), who=choice("a", "b"), every=count(),
           chance=seed, count=count(1, 10_000), wish=a(Guidance))
    def rollout(self, a: Motion, seed: Motion | None = None, steps: int | None = None, temperature: float = 0.0,
                who: str = "b", every: int = CHUNK, chance: int = 0, count: int = 1,
                wish: Guidance | None = None) -> Motion | list[Motion]:
        """A partner for a whole take of the other dancer, in the same room and at the same time.

        ``seed``: the own dancer's first frames, of which the last ``past`` are looked at, and after which the partner
        goes on; None: from a standing pose where partners usually are. ``steps`` frames are made (None: to the end of
        ``a``). ``temperature``: how much of what the answers usually miss is drawn by chance, from the integer
        ``chance``. Every ``every`` frames the window moves on. ``count`` above 1: as many partners, in a list.
        ``wish``: what the partner is asked for besides.
        Gives frames 0 to (seed's length +) steps. Errors: ValueError for other joints or frames a second, a seed
        shorter than ``past``, or a take that ends before it.
        """
        given = 0 if seed is None else len(seed)
        for name, motion in (("a", a), ("seed", seed)):
            if motion is not None:
                require_fit(name, motion, self.skeleton, self.fps)
                require_dancer(name, self.skeleton, motion.positions, self.body_size)
        if 0 < given < self.past or given >= len(a):
            raise ValueError(f"the seed has {given} frames and a has {len(a)}; a seed needs {self.past} or more, and a "
                             "has to go on after it")
        steps = len(a) - given if steps is None else min(steps, len(a) - given)
        leader = torch.from_numpy(a.positions)
        if seed is None:
            past = self.standing(leader[:1], who).expand(self.past, -1, -1, -1)  # [P, 2, J, 3]
        else:
            both = (leader[given - self.past : given], torch.from_numpy(seed.positions[-self.past :]))
            past = torch.stack(both if who == "b" else both[::-1], 1)
        stream = Stream(self, past.expand(count, -1, -1, -1, -1), who, every, temperature, chance, wish)
        made = torch.cat([stream.ahead(leader[k : min(k + every, given + steps)].expand(count, -1, -1, -1))
                          for k in range(given, given + steps, every)], 1).cpu().numpy()  # [count, steps, J, 3]
        before = [] if seed is None else [seed.positions]
        source = Source.join(OURS if seed is None else seed.source, a.source)
        found = [Motion(np.concatenate([*before, each]), self.fps, self.skeleton, source=source, name=f"made, {who}")
                 for each in made]
        return found if count > 1 else found[0]

    def standing(self, leader: torch.Tensor, who: str) -> torch.Tensor:
        """Leader's pose [1, J, 3] with a partner who stands where partners usually are: [1, 2, J, 3]."""
        pair = leader[:, None, None].expand(-1, -1, 2, -1, -1)  # [1, 1, 2, J, 3]
        place = reference_frame(pair.to(self.clock.device), 0, self.skeleton, of="a")
        own = place.to_world(self.stand["ab".index(who)][None])  # [1, J, 3]
        both = (leader.to(own), own)
        return torch.stack(both if who == "b" else both[::-1], 1)

    @property
    def body_size(self) -> float | None:
        """Metres from ankle to head along the bones of the dancers it was trained on, to know who is no dancer."""
        body = self.usual_body()
        return body and body_size(body)

    def usual_body(self, who: str = "a") -> Skeleton | None:
        """The skeleton with the bones of a dancer of the training set, as they stand; None before `prepare`."""
        pose = self.stand["ab".index(who)].cpu().double().numpy()
        bones = pose - pose[[max(parent, 0) for parent in self.skeleton.parents]]
        return Skeleton(self.skeleton.names, self.skeleton.parents, bones) if bones.any() else None

    def _future(self, batch, who: str) -> torch.Tensor:
        """The true displacement of ``who`` in the frames ahead, [B, F, J * 3], from its own place and heading."""
        batch = batch.to(self.clock.device)
        frame = reference_frame(batch[:, : self.past], -1, self.skeleton, of=who)
        x = frame.to_local(batch[:, self.past - 1 :, "ab".index(who)]).flatten(2)
        return x[:, 1:] - x[:, :1]

    def _apart(self, own, partner):
        return (own - partner[..., : own.shape[2]]).abs()

    def _dancing(self, own, again) -> torch.Tensor:
        """The own dancer's poses, speed, and how that changed, [B, P + F, 3 * W]; ahead the last pose, at rest."""
        moving = self._moving(torch.cat([own[:, :1], own, again], 1), "own")
        change = pad(own.diff(n=2, dim=1) / self.change_scale, (0, 0, 2, again.shape[1]))
        return torch.cat([moving, change], 2)

    def _moving(self, x, name: str) -> torch.Tensor:
        """Poses [B, 1 + T, W] and how fast they change, [B, T, 2 * W]; the first is only what came before."""
        scale = self.speed_scale.repeat(x.shape[2] // len(self.speed_scale))
        return torch.cat([self._level(x[:, 1:], name), x.diff(dim=1) / scale], 2)

    def _level(self, x, name: str):
        return (x - getattr(self, f"{name}_middle")) / getattr(self, f"{name}_scale")


@takes(frames=count(), features=count(1, 100_000))
def clock(frames: int, features: int) -> torch.Tensor:
    """Where in a window a frame is, [T, features]: sines and cosines. Chapter: 5. Vaswani et al., NeurIPS 2017."""
    pace = torch.exp(-torch.arange(0, features, 2) / features * 9.210340371976184)  # 10,000^(-2i / features)
    angle = torch.arange(frames)[:, None] * pace
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :features]
