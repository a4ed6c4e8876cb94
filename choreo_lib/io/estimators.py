"""Each pose estimator's own way to write three dimensions, as one table of `Detections`.

Taught in chapter 2, "From video to a duet".
"""

import itertools
import re
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from ..body.skeleton import Skeleton
from . import landmarks
from .conventions import MotionFormatError, fail
from .joint_sets import BODY_25, BODY_25_ORDER, H36M_17, SMPL_24, guess_tree, mirrored, tree_of_links

_2D = {17: "COCO", 18: "COCO with a neck", 23: "COCO with feet", 25: "BODY_25", 26: "Halpe", 29: "HybrIK's 29",
         133: "COCO-WholeBody", 136: "Halpe full body"}  # fmt: skip
_COLUMNS = {"score": (1,), "box": (4,), "keypoints": (29, 3), "pred_xyz_jts": (24, 3)}


@dataclass(frozen=True, eq=False)
class Detections:
    """What a pose estimator found: one row a person a frame, unsorted, untracked, as the file has it.

    Shapes: N rows. ``image_id`` N strings; ``frame`` int64 [N], the number in the image's name;
    ``person`` int64 [N], the tracker's number (the place in the list where there is no tracker); ``score`` [N];
    ``box`` [N, 4] x, y, width, height; ``keypoints`` [N, K, 3] x, y, confidence, K at least J, or None where the tool
    leaves no pixels; ``pred_xyz_jts`` [N, J, 3], the joints of ``skeleton`` (HybrIK's first 24, if the tool is HybrIK).
    Units: pixels for ``box`` and ``keypoints``; metres for ``pred_xyz_jts``: camera frame (Y down, z away) about the
    pelvis where there are ``keypoints`` to place them by; else as the tool places them, with ``up`` as its up axis
    (None: not stated). ``tool`` is who wrote it, ``notes`` what was repaired.
    Chapter: 2.
    """

    image_id: tuple[str, ...]
    frame: np.ndarray
    person: np.ndarray
    score: np.ndarray
    box: np.ndarray
    keypoints: np.ndarray | None
    pred_xyz_jts: np.ndarray
    skeleton: Skeleton = SMPL_24
    up: str | None = None
    tool: str = "AlphaPose/HybrIK"
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.image_id)


def read_records(path, records: list) -> Detections:
    """The table of AlphaPose/HybrIK records: objects with image_id, score, box, keypoints, pred_xyz_jts, perhaps idx.

    Errors: MotionFormatError, naming the record and its field. Chapter: 2.
    """
    table = {key: np.empty((len(records), *shape)) for key, shape in _COLUMNS.items()}
    names: list[str] = []
    frames: list[int] = []
    people: list[int] = []
    for n, record in enumerate(records):
        where = f"record {n}"
        if not isinstance(record, dict):
            fail(path, "expected an object with image_id, idx, score, box, keypoints and pred_xyz_jts", where)
        for key in ("image_id", *_COLUMNS):
            if key not in record:
                fail(path, f"the key {key!r} is missing", where)
        for key, shape in _COLUMNS.items():
            table[key][n] = numbers(path, record[key], shape, f"{where}, {key}")
        names.append(str(record["image_id"])[:400])
        frames.append(frame_number(path, names[-1], f"{where}, image_id"))
        # without a tracker people are numbered within their image: cleaning tracks them anyway
        place = people[-1] + 1 if n and frames[-1] == frames[-2] else 1
        people.append(_person(path, record.get("idx"), where, place))
    return Detections(tuple(names), np.array(frames), np.array(people), table["score"][:, 0], table["box"],
                      table["keypoints"], table["pred_xyz_jts"])


def read_mediapipe(path, frames: list, image_size) -> Detections:
    """Landmarks of many images, as `choreo_lib.io.landmarks.records` makes them. Chapter: 2."""
    size = landmarks.pixel_size(image_size)
    if size is None:
        fail(path, "MediaPipe's landmarks are shares of the image; pass image_size=(width, height) in pixels to clean "
                   f"or read_detections; got {image_size!r}")
    made = []
    for t, result in frames:
        try:
            made += landmarks.records(result, t, size) if result not in (None, [], {}) else []
        except MotionFormatError as error:
            fail(path, str(error).partition(": ")[2])
    return read_records(path, _somebody(path, made, frames))


def read_mmpose(path, frames: list, tree) -> Detections:
    """What a 3-D lifter made of 2-D key points: everybody about their own hips, Z up, and in a mirror. Chapter: 2."""
    rows = [(t, k, person) for t, people in frames for k, person in enumerate(people, 1)]
    first = _somebody(path, rows, frames)[0][2]["keypoints"]
    if len(first[0]) == 2:
        refuse_flat(path, "MMPose", frames)
    points = np.stack([numbers(path, person["keypoints"], (len(first), 3), f"frame {t}, person {k}, keypoints")
                       for t, k, person in rows])  # [N, J, 3]
    scores = np.stack([numbers(path, person["keypoint_scores"], (len(first),), f"frame {t}, person {k}, "
                               "keypoint_scores") for t, k, person in rows])  # [N, J]
    meta = tree.get("meta_info") if isinstance(tree, dict) else None
    skeleton = tree_of_links(meta, len(first)) or {17: H36M_17, 24: SMPL_24}.get(len(first)) or guess_tree(points)
    notes: tuple[str, ...] = ()
    if mirrored(points, skeleton):
        points = points * (-1, 1, 1)
        notes = ("MMPose's 3-D results are a mirror image (it turns x round, and exchanges two axes); turned back",)
    return _table("MMPose", rows, scores.mean(axis=1), points, skeleton, "z", notes=notes)


def read_openpose(path, frames: list) -> Detections:
    """What calibrated cameras saw, in their unit and axes; who was not seen whole is left out. Chapter: 2."""
    rows = [(frame_number(path, t), k, flat) for t, frame in frames for k, person in enumerate(frame["people"], 1)
            if (flat := person.get("pose_keypoints_3d"))]
    if not rows:
        refuse_flat(path, "OpenPose", frames)
    if len(rows[0][2]) != 100:
        fail(path, f"expected OpenPose's BODY_25, 25 x 4 numbers in pose_keypoints_3d; got {len(rows[0][2])}")
    table = np.stack([numbers(path, flat, (25, 4), f"frame {t}, person {k}, pose_keypoints_3d") for t, k, flat in rows])
    table = table[:, BODY_25_ORDER]
    whole = np.all(table[..., 3] > 0, axis=1)  # a joint that was not found stands at 0, 0, 0
    if not whole.any():
        fail(path, "nobody was seen whole: in every frame OpenPose has not found some joint in 3-D")
    rows, table = [rows[n] for n in np.flatnonzero(whole)], table[whole]
    return _table("OpenPose", rows, table[..., 3].mean(axis=1), table[..., :3], BODY_25, None)


def read_phalp(path, frames: list) -> Detections:
    """PHALP's joints are OpenPose's 25, then 19 others, then 0, 0, 0; about the pelvis, in the camera's frame.

    Pixels are shares of a square about the image. Who was lost is written on as last seen (``tracked_time`` above 0):
    left out. Chapter: 2.
    """
    rows, scores, points, keypoints, boxes = [], [], [], [], []
    for name, frame in frames:
        t = frame_number(path, name)
        for k, joints in enumerate(frame["3d_joints"]):
            if frame.get("tracked_time", [0] * (k + 1))[k]:
                continue
            where = f"{name}, person {k + 1}"
            height, width = numbers(path, frame["size"][k], (2,), f"{where}, size")
            side = max(height, width)
            pixels = numbers(path, frame["2d_joints"][k], (45, 2), f"{where}, 2d_joints")[BODY_25_ORDER] * side
            pixels -= ((side - width) // 2, (side - height) // 2)
            solid = numbers(path, joints, (45, 3), f"{where}, 3d_joints")[BODY_25_ORDER]
            low, high = pixels.min(axis=0), pixels.max(axis=0)
            boxes.append(numbers(path, frame["bbox"][k], (4,), f"{where}, bbox") if "bbox" in frame
                         else np.concatenate([low, high - low]))
            scores.append(numbers(path, frame["conf"][k], (1,), f"{where}, conf")[0] if "conf" in frame else 1.0)
            keypoints.append(np.column_stack([pixels, np.ones(25)]))
            points.append(solid - solid[0])
            rows.append((t, int(frame["tid"][k]) if "tid" in frame else k + 1, None))
    _somebody(path, rows, frames)
    return _table("4DHumans/PHALP", rows, np.array(scores), np.stack(points), BODY_25, "-y", boxes=np.stack(boxes),
                  keypoints=np.stack(keypoints))


def _somebody(path, rows: list, frames: list) -> list:
    if not rows:
        fail(path, f"none of the {len(frames)} frames shows anybody")
    return rows


def _table(tool, rows, scores, points, skeleton, up, boxes=None, keypoints=None, notes=()) -> Detections:
    frame = np.array([int(row[0]) for row in rows])
    boxes = np.zeros((len(rows), 4)) if boxes is None else boxes
    return Detections(tuple(map(str, frame)), frame, np.array([row[1] for row in rows]), scores, boxes, keypoints,
                      points, skeleton, up, tool, notes)


def frame_number(path, name, where: str = "the frame's name") -> int:
    """The last number in an image's name, its suffix left out. Chapter: 2."""
    name = str(name)[:400]
    digits = re.findall(r"[0-9]+", re.sub(r"\.\w+$", "", name))
    if not digits or len(digits[-1]) > 12:
        fail(path, f"expected an image name that ends in the frame's number; got {name[:40]!r}", where)
    return int(digits[-1])


def _person(path, person, where: str, place: int) -> int:
    """The tracker's number (of a pose merged of several the first, which stayed), or ``place`` where there is none."""
    while isinstance(person, list) and person:
        person = person[0]
    if person is None or person == []:
        return place
    if type(person) not in (int, float) or not abs(person) < 2**31 or person != int(person):
        fail(path, f"expected the person's whole number; got {str(person)[:40]!r}", f"{where}, idx")
    return int(person)


def numbers(path, value, shape: tuple[int, ...], where: str) -> np.ndarray:
    """A number, a flat list, or a list of lists, as finite floats of a shape.

    Shapes: float64 [*shape]. Errors: MotionFormatError, naming the place, for another size or what is no finite number.
    Chapter: 2.
    """
    value = value if isinstance(value, list) else [value]
    if value and all(isinstance(part, list) for part in value):
        if len(value) == 1 or all(len(part) == shape[-1] for part in value):
            value = list(itertools.chain.from_iterable(value))
    if not {type(part) for part in value} <= {int, float}:
        fail(path, "expected numbers only", where)
    if len(value) != np.prod(shape):
        fail(path, f"expected {' x '.join(map(str, shape))} numbers; got {len(value)}", where)
    for place, number in enumerate(value):
        if not abs(number) <= 1e9:
            fail(path, f"expected finite numbers; got {str(number)[:40]} in place {place}", where)
    return np.array(value, np.float64).reshape(shape)


def refuse_flat(path, tool: str, frames) -> NoReturn:
    """Say that pixels are no dance yet, and how to get one. Errors: MotionFormatError, always. Chapter: 2."""
    joints = _joints(frames)
    count = f" ({joints} joints a person{', ' + _2D[joints] if joints in _2D else ''})" if joints else ""
    lost = " (where AlphaPose ran with HybrIK, run it without --format: that leaves pred_xyz_jts out)"
    fail(path, f"key points of {tool} in 2-D only{count}: where in the picture each joint was seen, not how far from "
               "the camera, and cleaning cannot add that. Run a 3-D estimator on the same video: AlphaPose with a "
               f"HybrIK model, whose records have pred_xyz_jts{lost if '--format' in tool else ''}, 4DHumans, or "
               "MediaPipe's PoseLandmarker, whose results choreo_lib.io.landmarks.records turns into records; "
               "then choreo_lib.clean(path, fps). 3-D joints of another tool, in metres: "
               "choreo_lib.clean([array [people, joints, 3] of each frame], fps)")


def _joints(frames) -> int | None:
    """How many joints the first person of a file in 2-D has."""
    while isinstance(frames, (list, tuple, dict)) and frames:
        if isinstance(frames, dict):
            found = next((frames[key] for key in ("keypoints", "pose_keypoints_2d", "joints") if frames.get(key)), None)
            if found is not None:
                if isinstance(found, dict):
                    return len(found.get("x", ()))
                return len(found) if isinstance(found[0], (list, dict)) else len(found) // 3
            frames = frames.get("people") or frames.get("bodies") or frames.get("instances")
        else:
            frames = next((part for part in reversed(frames) if isinstance(part, (list, tuple, dict)) and part), None)
    return None
