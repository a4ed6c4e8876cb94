"""Springs and charges in a box: worlds in which it is known who moves whom, simulated thousands at a time.

The two experiments with which neural relational inference was introduced (Kipf et al., ICML 2018), after the published
description: discs of mass 1 in a box of 10 by 10 that reflects them, a time step of 0.001, every hundredth step kept.
Units are those of that toy world. Taught in chapter 8, "Invisible springs".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ..core.arguments import choice, count, device, flag, number, seed, takes
from ..core.seeding import chunks
from ..core.shapes import chosen

KINDS = ("springs", "charged")
BOX, STEP, SUBSTEPS = 5.0, 1e-3, 100  # half the box, the time step, steps from one frame to the next
PACE = 0.5  # every body begins at this speed
STIFFNESS, CHARGE = 0.1, 1.0  # how strongly a spring pulls a unit of length, two charges at a unit of distance
SPREAD = {"springs": 0.5, "charged": 1.0}  # how far from the middle bodies begin
MOST = 50_000_000  # positions that are simulated at once
STRONGEST = 0.1 / STEP  # a force along an axis is no stronger, since no step could follow it


@dataclass(frozen=True, eq=False)
class Particles:
    """Simulations and their truth.

    Shapes: ``positions`` and ``velocities`` float32 [N, T, B, 2]; ``edges`` int64 [N, B, B], symmetric, 0 on the
    diagonal. Of springs an edge is 1 where there is a spring; of charges 1 where two repel and 0 where they attract.
    Chapter: 8.
    """

    kind: str
    positions: torch.Tensor
    velocities: torch.Tensor
    edges: torch.Tensor

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, which) -> Particles:
        """Some of the simulations, by a slice, a mask or indices."""
        which = chosen("which", which, len(self))
        return Particles(self.kind, self.positions[which], self.velocities[which], self.edges[which])

    @property
    def states(self) -> torch.Tensor:
        """Positions beside velocities, [N, T, B, 4]."""
        return torch.cat([self.positions, self.velocities], -1)

    def summary(self) -> dict:
        """What a card says of these simulations: how many, and the fingerprint of positions and velocities."""
        numbers = b"".join(each.cpu().contiguous().numpy().tobytes() for each in (self.positions, self.velocities))
        return {"simulations": len(self), "bodies": self.edges.shape[-1], "frames": self.positions.shape[1],
                "sha256": hashlib.sha256(numbers).hexdigest()}  # fmt: skip

    @takes(device=device)
    def to(self, device) -> Particles:
        """The same simulations on another device."""
        return Particles(self.kind, *(each.to(device) for each in (self.positions, self.velocities, self.edges)))

    @takes(size=count(), seed=seed, epoch=count(0), begin=count(0), drop_last=flag, device=device)
    def batches(self, size: int, seed: int | None = None, epoch=0, begin=0, drop_last=False, augment=None,
                device=None) -> Iterator[Particles]:
        """One epoch of batches, as `choreo_lib.sets.windows.Windows.batches` gives them. Errors: ValueError to
        augment."""
        if augment is not None:
            raise ValueError("simulations are not augmented; simulate more of them")
        for which in chunks(len(self), size, seed, epoch, drop_last)[begin:]:
            part = self[which]
            yield part if device is None else part.to(device)


@takes(kind=choice(*KINDS), count=count(1, 1_000_000), bodies=count(2, 200), frames=count(1, 100_000), seed=seed,
       noise=number(0), chunk=count())
def simulate(kind: str, count: int, bodies: int = 5, frames: int = 49, seed: int = 0, noise: float = 0.0,
             chunk: int = 2000) -> Particles:
    """Simulations of springs or charges, each with connections of its own; the same arguments give the same world.

    Each pair is connected with probability one half; each charge is positive with probability one half. ``noise`` is
    the standard deviation of what is added to every number that is told, not to the movement. ``chunk`` simulations at
    a time, so that they stay in the processor's cache; it changes nothing else.
    Errors: ValueError for another kind, fewer than two bodies, or less than one simulation or frame. Chapter: 8.
    """
    if count * frames * bodies > MOST:
        raise ValueError(f"count {count:,} simulations of frames {frames:,} with bodies {bodies}: that is more than "
                         f"{MOST:,} positions, and more than a machine's memory. Simulate fewer, or shorter ones")
    chance = torch.Generator().manual_seed(seed)
    if kind == "springs":
        ties = torch.triu(torch.rand(count, bodies, bodies, generator=chance) < 0.5, 1)
        edges = (ties | ties.mT).long()
    else:
        signs = torch.randint(2, (count, bodies), generator=chance) * 2 - 1
        edges = (signs[:, :, None] * signs[:, None] > 0).long() * (1 - torch.eye(bodies, dtype=torch.long))
    place = SPREAD[kind] * torch.randn(count, bodies, 2, generator=chance, dtype=torch.float64)
    pace = torch.randn(count, bodies, 2, generator=chance, dtype=torch.float64)
    pace = PACE * pace / pace.norm(dim=-1, keepdim=True)
    move = _springs if kind == "springs" else _charges
    told = [move(*parts, frames) for parts in zip(*(each.split(chunk) for each in (place, pace, edges)))]
    positions, velocities = (torch.cat(each) for each in zip(*told))
    if noise:
        positions = positions + noise * torch.randn(positions.shape, generator=chance, dtype=torch.float64)
        velocities = velocities + noise * torch.randn(velocities.shape, generator=chance, dtype=torch.float64)
    return Particles(kind, positions.float(), velocities.float(), edges)


def _springs(place, pace, edges, frames: int):
    """Springs obey a linear law, so a hundred steps are one matrix power: one product a frame, until a wall is near."""
    pull = STIFFNESS * (edges - torch.diag_embed(edges.sum(-1))).double()  # [N, B, B]: force from places
    one = torch.eye(edges.shape[-1], dtype=torch.float64).expand_as(pull)
    drift = torch.cat([torch.cat([one, STEP * one], 2), torch.cat([0 * one, one], 2)], 1)
    kick = torch.cat([torch.cat([one, 0 * one], 2), torch.cat([STEP * pull, one], 2)], 1)
    leap = torch.linalg.matrix_power(kick @ drift, SUBSTEPS)  # [N, 2B, 2B]
    state = torch.cat([place, pace + STEP * pull @ place], 1)  # [N, 2B, 2]
    bodies, told = edges.shape[-1], []
    for _ in range(frames):
        told.append(state)
        # nobody gets farther in a hundred steps than the fastest would, pulled as strongly as anybody can be
        reach = (
            state[:, bodies:].abs().amax((1, 2)) + STEP * SUBSTEPS * (pull @ state[:, :bodies]).abs().amax((1, 2)) * 2
        )
        near = state[:, :bodies].abs().amax((1, 2)) + STEP * SUBSTEPS * reach > BOX
        after = leap @ state
        if near.any():
            at, to = state[near, :bodies], state[near, bodies:]
            for _ in range(SUBSTEPS):
                at, to = walls(at + STEP * to, to)
                to = to + STEP * pull[near] @ at
            after[near] = torch.cat([at, to], 1)
        state = after
    told = torch.stack(told, 1)
    return told[:, :, :bodies], told[:, :, bodies:]


def _charges(place, pace, edges, frames: int):
    """Charges, step by step and pair by pair; simulations are the last axis, since memory is read fastest so."""
    bodies = edges.shape[-1]
    one, other = torch.triu_indices(bodies, bodies, 1)
    sign = (CHARGE * (2.0 * edges - 1.0))[:, one, other].T.double().contiguous()  # [P, N]: positive where two repel
    between = torch.zeros(bodies, len(one), dtype=torch.float64)  # [B, P]: whose force a pair adds to
    between[one, torch.arange(len(one))], between[other, torch.arange(len(one))] = 1.0, -1.0
    x, v = (each.permute(2, 1, 0).contiguous() for each in (place, pace))  # [2, B, N]

    def force(x):
        apart = between.T @ x  # [2, P, N]
        near = (apart[0] ** 2 + apart[1] ** 2).rsqrt()
        return (between @ (apart * (sign * near * near * near))).clamp(-STRONGEST, STRONGEST)

    v = v + STEP * force(x)
    told = []
    for _ in range(frames):
        told.append(torch.stack([x, v]))
        for _ in range(SUBSTEPS):
            x, v = walls(x.add(v, alpha=STEP), v)
            v = v.add(force(x), alpha=STEP)
    told = torch.stack(told).permute(1, 4, 0, 3, 2)  # [2, N, T, B, 2]
    return told[0], told[1]


def walls(place, pace):
    """Whoever has gone through a wall has been thrown back by it."""
    if place.abs().max() > BOX:
        beyond = place.abs() > BOX
        place = torch.where(beyond, place.sign() * 2 * BOX - place, place)
        pace = torch.where(beyond, -place.sign() * pace.abs(), pace)
    return place, pace
