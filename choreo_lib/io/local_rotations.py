"""Rotations for a dancer known only as points, so that a skinned body can be moved: `recover_rotations`.

A model that predicts points makes no rotations. Where each bone points is seen; how it is turned about itself is told
by its neighbours: hips and shoulders for the trunk, the hinge of elbow and knee for a limb, the thumb for a hand; and a
bone that shows nothing goes along with the one before. Taught in chapter 10, "The studio".
"""

from dataclasses import replace

import numpy as np
import torch

from ..body.blending import limit_turns
from ..body.bones import least_turns
from ..body.kinematics import forward_kinematics, local_rotations
from ..body.motion import Motion
from ..body.rotations import mean_rotation, rotation_between, two_bone_ik
from ..body.skeleton import Skeleton
from ..core.arguments import a, takes
from ..core.deferred import roma
from .joint_map import JointMap, rest_body
from .joint_roles import SIDES, chest, joint_roles
from .segments import Segments
from .up_axis import bone_lengths

LIMBS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
FASTEST = np.radians(1500)  # radians a second: no joint of a dancer turns faster; points that pass through others may
STRAIGHT = (0.02, 2.9)  # radians: a limb is never quite stretched, nor folded flat


@takes(motion=a(Motion), skeleton=a(Skeleton))
def recover_rotations(motion: Motion, skeleton: Skeleton | None = None) -> Motion:
    """The same dance with local rotations, found from where the joints are; bones are stiff from then on.

    ``skeleton``: the same joints with rest bones; None: the motion's own, or, where it has none, a usual T-pose with
    the bones that the motion has on average. A pelvis and a chest are stiff too, so joints come to lie a little
    beside their points where those are no body's; wrists and ankles are brought back to theirs as far as limbs reach.
    Nor does a joint turn by more than 1,500 degrees a second: a turn that is faster is spread over more frames.
    Shapes: [T, J, 3] -> the same, with rotations [T, J, 4]. Units: metres.
    Errors: ValueError naming the joints that a body needs and this one lacks. Chapter: 10.
    """
    roles, body = joint_roles(motion.skeleton), skeleton or motion.skeleton
    points = replace(motion, skeleton=Skeleton(motion.skeleton.names, motion.skeleton.parents), rotations=None)
    usual = body.offsets is None
    if usual:
        body = _with_lengths(rest_body(body, roles), bone_lengths(body, motion.positions))
    for shaped in (True, False) if usual else (False,):
        world, _ = world_rotations(points, JointMap(points, body, _lengths(body)), body)
        if shaped:
            body = _with_shape(body, world, motion.positions)
    target = motion.positions.astype(np.float64)
    for _ in range(2 if usual else 1):  # a shape by the turns, and turns by the shape
        world = _fitted(body, world, target)
        body = _with_shape(body, world, target) if usual else body
    near_root = [0, *(child for parent, child in body.bones if parent == 0)]
    made, _ = _posed(body, world, target[:, 0])
    root = target[:, 0] + (target - made)[:, near_root].mean(1)
    for limb in LIMBS:
        made, _ = _posed(body, world, root)
        for side in SIDES:
            _reach(world, made, target, [roles[f"{side}_{part}"] for part in limb], body)
    made, local = _posed(body, world, root)
    return turning_in_time(replace(motion, positions=made, rotations=local, skeleton=body))


def turning_in_time(motion: Motion) -> Motion:
    """A dancer with rotations and stiff bones in whom no joint turns by more than 1,500 degrees a second.

    A turn that is faster, as where the shoulders of points pass through each other, is spread over more frames, as by
    `choreo_lib.body.blending.limit_turns`; who turns slower, or is known as points only, comes back as they are.
    Chapter: 10.
    """
    if motion.rotations is None or motion.skeleton.offsets is None:
        return motion
    body, before = motion.skeleton, torch.from_numpy(np.array(motion.rotations, np.float64))
    rotations = limit_turns(before, torch.full((len(body),), FASTEST / motion.fps, dtype=torch.float64))
    if torch.equal(rotations, before):
        return motion
    positions = forward_kinematics(body, rotations.numpy(), motion.positions[:, 0].astype(np.float64))[0]
    return replace(motion, positions=positions, rotations=rotations.numpy())


def turnable(motion: Motion) -> Motion:
    """What a writer of rotations writes: a dancer of points with rotations found for it, and the points as they were.

    What a stiff body would leave of a point stays in the joint's translation. A motion with rotations, and one that is
    no body's (markers, a prop), come back as they are. Chapter: 10.
    """
    if motion.rotations is not None:
        return motion
    try:
        turned = recover_rotations(motion)
    except ValueError:  # no body by its joints' names
        return motion
    return replace(motion, rotations=turned.rotations, skeleton=turned.skeleton)


def _lengths(body: Skeleton) -> np.ndarray:
    assert body.offsets is not None
    return np.linalg.norm(body.offsets, axis=-1)


def _with_lengths(body: Skeleton, lengths: np.ndarray) -> Skeleton:
    """The same rest pose with bones of other lengths [J]."""
    scale = lengths / np.maximum(_lengths(body), 1e-9)
    return replace(body, offsets=np.asarray(body.offsets) * scale[:, None])


def _with_shape(body: Skeleton, world: np.ndarray, positions: np.ndarray) -> Skeleton:
    """The rest pose with this dancer's pelvis and chest: where several bones begin, they lie as they do on average."""
    offsets = np.array(body.offsets)
    for joint in range(len(body)):
        children = [child for parent, child in body.bones if parent == joint]
        if len(children) > 1:
            seen = positions[:, children] - positions[:, [joint]]  # [T, children, 3]
            offsets[children] = np.einsum("tab,tca->cb", world[:, joint], seen) / len(world)
    return _with_lengths(replace(body, offsets=offsets), _lengths(body))


def _fitted(body: Skeleton, world: np.ndarray, target: np.ndarray) -> np.ndarray:
    """World rotations [T, J, 3, 3], turned as little as need be for bones to point to their joints [T, J, 3]."""
    up = np.maximum(body.parents, 0)
    carried = np.einsum("tjab,jb->tja", world[:, up], np.asarray(body.offsets))  # [T, J, 3]
    return least_turns(body, carried, target - target[:, up]) @ world


def _posed(body: Skeleton, world: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joint positions and local rotations of a body whose segments are turned by ``world`` [T, J, 3, 3]."""
    local = local_rotations(body, world)
    return forward_kinematics(body, local, root)[0], local


def _reach(world: np.ndarray, made: np.ndarray, target: np.ndarray, limb: list[int], body: Skeleton) -> None:
    """Bring the end of a limb of two bones to where its point is, by turning both bones; what it carries stays."""
    first, middle, last = limb
    if (body.parents[last], body.parents[middle]) != (middle, first):
        return  # twist bones between: each bone has its direction, and the end is where these lead
    upper, lower = made[:, middle] - made[:, first], made[:, last] - made[:, middle]
    sizes = [float(np.linalg.norm(bone, axis=-1).mean()) for bone in (upper, lower)]
    if min(sizes) < 1e-6:
        return
    bend = upper - (made[:, last] - made[:, first]) * sizes[0] / sum(sizes)
    aimed = two_bone_ik(made[:, first], target[:, last], sizes[0], sizes[1], bend, STRAIGHT)
    world[:, first] = rotation_between(upper, aimed[0]) @ world[:, first]
    world[:, middle] = rotation_between(lower, aimed[1]) @ world[:, middle]


def world_rotations(motion: Motion, joint_map: JointMap, body: Skeleton, rest_rotations: dict | None = None,
                    pose: np.ndarray | None = None) -> tuple[np.ndarray, dict[tuple[str, str], np.ndarray]]:
    """World rotations [T, J, 3, 3] of a body's segments, and the constant rotations from rest frame to rest frame.

    ``pose``: local rotations [J, 4] of a pose in which the body is looked at in place of its rest pose.
    Errors: ValueError for a rest pose that no body can take, where no ``pose`` is given. Chapter: 5.
    """
    points, known, frames = joint_map.points, joint_map.known, np.tile(np.eye(3), (len(body), 1, 1))
    if pose is not None:
        places, posed = forward_kinematics(body, pose, np.zeros(3))
        frames = roma.unitquat_to_rotmat(torch.from_numpy(posed)).numpy()
        body = Skeleton(body.names, body.parents, places - places[np.maximum(body.parents, 0)])
    segments = Segments(body, joint_map.roles)
    if pose is None and not segments.has_posed_rest():
        raise ValueError("the rest pose of this skeleton is not one that a body can take, so nobody knows how its "
                         "parts are turned: conform to the Motion that it belongs to, or take report.back(made)")
    shown, evidence = segments.world_rotations(points, known, motion.fps)
    pelvis, pairs, source_world = joint_map.roles["pelvis"], dict(joint_map.direct), None
    if segments.chest != pelvis:  # chests turn alike, whichever joints of the spine they are
        pairs[segments.chest] = chest(motion.skeleton, joint_map.source_roles)
    if motion.rotations is not None and motion.skeleton.offsets is not None:
        rotations = motion.rotations.astype(np.float64)
        source_world = forward_kinematics(motion.skeleton, rotations, np.zeros((len(motion), 3)))[1]
        source_world = roma.unitquat_to_rotmat(torch.from_numpy(source_world)).numpy()
    carriers = set(body.chain(pelvis)[1:])
    world, matrices = shown.copy(), {}
    for j, parent in enumerate(body.parents):
        if j in carriers:
            continue
        if source_world is not None and j in pairs:
            names, own = (body.names[j], motion.skeleton.names[pairs[j]]), source_world[:, pairs[j]]
            matrix = (rest_rotations or {}).get(names)
            if matrix is None:  # from the whole take: what differs between two rest frames does not change
                matrix = mean_rotation(own.swapaxes(-1, -2) @ shown[:, j], evidence[:, j] + 1e-3) @ frames[j]
            matrices[names] = matrix
            world[:, j] = own @ matrix @ frames[j].T
        elif parent >= 0 and evidence[:, j].max() < 0.1:
            world[:, j] = world[:, parent]
        child = segments.main.get(j)
        if j in (pelvis, segments.chest) or child is None or not (known[j] and known[child]):
            continue
        if np.linalg.norm(bone := segments.offsets[child]) > 1e-6:
            now = np.einsum("tab,b->ta", world[:, j], bone)
            world[:, j] = rotation_between(now, points[:, child] - points[:, j]) @ world[:, j]
    if source_world is None:
        world[:, segments.trunk[1:-1]] = segments.lean(world, points) @ world[:, segments.trunk[1:-1]]
    return world @ frames, matrices
