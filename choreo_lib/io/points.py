"""Joints as points, with no bones and no rotations: what video gives, and what older data sets hold.

Taught in chapter 1, "Seeing a duet"; detections are cleaned in chapter 2. Repaired, and said so in
``motion.notes``: axes stored joints first are turned round, and a body whose joints have no names
gets the tree of short bones that change length least (a minimum spanning tree, see `infer_skeleton`).
"""

from __future__ import annotations

import io

import numpy as np

from ..body.motion import Duet, Motion
from ..body.skeleton import HYBRIK_29, Skeleton
from . import conventions
from .conventions import MAX_CELLS, check_counts, check_fps, fail
from .detections import is_detections, read_dancer
from .estimators import SMPL_24, read_json
from .layout import check_layout, layout_of, two_dancers
from .npz import read_array
from .refusals import flat_advice

_FPS = 30.0


def read_marker_json(path, up=None, scale=None, fps=None) -> Motion:
    """Read one dancer from a JSON list, joints x frames x 3 (or frames x joints x 3).

    Units: metres by ``scale``. Errors: MotionFormatError, naming the joint and frame.
    Chapter: 1. Data: mariel (Pettee et al., "Beyond Imitation", ICCC 2019).
    """
    lists = read_json(path)
    if is_detections(lists):
        return read_dancer(path, lists, up, scale, fps)
    if not isinstance(lists, list) or not lists:
        fail(path, "expected a list: joints x frames x 3")
    if isinstance(lists[0], list):
        check_counts(path, max(len(lists), len(lists[0])), min(len(lists), len(lists[0])))
    for i, row in enumerate(lists):
        if not isinstance(row, list) or len(row) != len(lists[0]):
            fail(path, f"expected a list as long as the first, {len(lists[0]) if isinstance(lists[0], list) else '?'} "
                       "entries", f"entry {i}")
        for k, point in enumerate(row):
            if not isinstance(point, list) or len(point) != 3 or not all(type(x) in (int, float) for x in point):
                fail(path, f"expected three numbers; got {str(point)[:40]}", f"entry {i}, {k}")
            if not all(abs(x) <= 1e9 for x in point):
                fail(path, f"expected finite numbers; got {str(point)[:60]}", f"entry {i}, {k}")
    return _from_points(path, np.array(lists, np.float64), up, scale, fps, always_turned=len(lists) < len(lists[0]))


def read_npy(path) -> np.ndarray:
    """A plain array of numbers from an npy file; pickled objects are refused."""
    data = conventions.load_bytes(path)
    array = read_array(path, io.BytesIO(data), len(data), "")
    if array.dtype.kind not in "fiu" or array.ndim not in (3, 4) or array.shape[-1] != 3 or 0 in array.shape:
        fail(path, f"expected numbers [frames, joints, 3] or [frames, 2, joints, 3]; got {array.dtype} {array.shape}"
                   + flat_advice(array.shape))
    if array.size > 6 * MAX_CELLS:
        fail(path, f"shape {array.shape} holds more than {MAX_CELLS:,} points a dancer; cut the take shorter")
    return array


def read_npy_motion(path, up=None, scale=None, fps=None) -> Motion:
    """Read one dancer from an array [T, J, 3], or [J, T, 3] where that is plain from the sizes."""
    array = read_npy(path)
    if array.ndim == 4:
        fail(path, f"shape {array.shape} holds one dancer in an axis too many; save array[{'0' * (array.shape[0] == 1)}"
                   f"{':, 0' * (array.shape[0] != 1)}]" if 1 in array.shape[:2] else
                   f"shape {array.shape} holds {array.shape[0 if array.shape[0] == 2 else 1]} dancers; take read_duet")
    found = layout_of(_finite(path, array)) if array.shape[0] >= array.shape[1] else None
    if found == "interleaved":
        fail(path, "rows jump to and fro, as where two dancers take turns (row 0 a, row 1 b, ...); take read_duet")
    notes = []
    if found == "stacked":
        conventions.guess(path, notes, "read as one dancer, who jumps once, in the middle",
                     "if all rows of a come before all rows of b, take read_duet")
    return _from_points(path, array, up, scale, fps, notes=notes)


def read_npy_duet(path, up=None, scale=None, fps=None, layout=None) -> Duet:
    """Read two dancers from [T, 2, J, 3], or [2T, J, 3] whose rows lie as ``layout`` says (see `layout.LAYOUTS`)."""
    array = read_npy(path)
    check_layout(path, layout)
    if array.ndim == 4 and array.shape[1] != 2:
        fail(path, f"expected two dancers [frames, 2, joints, 3]; got {array.shape}"
                   + (", which swapaxes(0, 1) would make so" if array.shape[0] == 2 else ""))
    if array.ndim == 4 and layout is not None:
        fail(path, f"the dancers of {array.shape} are parted already; leave layout= away", "layout=")
    array = _finite(path, array)
    if array.ndim == 3:
        array = two_dancers(path, array, layout)  # [T, 2, J, 3]
    frames, _, joints, _ = array.shape
    check_counts(path, frames, joints)
    # one guess for both: they stand in one world
    rows = array.transpose(1, 0, 2, 3).reshape(2 * frames, joints, 3)
    both = _from_points(path, rows, up, scale, fps, turnable=False)
    a, b = (
        conventions.build_motion(
            path,
            both.positions[i * frames : (i + 1) * frames],
            both.fps,
            both.skeleton,
            notes=both.notes,
            name=f"{both.name} {'ab'[i]}",
        )
        for i in range(2)
    )
    return Duet(a, b)


def _finite(path, array: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        points = array.astype(np.float64)
    bad = np.argwhere(~(np.abs(points) <= 1e9))
    if len(bad):
        fail(path, f"expected finite numbers; got {points[tuple(bad[0])]:g}", f"entry [{', '.join(map(str, bad[0]))}]")
    return points


def _from_points(path, array, up, scale, fps, always_turned=False, turnable=True, notes=()) -> Motion:
    notes = [*notes]
    points = _finite(path, array)
    if always_turned or turnable and points.shape[0] <= 200 < points.shape[1]:
        points = points.transpose(1, 0, 2)
        notes.append(f"axes turned round: the file holds {points.shape[1]} joints x {points.shape[0]} frames")
    frames, joints, _ = points.shape
    check_counts(path, frames, joints)
    known = {29: HYBRIK_29, 24: SMPL_24}
    if joints in known:
        skeleton = known[joints]
    else:
        skeleton, order = infer_skeleton(points)
        points = points[:, order]
        notes.append("the joints have no names; their tree is the one whose bones change length least, "
                     "and joint_07 is number 7 of the file")
    if fps is None:
        fps = _FPS
        conventions.guess(
            path, notes, f"frames per second guessed: {fps:g}", f"pass fps={fps:g} to say so, or what it is"
        )
    fps = check_fps(path, fps)
    matrix, scale = conventions.resolve_axes_and_units(path, skeleton, points, notes, up, scale)
    return conventions.build_motion(path, points @ matrix.T * scale, fps, skeleton, notes=notes)


def infer_skeleton(points: np.ndarray) -> tuple[Skeleton, list[int]]:
    """The tree over unnamed joints whose bones change length least, and the order that puts parents first.

    Shapes: ``points`` [T, J, 3]; the order lists the file's joints. Prim's algorithm from the joint
    nearest the body's middle; the cost of a bone is the spread of its length plus a tenth of the
    length, for a long reach that happens to stay even is rarely a bone.
    Chapter: 1.
    """
    few = points[:: max(1, len(points) // 100)]
    middle = few.mean(axis=1, keepdims=True)
    root = int(np.linalg.norm(few - middle, axis=-1).mean(axis=0).argmin())
    order, parents = [root], [-1]
    best, host = np.full(few.shape[1], np.inf), np.zeros(few.shape[1], int)
    left = np.ones(few.shape[1], dtype=bool)
    left[root] = False
    while left.any():
        length = np.linalg.norm(few - few[:, order[-1:]], axis=-1)  # [T, J]
        cost = length.std(axis=0) + 0.1 * length.mean(axis=0)
        closer = cost < best
        best[closer], host[closer] = cost[closer], len(order) - 1
        nearest = int(np.where(left, best, np.inf).argmin())
        if not left[nearest]:
            nearest = int(left.argmax())
        parents.append(int(host[nearest]))
        order.append(nearest)
        left[nearest] = False
    return Skeleton([f"joint_{j:02d}" for j in order], parents), order

