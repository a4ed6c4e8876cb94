"""BVH, the format motion capture speaks: a tree of joints, then one line of numbers a frame.

Taught in chapter 1, "Seeing a duet". Repaired, and said so in ``motion.notes``: a joint name that
stands twice gets a suffix (``Hand``, ``Hand_2``), and a joint whose position channels vary keeps
its path through per-frame offsets. Refused with the line: everything else that does not add up.
"""

from __future__ import annotations

import json
import re

import numpy as np

from ..motion import Motion
from ..skeleton import forward_kinematics
from . import border
from .border import check_fps, fail
from .bvh_text import MARK, read_numbers, read_tree, rename_twins
from .kinematics import angles_to_quaternions, local_motion, quaternions_to_angles


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
    if motion_at.start() > 4_000_000:
        fail(path, "the skeleton alone fills megabytes; expected some hundred lines before MOTION")
    tree = read_tree(path, data[:motion_at.start()])
    notes = rename_twins(tree)
    values, seconds = read_numbers(path, data, motion_at, tree)
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
                                  tree.stated.get("up") if tree.stated.get("up") in border.TURNS else None,
                                  _number(tree.stated.get("unit")))
    with np.errstate(over="ignore"):
        ends = [(j, matrix @ np.array(tip) * scale) for j, tip in tree.ends]
        skeleton = border.make_skeleton(path, tree.names, tree.parents, offsets @ matrix.T * scale, ends)
        positions, rotations = positions @ matrix.T * scale, border.turn(matrix, rotations)
    skeleton, positions, rotations = _restore_order(path, tree.stated, skeleton, positions, rotations)
    name = tree.stated.get("name")
    return border.finish(path, positions, fps, skeleton, rotations, notes,
                         border.source_from_dict(tree.stated.get("source")), name if isinstance(name, str) else None)


def _number(value) -> float | None:
    return float(value) if type(value) in (int, float) and 1e-6 <= value <= 1e6 else None


def _restore_order(path, stated: dict, skeleton, positions, rotations):
    """BVH writes a tree limb by limb; our comment remembers the order the joints had before."""
    order = stated.get("order")
    if not isinstance(order, list) or not all(type(j) is int for j in order) \
            or sorted(order) != list(range(len(skeleton))):
        return skeleton, positions, rotations
    place = np.argsort(order)  # place[old joint] = where it stands in the file
    parents = [-1 if skeleton.parents[i] < 0 else order[skeleton.parents[i]] for i in place]
    ends = sorted(((order[j], tip) for j, tip in skeleton.ends), key=lambda end: end[0])
    skeleton = border.make_skeleton(path, [skeleton.names[i] for i in place], parents, skeleton.offsets[place], ends)
    return skeleton, positions[:, place], rotations[:, place]


def write_bvh(motion: Motion, path) -> None:
    """Write one dancer as BVH: metres, Z up, Z Y X rotations, positions back within a micrometre.

    Bones that change length, and bodies known only as points, get position channels on every joint.
    A comment under HIERARCHY keeps up axis, unit, source and terms.
    Errors: MotionFormatError where the file cannot be written. Chapter: 1.
    """
    skeleton = motion.skeleton
    rotations, local, steady = local_motion(motion)  # [T, J, 4], [T, J, 3], [J]
    children = [[] for _ in skeleton.names]
    for parent, child in skeleton.bones:
        children[parent].append(child)
    names = [re.sub(r"[\s{}]+", " ", name.replace("#", "_")).strip() or "joint" for name in skeleton.names]
    order, lines, todo = [], [], [(0, 0)]
    while todo:  # a stack in place of recursion: a chain of 500 joints is a tree too
        joint, depth = todo.pop()
        if joint is None:
            lines.append("\t" * depth + "}")
            continue
        order.append(joint)
        pad = "\t" * (depth + 1)
        offset = np.zeros(3) if joint == 0 else local[:, joint].mean(axis=0) if skeleton.offsets is None \
            else skeleton.offsets[joint]
        places = "" if steady[joint] and joint else "Xposition Yposition Zposition "
        lines += ["\t" * depth + ("JOINT " if depth else "ROOT ") + names[joint], "\t" * depth + "{",
                  pad + "OFFSET " + " ".join(f"{x:.9g}" for x in offset),
                  f"{pad}CHANNELS {6 if places else 3} {places}Zrotation Yrotation Xrotation"]
        for tip in (tip for j, tip in skeleton.ends if j == joint):
            lines += [pad + "End Site", pad + "{", pad + "\tOFFSET " + " ".join(f"{x:.9g}" for x in tip), pad + "}"]
        todo.append((None, depth))
        todo += [(child, depth + 1) for child in reversed(children[joint])]
    stated = {"up": "z", "unit": 1.0, "name": motion.name, "source": border.source_to_dict(motion.source)}
    if order != sorted(order):
        stated["order"] = order
    angles = np.degrees(quaternions_to_angles(rotations))  # [T, J, 3] in the order Z Y X
    columns = []
    for joint in order:
        columns += [] if steady[joint] and joint else [local[:, joint]]
        columns += [angles[:, joint]]
    table = np.concatenate(columns, axis=1)
    with border.atomic_write(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write("HIERARCHY\n" + MARK + json.dumps(stated) + "\n" + "\n".join(lines) + "\n")
        file.write(f"MOTION\nFrames: {len(motion)}\nFrame Time: {1 / motion.fps:.9g}\n")
        row = " ".join(["%.6f"] * table.shape[1]) + "\n"
        for numbers in table:
            file.write(row % tuple(numbers))

