"""Between a file's numbers and ours: Euler angles, local frames, bones that may stretch.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import numpy as np
import roma
import torch

from ..body.motion import Motion
from ..body.skeleton import forward_kinematics


def angles_to_quaternions(values: np.ndarray, turned_by: list) -> np.ndarray:
    """Local quaternions from degrees, channel by channel: each turns about an axis already turned.

    Shapes: ``values`` [T, channels]; ``turned_by`` one pair (axes, columns) a joint; gives [T, J, 4].
    Chapter: 1.
    """
    half = np.radians(np.fmod(values, 720.0)) / 2
    groups = {}
    for joint, (axes, columns) in enumerate(turned_by):
        groups.setdefault(tuple(axes), []).append((joint, columns))
    quaternions = np.zeros((len(values), len(turned_by), 4))
    for axes, members in groups.items():  # joints with the same order of axes are turned together
        joints = [joint for joint, _ in members]
        columns = np.array([columns for _, columns in members], dtype=int)
        q = [0.0, 0.0, 0.0, 1.0]
        for step, axis in enumerate(axes):
            angle = half[:, columns[:, step]]  # [T, joints of this group]
            c, s, after, last = np.cos(angle), np.sin(angle), (axis + 1) % 3, (axis + 2) % 3
            # q times the quaternion (s e_axis, c), written out: two products a component
            q = _placed({axis: c * q[axis] + s * q[3], after: c * q[after] + s * q[last],
                         last: c * q[last] - s * q[after], 3: c * q[3] - s * q[axis]})
        quaternions[:, joints] = np.stack(np.broadcast_arrays(*q), axis=-1)
    return quaternions


def _placed(components: dict) -> list:
    return [components[i] for i in range(4)]


def quaternions_to_angles(rotations: np.ndarray) -> np.ndarray:
    """Radians about Z, then the turned Y, then the turned X; exact at the poles too.

    Shapes: [..., 4] to [..., 3]. First the Z angle is settled, and the rest is read from what remains
    once it is undone: at +-90 degrees, where Z and X turn about one line, any Z is then right.
    Chapter: 1.
    """
    m = roma.unitquat_to_rotmat(torch.from_numpy(np.ascontiguousarray(rotations, np.float64))).numpy()
    z = np.arctan2(m[..., 1, 0], m[..., 0, 0])
    c, s = np.cos(z)[..., None], np.sin(z)[..., None]
    row_x, row_y = c * m[..., 0, :] + s * m[..., 1, :], c * m[..., 1, :] - s * m[..., 0, :]
    y = np.arctan2(-m[..., 2, 0], row_x[..., 0])
    x = np.arctan2(-row_y[..., 2], row_y[..., 1])
    return np.stack([z, y, x], axis=-1)


def local_transforms(motion: Motion) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a file with a tree of nodes needs: (rotations, local places, which bones keep their length).

    Shapes: [T, J, 4], [T, J, 3] (each joint seen from its parent's frame; the root from the world),
    bool [J]. A body known only as points gets the identity for every rotation.
    """
    skeleton, positions = motion.skeleton, motion.positions.astype(np.float64)
    parents = np.maximum(skeleton.parents, 0)
    local = positions - positions[:, parents]  # [T, J, 3], in the world's axes so far
    local[:, 0] = positions[:, 0]
    if motion.rotations is None:
        rotations = np.zeros((*positions.shape[:2], 4))
        rotations[..., 3] = 1.0
    else:
        rotations = motion.rotations.astype(np.float64)
        rotations /= np.linalg.norm(rotations, axis=-1, keepdims=True)
        none = np.zeros_like(positions)
        world = torch.from_numpy(forward_kinematics(skeleton, rotations, none[:, 0], none)[1])[:, parents[1:]]
        local[:, 1:] = roma.quat_action(roma.quat_conjugation(world), torch.from_numpy(local[:, 1:])).numpy()
    rest = local.mean(axis=0) if skeleton.offsets is None else skeleton.offsets
    steady = np.abs(local - rest).max(axis=(0, 2)) < 1e-5
    steady[0] = False
    return rotations, local, steady
