"""BVH, the format motion capture speaks: a tree of joints, then one line of numbers a frame.

Taught in chapter 1, "Seeing a duet". Repaired, and said so in ``motion.notes``: a joint name that
stands twice gets a suffix (``Hand``, ``Hand_2``), a joint whose position channels vary keeps its
path through per-frame offsets, a count of frames that is off by some gives way to the lines there
are, and a Frame Time of few digits is the usual rate it was printed from. Refused with the line:
everything else that does not add up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from ..body.motion import Motion
from ..body.rotations import change_basis, euler_to_quaternions
from ..body.skeleton import forward_kinematics
from . import conventions
from .bvh_numbers import read_numbers
from .bvh_text import load, motion_of
from .bvh_tree import Tree, read_trees, rename_twins
from .conventions import check_fps, fail
from .sidecar import checked, read_sidecar


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
        fail(path, f"a second {bodies[1].tree.begun}; this file holds {len(bodies)} skeletons, a dancer each. "
                   + ("Take read_duet(path), then duet.a or duet.b" if len(bodies) == 2 else "Split the file"),
             f"line {bodies[1].tree.line}")
    return _placed(path, bodies[0], up, scale)


def read_bvh_duet(path, up=None, scale=None, fps=None) -> tuple[Motion, Motion]:
    """Read two dancers from a BVH file with two ROOTs, or two files joined; they share a world, so an axis and a unit.

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
    begun = [0, *(found.start() for found in re.finditer(rb"^[ \t]*HIERARCHY\s*$", data, re.M | re.I)
                  if found.start() > motion_at.end())]
    notes = []
    beside = read_sidecar(path, data, notes)
    if len(begun) == 1:
        return _load_one(path, data, motion_at, fps, beside, notes)
    bodies = []  # files joined one behind the other, a dancer each; what stands before keeps its lines
    for start, end in zip(begun, [*begun[1:], len(data)]):
        part = b"\n" * data.count(b"\n", 0, start) + data[start:end]
        bodies += _load_one(path, part, motion_of(path, part), fps, {}, notes)
        if start:
            bodies[-1].tree.begun, bodies[-1].tree.line = "HIERARCHY", data.count(b"\n", 0, start) + 1
    return bodies


def _load_one(path, data, motion_at, fps, beside, notes) -> list[_Body]:
    trees = read_trees(path, data[:motion_at.start()])
    for tree in trees:
        tree.stated = checked(beside or tree.stated, len(tree.names))
    fps = trees[0].stated.get("fps") if fps is None else fps
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
    rotations = euler_to_quaternions(values, turned_by)
    places, per_frame = {}, None
    root = np.repeat(offsets[:1], frames, axis=0)  # [T, 3]
    # what six printed digits or single precision make of a bone that keeps its length is no stretching
    longest = float(np.linalg.norm(offsets[1:], axis=-1).max(initial=0.0))
    # (our own writer gives position channels to nothing else)
    fine = 0.0 if tree.stated else max(min(4 * step, 1e-3 * longest), 2e-5 * longest)
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
    skeleton = conventions.make_skeleton(path, tree.names, tree.parents, offsets, tree.end_sites)
    positions, _ = forward_kinematics(skeleton, rotations, body.root, body.per_frame)
    if len(skeleton) > 1 and not offsets.any() and body.per_frame is None and None in (up, scale) and not tree.stated:
        fail(path, "every OFFSET is 0 0 0: bones without length, so there is no body to see. Export the take again "
                   "with its rest pose, or pass up= and scale= to read it as it is")
    matrix, scale = conventions.resolve_axes_and_units(path, skeleton, positions, notes, up, scale,
                                  tree.stated.get("up"), tree.stated.get("unit"))
    with np.errstate(over="ignore"):
        end_sites = [(j, matrix @ np.array(tip) * scale) for j, tip in tree.end_sites]
        skeleton = conventions.make_skeleton(path, tree.names, tree.parents, offsets @ matrix.T * scale, end_sites)
        positions, rotations = positions @ matrix.T * scale, change_basis(matrix, rotations)
    skeleton, positions, rotations = _restored(path, tree.stated, skeleton, positions, rotations)
    return conventions.build_motion(path, positions, body.fps, skeleton, rotations, notes,
                         tree.stated.get("source"), tree.stated.get("name"))


def _restored(path, stated: dict, skeleton, positions, rotations):
    """BVH writes a tree limb by limb, with names of one word; the side-car remembers both as they were before."""
    if "order" not in stated and "names" not in stated:
        return skeleton, positions, rotations
    order = stated.get("order", list(range(len(skeleton))))
    place = np.argsort(order)  # place[old joint] = where it stands in the file
    names = stated.get("names") or [skeleton.names[i] for i in place]
    parents = [-1 if skeleton.parents[i] < 0 else order[skeleton.parents[i]] for i in place]
    end_sites = sorted(((order[j], tip) for j, tip in skeleton.end_sites), key=lambda end: end[0])
    skeleton = conventions.make_skeleton(path, names, parents, skeleton.offsets[place], end_sites)
    return skeleton, positions[:, place], rotations[:, place]
