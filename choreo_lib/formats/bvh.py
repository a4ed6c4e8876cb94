"""BVH, the format motion capture speaks: a tree of joints, then one line of numbers a frame.

Taught in chapter 1, "Seeing a duet". Repaired, and said so in ``motion.notes``: a joint name that
stands twice gets a suffix (``Hand``, ``Hand_2``), and a joint whose position channels vary keeps
its path through per-frame offsets. Refused with the line: everything else that does not add up.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import numpy as np

from ..motion import Motion
from ..skeleton import forward_kinematics
from . import border
from .border import check_fps, fail
from .bvh_numbers import read_numbers
from .bvh_text import MARK, load
from .bvh_tree import Tree, read_trees, rename_twins
from .kinematics import angles_to_quaternions, local_motion, quaternions_to_angles


def read_bvh(path, up=None, scale=None, fps=None) -> Motion:
    """Read one dancer from a BVH file.

    Shapes: positions [T, J, 3] and rotations [T, J, 4], joints in the order of the file.
    Units: ``scale`` metres per file unit, ``up`` the file's up axis, ``fps`` in place of the stated
    frame time; None takes the file's word where we wrote it, else a guess that is reported.
    Errors: MotionFormatError, naming the line.
    Chapter: 1.
    """
    bodies = _load(path, fps)
    if len(bodies) > 1:
        fail(path, f"a second ROOT; this file holds {len(bodies)} skeletons, a dancer each. "
                   + ("Take read_duet(path), then duet.a or duet.b" if len(bodies) == 2 else "Split the file"),
             f"line {bodies[1].tree.line}")
    return _placed(path, bodies[0], up, scale)


def read_bvh_duet(path, up=None, scale=None, fps=None) -> tuple[Motion, Motion]:
    """Read two dancers from a BVH file with two ROOTs; they share a world, and so an axis and a unit.

    Errors: MotionFormatError where there are not two. Chapter: 1.
    """
    bodies = _load(path, fps)
    if len(bodies) != 2:
        fail(path, "a .bvh file with one ROOT holds one dancer; pass the second dancer's file as well"
             if len(bodies) == 1 else f"this file holds {len(bodies)} skeletons, and a duet has two. Split the file")
    a, b = (_placed(path, body, up, scale) for body in bodies)
    return tuple(replace(m, name=f"{m.name} {who}") for m, who in zip((a, b), "ab"))


@dataclass
class _Body:
    """One ROOT of a file, in the file's units and axes; ``offsets`` per joint, ``per_frame`` where bones stretch."""

    tree: Tree
    fps: float
    root: np.ndarray
    rotations: np.ndarray
    offsets: np.ndarray
    per_frame: np.ndarray | None
    notes: list


def _load(path, fps) -> list[_Body]:
    data, motion_at = load(path)
    trees, notes = read_trees(path, data[:motion_at.start()]), []
    block = read_numbers(path, data, motion_at, trees, notes, timed=fps is None)
    fps = check_fps(path, block.fps if fps is None else fps)
    bodies, first = [], 0
    for tree in trees:
        last = first + len(tree.channels)
        bodies.append(_body(tree, block.values[:, first:last], fps, block.step, notes))
        first = last
    return bodies


def _body(tree: Tree, values: np.ndarray, fps: float, step: float, notes) -> _Body:
    notes = [*notes, *rename_twins(tree)]
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
    # what six printed digits or single precision make of a bone that keeps its length is no stretching
    longest = float(np.linalg.norm(offsets[1:], axis=-1).max(initial=0.0))
    fine = max(min(4 * step, 1e-3 * longest), 2e-5 * longest)
    for joint, columns in moved.items():
        for axis, column in columns.items():
            path_of = values[:, column]
            if joint == 0:
                root[:, axis] = path_of
            elif path_of.max() - path_of.min() <= max(fine, 1e-6 * max(1.0, abs(path_of[0]))):
                offsets[joint, axis] = (path_of.max() + path_of.min()) / 2
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
    return _Body(tree, fps, root, rotations, offsets, per_frame, notes)


def _placed(path, body: _Body, up, scale) -> Motion:
    """A body in metres, Z up."""
    tree, offsets, notes, rotations = body.tree, body.offsets, body.notes, body.rotations
    skeleton = border.make_skeleton(path, tree.names, tree.parents, offsets, tree.ends)
    positions, _ = forward_kinematics(skeleton, rotations, body.root, body.per_frame)
    if len(skeleton) > 1 and not offsets.any() and body.per_frame is None and None in (up, scale) and not tree.stated:
        fail(path, "every OFFSET is 0 0 0: bones without length, so there is no body to see. Export the take again "
                   "with its rest pose, or pass up= and scale= to read it as it is")
    stated_up = tree.stated.get("up")
    matrix, scale = border.settle(path, skeleton, positions, notes, up, scale,
                                  stated_up if isinstance(stated_up, str) and stated_up in border.TURNS else None,
                                  _number(tree.stated.get("unit")))
    with np.errstate(over="ignore"):
        ends = [(j, matrix @ np.array(tip) * scale) for j, tip in tree.ends]
        skeleton = border.make_skeleton(path, tree.names, tree.parents, offsets @ matrix.T * scale, ends)
        positions, rotations = positions @ matrix.T * scale, border.turn(matrix, rotations)
    skeleton, positions, rotations = _restore_order(path, tree.stated, skeleton, positions, rotations)
    name = tree.stated.get("name")
    return border.finish(path, positions, body.fps, skeleton, rotations, notes,
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
    with border.writing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write("HIERARCHY\n" + MARK + json.dumps(stated) + "\n" + "\n".join(lines) + "\n")
        file.write(f"MOTION\nFrames: {len(motion)}\nFrame Time: {1 / motion.fps:.9g}\n")
        row = " ".join(["%.6f"] * table.shape[1]) + "\n"
        for numbers in table:
            file.write(row % tuple(numbers))

