"""FBX, what studios exchange: read through ufbx, which knows its axes, units and baked animation.

Taught in chapter 1, "Seeing a duet". FBX is read here and not written: BVH and GLB are the way out.
A file may hold several animation stacks (takes) and several skeletons; which were read stands in ``motion.notes``.
"""

from __future__ import annotations

import numpy as np
import torch

from ..body.motion import Motion
from ..body.rotations import change_basis
from ..core.deferred import roma
from . import conventions
from .conventions import check_counts, check_fps, fail
from .fbx_bodies import Body, find_bodies
from .fbx_scene import Scene

_SAMPLES = 2_000_000  # frames x nodes; each costs a call into ufbx
_LOOKS = 33  # times at which a stack is looked at, to see whether it moves


def read_fbx(path, up=None, scale=None, fps=None, take=None) -> Motion:
    """Read the dancer of an FBX file, sampled at its own frame rate or at ``fps``.

    Shapes: positions [T, J, 3], rotations [T, J, 4] over the bone nodes, parents first.
    Units: axes and unit are the file's own unless ``up`` or ``scale`` say otherwise. ``take`` is the animation stack,
    by name or number from 0; None: the longest in which somebody moves.
    Errors: MotionFormatError, also where the file holds several dancers; ImportError where ufbx is not installed.
    Chapter: 1.
    """
    data = conventions.load_bytes(path)
    with Scene(path, data) as scene:
        dancers, others, notes = find_bodies(path, scene.nodes)
        take, span = _choose_take(path, scene, dancers, take, notes)
        if len(dancers) > 1:
            moving = [body for body in dancers if _moves(scene, take, span, body.nodes)]
            if len(moving) != 1:
                fail(path, f"{len(dancers)} dancers in this file ({_roots(dancers)}); " + (
                    "take read_duet(path), then duet.a or duet.b" if len(dancers) == 2 else
                    "read_duet takes two. Export the two that you want, or each to a file of its own"))
            others += [body for body in dancers if body is not moving[0]]
            dancers = moving
        if others:
            notes.append(f"{len(others) + 1} skeletons in the file; the one under {dancers[0].root!r} was read, not "
                         f"{_roots(others)}")
        return _read(path, scene, dancers, take, span, notes, up, scale, fps, len(data))[0]


def read_fbx_duet(path, up=None, scale=None, fps=None, take=None) -> tuple[Motion, Motion]:
    """Read the two dancers of an FBX file, in its order, on one clock.

    Errors: MotionFormatError where there are not two. Chapter: 1.
    """
    data = conventions.load_bytes(path)
    with Scene(path, data) as scene:
        dancers, others, notes = find_bodies(path, scene.nodes)
        if len(dancers) == 1:
            fail(path, "this .fbx file holds one dancer; pass the second dancer's file as well")
        take, span = _choose_take(path, scene, dancers, take, notes)
        if len(dancers) > 2:
            moving = [body for body in dancers if _moves(scene, take, span, body.nodes)]
            if len(moving) != 2:
                fail(path, f"{len(dancers)} dancers in this file ({_roots(dancers)}), and a duet has two. Export the "
                           "two that you want, or each to a file of its own")
            others += [body for body in dancers if body not in moving]
            dancers = moving
        if others:
            notes.append(f"{len(others) + 2} skeletons in the file; those under {_roots(dancers)} were read, not "
                         f"{_roots(others)}")
        a, b = _read(path, scene, dancers, take, span, notes, up, scale, fps, len(data))
        return a, b


def _roots(bodies) -> str:
    some = ", ".join(repr(body.root) for body in bodies[:6])
    return ("root " if len(bodies) == 1 else "roots ") + some + (" ..." if len(bodies) > 6 else "")


def _choose_take(path, scene: Scene, dancers, take, notes: list) -> tuple[int, tuple[float, float]]:
    """The animation stack's number, and the seconds from which to which it runs."""
    spans = [_span(scene, k) for k in range(len(scene.stacks))]
    told = [f"{k} {stack[0]!r} ({span[1] - span[0]:.2f} s)" for k, (stack, span) in enumerate(zip(scene.stacks, spans))]
    names = [stack[0] for stack in scene.stacks]
    if take is None:
        nodes = [i for body in dancers for i in body.nodes]
        longest = sorted(range(len(spans)), key=lambda k: spans[k][0] - spans[k][1])  # equals stay in the file's order
        chosen = next((k for k in longest if _moves(scene, k, spans[k], nodes)), None)
        why, chosen = ("the longest; none moves", longest[0]) if chosen is None else ("the longest that moves", chosen)
        if len(spans) > 1:
            others = "; ".join(word for k, word in enumerate(told) if k != chosen)
            notes.append(f"{len(spans)} animation stacks; {names[chosen]!r} was read, {why}. take= chooses "
                         f"another: {others}")
    elif type(take) is int and -len(spans) <= take < len(spans):
        chosen = take % len(spans)
    else:
        same = [[k for k, name in enumerate(names) if isinstance(take, str) and take.lower() in spelled(name.lower())]
                for spelled in (lambda name: (name,), lambda name: (name, name.rpartition("|")[2]))]
        exact = [k for k, name in enumerate(names) if name == take]
        chosen = next((found[0] for found in (exact, *same) if len(found) == 1), None)
        if chosen is None:
            fail(path, f"expected an animation stack by number or name; got {str(take)[:80]!r}. There are: "
                       + "; ".join(told), "take=")
    stated = scene.stacks[chosen][1:3]
    if tuple(stated) != spans[chosen]:
        notes.append(f"the take states no usable range ({stated[0]:g} to {stated[1]:g} s); it was read from its first "
                     "to its last key")
    return chosen, spans[chosen]


def _span(scene: Scene, k: int) -> tuple[float, float]:
    """First and last second of a stack: as the file states them, else from its keys."""
    _, begin, end, first, last = scene.stacks[k]
    stated = _usable((begin, end)) and (end - begin) * max(scene.fps, 1.0) > 0.99
    keyed = bool(np.isfinite([first, last]).all()) and last - first > max(end - begin if stated else 0.0, 0.0)
    return (first, last) if keyed and not stated else (begin, end)


def _usable(span) -> bool:
    begin, end = span
    return bool(np.isfinite([begin, end]).all()) and 0 <= end - begin <= 1e5 and abs(begin) <= 1e6


def _moves(scene: Scene, k: int, span, nodes) -> bool:
    """Whether nodes go anywhere, or turn, in a stack."""
    if not _usable(span) or span[0] == span[1]:
        return False
    seen = scene.sample(k, list(nodes), np.linspace(*span, _LOOKS))  # [T, N, 4, 3]
    with np.errstate(all="ignore"):
        size = np.ptp(seen[0, :, 3], axis=0).max()
        return bool((np.ptp(seen[:, :, 3], axis=0) > 1e-4 * size).any() or (np.ptp(seen[:, :, :3], axis=0)
                    > 1e-4 * np.abs(seen[:, :, :3]).max()).any())


def _read(path, scene: Scene, dancers: list[Body], take, span, notes, up, scale, fps, size: int) -> list[Motion]:
    rate = check_fps(path, scene.fps if fps is None else fps)
    begin, end = span
    if not _usable(span):
        fail(path, f"expected an animation of some seconds; it claims to run from {begin:g} to {end:g} s")
    # takes begin on a frame of the studio's clock; sampling on that grid keeps the recorded frames
    first = int(np.ceil(begin * rate - 0.01))
    frames = max(int(np.floor(end * rate + 0.01)) - first + 1, 1)
    for body in dancers:
        check_counts(path, frames, len(body.names), "take")
    # a small file that claims an hour of dance is spoiled: recorded frames take room
    if frames * len(scene.nodes) > min(_SAMPLES, 100_000 + size // 4):
        fail(path, f"{frames:,} frames of {len(scene.nodes)} nodes are more than this reader takes; pass a lower fps=")
    nodes = [i for body in dancers for i in body.nodes]
    seen = scene.sample(take, nodes, (np.arange(frames) + first) / rate)
    if not (np.abs(seen) <= 1e9).all():
        fail(path, "the animation holds places or scales that are not finite, or beyond any stage")
    motions, at = [], 0
    for body in dancers:
        one = seen[:, at:at + len(body.nodes)]
        at += len(body.nodes)
        name = f"{conventions.Path(path).stem} {body.label}" if len(dancers) > 1 else None
        motions.append(_build(path, body, one[:, :, 3], one[:, :, :3].swapaxes(-1, -2), rate, notes, up, scale, scene,
                              name))
    return motions


def _build(path, body: Body, places, axes, rate, notes, up, scale, scene: Scene, name) -> Motion:
    names, parents, notes = body.names, body.parents, [*notes, *body.notes]
    length = np.linalg.norm(axes, axis=-2, keepdims=True)
    if not (length > 1e-9).all():
        fail(path, "a bone is scaled to nothing, so it points nowhere")
    mirrored = np.linalg.det(axes / length) < 0
    if mirrored.any():
        fail(path, "a bone is mirrored by a negative scale; apply the scale before exporting")
    world = roma.rotmat_to_unitquat(roma.special_gramschmidt(torch.from_numpy(axes / length)))  # [T, J, 4]
    rotations, offsets, stretched = world.clone(), np.zeros((len(names), 3)), []
    for j, parent in enumerate(parents):
        if parent < 0:
            continue
        undo = roma.quat_conjugation(world[:, parent])
        rotations[:, j] = roma.quat_product(undo, world[:, j])
        bone = roma.quat_action(undo, torch.from_numpy(places[:, j] - places[:, parent])).numpy()
        offsets[j] = bone.mean(axis=0)
        if np.abs(bone - offsets[j]).max() > 1e-3 * max(np.linalg.norm(offsets[j]), 1e-9):
            stretched.append(names[j])
    if stretched:
        some = ", ".join(stretched[:3]) + (" ..." if len(stretched) > 3 else "")
        notes.append(f"bones change length: {len(stretched)} ({some}); the skeleton holds their mean")
    skeleton = conventions.make_skeleton(path, names, parents, offsets)
    with np.errstate(all="ignore"):
        matrix, stated = _axes(scene.axes)
        unit = scene.unit
        turned, scale = conventions.resolve_axes_and_units(path, skeleton, places, notes, up, scale, stated,
                                      unit if 1e-6 <= unit <= 1e6 else None)
        matrix = matrix if up is None and stated else turned
        skeleton = conventions.make_skeleton(path, names, parents, offsets @ matrix.T * scale)
        return conventions.build_motion(path, places @ matrix.T * scale, rate, skeleton,
                             change_basis(matrix, rotations.numpy()), notes, name=name)


def _axes(axes) -> tuple[np.ndarray, str | None]:
    """The matrix to right, back, up as x, y, z, and the up axis; a left-handed file is unmirrored by it."""
    right, up, front = axes
    rows = [right, front ^ 1, up]  # ufbx numbers them +x -x +y -y +z -z
    matrix = np.zeros((3, 3))
    if not all(0 <= row < 6 for row in rows):
        return np.eye(3), None
    for i, row in enumerate(rows):
        matrix[i, row // 2] = -1.0 if row % 2 else 1.0
    return matrix, "-" * (up % 2) + "xyz"[up // 2] if abs(np.linalg.det(matrix)) > 0.5 else None
