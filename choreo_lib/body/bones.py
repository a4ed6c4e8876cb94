"""Bones at their lengths where a network drew points, and rotations that follow them. Taught in chapters 4 and 10."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch

from ..core.arguments import a, count, each, number, takes
from ..core.deferred import roma
from ..core.precision import in_full_precision
from ..core.shapes import array, stands_for, tensor
from .kinematics import forward_kinematics, local_rotations
from .motion import Motion
from .rotations import quaternions_to_matrices, rotation_between, two_bone_ik
from .skeleton import Skeleton

MAX_REACH = 0.995  # of a limb's length: no hand or foot is asked to be farther from its shoulder or hip
FAINT = 1e-3  # of what several bones say of a turn: how much is said for none
HINGE_LIMITS = np.deg2rad((1.0, 150.0))  # of knees and elbows


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
    Shapes: ``positions`` [..., T, J, 3], a tensor, float32 out, or float64 for such; ``lengths`` [..., 1 or T, J - 1]
    in the order of ``skeleton.bones``, or with struts [..., 1 or T, L] in the order of ``skeleton.links``, which keep a
    pelvis and a chest in shape; None: each bone's own mean over the T frames; ``inverse_mass`` [J]. Units: metres.
    Errors: ValueError for lengths of another shape.
    Chapter: 4. Matrix form of SHAKE: Ryckaert, Ciccotti and Berendsen, Journal of Computational Physics 1977.
    """
    links = skeleton.links if lengths is not None and lengths.shape[-1:] == (len(skeleton.links),) else skeleton.bones
    positions = positions if positions.dtype == torch.float64 else positions.float()
    ends, damping = _ends(links, len(skeleton), positions.device, positions.dtype)  # [K, J], [K, K]
    moves = ends.mT if inverse_mass is None else inverse_mass.to(ends)[:, None] * ends.mT  # [J, K]
    shared = ends @ moves  # [K, K]: which bones meet at a joint
    shape, (count, joints) = positions.shape, ends.shape
    positions = positions.reshape(-1, joints, 3)  # [N, J, 3]; few large operators, since each costs in a stream
    ends, moves = ends.expand(len(positions), -1, -1), moves.expand(len(positions), -1, -1)
    for iteration in range(iterations):
        bones = torch.bmm(ends, positions)  # [N, K, 3]
        current = torch.linalg.vector_norm(bones, dim=-1)  # [N, K]
        if iteration == 0:
            each = current.view(*shape[:-2], count)  # [..., T, K]
            if lengths is not None and not (lengths.shape[-1:] == each.shape[-1:]
                                            and stands_for(lengths.shape, each.shape)):
                raise ValueError(f"lengths must be one a bone or a link, of a shape that fits {list(each.shape)}; got "
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
        positions = torch.baddbmm(positions, moves, multipliers[..., None] * directions, alpha=-1)
    return positions.reshape(shape)


@lru_cache(maxsize=64)
def _ends(links: tuple[tuple[int, int], ...], joints: int, device: torch.device, dtype: torch.dtype
          ) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrix [K, J] that makes links of joints, child less parent, and one [K, K] that is next to nothing."""
    parents, children = torch.tensor(links).T
    each = torch.eye(joints, dtype=dtype)
    damping = torch.full((len(links),), 1e-6, dtype=dtype)  # a bone without length has no direction to move in
    damping[joints - 1 :] = 0.01  # of struts, since in a pelvis that is flat some distance nearly follows from others
    damping = damping.diag()
    return (each[children] - each[parents]).to(device), damping.to(device)


def least_turns(skeleton: Skeleton, was: np.ndarray, now: np.ndarray) -> np.ndarray:
    """By how little each joint turns for the bones that begin at it to point elsewhere, [T, J, 3, 3].

    Of one bone the smallest rotation; of several the one nearest to them all, and where they lie in a line, which says
    nothing of a twist, the one that does not twist; a tip turns as the bone that carries it.
    Shapes: ``was`` and ``now`` [T, J, 3], each joint seen from its parent. Chapter: 10.
    """
    turns = np.broadcast_to(np.eye(3), (*now.shape, 3)).copy()
    for j, parent in enumerate(skeleton.parents):
        below = [child for child, up in enumerate(skeleton.parents) if up == j]
        before, after = was[:, below], now[:, below]  # [T, bones, 3]
        if len(below) == 1:
            turns[:, j] = rotation_between(before[:, 0], after[:, 0])
        elif below:
            for _ in range(2):  # what the faint vote for no turn took away comes with the second
                turned = before @ turns[:, j].swapaxes(1, 2)
                match = np.einsum("tbi,tbj->tij", after, turned)
                match += FAINT * (before**2).sum((1, 2))[:, None, None] * np.eye(3)
                turns[:, j] = roma.special_procrustes(torch.from_numpy(match)).numpy() @ turns[:, j]
        elif parent >= 0:
            turns[:, j] = turns[:, parent]
    return turns


@takes(motion=a(Motion), positions=array("frames", "joints", 3))
def carry_rotations(motion: Motion, positions: np.ndarray) -> Motion:
    """A motion at other positions, its rotations turned as little as its bones need.

    A joint with one bone is turned by the smallest rotation, so its twist stays; one with several by the rotation
    nearest to them all; a tip as the bone that carries it. Without rotations: points. Positions become those of the
    rotations, which where several bones leave a joint may be millimetres beside the points that were asked for.
    Shapes: ``positions`` [T, J, 3]. Units: metres. Chapter: 10.
    """
    skeleton, old, positions = motion.skeleton, motion.positions.astype(np.float64), positions.astype(np.float64)
    if motion.rotations is None or skeleton.offsets is None:
        return replace(motion, positions=positions, rotations=None)
    _, world = forward_kinematics(skeleton, motion.rotations.astype(np.float64), old[:, 0])
    world = quaternions_to_matrices(torch.from_numpy(world)).numpy()  # [T, J, 3, 3]
    up = np.maximum(skeleton.parents, 0)
    turns = least_turns(skeleton, *(x - x[:, up] for x in (old, positions)))
    local = local_rotations(skeleton, turns @ world)
    made = Motion.from_rotations(local, positions[:, 0], motion.fps, skeleton, source=motion.source, name=motion.name)
    return replace(made, notes=motion.notes)


@takes(skeleton=a(Skeleton, axis="joints"), positions=array("frames", "joints", 3), limb=each(count(0), size=3),
       goal=array("frames", 3), forward=array("frames", 3))
def place_limb(skeleton: Skeleton, positions: np.ndarray, limb: Sequence[int], goal: np.ndarray,
               forward: np.ndarray) -> np.ndarray:
    """A limb of two bones whose end comes to its goal; what hangs from the end goes along and keeps its orientation.

    ``limb``: hip, knee and ankle, or shoulder, elbow and wrist, as joint indices. The joint between bends where it
    did; a straight one, which cannot tell, ``forward``. A goal out of reach is approached, the last half percent of the
    limb's length softly, or the joint would snap.
    Shapes: ``positions`` [T, J, 3], ``goal`` and ``forward`` [T, 3] -> float64 [T, J, 3]. Units: metres. Chapter: 6.
    By the law of cosines, as in `choreo_lib.body.rotations.two_bone_ik`.
    """
    places = positions.astype(np.float64)
    start, middle, end = limb
    upper, lower = places[:, middle] - places[:, start], places[:, end] - places[:, middle]
    long, short = (np.linalg.norm(bone, axis=-1).mean() for bone in (upper, lower))
    line, full = goal - places[:, start], long + short
    far = np.linalg.norm(line, axis=-1, keepdims=True)  # [T, 1]
    margin = (1 - MAX_REACH) * full
    near = full - margin * np.exp(-(far - MAX_REACH * full).clip(0) / margin)
    goal = places[:, start] + line * np.where(far > MAX_REACH * full, near / far, 1.0)
    bend = upper - (places[:, end] - places[:, start]) * long / full + forward
    first, second = two_bone_ik(places[:, start], goal, long, short, bend, HINGE_LIMITS)
    places[:, middle] = places[:, start] + long * first
    below = [j for j in range(len(skeleton)) if end in skeleton.chain(j)]
    places[:, below] += (places[:, middle] + short * second - places[:, end])[:, None]
    return places
