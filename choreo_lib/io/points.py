"""Joints as points, with no bones and no rotations: what video gives, and what older data sets hold.

Taught in chapter 1, "Seeing a duet"; detections are cleaned in chapter 2. Repaired, and said so in
``motion.notes``: axes stored joints first are turned round, and a body whose joints have no names
gets the tree of short bones that change length least (a minimum spanning tree, see `infer_skeleton`).
"""

from dataclasses import replace

import numpy as np

from ..body.motion import Duet, Motion
from ..body.skeleton import HYBRIK_29
from ..core.arguments import shown
from .arrays import flat_advice, load_array, read_json
from .conventions import MAX_CELLS, check_counts, fail, guess, load_bytes
from .detections import is_detections, read_dancer
from .joint_sets import SMPL_24, infer_skeleton
from .record import Recording, build_motion

LAYOUTS = {"interleaved": "row 0 a, row 1 b, row 2 a, ...", "stacked": "all rows of a, then all rows of b"}


def read_marker_json(path, up=None, scale=None, fps=None) -> list[Motion]:
    """Read one dancer from a JSON list, joints x frames x 3 (or frames x joints x 3).

    Units: metres by ``scale``. Errors: MotionFormatError, naming the joint and frame.
    Chapter: 1. Data: mariel (Pettee et al., "Beyond Imitation", ICCC 2019).
    """
    lists = read_json(path)
    if is_detections(lists):
        return [read_dancer(path, lists, up, scale, fps)]
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
    points, notes = np.array(lists, np.float64), list[str]()
    if len(lists) < len(lists[0]):
        points = frames_first(points, notes)
    return [build_motion(points_recording(path, points, notes), up, scale, fps)]


def read_npy(path) -> np.ndarray:
    """Finite numbers [N, J, 3] or [N, M, J, 3] of an NPY. Errors: MotionFormatError, naming the entry. Chapter: 1."""
    array = load_array(path, load_bytes(path))
    if array.dtype.kind not in "fiu" or array.ndim not in (3, 4) or array.shape[-1] != 3 or 0 in array.shape:
        fail(path, f"expected numbers [frames, joints, 3] or [frames, 2, joints, 3]; got {array.dtype} {array.shape}"
                   + flat_advice(array.shape))
    if array.size > 6 * MAX_CELLS:
        fail(path, f"shape {array.shape} holds more than {MAX_CELLS:,} points a dancer; cut the take shorter")
    return finite(path, array)


def read_npy_motion(path, up=None, scale=None, fps=None) -> list[Motion]:
    """Read one dancer of [T, J, 3], or of [J, T, 3] where its sizes say so, as `choreo_lib.read_motion`. Chapter: 1."""
    array = read_npy(path)
    if array.ndim == 4:
        fail(path, f"shape {array.shape} holds one dancer in an axis too many; save array[{'0' * (array.shape[0] == 1)}"
                   f"{':, 0' * (array.shape[0] != 1)}]" if 1 in array.shape[:2] else
                   f"shape {array.shape} holds {array.shape[0 if array.shape[0] == 2 else 1]} dancers; take read_duet")
    found = layout_of(array) if array.shape[0] >= array.shape[1] else None
    if found == "interleaved":
        fail(path, "rows jump to and fro, as where two dancers take turns (row 0 a, row 1 b, ...); take read_duet")
    notes: list[str] = []
    if found == "stacked":
        guess(path, notes, "read as one dancer, who jumps once, in the middle",
              "if all rows of a come before all rows of b, take read_duet")
    if array.shape[0] <= 200 < array.shape[1]:
        array = frames_first(array, notes)
    return [build_motion(points_recording(path, array, notes), up, scale, fps)]


def read_npy_duet(path, up=None, scale=None, fps=None, layout: str | None = None) -> Duet:
    """Read two of [T, 2, J, 3], or [2T, J, 3] with a ``layout`` (`LAYOUTS`), as `choreo_lib.read_duet`. Chapter: 1."""
    array = read_npy(path)
    if array.ndim == 4 and array.shape[1] != 2:
        fail(path, f"expected two dancers [frames, 2, joints, 3]; got {array.shape}"
                   + (", which swapaxes(0, 1) would make so" if array.shape[0] == 2 else ""))
    if array.ndim == 4 and layout is not None:
        fail(path, f"the dancers of {array.shape} are parted already; leave layout= away", "layout=")
    if array.ndim == 3:
        array = two_dancers(path, array, layout)  # [T, 2, J, 3]
    return split_duet(build_motion(points_recording(path, stacked(path, array)), up, scale, fps))


def stacked(path, array: np.ndarray) -> np.ndarray:
    """Both dancers' rows one behind the other, who share one guess: [T, 2, J, 3] -> [2T, J, 3]. Chapter: 1."""
    check_counts(path, len(array), array.shape[2])
    return array.swapaxes(0, 1).reshape(-1, *array.shape[2:])


def finite(path, array: np.ndarray, where: str = "") -> np.ndarray:
    """The array [...] in float64. Errors: MotionFormatError, naming the first entry that is not finite. Chapter: 1."""
    with np.errstate(all="ignore"):
        points = array.astype(np.float64)
    bad = np.argwhere(~(np.abs(points) <= 1e9))
    if len(bad):
        fail(path, f"expected finite numbers; got {points[tuple(bad[0])]:g}",
             f"{where}entry [{', '.join(map(str, bad[0]))}]")
    return points


def frames_first(points: np.ndarray, notes: list[str]) -> np.ndarray:
    """Joints first to frames first, [J, T, 3] -> [T, J, 3], and say so. Chapter: 1."""
    notes.append(f"axes turned round: the file holds {points.shape[0]} joints x {points.shape[1]} frames")
    return points.transpose(1, 0, 2)


def points_recording(path, points: np.ndarray, notes=(), fps: float | None = None) -> Recording:
    """The recording of points [T, J, 3]: a body known by its number of joints, or a tree inferred. Chapter: 1."""
    check_counts(path, *points.shape[:2])
    notes, skeleton = [*notes], {29: HYBRIK_29, 24: SMPL_24}.get(points.shape[1])
    if skeleton is None:
        skeleton, order = infer_skeleton(points)
        points = points[:, order]
        notes.append("the joints have no names; their tree is the one whose bones change length least, "
                     "and joint_07 is number 7 of the file")
    return Recording(path, skeleton.names, skeleton.parents, points, fps, notes=notes)


def layout_of(points: np.ndarray) -> str | None:
    """Either "interleaved", "stacked", or None where the rows [N, J, 3] move as one dancer does, or it is not clear.

    Bodies do not jump. Where two take turns, a row is far from the next and near the one after it; where one comes
    after the other, there is one jump, and it is in the middle. Chapter: 1.
    """
    if len(points) < 8 or len(points) % 2:
        return None
    step, double = (np.linalg.norm(points[k:] - points[:-k], axis=-1).mean(axis=-1) for k in (1, 2))
    if np.median(step) > 4 * np.median(double):
        return "interleaved"
    middle = len(points) // 2 - 1
    others = np.delete(step, middle)
    if step[middle] > 3 * others.max() and step[middle] > 8 * np.median(others):
        return "stacked"
    return None


def two_dancers(path, points: np.ndarray, layout: str | None) -> np.ndarray:
    """Rows [2T, J, 3] as [T, 2, J, 3]. ``layout`` "interleaved" or "stacked"; None: what continuity shows.

    Errors: MotionFormatError where it shows one dancer, or nothing. Chapter: 1.
    """
    if layout is not None and (not isinstance(layout, str) or layout not in LAYOUTS):
        fail(path, f"expected {' or '.join(map(repr, LAYOUTS))}; got {shown(layout)}", "layout=")
    if len(points) % 2:
        fail(path, f"expected an even number of rows, two a frame; got {len(points)}. One dancer is read by "
                   "read_motion")
    found = layout or layout_of(points)
    if found is None:
        fail(path, f"{len(points)} rows that move as one dancer does, or as two who nearly coincide. One dancer is "
                   "read by read_motion; if these are two, say how their rows lie: " + ", ".join(
                       f"layout={name!r} ({rows})" for name, rows in LAYOUTS.items()))
    if found == "interleaved":
        return points.reshape(-1, 2, *points.shape[1:])
    return points.reshape(2, -1, *points.shape[1:]).swapaxes(0, 1)


def split_duet(both: Motion) -> Duet:
    """Two dancers who stand one behind the other [2T, J, 3], since one world has one up axis. Chapter: 1."""
    frames = len(both) // 2
    return Duet(*(replace(both[k * frames:(k + 1) * frames], name=f"{both.name} {who}") for k, who in enumerate("ab")))
