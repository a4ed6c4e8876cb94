"""Takes of any length translated: latent vectors that may be changed, feet that stand. Taught in chapter 6."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..body.blending import limit_turns, overlap_add, overlapping_windows
from ..body.motion import Motion, dancer_index
from ..body.reference import ReferenceFrame
from ..body.skeleton import Skeleton
from ..core.arguments import a, count, flag, number, seed, share, takes, text
from ..core.shapes import tensor
from ..systems.layers import eval_mode
from .rotation_model import RotationModel, leg_length
from .window_translator import ABLATIONS, WindowTranslator

__all__ = ["ABLATIONS", "LatentSequence", "MotionTranslator"]


class LatentSequence(NamedTuple):
    """A take as a model has encoded it: windows that overlap by half, their latents, and what decoding them needs.

    Shapes: ``latents`` [N, C, Z], the posterior's means, which may be changed before they are decoded; ``frame``, from
    where windows were seen; ``root`` [N, T, 3], the source's path from there; its ``motion`` and ``route``. Chapter: 6.
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
        """Add ``change``, [Z] or one a moment [M, Z], to latents. Errors: ValueError for another shape. Chapter: 6."""
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
        """Draw latents, not place and path, to another take's. Errors: ValueError for a shorter one. Chapter: 6."""
        a(LatentSequence)("other", other), number(-10, 10)("share", share)
        if len(other.latents) < len(self.latents):
            raise ValueError(f"the other take has {len(other.latents)} windows and this one {len(self.latents)}")
        return self._replace(latents=torch.lerp(self.latents, other.latents[: len(self.latents)].to(self.latents),
                                                share))


class MotionTranslator(RotationModel, WindowTranslator):
    """A take of one dancer as a take of the partner, with what this book adds to the VAE-RNN.

    Its options: `choreo_lib.extensions.window_translator.Config`. Units: metres, world coordinates. Chapter: 6.
    """

    @torch.no_grad()
    @takes(motion=a(Motion), route=text)
    def encode_motion(self, motion: Motion, route: str | None = None) -> LatentSequence:
        """Encode a whole take, in windows that overlap by half; ``route`` None: the first that was trained.

        Errors: ValueError for joints or frames a second that are not the model's, a motion without rotations or
        shorter than a window, or a route that this model does not have. Chapter: 6.
        """
        route = self.config.routes[0] if route is None else route
        self.require_source(motion, route)
        windows = overlapping_windows(motion, self.config.frames)[:, :, None]  # [N, T, 1, J, 7]
        with eval_mode(self):
            source, _, frame, _ = self.source_and_target(windows.expand(-1, -1, 2, -1, -1), route)
            return LatentSequence(self.encode(source, route[0])[0], frame, source[..., -3:], motion, route)

    @torch.no_grad()
    @takes(sequence=a(LatentSequence), body=a(Skeleton), feet=flag)
    def decode_motion(self, sequence: LatentSequence, body: Skeleton | None = None, feet: bool = True) -> Motion:
        """Decode a take as the target of its route: windows blended, no turn faster than in training (`limit_turns`).

        ``body``: whose bones to use (None: the target's mean ones); the root is raised as the legs are longer.
        ``feet``: foot skating is fixed (`choreo_lib.extensions.foot_contact`).
        Errors: ValueError for a body of other joints. Chapter: 6.
        """
        source, target = sequence.route[0], sequence.route[1]
        body = self.target_body(body, target)
        rotations, root = overlap_add(*self.decode_windows(sequence))
        rotations = limit_turns(rotations, self.largest_turn[dancer_index(target)])
        # the root is predicted relative to the source's, which is as high as that body's legs are long
        usual, own = leg_length(self.usual_body(target)), leg_length(sequence.motion.skeleton)
        height = leg_length(body) / (usual + own - leg_length(self.usual_body(source)))
        root = root * root.new_tensor([1.0, 1.0, height])
        return self.made_motion(rotations, root, body, target, sequence.motion, feet)

    @torch.no_grad()
    def decode_windows(self, sequence: LatentSequence) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode what `decode_motion` blends: rotations [N, T, J, 4] and root [N, T, 3] in the world. Chapter: 6."""
        with eval_mode(self):
            latents, origin = sequence.latents.to(self.bones), self.origin(sequence.root)
            return self.to_world(self.decode(latents, sequence.route[1], origin), sequence.frame)

    @takes(motion=a(Motion), route=text, body=a(Skeleton), feet=flag)
    def translate(self, motion: Motion, route: str | None = None, body: Skeleton | None = None,
                  feet: bool = True) -> Motion:
        """Translate a whole take: `encode_motion`, then `decode_motion`. Chapter: 6."""
        return self.decode_motion(self.encode_motion(motion, route), body, feet)
