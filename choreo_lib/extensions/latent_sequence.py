"""A take of any length as a model of windows has read it: codes that may be changed, and windows made one again.

Taught in chapter 6, "Translating a dancer".
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..body.motion import Motion
from ..body.reference import ReferenceFrame
from ..body.rotations import slerp
from ..core.arguments import a, count, number, seed, share, takes
from ..core.shapes import tensor


class LatentSequence(NamedTuple):
    """A take as a model has read it: windows that overlap by half, their codes, and what is needed to write them again.

    Shapes: ``codes`` [N, C, Z] (the posterior's means), which may be changed before they are written; ``places``, from
    where each window was seen; ``roots`` [N, T, 3], the path of who was read, from there; ``motion`` that was read.
    ``route``: who was read and who would be written. Chapter: 6.
    """

    codes: torch.Tensor
    places: ReferenceFrame
    roots: torch.Tensor
    motion: Motion
    route: str

    @property
    def clock(self) -> torch.Tensor:
        """Which codes belong to the same moment, int64 [N, C]: windows overlap, so a moment has a code in each."""
        count, codes = self.codes.shape[:2]
        return torch.arange(count)[:, None] * max(codes // 2, 1) + torch.arange(codes)

    @takes(change=tensor(..., "latents", finite=True))
    def plus(self, change: torch.Tensor) -> LatentSequence:
        """The same take with ``change`` [Z], or one a moment [M, Z], added to its codes. Chapter: 6."""
        change = change.to(self.codes)
        if change.shape not in (self.codes.shape[-1:], (int(self.clock.max()) + 1, self.codes.shape[-1])):
            raise ValueError(f"change must have shape [{self.codes.shape[-1]}] or [{int(self.clock.max()) + 1}, "
                             f"{self.codes.shape[-1]}], one a moment; got {list(change.shape)}")
        return self._replace(codes=self.codes + (change if change.ndim == 1 else change[self.clock]))

    @takes(size=number(0), seed=seed, back=share)
    def wandering(self, size: float, seed: int = 0, back: float = 0.05) -> torch.Tensor:
        """A walk by chance, one step a moment [M, Z], for `plus`: up as often as down.

        ``size`` of a step, as a share of how much each number varies in this take; ``back``: which share of the way
        gone is taken back a step, so that it stays in the neighbourhood.
        """
        chance = torch.Generator().manual_seed(seed)
        steps = size * torch.randn(int(self.clock.max()) + 1, self.codes.shape[2], generator=chance)
        walk = [torch.zeros(self.codes.shape[2])]
        for step in steps[1:]:
            walk.append((1 - back) * walk[-1] + step)
        return torch.stack(walk).to(self.codes) * self.codes.flatten(0, 1).std(0)

    @takes(number=count(0), height=number(), moments=number(above=0))
    def waving(self, number: int, height: float, moments: float) -> torch.Tensor:
        """One number that swings, [M, Z], for `plus`: ``height`` of its variation to either side, in so many moments.

        Errors: ValueError for a number that a code does not have.
        """
        if number >= self.codes.shape[-1]:
            raise ValueError(f"number must be below {self.codes.shape[-1]}, as many as a code has; got {number}")
        when = torch.arange(int(self.clock.max()) + 1) * 2 * torch.pi / moments
        change = torch.zeros(len(when), self.codes.shape[2])
        change[:, number] = height * float(self.codes[..., number].std()) * when.sin()
        return change.to(self.codes)

    def towards(self, other: LatentSequence, share: float) -> LatentSequence:
        """Codes on the way to those of another take that was read; place and path stay this one's.

        Errors: ValueError for a take with fewer windows.
        """
        a(LatentSequence)("other", other), number(-10, 10)("share", share)
        if len(other.codes) < len(self.codes):
            raise ValueError(f"the other take has {len(other.codes)} windows and this one {len(self.codes)}")
        return self._replace(codes=torch.lerp(self.codes, other.codes[: len(self.codes)].to(self.codes), share))


@takes(turns=tensor("windows", "frames", "joints", 4), roots=tensor("windows", "frames", 3))
def blend(turns: torch.Tensor, roots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows that overlap by half, as one: fading from each to the next along a Hann window, rotations by `slerp`.

    All seams at once. Shapes: unit quaternions [N, T, J, 4] and places [N, T, 3] -> [(N + 1) * T / 2, J, 4] and
    [(N + 1) * T / 2, 3]. Chapter: 6.
    """
    half = turns.shape[1] // 2
    share = torch.sin(torch.pi / 2 * (torch.arange(half).to(turns) + 0.5) / half) ** 2  # the rising half of Hann
    seams = slerp(turns[:-1, half:], turns[1:, :half], share[:, None])
    paths = torch.lerp(roots[:-1, half:], roots[1:, :half], share[:, None].to(roots))
    whole = lambda x, between: torch.cat([x[0, :half], between.flatten(0, 1), x[-1, half:]])  # noqa: E731
    return whole(turns, seams), whole(roots, paths)
