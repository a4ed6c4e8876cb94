"""Bones at their lengths: a body again, where a network drew points. Taught in chapter 4, "A dancer in 256 numbers"."""

from __future__ import annotations

from functools import lru_cache

import torch

from ..core.arguments import a, count, number, takes
from ..core.precision import in_full_precision
from ..core.shapes import stands_for, tensor
from .skeleton import Skeleton


@takes(skeleton=a(Skeleton, axis="joints"), positions=tensor(..., "joints", 3), lengths=tensor(),
       compliance=number(0), iterations=count(0, 1000), inverse_mass=tensor("joints"))
@in_full_precision
def project_bone_lengths(skeleton: Skeleton, positions: torch.Tensor, lengths: torch.Tensor | None = None,
                         compliance: float = 0.0, iterations: int = 2,
                         inverse_mass: torch.Tensor | None = None) -> torch.Tensor:
    """Positions at which every bone has its length: a body again, where a network drew points.

    All joints share the move, and it is within a hundredth as small as can be (Newton's method on the bones' lengths;
    after two iterations an error of 5 mm is below 0.1 mm). Gradients flow through it. Where a limb is drawn through
    itself its bones shrink and turn round, and projected to their length they would whirl: with ``compliance``, a bone
    drawn at a share of its length is brought back only by that share to the power of ``compliance``.
    ``inverse_mass``: how willingly each joint moves; None: all alike; one near 0 is held, and the others make room.
    Shapes: ``positions`` [..., T, J, 3], a tensor, float32 out; ``lengths`` [..., 1 or T, J - 1] in the order of
    ``skeleton.bones``; None: each bone's own mean over the T frames; ``inverse_mass`` [J]. Units: metres.
    Errors: ValueError for lengths of another shape.
    Chapter: 4. Matrix form of SHAKE: Ryckaert, Ciccotti and Berendsen, Journal of Computational Physics 1977.
    """
    ends, damping = _ends(skeleton.bones, positions.device)  # [K, J], [K, K]
    moves = ends.mT if inverse_mass is None else inverse_mass.to(ends)[:, None] * ends.mT  # [J, K]
    shared = ends @ moves  # [K, K]: which bones meet at a joint
    shape, (count, joints) = positions.shape, ends.shape
    positions = positions.float().reshape(-1, joints, 3)  # [N, J, 3]; few large operators, since each costs in a stream
    ends, moves = ends.expand(len(positions), -1, -1), moves.expand(len(positions), -1, -1)
    for iteration in range(iterations):
        bones = torch.bmm(ends, positions)  # [N, K, 3]
        current = torch.linalg.vector_norm(bones, dim=-1)  # [N, K]
        if iteration == 0:
            each = current.view(*shape[:-2], count)  # [..., T, K]
            if lengths is not None and not (lengths.shape[-1:] == each.shape[-1:]
                                            and stands_for(lengths.shape, each.shape)):
                raise ValueError(f"lengths must be one a bone, of a shape that fits {list(each.shape)}; got "
                                 f"{list(lengths.shape)}")
            lengths = each.mean(-2, keepdim=True) if lengths is None else lengths.to(positions)
            if compliance:
                share = (each / lengths.clamp_min(1e-6)).clamp(max=1) ** compliance
                lengths = each + share * (lengths - each)
            lengths = lengths.expand(each.shape).reshape(current.shape)
        directions = bones / current.clamp_min(1e-6)[..., None]
        system = torch.addcmul(damping, torch.bmm(directions, directions.mT), shared)  # [N, K, K]
        # unchecked, since it is damped: for a check, a GPU has to be waited for
        multipliers = torch.linalg.solve_ex(system, current - lengths)[0]  # [N, K], Lagrange's
        positions = positions - torch.bmm(moves, multipliers[..., None] * directions)
    return positions.reshape(shape)


@lru_cache(maxsize=64)
def _ends(bones: tuple[tuple[int, int], ...], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrix [K, J] that makes bones of joints, child less parent, and one [K, K] that is next to nothing."""
    parents, children = torch.tensor(bones).T
    each = torch.eye(len(bones) + 1)
    damping = 1e-6 * torch.eye(len(bones))  # a bone without length has no direction to move in
    return (each[children] - each[parents]).to(device), damping.to(device)
