"""Rotations: every identity that this book uses, once, on top of `roma`.

A rotation is a unit quaternion x y z w, [..., 4], of which q and -q are the same rotation, or a matrix [..., 3, 3].
Right-handed; angles in radians unless a name says degrees. Taught in chapters 1 and 6.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ..core.arguments import takes
from ..core.deferred import roma
from ..core.precision import product
from ..core.shapes import tensor, together

Numbers = Any
"""An array or a tensor: a function gives back the kind that it was given."""


def arrays_too(function: Callable) -> Callable:
    """Let a function of tensors take arrays, and then give an array. Chapter: 1."""
    @functools.wraps(function)
    def either(*given, **named):
        if any(map(torch.is_tensor, (*given, *named.values()))):
            return function(*given, **named)
        # a copy, since torch warns of an array that may not be written
        as_tensor = lambda x: torch.tensor(x) if isinstance(x, np.ndarray) else x  # noqa: E731
        return function(*map(as_tensor, given), **{name: as_tensor(x) for name, x in named.items()}).numpy()

    return either


@takes(start=tensor(..., 4), end=tensor(..., 4), share=tensor())
def slerp(start: torch.Tensor, end: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Interpolate spherically between rotations: at an even pace about one axis, the shorter way round.

    Between rotations half a turn apart both ways are as short; then it is the one that the quaternions' signs say.

    Shapes: unit quaternions [..., 4] each, ``share`` [...], from 0 to 1, of the same or a shape that fits -> [..., 4].
    Chapter: 6. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.
    """
    together(start=start.shape[:-1], end=end.shape[:-1], share=share.shape)
    way = roma.quat_product(roma.quat_conjugation(start), end)
    # not roma's own shortest_arc, which at half a turn goes against the sign
    way = roma.unitquat_to_rotvec(torch.where(way[..., 3:] < 0, -way, way), shortest_arc=False)
    return roma.quat_product(start, roma.rotvec_to_unitquat(way * share[..., None]))


def turn_angle(start: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    """The angle between rotations, the shorter way: unit quaternions [..., 4] each -> radians [...]. Chapter: 6."""
    return 2 * torch.acos((start * end).sum(-1).abs().clamp(max=1.0))


@arrays_too
def continuous(rotations: Numbers) -> Numbers:
    """Of q and -q the one nearer to the frame before, so that no sign jumps: [T, ..., 4] in and out. Chapter: 6."""
    flips = torch.where((rotations[1:] * rotations[:-1]).sum(-1, keepdim=True) < 0, -1.0, 1.0)
    return torch.cat([rotations[:1], rotations[1:] * flips.cumprod(0)])


@takes(rotations=tensor(..., 4))
def quaternion_to_6d(rotations: torch.Tensor) -> torch.Tensor:
    """Rotations as their first two axes, without the jump that four numbers must have somewhere.

    Shapes: unit quaternions [..., 4] -> [..., 6]: x of both axes, then y, then z. Chapter: 6. Zhou et al., "On the
    continuity of rotation representations in neural networks", CVPR 2019.
    """
    return quaternions_to_matrices(rotations)[..., :2].flatten(-2)


@takes(axes=tensor(..., 6))
def quaternion_from_6d(axes: torch.Tensor) -> torch.Tensor:
    """The rotations whose axes are nearest: the first as it is, the second made perpendicular. Chapter: 6.

    Shapes: [..., 6], of any length -> unit quaternions [..., 4].
    """
    return roma.rotmat_to_unitquat(roma.special_gramschmidt(axes.unflatten(-1, (3, 2))))


@takes(angle=tensor(), rotations=tensor(..., 4))
def rotate_z(angle: torch.Tensor, rotations: torch.Tensor) -> torch.Tensor:
    """Turn world rotations [..., 4] by ``angle`` [...] radians about the vertical. Chapter: 6."""
    together(rotations=rotations.shape[:-1], angle=angle.shape)
    half_angle = (angle / 2).expand(rotations.shape[:-1])
    zero = torch.zeros_like(half_angle)
    return roma.quat_product(torch.stack([zero, zero, half_angle.sin(), half_angle.cos()], -1), rotations)


@arrays_too
def rotate_points_z(angle: Numbers, points: Numbers) -> Numbers:
    """Turn points [..., 3] by ``angle`` [...] radians about the world's Z axis. Chapter: 3."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    x, y, z = points.unbind(-1)
    return torch.stack([cos * x - sin * y, sin * x + cos * y, z], -1)


def quaternions_to_matrices(rotations: torch.Tensor) -> torch.Tensor:
    """Rotation matrices of unit quaternions, [..., 4] -> [..., 3, 3], in two operations. Chapter: 1."""
    products = (rotations[..., :, None] * rotations[..., None, :]).flatten(-2)  # [..., 16]
    return product(products, _entries(rotations.dtype, rotations.device)).unflatten(-1, (3, 3))


@functools.cache
def _entries(dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Which products make which entry of a rotation matrix, [16, 9], by polarisation of `roma`'s formula."""
    basis = torch.eye(4, dtype=dtype)
    matrix = roma.unitquat_to_rotmat(basis)  # [4, 3, 3]
    both = roma.unitquat_to_rotmat(basis[:, None] + basis)  # [4, 4, 3, 3]
    return ((both - matrix[:, None] - matrix) / 2).view(16, 9).to(device)


@arrays_too
def rotation_about(axis: str, angle: Numbers) -> Numbers:
    """Rotation matrices [..., 3, 3] about the axis "x", "y" or "z" by ``angle`` [...] radians. Chapter: 1."""
    cosine, sine, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    entries = {"x": (one, zero, zero, zero, cosine, -sine, zero, sine, cosine),
               "y": (cosine, zero, sine, zero, one, zero, -sine, zero, cosine),
               "z": (cosine, -sine, zero, sine, cosine, zero, zero, zero, one)}  # roma's way takes nine times as long
    return torch.stack(entries[axis], -1).unflatten(-1, (3, 3))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [..., 3] scaled to length 1; a zero vector stays zero. Chapter: 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


@arrays_too
def axes_from(first: Numbers, second: Numbers) -> Numbers:
    """Orthonormal columns [..., 3, 3]: along the first vector [..., 3], then nearest to the second. Chapter: 5."""
    return roma.special_gramschmidt(torch.stack(torch.broadcast_tensors(first, second), -1), epsilon=1e-9)


@arrays_too
def swing(vectors: Numbers, start: Numbers, end: Numbers) -> Numbers:
    """Turn vectors by the smallest rotation that takes the direction ``start`` to ``end``; not at all without both.

    Rodrigues' formula, R v = c v + a x v + a (a . v) / (1 + c) with a = s x e and c = s . e, which needs no angle.
    Where the two are opposite no rotation is the smallest, and what comes out is only finite.
    Shapes: [..., 3] each, of shapes that fit. Chapter: 9.
    """
    sizes = [x.norm(dim=-1, keepdim=True) for x in (start, end)]
    known = (sizes[0] > 1e-6) & (sizes[1] > 1e-6)
    start, end = (x / size.clamp_min(1e-6) for x, size in zip((start, end), sizes))
    cosine, axis = (start * end).sum(-1, keepdim=True), torch.linalg.cross(start, end)
    # below the root of the rounding error, 1 + cosine is noise
    along = (axis * vectors).sum(-1, keepdim=True) / (1 + cosine).clamp_min(torch.finfo(cosine.dtype).eps ** 0.5)
    return torch.where(known, vectors * cosine + torch.linalg.cross(axis, vectors) + axis * along, vectors)


@arrays_too
def rotation_between(start: Numbers, end: Numbers) -> Numbers:
    """The smallest turn [..., 3, 3] of one direction [..., 3] to another; half a turn if opposite. Chapter: 5."""
    start, end = (x / x.norm(dim=-1, keepdim=True).clamp_min(1e-9) for x in torch.broadcast_tensors(start, end))
    basis = torch.eye(3, dtype=start.dtype, device=start.device)
    rows = swing(basis.expand(*start.shape, 3), start[..., None, :], end[..., None, :])  # [..., 3, 3], of R^T
    aside = basis[start.abs().argmin(-1)]
    axis = torch.nn.functional.normalize(torch.linalg.cross(start, aside), dim=-1)
    half_turn = 2 * axis[..., :, None] * axis[..., None, :] - basis
    return torch.where(((start * end).sum(-1) < -1 + 1e-7)[..., None, None], half_turn, rows.mT)


@arrays_too
def mean_rotation(matrices: Numbers, weights: Numbers = None) -> Numbers:
    """The rotation nearest to many: their (weighted) mean, projected onto the rotations.

    Shapes: ``matrices`` [T, ..., 3, 3], ``weights`` [T] -> [..., 3, 3].
    Chapter: 5. Markley et al., "Averaging quaternions", Journal of Guidance, Control, and Dynamics 2007.
    """
    mean = matrices.mean(0) if weights is None else torch.einsum("t,t...->...", weights, matrices)
    return roma.special_procrustes(mean)


@arrays_too
def change_basis(matrix: Numbers, rotations: Numbers) -> Numbers:
    """Rotations as seen in another world: R' = C R C^T, so that the rest pose turns along.

    Shapes: ``matrix`` [3, 3], orthogonal; quaternions [..., 4] in and out. A matrix that mirrors is taken too: the axis
    of a rotation is a pseudovector, so it is turned by C times its determinant. Chapter: 1.
    """
    matrix = matrix.to(rotations.dtype)
    axes = rotations[..., :3] @ (matrix * torch.linalg.det(matrix)).mT
    return torch.cat([axes, rotations[..., 3:]], -1)


def euler_to_quaternions(degrees: np.ndarray, channels: Sequence[tuple[Sequence[int], Sequence[int]]]) -> np.ndarray:
    """Local quaternions from Euler angles, channel by channel: each turns about an axis already turned.

    Shapes: ``degrees`` [T, C]; ``channels`` a pair (axes, columns) a joint, axes 0 to 2 -> [T, J, 4]. Chapter: 1.
    """
    angles = torch.from_numpy(np.radians(np.fmod(degrees, 720.0)))
    groups: dict[tuple[int, ...], list[int]] = {}
    for joint, (axes, _) in enumerate(channels):
        groups.setdefault(tuple(axes), []).append(joint)
    rotations = angles.new_tensor([0.0, 0.0, 0.0, 1.0]).repeat(len(angles), len(channels), 1)
    for axes, joints in groups.items():  # joints with the same order of axes are turned together
        if axes:
            columns = torch.tensor([channels[joint][1] for joint in joints])  # [joints, axes]
            order = "".join("XYZ"[axis] for axis in axes)
            rotations[:, joints] = roma.euler_to_unitquat(order, angles[:, columns], normalize=False)
    return rotations.numpy()


def two_bone_ik(start: np.ndarray, goal: np.ndarray, upper: float, lower: float, bend: np.ndarray,
                limit: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions of two bones [T, 3] that lead from ``start`` to ``goal``, the joint between them pushed to ``bend``.

    Out of reach, the limb points at the goal as far as its joint limit allows.
    Shapes: ``start``, ``goal``, ``bend`` [T, 3]. Units: bones ``upper`` and ``lower`` metres; ``limit`` the smallest
    and the largest flexion, radians. Chapter: 1. Source: the law of cosines.
    """
    line = goal - start
    reach = lambda flexion: np.sqrt(upper**2 + lower**2 + 2 * upper * lower * np.cos(flexion))  # noqa: E731
    distance = np.clip(np.linalg.norm(line, axis=-1), reach(limit[1]), reach(limit[0]))[..., None]
    along = unit(line)
    side = unit(bend - (bend * along).sum(-1, keepdims=True) * along)
    near = (upper**2 - lower**2 + distance**2) / (2 * distance)
    off = np.sqrt(np.maximum(upper**2 - near**2, 0))
    middle = along * near + side * off
    return unit(middle), unit(along * distance - middle)
