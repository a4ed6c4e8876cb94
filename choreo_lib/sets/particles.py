"""Springs and charges in a box: simulations whose interactions are known, thousands at a time.

The experiments of neural relational inference (Kipf et al., ICML 2018): discs of mass 1 in a box of 10 by 10 that
reflects them, a time step of 0.001, every hundredth step kept. Taught in chapter 8, "Invisible springs".
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
SPEED = 0.5  # of every body at the beginning
STIFFNESS, CHARGE = 0.1, 1.0  # how strongly a spring pulls a unit of length, two charges at a unit of distance
SPREAD = {"springs": 0.5, "charged": 1.0}  # how far from the middle bodies begin
MOST = 50_000_000  # positions that are simulated at once
AT_ONCE, CACHED = 2000, 20_000  # simulations, and pairs whose forces, that stay in a processor's cache
STRONGEST = 0.1 / STEP  # a force along an axis is no stronger, since no step could follow it


@dataclass(frozen=True, eq=False)
class Particles:
    """Simulations and their truth.

    Shapes: ``positions`` and ``velocities`` float32 [B, T, N, 2]; ``edges`` int64 [B, N, N], symmetric, 0 on the
    diagonal: 1 for a spring or two charges that repel, 0 for none or two that attract. Chapter: 8.
    """

    kind: str
    positions: torch.Tensor
    velocities: torch.Tensor
    edges: torch.Tensor

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, which) -> Particles:
        """Some of the simulations, by a slice, a mask or indices. Chapter: 8."""
        which = chosen("which", which, len(self))
        return Particles(self.kind, self.positions[which], self.velocities[which], self.edges[which])

    @property
    def states(self) -> torch.Tensor:
        """Positions and velocities, [B, T, N, 4]. Chapter: 8."""
        return torch.cat([self.positions, self.velocities], -1)

    def summary(self) -> dict:
        """What a card says of these simulations: how many, and the SHA-256 of positions and velocities. Chapter: 8."""
        numbers = b"".join(each.cpu().contiguous().numpy().tobytes() for each in (self.positions, self.velocities))
        return {"simulations": len(self), "bodies": self.edges.shape[-1], "frames": self.positions.shape[1],
                "sha256": hashlib.sha256(numbers).hexdigest()}  # fmt: skip

    @takes(device=device)
    def to(self, device) -> Particles:
        """The same simulations on another device. Chapter: 8."""
        return Particles(self.kind, self.positions.to(device), self.velocities.to(device), self.edges.to(device))

    @takes(size=count(), seed=seed, epoch=count(0), begin=count(0), drop_last=flag, device=device)
    def batches(self, size: int, seed: int | None = None, epoch: int = 0, begin: int = 0, drop_last: bool = False,
                augment: None = None, device=None) -> Iterator[Particles]:
        """One epoch of batches, as of `choreo_lib.sets.windows.Windows`. Errors: ValueError to augment. Chapter: 8."""
        if augment is not None:
            raise ValueError("simulations are not augmented; simulate more of them")
        for which in chunks(len(self), size, seed, epoch, drop_last)[begin:]:
            part = self[which]
            yield part if device is None else part.to(device)


@takes(kind=choice(*KINDS), count=count(1, 1_000_000), bodies=count(2, 200), frames=count(1, 100_000), seed=seed,
       noise=number(0))
def simulate(kind: str, count: int, bodies: int = 5, frames: int = 49, seed: int = 0, noise: float = 0.0) -> Particles:
    """Simulations of springs or charges, each with connections of its own; the same arguments give the same world.

    Each pair is connected with probability one half; each charge is positive with probability one half. ``noise`` is
    the standard deviation of what is added to every number that is given, not to the movement.
    Errors: ValueError for another kind, fewer than two bodies, or less than one simulation or frame. Chapter: 8.
    """
    if count * frames * bodies > MOST:
        raise ValueError(f"count {count:,} simulations of frames {frames:,} with bodies {bodies}: that is more than "
                         f"{MOST:,} positions, and more than a machine's memory. Simulate fewer, or shorter ones")
    generator = torch.Generator().manual_seed(seed)
    if kind == "springs":
        upper = torch.triu(torch.rand(count, bodies, bodies, generator=generator) < 0.5, 1)
        edges = (upper | upper.mT).long()
    else:
        signs = torch.randint(2, (count, bodies), generator=generator) * 2 - 1
        edges = (signs[:, :, None] * signs[:, None] > 0).long() * (1 - torch.eye(bodies, dtype=torch.long))
    x, v = (torch.randn(count, bodies, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    x, v = SPREAD[kind] * x, SPEED * v / v.norm(dim=-1, keepdim=True)
    chunk = min(AT_ONCE, max(2 * CACHED // (bodies * (bodies - 1)), 1))  # how many are moved together changes no path
    move = _springs if kind == "springs" else _charges
    paths = [move(*parts, frames) for parts in zip(x.split(chunk), v.split(chunk), edges.split(chunk))]
    positions, velocities = (torch.cat(each) for each in zip(*paths))  # [B, T, N, 2]
    if noise:
        positions, velocities = (each + noise * torch.randn(each.shape, generator=generator, dtype=torch.float64)
                                 for each in (positions, velocities))
    return Particles(kind, positions.float(), velocities.float(), edges)


def _springs(x: torch.Tensor, v: torch.Tensor, edges: torch.Tensor, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Springs obey a linear law, so a hundred steps are one matrix power: one product a frame, until a wall is near."""
    force = STIFFNESS * (edges - torch.diag_embed(edges.sum(-1))).double()  # [B, N, N], of positions
    one = torch.eye(edges.shape[-1], dtype=torch.float64).expand_as(force)
    drift = torch.cat([torch.cat([one, STEP * one], 2), torch.cat([0 * one, one], 2)], 1)
    kick = torch.cat([torch.cat([one, 0 * one], 2), torch.cat([STEP * force, one], 2)], 1)
    leap = torch.linalg.matrix_power(kick @ drift, SUBSTEPS)  # [B, 2N, 2N]
    state = torch.cat([x, v + STEP * force @ x], 1)  # [B, 2N, 2]
    bodies, states = edges.shape[-1], []
    for _ in range(frames):
        states.append(state)
        x, v = state[:, :bodies], state[:, bodies:]
        # nobody gets farther in a hundred steps than the fastest would, pulled as strongly as anybody can be
        fastest = v.abs().amax((1, 2)) + STEP * SUBSTEPS * (force @ x).abs().amax((1, 2)) * 2
        near = x.abs().amax((1, 2)) + STEP * SUBSTEPS * fastest > BOX
        state = leap @ state
        if near.any():
            x, v = x[near], v[near]
            for _ in range(SUBSTEPS):
                x, v = walls(x + STEP * v, v)
                v = v + STEP * force[near] @ x
            state[near] = torch.cat([x, v], 1)
    path = torch.stack(states, 1)  # [B, T, 2N, 2]
    return path[:, :, :bodies], path[:, :, bodies:]


def _charges(x: torch.Tensor, v: torch.Tensor, edges: torch.Tensor, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Charges, step by step and pair by pair; simulations are the last axis, since memory is read fastest so."""
    bodies = edges.shape[-1]
    one, other = torch.triu_indices(bodies, bodies, 1)
    sign = (CHARGE * (2.0 * edges - 1.0))[:, one, other].T.double().contiguous()  # [P, B]: positive where two repel
    each_body = torch.eye(bodies, dtype=torch.float64)
    between = each_body[:, one] - each_body[:, other]  # [N, P]: whose force a pair adds to
    x, v = (each.permute(2, 1, 0).contiguous() for each in (x, v))  # [2, N, B]

    def force(x: torch.Tensor) -> torch.Tensor:
        apart = between.T @ x  # [2, P, B]
        inverse = (apart[0] ** 2 + apart[1] ** 2).rsqrt_()
        apart *= (sign * inverse).mul_(inverse).mul_(inverse)  # in place: else memory takes longer than arithmetic
        return (between @ apart).clamp_(-STRONGEST, STRONGEST)

    v = v + STEP * force(x)
    states = []
    for _ in range(frames):
        states.append(torch.stack([x, v]))
        for _ in range(SUBSTEPS):
            x, v = walls(x.add(v, alpha=STEP), v)
            v = v.add(force(x), alpha=STEP)
    path = torch.stack(states).permute(1, 4, 0, 3, 2)  # [2, B, T, N, 2]
    return path[0], path[1]


def walls(x: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions and velocities [..., 2] after elastic reflection by the walls of the box. Chapter: 8."""
    if x.abs().max() > BOX:
        beyond = x.abs() > BOX
        x = torch.where(beyond, x.sign() * 2 * BOX - x, x)
        v = torch.where(beyond, -x.sign() * v.abs(), v)
    return x, v
