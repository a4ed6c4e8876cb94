"""The network of `choreo_lib.extensions.DuetForecaster`: what it looks at, its parts, and its forward pass.

Taught in chapter 5, "A partner".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import pad

from ..body.motion import dancer_index, other_dancer
from ..body.reference import ReferenceFrame, reference_frame
from ..body.skeleton import Skeleton
from ..core.precision import in_full_precision
from ..systems.layers import System, positional_encoding, reparameterise
from ..systems.losses import Schedule, kl_per_unit
from .duet_layers import CachedDecoder, LinearExtrapolation, SkipSequenceVAE, Standardise, mean_poses
from .pose_prior import PosePrior


@dataclass(frozen=True)
class Config:
    """Settings of `DuetForecaster`; sizes and weights of losses that the shelf has too are its own.

    What an option is worth, quick mode: metrics of data/ablations/duet-salsa.json with all options, and without that
    one; errors in mm (at 400 ms 84.6, at 1 s 117.4 with all). Not measured at full length. Chapter: 5.
    """

    fps: float = 30.0  # frames a second
    past: int = 34  # frames that are known of both dancers
    ahead: int = 30  # frames predicted at once, of which only the partner is known: the horizon chunk
    features: int = 64  # width of attention and transformer
    heads: int = 8
    latent: int = 64  # numbers a frame
    hidden: int = 64  # of the LSTMs
    layers: int = 2  # of the transformer decoder
    dropout: float = 0.1  # of its layers
    no_input_prob: float = 0.1  # probability of a step that only reconstructs; without: 400 ms 82.1, 1 s 116.4
    mse: float = 0.5  # weight of squared errors, in units of `horizon_scale`
    distance: float = 0.0  # weight of distances, in the same units; squares in their place: 1 s 117.4 -> 123.6
    velocity: float = 0.05  # weight of errors of the change between frames, metres; 4 -> 0.05: 1 s 117.4 -> 126.5
    kl: Schedule = Schedule(5e-5)
    canonical_frame: bool = True  # root-centred, heading-aligned; off (world coordinates): 1 s 117.4 -> 129.2
    # residual to linear extrapolation; off (to the last pose): 33 ms 1.8 -> 10.0, 100 ms 12.5 -> 28.6, 1 s -> 103.3
    extrapolation: bool = True
    scheduled_sampling: float = 0.0  # probability of a step whose past is a rollout; 0 in quick mode: not measured
    # share by which a stream's past is drawn towards training poses; off: the head, in minute 3, at 82 % of its height
    pose_prior: float = 0.3
    fix_foot_skate: bool = True  # in streams and rollouts; off: 0.57 -> 3.56 times the danced foot skating
    kv_cache: bool = True  # incremental decoding in streams; off: the window is encoded again for each frame
    residual_components: int = 64  # principal components of the prediction's residuals, of which samples are made


class DuetNetwork(System):
    """Encoders of the partner and of the difference, a transformer decoder, and linear extrapolation.

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
        self.extrapolation = LinearExtrapolation(c.ahead, min(9, c.past - 1), c.features) if c.extrapolation else None
        self.standardise = nn.ModuleDict({name: Standardise(size) for name, size in
                                          (("own", width), ("partner", 2 * width), ("difference", width))})
        self.velocity_std, self.acceleration_std = (nn.Buffer(torch.ones(width)) for _ in range(2))
        self.mean_poses = nn.Buffer(torch.zeros(2, len(skeleton), 3))  # a's, b's, each seen from the other
        self.horizon_scale = nn.Buffer(torch.ones(c.ahead))  # metres: how far off extrapolation usually is
        self.pose_prior = PosePrior(skeleton, c.pose_prior) if c.pose_prior else None
        self.residual_components = nn.Buffer(torch.zeros(c.residual_components, c.ahead * width))
        self.positions = nn.Buffer(positional_encoding(frames, c.features), persistent=False)  # [T, features]
        later = torch.ones(frames, frames, dtype=torch.bool).triu(1)
        self.causal_mask = nn.Buffer(later, persistent=False)  # [T, T], True where a frame may not attend

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Before training, measure the training windows: means, standard deviations, and the linear extrapolation.

        Shapes: windows [B, T, 2, J, 3], T at least past + ahead. Chapter: 5.
        """
        batches = [batch[:, : self.past + self.ahead] for batch in batches]
        self.mean_poses.copy_(mean_poses(self.skeleton, batches))
        sums: dict[str, torch.Tensor] = {}

        def add(name: str, x: torch.Tensor) -> None:  # batch by batch: all windows at once would fill the memory
            sums[name] = sums.get(name, 0.0) + x.double()

        def views() -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
            for batch in batches:
                for who in "ab":
                    partner = batch[:, self.past :, dancer_index(other_dancer(who))]
                    yield *self.local_view(batch[:, : self.past], partner, who)[:2], self.target(batch, who)

        for own, partner, future in views():
            held = torch.cat([own, own[:, -1:].expand(-1, self.ahead, -1)], 1)  # [B, P + F, W]
            steps = own.diff(dim=1)[:, -9:]  # [B, L, W]
            for name, x in (("own", own), ("partner", partner), ("difference", self._difference(held, partner)),
                            ("velocity", steps[:, -1:]), ("acceleration", own.diff(n=2, dim=1))):
                add(name, torch.stack([torch.ones_like(x), x, x**2]).sum((1, 2)))  # [3, W]
            add("steps_steps", torch.einsum("nlw,nmw->lm", steps.double(), steps.double()))
            add("steps_future", torch.einsum("nlw,nfw->lf", steps.double(), future.double()))
        for name, standardise in self.standardise.items():
            standardise.fit(sums[name], 0.02)
        for std, name, least in ((self.velocity_std, "velocity", 0.002), (self.acceleration_std, "acceleration", 5e-4)):
            std.copy_((sums[name][2] / sums[name][0]).sqrt().clamp_min(least))
        if self.extrapolation is not None:
            self.extrapolation.fit(sums["steps_steps"], sums["steps_future"], float(sums["velocity"][0].sum()))
        for own, _, future in views():
            off = future if self.extrapolation is None else future - self.extrapolation(own)  # [B, F, W]
            add("off", torch.stack([torch.ones_like(off), off**2]).sum((1, 3)))
        self.horizon_scale.copy_((sums["off"][1] / sums["off"][0]).sqrt().clamp_min(0.003))
        if self.pose_prior is not None:
            self.pose_prior.fit(batches)

    def local_view(self, past: torch.Tensor, partner: torch.Tensor, who: str
                   ) -> tuple[torch.Tensor, torch.Tensor, tuple[ReferenceFrame, ReferenceFrame]]:
        """What the network looks at: both dancers in the canonical frames of ``who`` and of the partner.

        The frames stand at each pelvis and along each heading at the last known frame. Shapes: ``past`` [B, P, 2, J, 3]
        and ``partner`` [B, F, J, 3], world; gives own [B, P, W], partner [B, P + F, 2 * W], W = J * 3. Chapter: 5.
        """
        past, partner = past.to(self.positions.device), partner.to(self.positions.device)
        frames = self._frame(past, who), self._frame(past, other_dancer(who))
        own, other = past[:, :, dancer_index(who)], past[:, :, dancer_index(other_dancer(who))]  # [B, P, J, 3]
        return frames[0].to_local(own).flatten(2), self.partner_view(torch.cat([other, partner], 1), frames), frames

    def _frame(self, past: torch.Tensor, who: str) -> ReferenceFrame:
        if self.config.canonical_frame:
            return reference_frame(past, -1, self.skeleton, of=who)
        return ReferenceFrame(torch.zeros_like(past[:, 0, 0, 0]), torch.zeros_like(past[:, 0, 0, 0, 0]))

    def partner_view(self, partner: torch.Tensor, frames: tuple[ReferenceFrame, ReferenceFrame]) -> torch.Tensor:
        """A partner twice: from the own dancer's frame, where it is, and from its own, what it does there.

        Shapes: [B, T, J, 3] -> [B, T, 2 * W]. Chapter: 5.
        """
        return torch.cat([frame.to_local(partner).flatten(2) for frame in frames], 2)

    def target(self, batch: torch.Tensor, who: str) -> torch.Tensor:
        """The true displacements of ``who`` from the last known pose, in its canonical frame.

        Shapes: [B, P + F, 2, J, 3] -> [B, F, W]. Units: metres. Chapter: 5.
        """
        batch = batch.to(self.positions.device)
        own = batch[:, self.past - 1 :, dancer_index(who)]  # [B, 1 + F, J, 3]
        x = self._frame(batch[:, : self.past], who).to_local(own).flatten(2)  # [B, 1 + F, W]
        return x[:, 1:] - x[:, :1]

    def displacement(self, batch: torch.Tensor, who: str, noise: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
        """`forward` for windows: predicted displacements of ``who`` [B, F, W], and the KL a latent unit.

        Shapes: [B, P + F, 2, J, 3]. Chapter: 5.
        """
        partner = batch[:, self.past :, dancer_index(other_dancer(who))]
        own, seen, _ = self.local_view(batch[:, : self.past], partner, who)
        return self(own, seen, who, noise)

    def forward(self, own: torch.Tensor, partner: torch.Tensor, who: str, noise: float = 0.0,
                kv_cache: dict[str, Any] | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Displacements of the own dancer from the last known pose, and the KL of the posteriors, nats a latent unit.

        ``noise``: the share of the posteriors' standard deviation with which latent vectors are drawn. ``kv_cache``, an
        empty dict at first: what was encoded stays in it; the next call gets the new frames only, and answers for them.
        Shapes: own [B, P, W], partner [B, P + f, 2 * W], as `local_view` gives them; gives [B, f, W], [2 * latent].
        Units: metres. Chapter: 5.
        """
        begin = kv_cache.get("frames", 0) if kv_cache is not None else 0
        end = begin + partner.shape[1]
        mask, positions = self.causal_mask[begin:end, :end], self.positions[begin:end]
        future = own[:, -1:].expand(-1, max(end - self.past, 0), -1)  # the last pose, for each frame ahead
        held = torch.cat([own, future], 1)[:, begin:end]  # [B, T, W]
        before = kv_cache["partner"] if kv_cache else partner[:, :1]
        latents, kl = [], []
        for name, x in ((other_dancer(who), self._with_velocity(torch.cat([before, partner], 1), "partner")),
                        ("difference", self.standardise["difference"](self._difference(held, partner)))):
            cache = None if kv_cache is None else kv_cache.setdefault(name, {})
            mean, log_variance = self.vaes[name].encode(x, positions, mask, cache)  # [B, T, latent] each
            kl.append(kl_per_unit(mean.flatten(0, 1), log_variance.flatten(0, 1)))
            latents.append(torch.lerp(mean, reparameterise(mean, log_variance), noise) if noise else mean)
        memory = self.memory_proj(torch.cat(latents, 2)) + positions  # [B, T, features]
        flag = self.future_flag * (torch.arange(begin, end, device=own.device) >= self.past)[:, None]
        tgt = self.input_proj(self._own_features(own, future)[:, begin:end]) + positions + self.role[who] + flag
        if kv_cache is None:
            out = self.decoder(tgt, memory, tgt_mask=mask, memory_mask=mask,
                               tgt_is_causal=False)  # or torch compares masks, for which a GPU has to be waited for
        else:
            out = self.decoder.decode_next(tgt, memory, mask, kv_cache)
            kv_cache |= {"frames": end, "partner": partner[:, -1:]}
        out = out[:, max(self.past - begin, 0) :]  # [B, f, features]
        at = slice(end - self.past - out.shape[1], end - self.past)
        step = self.output_proj(out) * self.horizon_scale[at, None]  # [B, f, W]
        return step if self.extrapolation is None else self.extrapolation(own, out, at) + step, torch.cat(kl)

    def usual_body(self, who: str = "a") -> Skeleton | None:
        """The skeleton with the mean bones of the training set's dancers; None before `fit_statistics`. Chapter: 5."""
        pose = self.mean_poses[dancer_index(who)].cpu().double().numpy()  # [J, 3]
        bones = pose - pose[[max(parent, 0) for parent in self.skeleton.parents]]
        return Skeleton(self.skeleton.names, self.skeleton.parents, bones) if bones.any() else None

    def _difference(self, own: torch.Tensor, partner: torch.Tensor) -> torch.Tensor:
        return (own - partner[..., : own.shape[2]]).abs()  # [B, T, W]

    def _own_features(self, own: torch.Tensor, future: torch.Tensor) -> torch.Tensor:
        """The own dancer's poses, velocities and accelerations, [B, P + F, 3 * W]; ahead the last pose, at rest."""
        moving = self._with_velocity(torch.cat([own[:, :1], own, future], 1), "own")
        change = pad(own.diff(n=2, dim=1) / self.acceleration_std, (0, 0, 2, future.shape[1]))  # [B, P + F, W]
        return torch.cat([moving, change], 2)

    def _with_velocity(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Poses [B, 1 + T, W] and velocities, [B, T, 2 * W]; the first pose is only what came before."""
        scale = self.velocity_std.repeat(x.shape[2] // len(self.velocity_std))
        return torch.cat([self.standardise[name](x[:, 1:]), x.diff(dim=1) / scale], 2)
