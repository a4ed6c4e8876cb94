"""Between a file's tree of nodes and ours: local frames, bones that may stretch.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import numpy as np
import torch

from ..body.motion import Motion
from ..body.skeleton import forward_kinematics
from ..core.deferred import roma


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
