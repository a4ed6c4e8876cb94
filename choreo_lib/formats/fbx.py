"""FBX, what studios exchange: read through ufbx, which knows its axes, units and baked animation.

Taught in chapter 1, "Seeing a duet". FBX is read here and not written: BVH and GLB are the way out.
"""

from __future__ import annotations

import numpy as np
import roma
import torch

from ..motion import Motion
from . import border
from .border import check_counts, check_fps, fail

_SAMPLES = 2_000_000  # frames x nodes; each costs a call into ufbx


def read_fbx(path, up=None, scale=None, fps=None) -> Motion:
    """Read the largest skeleton of an FBX file, sampled at its own frame rate or at ``fps``.

    Shapes: positions [T, J, 3], rotations [T, J, 4] over the bone nodes, parents first.
    Units: axes and unit are the file's own unless ``up`` or ``scale`` say otherwise.
    Errors: MotionFormatError; ImportError where ufbx is not installed, with the line that installs it.
    Chapter: 1.
    """
    try:
        import ufbx
    except ImportError as error:
        raise ImportError("FBX files are read through ufbx, which is not installed; "
                          "run: pip install 'choreo-lib[fbx]'") from error
    data, notes = border.load_bytes(path), []
    try:
        scene = ufbx.load_memory(data, ignore_geometry=True, ignore_embedded=True,
                                 temp_allocator={"memory_limit": 300_000_000},
                                 result_allocator={"memory_limit": 300_000_000})
    except (ufbx.UfbxError, ValueError, OSError, UnicodeDecodeError, MemoryError, RuntimeError) as error:
        raise border.MotionFormatError(f"{border.Path(path).name}: expected an FBX file: "
                                       f"{str(error)[:160] or type(error).__name__}") from error
    nodes = list(scene.nodes)
    names, parents, picked = _bones(path, ufbx, nodes, notes)
    settings, anim = scene.settings, scene.anim
    rate = check_fps(path, settings.frames_per_second if fps is None else fps)
    begin, end = anim.time_begin, anim.time_end
    if not (np.isfinite([begin, end]).all() and 0 <= end - begin <= 1e5 and abs(begin) <= 1e6):
        fail(path, f"expected an animation of some seconds; it claims to run from {begin:g} to {end:g} s")
    # takes begin on a frame of the studio's clock; sampling on that grid keeps the recorded frames
    first = int(np.ceil(begin * rate - 0.01))
    frames = max(int(np.floor(end * rate + 0.01)) - first + 1, 1)
    check_counts(path, frames, len(names), "take")
    # a small file that claims an hour of dance is spoiled: recorded frames take room
    if frames * len(nodes) > min(_SAMPLES, 100_000 + len(data) // 4):
        fail(path, f"{frames:,} frames of {len(nodes)} nodes are more than this reader takes; pass a lower fps=")
    places, axes = _sample(scene, anim, picked, (np.arange(frames) + first) / rate)
    if not ((np.abs(places) <= 1e9).all() and (np.abs(axes) <= 1e9).all()):
        fail(path, "the animation holds places or scales that are not finite, or beyond any stage")
    return _build(path, names, parents, places, axes, rate, notes, up, scale, settings)


def _bones(path, ufbx, nodes, notes):
    """Names, parents and node numbers of the largest skeleton's bones."""
    above = [-1 if node.is_root else node.parent.typed_id for node in nodes]
    kinds = [node.attrib_type for node in nodes]
    wanted = [kind == ufbx.ElementType.BONE for kind in kinds]
    if not any(wanted):
        wanted = [kind == ufbx.ElementType.EMPTY for kind in kinds]
        notes.append("no bone nodes; empty nodes were taken for joints")
    hosts, tops = [-1] * len(nodes), list(range(len(nodes)))  # nearest bone above, and the topmost
    for i in range(len(nodes)):  # ufbx lists parents before children
        if above[i] >= 0:
            hosts[i] = above[i] if wanted[above[i]] else hosts[above[i]]
            tops[i] = tops[hosts[i]] if hosts[i] >= 0 else i
    bodies = {}
    for i, is_bone in enumerate(wanted):
        if is_bone:
            bodies.setdefault(tops[i], []).append(i)
    if not bodies:
        fail(path, "there is no skeleton in this file: no bone nodes and no empty ones")
    picked = max(bodies.values(), key=len)
    if len(bodies) > 1:
        notes.append(f"{len(bodies)} skeletons in the file; the largest, under {nodes[picked[0]].name!r}, was read")
    check_counts(path, 1, len(picked))
    names = []
    for i in picked:
        name, count = nodes[i].name or "joint", 2
        while (fresh := name if count == 2 and name not in names else f"{name}_{count}") in names:
            count += 1
        if fresh != name:
            notes.append(f"joint name {name!r} stood twice; the later one is now {fresh!r}")
        names.append(fresh)
    place = {node: j for j, node in enumerate(picked)}
    return names, [place.get(hosts[i], -1) for i in picked], picked


def _sample(scene, anim, picked, times):
    """World places [T, J, 3] and axes [T, J, 3, 3] (columns) of the picked nodes."""
    matrices = np.empty((len(times), len(picked), 4, 3))
    for t, time in enumerate(times):
        with scene.evaluate(anim, float(time)) as frame:
            nodes = list(frame.nodes)
            for j, i in enumerate(picked):
                matrices[t, j] = nodes[i].node_to_world
            del nodes
    return matrices[:, :, 3], matrices[:, :, :3].swapaxes(-1, -2)


def _build(path, names, parents, places, axes, rate, notes, up, scale, settings) -> Motion:
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
    skeleton = border.make_skeleton(path, names, parents, offsets)
    with np.errstate(all="ignore"):
        matrix, stated = _axes(settings.axes)
        unit = settings.unit_meters
        turned, scale = border.settle(path, skeleton, places, notes, up, scale, "z" if stated else None,
                                      unit if 1e-6 <= unit <= 1e6 else None)
        matrix = matrix if up is None and stated else turned
        skeleton = border.make_skeleton(path, names, parents, offsets @ matrix.T * scale)
        return border.finish(path, places @ matrix.T * scale, rate, skeleton,
                             border.turn(matrix, rotations.numpy()), notes)


def _axes(axes) -> tuple[np.ndarray, bool]:
    """The matrix to right, back, up as x, y, z; a left-handed file is unmirrored by it."""
    rows = [int(axes.right), int(axes.front) ^ 1, int(axes.up)]  # ufbx numbers them +x -x +y -y +z -z
    matrix = np.zeros((3, 3))
    if not all(0 <= row < 6 for row in rows):
        return np.eye(3), False
    for i, row in enumerate(rows):
        matrix[i, row // 2] = -1.0 if row % 2 else 1.0
    return matrix, abs(np.linalg.det(matrix)) > 0.5
