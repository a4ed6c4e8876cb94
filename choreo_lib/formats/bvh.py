"""BVH, the format motion capture speaks: a tree of joints, then one line of numbers a frame.

Taught in chapter 1, "Seeing a duet". Repaired, and said so in ``motion.notes``: a joint name that
stands twice gets a suffix (``Hand``, ``Hand_2``), and a joint whose position channels vary keeps
its path through per-frame offsets. Refused with the line: everything else that does not add up.
"""

from __future__ import annotations

import re

import numpy as np

from ..motion import Motion
from ..skeleton import forward_kinematics
from . import border
from .border import check_fps, fail
from .bvh_text import MAX_HEAD, read_numbers, read_tree, rename_twins
from .kinematics import angles_to_quaternions
from .sidecar import checked, read_sidecar


def read_bvh(path, up=None, scale=None, fps=None) -> Motion:
    """Read one dancer from a BVH file.

    Shapes: positions [T, J, 3] and rotations [T, J, 4], joints in the order of the file.
    Units: ``scale`` metres per file unit, ``up`` the file's up axis, ``fps`` in place of the stated
    frame time; None takes the file's word where we wrote it, else a guess that is reported.
    Errors: MotionFormatError, naming the line.
    Chapter: 1.
    """
    data = border.load_bytes(path)
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    motion_at = re.search(rb"^[ \t]*MOTION[ \t\r]*$", data, re.M | re.I)
    if motion_at is None:
        fail(path, "expected a line MOTION after the skeleton, and there is none; the file is cut short or no BVH")
    if motion_at.start() > MAX_HEAD:
        fail(path, "the skeleton alone fills megabytes; expected some hundred lines before MOTION")
    tree = read_tree(path, data[:motion_at.start()])
    notes = rename_twins(tree)
    values, seconds = read_numbers(path, data, motion_at, tree)
    stated = checked(read_sidecar(path, data, notes) or tree.stated, len(tree.names))
    fps = stated.get("fps") if fps is None else fps
    if fps is None:
        fps = 1 / seconds
        if round(fps) in range(1, 501) and abs(1 / round(fps) - seconds) < 1e-6:
            fps = round(fps)  # "0.033333" is what six digits leave of 1/30
    fps = check_fps(path, fps)

    frames, joints = len(values), len(tree.names)
    offsets = np.array(tree.offsets, np.float64)
    moved, turned_by = {}, [([], []) for _ in range(joints)]  # joint -> {axis: column}; (axes, columns) a joint
    for column, (joint, kind, axis) in enumerate(tree.channels):
        if kind == "rotation":
            turned_by[joint][0].append(axis)
            turned_by[joint][1].append(column)
        else:
            moved.setdefault(joint, {})[axis] = column
    rotations = angles_to_quaternions(values, turned_by)
    places, per_frame = {}, None
    root = np.repeat(offsets[:1], frames, axis=0)  # [T, 3]
    for joint, columns in moved.items():
        for axis, column in columns.items():
            path_of = values[:, column]
            if joint == 0:
                root[:, axis] = path_of
            elif path_of.max() - path_of.min() <= 1e-6 * max(1.0, abs(path_of[0])):
                offsets[joint, axis] = path_of[0]
            else:
                places[joint, axis] = path_of
    offsets[0] = 0.0  # where the root stands is the motion's business, not the skeleton's
    if places:
        for (joint, axis), path_of in places.items():
            offsets[joint, axis] = path_of.mean()
        per_frame = np.repeat(offsets[None], frames, axis=0)  # [T, J, 3]
        for (joint, axis), path_of in places.items():
            per_frame[:, joint, axis] = path_of
        named = list(dict.fromkeys(tree.names[joint] for joint, _ in places))
        notes.append(f"bones change length: {len(named)} joints have position channels that vary "
                     f"({', '.join(named[:3])}{' ...' if len(named) > 3 else ''}); the skeleton holds their mean")
    skeleton = border.make_skeleton(path, tree.names, tree.parents, offsets, tree.ends)
    positions, _ = forward_kinematics(skeleton, rotations, root, per_frame)
    matrix, scale = border.settle(path, skeleton, positions, notes, up, scale,
                                  stated.get("up"), stated.get("unit"))
    with np.errstate(over="ignore"):
        ends = [(j, matrix @ np.array(tip) * scale) for j, tip in tree.ends]
        skeleton = border.make_skeleton(path, tree.names, tree.parents, offsets @ matrix.T * scale, ends)
        positions, rotations = positions @ matrix.T * scale, border.turn(matrix, rotations)
    skeleton, positions, rotations = _restored(path, stated, skeleton, positions, rotations)
    return border.finish(path, positions, fps, skeleton, rotations, notes, stated["source"], stated.get("name"))


def _restored(path, stated: dict, skeleton, positions, rotations):
    """BVH writes a tree limb by limb, with names of one word; the side-car remembers both as they were before."""
    if "order" not in stated and "names" not in stated:
        return skeleton, positions, rotations
    order = stated.get("order", list(range(len(skeleton))))
    place = np.argsort(order)  # place[old joint] = where it stands in the file
    names = stated.get("names") or [skeleton.names[i] for i in place]
    parents = [-1 if skeleton.parents[i] < 0 else order[skeleton.parents[i]] for i in place]
    ends = sorted(((order[j], tip) for j, tip in skeleton.ends), key=lambda end: end[0])
    skeleton = border.make_skeleton(path, names, parents, skeleton.offsets[place], ends)
    return skeleton, positions[:, place], rotations[:, place]
