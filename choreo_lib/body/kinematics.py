"""Forward kinematics: where a body's joints are once its bones have turned; and back.

Taught in chapter 1, "Seeing a duet". The tree is walked level by level: all joints of one depth are placed at once, so
that a body of 53 joints costs ten steps or so, and not 53.
"""

from functools import lru_cache

import numpy as np
import torch

from ..core.arguments import a, takes
from ..core.deferred import roma
from ..core.precision import in_full_precision
from ..core.shapes import array, stands_for, tensor
from .rotations import Numbers, arrays_too, continuous, quaternions_to_matrices
from .skeleton import Skeleton


@takes(skeleton=a(Skeleton, axis="joints"), rotations=array(..., "joints", 4), root=array(..., 3),
       offsets=array(..., "joints", 3))
def forward_kinematics(skeleton: Skeleton, rotations: Numbers, root: Numbers, offsets: Numbers = None):
    """Joint positions and world rotations from local rotations: walk the tree, turning as you go.

    Shapes: ``rotations`` [..., J, 4] local unit quaternions x y z w; ``root`` [..., 3], where the root joint is;
    ``offsets`` [..., J, 3] in place of the skeleton's own (another body's proportions).
    Gives (positions [..., J, 3], world rotations [..., J, 4]): tensors for tensors, through which gradients flow, and
    arrays for arrays.
    Units: metres. Errors: ValueError for a wrong joint count or a skeleton without offsets. Chapter: 1.
    """
    as_arrays = not torch.is_tensor(rotations)
    # a copy of an array, since torch warns of one that may not be written
    rotations = torch.as_tensor(np.array(rotations) if as_arrays else rotations)
    if not rotations.is_floating_point():
        rotations = rotations.double()
    positions = joint_positions(skeleton, rotations, torch.as_tensor(root).to(rotations), offsets)  # [..., J, 3]
    order, back, parents, sizes = _levels(skeleton.levels, rotations.device)
    first, *levels = rotations.index_select(-2, order).split(sizes, -2)
    world = [first]  # of one level after another, [..., joints, 4]
    for local, up in zip(levels, parents):
        world.append(roma.quat_product(world[-1].index_select(-2, up), local))
    turned = torch.cat(world, -2).index_select(-2, back)  # [..., J, 4]
    return (positions.numpy(), turned.numpy()) if as_arrays else (positions, turned)


@in_full_precision
def joint_positions(skeleton: Skeleton, rotations: torch.Tensor, root: torch.Tensor,
                    offsets: Numbers = None) -> torch.Tensor:
    """The positions alone of `forward_kinematics`, of tensors, in few operations: what a training step computes.

    Shapes: rotations [..., J, 4], root [..., 3], offsets [..., J, 3] -> [..., J, 3]. Errors: as there. Chapter: 6.
    """
    offsets = skeleton.offsets if offsets is None else offsets
    if offsets is None:
        raise ValueError("this skeleton has no offsets (it was read from points), so there are no bones for its joints "
                         "to turn; pass offsets=")
    offsets = torch.as_tensor(np.array(offsets) if isinstance(offsets, np.ndarray) else offsets).to(rotations)
    lead = rotations.shape[:-2]
    if root.shape[:-1] != lead:
        raise ValueError(f"root must have shape {(*lead, 3)}, a place for each pose; got {tuple(root.shape)}")
    if not stands_for(offsets.shape[:-2], lead):
        raise ValueError(f"offsets must have shape {(len(skeleton), 3)} or {(*lead, len(skeleton), 3)}; got "
                         f"{tuple(offsets.shape)}")
    order, back, parents, sizes = _levels(skeleton.levels, rotations.device)
    turns = quaternions_to_matrices(rotations.index_select(-2, order)).split(sizes, -3)  # [..., joints, 3, 3] a level
    bones = offsets.index_select(-2, order)[..., None].split(sizes, -3)  # [..., joints, 3, 1] a level
    world, places = turns[0], [root[..., None, :, None]]
    for k, (bone, up) in enumerate(zip(bones[1:], parents), start=1):
        turned = world.index_select(-3, up)  # [..., joints, 3, 3], how the parents are turned
        places.append(places[-1].index_select(-3, up) + turned @ bone)
        if k < len(parents):  # the last joints carry nobody
            world = turned @ turns[k]
    return torch.cat(places, -3)[..., 0].index_select(-2, back)  # [..., J, 3]


@takes(skeleton=a(Skeleton, axis="joints"), transforms=tensor(..., "joints", 7))
def positions_of(skeleton: Skeleton, transforms: torch.Tensor) -> torch.Tensor:
    """Joints [..., J, 3], metres in the world, from transforms [..., J, 7] (see `cut`) with their bones. Chapter: 6."""
    places, turns = transforms[..., :3], transforms[..., 3:]
    return joint_positions(skeleton, turns, places[..., 0, :], places)


@arrays_too
def local_rotations(skeleton: Skeleton, world: Numbers) -> Numbers:
    """Each joint's rotation relative to its parent, from world rotations: what `forward_kinematics` undoes.

    Shapes: matrices [T, J, 3, 3] -> unit quaternions [T, J, 4] whose sign never jumps. Chapter: 5.
    """
    parents = list(skeleton.parents[1:])
    local = torch.cat([world[:, :1], world[:, parents].mT @ world[:, 1:]], 1)
    return continuous(roma.rotmat_to_unitquat(local))


@lru_cache(maxsize=64)
def _levels(levels: tuple, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor], list[int]]:
    """`Skeleton.levels` on a device: the joints level by level, the way back, parents a level, and sizes."""
    order = torch.tensor([joint for joints, _ in levels for joint in joints])
    parents = [torch.tensor(up, device=device) for _, up in levels[1:]]
    return order.to(device), order.argsort().to(device), parents, [len(joints) for joints, _ in levels]
