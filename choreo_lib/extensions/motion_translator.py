"""Takes of any length through a model of windows: latent vectors that may be changed, styles mixed, feet that stand.

Taught in chapter 6, "Translating a dancer", and chapter 7, "A deepfake of dancers".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ..body.blending import overlap_add, overlapping_windows
from ..body.compatibility import body_size, require_dancer, require_fit, rest_mismatch, skeleton_mismatch
from ..body.motion import Motion, dancer_index
from ..body.reference import ReferenceFrame
from ..body.rotations import slerp
from ..body.skeleton import Skeleton
from ..body.source import OURS, Source
from ..core.arguments import a, count, flag, number, seed, share, takes, text
from ..core.shapes import tensor
from ..systems.layers import eval_mode
from .foot_skate import fix_foot_skate
from .vae_rnn import WindowTranslator
from .vae_rnn_networks import ABLATIONS

__all__ = ["ABLATIONS", "LatentSequence", "MotionTranslator"]


class LatentSequence(NamedTuple):
    """A take as a model has encoded it: windows that overlap by half, their latents, and what decoding them needs.

    Shapes: ``latents`` [N, C, Z], the posterior's means, which may be changed before they are decoded; ``frame``, from
    where each window was seen; ``root`` [N, T, 3], the source's path from there; ``motion``, the source; ``route``,
    source and target. Chapter: 6.
    """

    latents: torch.Tensor
    frame: ReferenceFrame
    root: torch.Tensor
    motion: Motion
    route: str

    @property
    def moments(self) -> torch.Tensor:
        """Which latents are of the same moment, int64 [N, C]: windows overlap, so a moment has latents in two."""
        windows, segments = self.latents.shape[:2]
        return torch.arange(windows)[:, None] * max(segments // 2, 1) + torch.arange(segments)

    @takes(change=tensor(..., "latents", finite=True))
    def offset(self, change: torch.Tensor) -> LatentSequence:
        """Add ``change`` [Z], or one a moment [M, Z], to the latents.

        Errors: ValueError for another shape. Chapter: 6.
        """
        change = change.to(self.latents)
        moments, size = int(self.moments.max()) + 1, self.latents.shape[-1]
        if change.shape not in ((size,), (moments, size)):
            raise ValueError(f"change must have shape [{size}] or [{moments}, {size}], one a moment; got "
                             f"{list(change.shape)}")
        return self._replace(latents=self.latents + (change if change.ndim == 1 else change[self.moments]))

    @takes(size=number(0), seed=seed, reversion=share)
    def random_walk(self, size: float, seed: int = 0, reversion: float = 0.05) -> torch.Tensor:
        """Draw a random walk, one step a moment [M, Z], to `offset` by; it goes up as often as down.

        ``size`` of a step, in standard deviations of each latent unit in this take; ``reversion``: the share of the
        distance from the start that is taken back in a step, so that the walk stays near. Chapter: 6.
        """
        generator = torch.Generator().manual_seed(seed)
        steps = size * torch.randn(int(self.moments.max()) + 1, self.latents.shape[2], generator=generator)
        walk = [torch.zeros(self.latents.shape[2])]
        for step in steps[1:]:
            walk.append((1 - reversion) * walk[-1] + step)
        return torch.stack(walk).to(self.latents) * self.latents.flatten(0, 1).std(0)  # [M, Z]

    @takes(unit=count(0), amplitude=number(), period=number(above=0))
    def sinusoid(self, unit: int, amplitude: float, period: float) -> torch.Tensor:
        """A sine in one latent unit, [M, Z], to `offset` by.

        Units: ``amplitude`` in standard deviations of that unit, ``period`` in moments.
        Errors: ValueError for a unit that there is not. Chapter: 6.
        """
        if unit >= self.latents.shape[-1]:
            raise ValueError(f"unit must be below {self.latents.shape[-1]}, the size of a latent vector; got {unit}")
        phase = torch.arange(int(self.moments.max()) + 1) * 2 * torch.pi / period  # [M]
        change = torch.zeros(len(phase), self.latents.shape[2])
        change[:, unit] = amplitude * float(self.latents[..., unit].std()) * phase.sin()
        return change.to(self.latents)

    def interpolate(self, other: LatentSequence, share: float) -> LatentSequence:
        """Interpolate the latents towards those of another take; place and path stay this one's.

        Errors: ValueError for a take with fewer windows. Chapter: 6.
        """
        a(LatentSequence)("other", other), number(-10, 10)("share", share)
        if len(other.latents) < len(self.latents):
            raise ValueError(f"the other take has {len(other.latents)} windows and this one {len(self.latents)}")
        return self._replace(latents=torch.lerp(self.latents, other.latents[: len(self.latents)].to(self.latents),
                                                share))


class MotionTranslator(WindowTranslator):
    """A take of one dancer as a take of the other, or in the other's style, with what this book adds to the VAE-RNN.

    Its options: `choreo_lib.extensions.vae_rnn_networks.Config`. Units: metres, world coordinates.
    Chapter: 6; 7 (deepfake).
    """

    rotations_matter = True  # so `choreo_lib.conform` brings rotations to this model's rest bones

    @property
    def fps(self) -> float:
        """Frames a second of the takes that this model knows."""
        return float(self.settings.fps)

    def possible_routes(self) -> tuple[str, ...]:
        """Sources and targets that this model can be asked for."""
        return ("aa", "bb", "ab", "ba") if self.shared_encoder else tuple(self.settings.routes)

    def usual_body(self, who: str | None = None) -> Skeleton | None:
        """The skeleton with a dancer's mean bones in the training set; None before `fit_statistics`.

        ``who`` None: the source of the first route.
        """
        bones = self.bones[dancer_index(who or self.settings.routes[0][0])].cpu().double().numpy().copy()
        bones[0] = 0.0  # where the root was is no bone
        return Skeleton(self.skeleton.names, self.skeleton.parents, bones) if bones.any() else None

    @torch.no_grad()
    @takes(motion=a(Motion), route=text)
    def encode_motion(self, motion: Motion, route: str | None = None) -> LatentSequence:
        """Encode a whole take, in windows that overlap by half; ``route`` None: the first that was trained.

        Errors: ValueError for joints or frames a second that are not the model's, a motion without rotations or
        shorter than a window, or a route that this model does not have. Chapter: 6.
        """
        route = self.settings.routes[0] if route is None else route
        if route not in self.possible_routes():
            raise ValueError(f"route {route!r}: this model has {', '.join(self.possible_routes())}")
        body = self.usual_body(route[0])
        require_fit("this motion", motion, body or self.skeleton, self.settings.fps, rotations=True)
        windows = overlapping_windows(motion, self.settings.frames)[:, :, None]  # [N, T, 1, J, 7]
        require_dancer("this motion", self.skeleton, motion.positions, body_size(body) if body else None)
        with eval_mode(self):
            source, _, frame, _ = self.source_and_target(windows.expand(-1, -1, 2, -1, -1), route)
            return LatentSequence(self.encode(source, route[0])[0], frame, source[..., -3:], motion, route)

    @torch.no_grad()
    @takes(sequence=a(LatentSequence), body=a(Skeleton), style_weight=number(-10, 10), feet=flag)
    def decode_motion(self, sequence: LatentSequence, body: Skeleton | None = None, style_weight: float = 1.0,
                      feet: bool = True) -> Motion:
        """Decode a take as the target of its route, windows blended into each other.

        ``body``: whose bones to use (None: the target's mean ones); the root is raised as the legs are longer.
        ``style_weight``, of a deepfake: 1 is the target's style, 0 the source's, and between them each joint is turned
        a part of the way. ``feet``: foot skating is fixed (`choreo_lib.extensions.foot_skate`).
        Errors: ValueError for a body of other joints, or a style weight of a translation. Chapter: 6; 7.
        """
        source, target = sequence.route[0], sequence.route[1]
        usual = self.usual_body(target) or self.skeleton
        differs = "" if body is None else skeleton_mismatch(body, usual) or rest_mismatch(body, usual)
        if differs or body is not None and body.offsets is None:
            raise ValueError(f"these joints do not fit the model: {differs or 'they have no bones'}. Leave body= "
                             "away, and bring what was made onto it with choreo_lib.conform(made, body)")
        rotations, root = overlap_add(*self.decode_windows(sequence, style_weight))
        bones = self.bones[dancer_index(target)].cpu().numpy() if body is None else body.offsets
        before, legs = (self._leg_length(self.bones[dancer_index(who)].cpu().numpy()) for who in (source, target))
        if self.shared_encoder:
            legs = before + style_weight * (legs - before)
        else:  # relative to the source's root, which is as high as that body's legs are long
            legs += self._leg_length(sequence.motion.skeleton.offsets) - before
        height = self._leg_length(bones) / legs if legs > 0 else 1.0
        root = root * root.new_tensor([1.0, 1.0, height])
        skeleton = Skeleton(self.skeleton.names, self.skeleton.parents, bones, () if body is None else body.end_sites)
        last = len(sequence.motion)
        made = Motion.from_rotations(rotations[:last].cpu(), root[:last].cpu(), self.settings.fps, skeleton,
                                     source=Source.join(OURS, sequence.motion.source), name=f"made, {target}")
        return fix_foot_skate(made) if feet else made

    @torch.no_grad()
    def decode_windows(self, sequence: LatentSequence, style_weight: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode the windows that `decode_motion` blends: rotations [N, T, J, 4] and root [N, T, 3] in the world.

        Errors: ValueError for a style weight of a translation. Chapter: 6; 7.
        """
        if style_weight != 1.0 and not self.shared_encoder:
            raise ValueError(f"style_weight is {style_weight}: only a deepfake (routes aa and bb) mixes styles")
        with eval_mode(self):
            latents, origin = sequence.latents.to(self.bones), self.origin(sequence.root)
            decoded = self.decode(latents, sequence.route[1], origin)
            if style_weight != 1.0:
                own = self.decode(latents, sequence.route[0])
                weight = torch.full_like(decoded.rotations[..., 0], style_weight)
                decoded = decoded._replace(rotations=slerp(own.rotations, decoded.rotations, weight),
                                           root=torch.lerp(own.root, decoded.root, style_weight))
            return self.to_world(decoded, sequence.frame)

    @takes(motion=a(Motion), route=text, body=a(Skeleton), style_weight=number(-10, 10), feet=flag)
    def translate(self, motion: Motion, route: str | None = None, body: Skeleton | None = None,
                  style_weight: float = 1.0, feet: bool = True) -> Motion:
        """Translate a whole take: `encode_motion`, then `decode_motion`. Chapter: 6; 7."""
        return self.decode_motion(self.encode_motion(motion, route), body, style_weight, feet)

    def _leg_length(self, bones: np.ndarray | None) -> float:
        """Metres along the bones [J, 3] from the root to an ankle; 1 for a body without bones or ankles by name."""
        ankle = self.skeleton.find("left_ankle")
        if bones is None or ankle is None:
            return 1.0
        return float(np.linalg.norm(bones[self.skeleton.chain(ankle)[:-1]], axis=-1).sum())
