"""The network of `DuetForecaster`: what it looks at, its parts, and its forward pass. Taught in chapter 5."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.functional import pad

from ..body.motion import dancer_index, other_dancer
from ..body.reference import ReferenceFrame, reference_frame
from ..body.skeleton import Skeleton
from ..core.precision import in_full_precision
from ..systems.layers import System, positional_encoding, reparameterise
from ..systems.losses import kl_per_unit
from .duet_config import Config
from .duet_layers import CachedDecoder, SkipSequenceVAE, Standardise, mean_poses
from .extrapolation import LinearExtrapolation, TurningExtrapolation
from .lag_experts import LAGS, LagExperts
from .motion_attention import MotionAttention
from .pose_prior import PosePrior
from .ridge_blend import RidgeBlend

CHUNK = 10  # frames after which a rollout's window moves on


class DuetNetwork(System):
    """Encoders of the partner and of the difference, a transformer decoder, extrapolation, what the partner did before.

    Shapes: windows [B, past + ahead, 2, J, 3]. Units: metres, world coordinates. Chapter: 5.
    """

    Config = Config
    vaes: Any  # of SkipSequenceVAE, and of Standardise: mypy knows no item types of a ModuleDict
    standardise: Any

    def __init__(self, skeleton: Skeleton, config: Any = None, **changes: Any):
        super().__init__(skeleton, config, **changes)
        c: Config = self.config
        self.past, self.ahead, self.fps = c.past, c.ahead, c.fps
        width, frames = len(skeleton) * 3, c.past + c.ahead
        # the partner is seen from two places, with velocities
        self.vaes = nn.ModuleDict({name: SkipSequenceVAE(size, c.features, c.heads, c.latent, c.hidden)
                                   for name, size in (("a", 4 * width), ("b", 4 * width), ("difference", width))})
        self.input_proj = nn.Linear(3 * width, c.features)  # the own dancer's poses, velocities and accelerations
        self.memory_proj = nn.Linear(2 * c.latent, c.features)
        self.future_flag = nn.Parameter(torch.zeros(c.features))
        self.role = nn.ParameterDict({name: nn.Parameter(torch.zeros(c.features)) for name in "ab"})
        layer = nn.TransformerDecoderLayer(c.features, c.heads, 4 * c.features, c.dropout, batch_first=True,
                                           norm_first=True)
        self.decoder = CachedDecoder(layer, c.layers, nn.LayerNorm(c.features))
        self.output_proj = nn.Linear(c.features, width)
        nn.init.zeros_(self.output_proj.weight)
        nn.init.zeros_(self.output_proj.bias)
        steps = min(9, c.past - 1)
        self.extrapolation = (None if not c.extrapolation else LinearExtrapolation(c.ahead, steps, c.features)
                              if not c.turning else TurningExtrapolation(c.ahead, steps, c.features, skeleton))
        if c.motion_attention and not (c.extrapolation and c.turning):
            raise ValueError("motion_attention goes on from extrapolation of posture and turns: it needs extrapolation "
                             "and turning, too")
        self.motion_attention = MotionAttention(skeleton, c.past, c.ahead, c.features) if c.motion_attention else None
        self.experts = LagExperts(width, min(LAGS, c.past), c.features, c.lag_experts) if c.lag_experts else None
        self.standardise = nn.ModuleDict({name: Standardise(size) for name, size in
                                          (("own", width), ("partner", 2 * width), ("difference", width))})
        self.velocity_std, self.acceleration_std = (nn.Buffer(torch.ones(width)) for _ in range(2))
        self.mean_poses = nn.Buffer(torch.zeros(2, len(skeleton), 3))  # a's, b's, each seen from the other
        self.horizon_scale = nn.Buffer(torch.ones(c.ahead))  # metres: how far off extrapolation usually is
        self.pose_prior = PosePrior(skeleton, c.pose_prior) if c.pose_prior else None
        self.ridge = RidgeBlend(min(c.ridge_frames, c.ahead), min(10, c.past), width) if c.ridge_frames else None
        self.residual_components = nn.Buffer(torch.zeros(c.residual_components, c.ahead * width))
        self.positions = nn.Buffer(positional_encoding(frames, c.features), persistent=False)  # [T, features]
        self.ahead_flag = nn.Buffer((torch.arange(frames)[:, None] >= c.past).float(), persistent=False)  # [T, 1]
        frames_ahead = pad(torch.eye(c.ahead), (0, 0, 1, 0))  # [1 + F, F]: before them nothing has moved
        chunk = min(CHUNK, c.ahead)
        # as matrices, since each difference of slices costs a training step several operators: from frame to frame,
        # [F, F], and how far a joint goes in a chunk of a rollout, [F + 1 - chunk, F]
        self.steps = nn.Buffer(frames_ahead.diff(dim=0), persistent=False)
        self.chunks = nn.Buffer(frames_ahead[chunk:] - frames_ahead[:-chunk], persistent=False)
        # [T, T], added to what attention makes of two frames: a later one counts nothing
        self.causal_mask = nn.Buffer(torch.full((frames, frames), -torch.inf).triu(1), persistent=False)

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Measure training windows [B, past + ahead or more, 2, J, 3], and fit the extrapolation. Chapter: 5."""
        batches = [batch[:, : self.past + self.ahead] for batch in batches]
        self.mean_poses.copy_(mean_poses(self.skeleton, batches))
        sums: dict[str, torch.Tensor] = {}

        def add(name: str, x: torch.Tensor) -> None:  # batch by batch: all windows at once would fill the memory
            sums[name] = sums.get(name, 0.0) + x.double()

        def views() -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
            for batch in batches:
                for who in "ab":
                    yield self._window_view(batch, who)

        for own, partner, future in views():
            held = torch.cat([own, own[:, -1:].expand(-1, self.ahead, -1)], 1)  # [B, P + F, W]
            for name, x in (("own", own), ("partner", partner), ("difference", self._difference(held, partner)),
                            ("velocity", own[:, -2:].diff(dim=1)), ("acceleration", own.diff(n=2, dim=1))):
                add(name, torch.stack([torch.ones_like(x), x, x**2]).sum((1, 2)))  # [3, W]
            for name, x in (("experts partner", partner), ("experts own", own[:, -1:]), ("experts future", future)):
                x = pad(x.double(), (1, 0), value=1.0).flatten(0, 1)  # [N, 1 + W]
                add(name, x.T @ x)
            if self.extrapolation is not None:
                add("extrapolation", self.extrapolation.moments(own, future))
        for name, standardise in self.standardise.items():
            standardise.fit(sums[name], 0.02)
        for std, name, least in ((self.velocity_std, "velocity", 0.002), (self.acceleration_std, "acceleration", 5e-4)):
            std.copy_((sums[name][2] / sums[name][0]).sqrt().clamp_min(least))
        if self.extrapolation is not None:
            self.extrapolation.fit(sums["extrapolation"])
        if self.experts is not None:
            for name, part in (("partner", self.experts.partner), ("own", self.experts.pose),
                               ("future", self.experts.displacement)):
                part.fit(sums[f"experts {name}"])
        for own, _, future in views():
            off = future if self.extrapolation is None else future - self.extrapolation(own)  # [B, F, W]
            add("off", torch.stack([torch.ones_like(off), off**2]).sum((1, 3)))
        self.horizon_scale.copy_((sums["off"][1] / sums["off"][0]).sqrt().clamp_min(0.003))
        if self.pose_prior is not None:
            self.pose_prior.fit(batches)

    def local_view(self, past: torch.Tensor, partner: torch.Tensor, who: str
                   ) -> tuple[torch.Tensor, torch.Tensor, ReferenceFrame]:
        """What the network looks at: `own_view`, and `partner_view` of the past and of the frames ahead.

        Shapes: ``past`` [B, P, 2, J, 3] and ``partner`` [B, F, J, 3], world; gives own [B, P, W], partner
        [B, P + F, 2 * W], W = J * 3, and the frames of reference [B, 2]. Chapter: 5.
        """
        past, partner = past.to(self.positions.device), partner.to(self.positions.device)
        own, frames = self.own_view(past, who)
        other = past[:, :, dancer_index(other_dancer(who))]  # [B, P, J, 3]
        return own, self.partner_view(torch.cat([other, partner], 1), frames), frames

    def own_view(self, past: torch.Tensor, who: str) -> tuple[torch.Tensor, ReferenceFrame]:
        """The past of ``who`` in its canonical frame; and that frame and the partner's.

        At each pelvis, along each heading, at the last known frame: [B, P, 2, J, 3] -> [B, P, W], [B, 2]. Chapter: 5.
        """
        frames = self._frames(past[:, -1], who)
        return own_frame(frames).to_local(past[:, :, dancer_index(who)]).flatten(2), frames

    def _frames(self, last: torch.Tensor, who: str) -> ReferenceFrame:
        """The canonical frames of both, the own dancer's first, at a pose [B, 2, J, 3]: [B, 2]."""
        if self.config.canonical_frame:
            pair = last if who == "a" else last.flip(1)  # the own dancer first
            each = reference_frame(pair.flatten(0, 1)[:, None, None], 0, self.skeleton, of="a")  # [B * 2]
            return ReferenceFrame(*(x.unflatten(0, (-1, 2)) for x in each))
        return ReferenceFrame(torch.zeros_like(last[:, :, 0]), torch.zeros_like(last[:, :, 0, 0]))

    def partner_view(self, partner: torch.Tensor, frames: ReferenceFrame) -> torch.Tensor:
        """A partner [B, T, J, 3] twice, from the own dancer's frame and from its own: [B, T, 2 * W]. Chapter: 5."""
        return frames.to_local(partner[:, None]).flatten(3).transpose(1, 2).flatten(2)

    def displacement(self, batch: torch.Tensor, who: str, noise: bool = False
                     ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """`forward` for windows: predicted displacements of ``who``, the KL a latent unit, the true ones, and the past.

        Shapes: [B, P + F, 2, J, 3] -> [B, F, W], [2 * latent], [B, F, W] and [B, P, W], as `own_view` gives it.
        Units: metres, nats. Chapter: 5.
        """
        own, seen, true = self._window_view(batch, who)
        made, mean, log_variance = self(own, seen, who, noise)
        kl = kl_per_unit(mean.flatten(0, 1), log_variance.flatten(0, 1))  # [2 * latent]
        return made, kl, true, own

    def _window_view(self, batch: torch.Tensor, who: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The past and the partner as `local_view` gives them, and displacements ahead, [B, F, W]."""
        batch = batch.to(self.positions.device)
        frames = self._frames(batch[:, self.past - 1], who)
        own = own_frame(frames).to_local(batch[:, :, dancer_index(who)]).flatten(2)  # [B, P + F, W]
        past, future = own.split([self.past, self.ahead], 1)
        return past, self.partner_view(batch[:, :, dancer_index(other_dancer(who))], frames), future - past[:, -1:]

    def forward(self, own: torch.Tensor, partner: torch.Tensor, who: str, noise: bool = False,
                kv_cache: dict[str, Any] | None = None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Displacements of the own dancer from the last known pose; the posteriors' means and log-variances.

        ``noise``: latent vectors are drawn from the posteriors, and not their means. ``kv_cache``, an
        empty dict at first: what was encoded stays in it; the next call gets the new frames only, and answers for them.
        Shapes: own [B, P, W], partner [B, P + f, 2 * W], as `local_view` gives them; gives [B, f, W], and twice
        [B, P + f, 2 * latent], of the partner and of the difference. Units: metres. Chapter: 5.
        """
        begin = kv_cache.get("frames", 0) if kv_cache is not None else 0
        end = begin + partner.shape[1]
        mask, positions = self.causal_mask[begin:end, :end], self.positions[begin:end]
        held = torch.cat([own, own[:, -1:].expand(-1, max(end - self.past, 0), -1)], 1)  # the last pose for each ahead
        before = kv_cache["partner"][:, -1:] if kv_cache else partner[:, :1]
        posteriors = []
        for name, x in ((other_dancer(who), self._with_velocity(partner, before, "partner")),
                        ("difference", self.standardise["difference"](self._difference(held[:, begin:end], partner)))):
            cache = None if kv_cache is None else kv_cache.setdefault(name, {})
            posteriors.append(self.vaes[name].encode(x, positions, mask, cache))
        mean, log_variance = (torch.cat(each, 2) for each in zip(*posteriors))  # [B, T, 2 * latent] each
        latents = reparameterise(mean, log_variance) if noise else mean
        memory = self.memory_proj(latents) + positions  # [B, T, features]
        place = torch.addcmul(positions + self.role[who], self.future_flag, self.ahead_flag[begin:end])  # [T, features]
        tgt = self.input_proj(self._own_features(held)[:, begin:end]) + place
        out = self.decoder.decode(tgt, memory, mask, kv_cache)
        if kv_cache is not None:
            partner = torch.cat([kv_cache["partner"], partner], 1) if begin else partner
            kv_cache |= {"frames": end, "partner": partner}
        out = out[:, max(self.past - begin, 0) :].contiguous()  # [B, f, features], or each layer below copies it
        at = slice(end - self.past - out.shape[1], end - self.past)
        step = self.output_proj(out) * self.horizon_scale[at, None]  # [B, f, W]
        if not step.shape[1]:  # the past is still being encoded, in parts
            return step, mean, log_variance
        echo = (() if self.motion_attention is None else
                (self.motion_attention(out, partner[..., : own.shape[2]], own, at),))
        if self.extrapolation is not None:
            step = self.extrapolation(own, out, at, step, *echo)
        if self.experts is not None:
            step = step + self.experts(out, self.experts.partner(partner), own, at)
        return step, mean, log_variance

    def usual_body(self, who: str = "a") -> Skeleton | None:
        """The skeleton with the mean bones of the training set's dancers; None before `fit_statistics`. Chapter: 5."""
        pose = self.mean_poses[dancer_index(who)].cpu().double().numpy()  # [J, 3]
        bones = pose - pose[[max(parent, 0) for parent in self.skeleton.parents]]
        return Skeleton(self.skeleton.names, self.skeleton.parents, bones) if bones.any() else None

    def _difference(self, own: torch.Tensor, partner: torch.Tensor) -> torch.Tensor:
        return (own - partner[..., : own.shape[2]]).abs()  # [B, T, W]

    def _own_features(self, held: torch.Tensor) -> torch.Tensor:
        """The own dancer's poses, velocities and accelerations, [B, P + F, 3 * W]; ahead the last pose, at rest."""
        own = held[:, : self.past]
        change = pad(own.diff(n=2, dim=1) / self.acceleration_std, (0, 0, 2, held.shape[1] - self.past))
        return torch.cat([self._with_velocity(held, held[:, :1], "own"), change], 2)

    def _with_velocity(self, x: torch.Tensor, before: torch.Tensor, name: str) -> torch.Tensor:
        """Poses [B, T, W] and their velocities, [B, T, 2 * W]; ``before`` [B, 1, W] is the pose before the first."""
        velocity = x.diff(dim=1, prepend=before).unflatten(2, (-1, len(self.velocity_std))) / self.velocity_std
        return torch.cat([self.standardise[name](x), velocity.flatten(2)], 2)


def own_frame(frames: ReferenceFrame) -> ReferenceFrame:
    """The first frame [B] of the two [B, 2] that `DuetNetwork.local_view` gives. Chapter: 5."""
    return ReferenceFrame(*(x[:, 0] for x in frames))
