"""FBX, what studios exchange: read through ufbx, which knows its axes, units and baked animation.

Taught in chapter 1, "Seeing a duet". FBX is read here and not written: BVH and GLB are the way out.
A file may hold several animation stacks (takes) and several skeletons; which were read stands in ``motion.notes``.
"""

from pathlib import Path

import numpy as np
import torch

from ..body.kinematics import local_rotations
from ..body.motion import Motion
from ..body.skeleton import Skeleton
from ..core.deferred import roma
from .conventions import check_counts, check_fps, fail, first_few, load_bytes, stretching_note
from .fbx_scene import Body, Scene, Stack, find_bodies
from .record import Recording, build_motion

_SAMPLES = 2_000_000  # frames x nodes; each costs a call into ufbx
_LOOKS = 33  # times at which a stack is looked at, to see whether it moves


def read_fbx(path, up=None, scale=None, fps=None, take: str | int | None = None, dancers: int = 1) -> list[Motion]:
    """Read the dancer of an FBX file, or two on one clock, sampled at its own frame rate or at ``fps``.

    Where it has more dancers, those are read who move.
    Shapes: positions [T, J, 3], rotations [T, J, 4] over the bone nodes, parents first.
    Units: axes and unit are the file's own unless ``up`` or ``scale`` say otherwise. ``take`` is the animation stack,
    by name or number from 0; None: the longest in which somebody moves.
    Errors: MotionFormatError, also where there are not as many dancers; ImportError where ufbx is not installed.
    Chapter: 1.
    """
    data = load_bytes(path)
    with Scene(path, data) as scene:
        bodies, others, notes = find_bodies(path, scene.nodes)
        if len(bodies) < dancers:
            fail(path, "this .fbx file holds one dancer; pass the second dancer's file as well")
        take, span = _choose_take(path, scene, bodies, take, notes)
        if len(bodies) > dancers:
            moving = [body for body in bodies if _moves(scene, take, span, body.nodes)]
            if len(moving) != dancers:
                remedy = ("take read_duet(path), then duet.a or duet.b" if len(bodies) == 2 else
                          "read_duet takes two. Export the two that you want, or each to a file of its own")
                fail(path, f"{len(bodies)} dancers in this file ({_roots(bodies)}); {remedy}")
            others += [body for body in bodies if body not in moving]
            bodies = moving
        if others:
            notes.append(f"{len(others) + dancers} skeletons in the file; read: {_roots(bodies)}, and not "
                         f"{_roots(others)}")
        rate = check_fps(path, scene.fps if fps is None else fps)
        sampled = _sample(path, scene, bodies, take, span, rate, len(data))
    records = [_recording(path, scene, body, notes, matrices, rate) for body, matrices in zip(bodies, sampled)]
    if dancers > 1:
        for record, body in zip(records, bodies):
            record.name = f"{Path(path).stem} {body.label}"
    return [build_motion(record, up, scale) for record in records]


def _roots(bodies: list[Body]) -> str:
    return ("root " if len(bodies) == 1 else "roots ") + first_few((repr(body.root) for body in bodies), 6)


def _choose_take(path, scene: Scene, dancers: list[Body], take, notes: list[str]) -> tuple[int, tuple[float, float]]:
    """The animation stack's number, and the seconds from which to which it runs."""
    names, spans = [stack.name for stack in scene.stacks], [_span(stack, scene.fps) for stack in scene.stacks]
    listed = [f"{k} {name!r} ({end - begin:.2f} s)" for k, (name, (begin, end)) in enumerate(zip(names, spans))]
    if take is None:
        nodes = [i for body in dancers for i in body.nodes]
        longest = sorted(range(len(spans)), key=lambda k: spans[k][0] - spans[k][1])  # equals stay in the file's order
        moving = (k for k in longest if _moves(scene, k, spans[k], nodes))
        chosen, why = next(((k, "the longest that moves") for k in moving), (longest[0], "the longest; none moves"))
        if len(spans) > 1:
            others = "; ".join(words for k, words in enumerate(listed) if k != chosen)
            notes.append(f"{len(spans)} animation stacks; {names[chosen]!r} was read, {why}. take= chooses "
                         f"another: {others}")
    elif type(take) is int and -len(spans) <= take < len(spans):
        chosen = take % len(spans)
    else:  # by its name, by its name in any case, by what stands behind the bar (Armature|dance)
        word = take.lower() if isinstance(take, str) else None
        matches = [[k for k, name in enumerate(names) if name == take],
                   [k for k, name in enumerate(names) if name.lower() == word],
                   [k for k, name in enumerate(names) if word in (name.lower(), name.lower().rpartition("|")[2])]]
        chosen = next((found[0] for found in matches if len(found) == 1), -1)
        if chosen < 0:
            fail(path, f"expected an animation stack by number or name; got {str(take)[:80]!r}. There are: "
                       + "; ".join(listed), "take=")
    begin, end = scene.stacks[chosen][1:3]
    if (begin, end) != spans[chosen]:
        notes.append(f"the take states no usable range ({begin:g} to {end:g} s); it was read from its first "
                     "to its last key")
    return chosen, spans[chosen]


def _span(stack: Stack, fps: float) -> tuple[float, float]:
    """First and last second of a stack: as the file states them, else from its keys."""
    stated = _usable((stack.begin, stack.end)) and (stack.end - stack.begin) * max(fps, 1.0) > 0.99
    keyed = np.isfinite([stack.first_key, stack.last_key]).all() and stack.last_key > stack.first_key
    return (stack.first_key, stack.last_key) if keyed and not stated else (stack.begin, stack.end)


def _usable(span: tuple[float, float]) -> bool:
    begin, end = span
    return bool(np.isfinite([begin, end]).all()) and 0 <= end - begin <= 1e5 and abs(begin) <= 1e6


def _moves(scene: Scene, take: int, span: tuple[float, float], nodes) -> bool:
    """Whether nodes go anywhere, or turn, in a stack."""
    if not _usable(span) or span[0] == span[1]:
        return False
    matrices = scene.sample(take, list(nodes), np.linspace(*span, _LOOKS))  # [T, N, 4, 3]
    axes, places = matrices[:, :, :3], matrices[:, :, 3]
    with np.errstate(all="ignore"):
        return bool((np.ptp(places, axis=0) > 1e-4 * np.ptp(places[0], axis=0).max()).any()
                    or (np.ptp(axes, axis=0) > 1e-4 * np.abs(axes).max()).any())


def _sample(path, scene: Scene, dancers: list[Body], take: int, span, rate: float, size: int) -> list[np.ndarray]:
    """Each dancer's matrices to the world [T, J, 4, 3], frame by frame; ``size`` is the file's in bytes."""
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
    matrices = scene.sample(take, nodes, (np.arange(frames) + first) / rate)
    if not (np.abs(matrices) <= 1e9).all():
        fail(path, "the animation holds places or scales that are not finite, or beyond any stage")
    return np.split(matrices, np.cumsum([len(body.nodes) for body in dancers])[:-1], axis=1)


def _recording(path, scene: Scene, body: Body, notes: list[str], matrices: np.ndarray, rate: float) -> Recording:
    """One dancer from matrices to the world [T, J, 4, 3]: local rotations, and the mean of each bone as it turns."""
    axes, places, notes = matrices[:, :, :3].swapaxes(-1, -2), matrices[:, :, 3], [*notes, *body.notes]
    length = np.linalg.norm(axes, axis=-2, keepdims=True)
    if not (length > 1e-9).all():
        fail(path, "a bone is scaled to nothing, so it points nowhere")
    axes = axes / length
    if (np.linalg.det(axes) < 0).any():
        fail(path, "a bone is mirrored by a negative scale; apply the scale before exporting")
    world = roma.special_gramschmidt(torch.from_numpy(axes)).numpy()  # [T, J, 3, 3]
    parents, offsets = list(body.parents[1:]), np.zeros((len(body.names), 3))
    rotations = local_rotations(Skeleton(body.names, body.parents), world)
    bones = np.einsum("tjba,tjb->tja", world[:, parents], places[:, 1:] - places[:, parents])  # [T, J - 1, 3]
    offsets[1:] = bones.mean(axis=0)
    change = np.abs(bones - offsets[1:]).max(axis=(0, 2))
    rest = np.maximum(np.linalg.norm(offsets[1:], axis=-1), 1e-9)
    if stretched := [body.names[j + 1] for j in np.flatnonzero(change > 1e-3 * rest)]:
        notes.append(stretching_note(stretched))
    basis, up = _basis(scene.axes)
    return Recording(path, body.names, body.parents, places, rate, rotations, offsets=offsets, up=up,
                     unit=scene.unit if 1e-6 <= scene.unit <= 1e6 else None, basis=basis, notes=notes)


def _basis(axes: list[int]) -> tuple[np.ndarray, str | None]:
    """The matrix to right, back, up as x, y, z, and the up axis; a left-handed file is unmirrored by it."""
    right, up, front = axes
    rows = [right, front ^ 1, up]  # ufbx numbers them +x -x +y -y +z -z
    if not all(0 <= row < 6 for row in rows):
        return np.eye(3), None
    matrix = np.stack([np.eye(3), -np.eye(3)], axis=1).reshape(6, 3)[rows] + 0.0  # no minus before a zero
    return matrix, "-" * (up % 2) + "xyz"[up // 2] if abs(np.linalg.det(matrix)) > 0.5 else None
