"""Which pose estimator wrote this? Told from names and shapes; read where it is 3-D, and else the way on is named.

The layouts are those of the tools' own writers: AlphaPose `alphapose/utils/pPose_nms.py` (its own form, "cmu" and
"open"), OpenPose `doc/02_output.md`, MMPose 1.3.2 `mmpose/structures/utils.py` and `mmpose/apis/inferencers`, PHALP
`README.md` ("Output .pkl structure"), COCO's results format, Ultralytics `Results.to_json`.
Taught in chapter 2, "From video to a duet".
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np

from ..skeleton import Skeleton
from . import landmarks
from .border import MAX_FRAMES, MotionFormatError, fail, load_bytes
from .detections import SMPL_24, Detections, frame_number, numbers, read_json, read_records
from .joint_sets import BODY_25, BODY_25_ORDER, H36M_17, mirrored, tree_of_links

_BODY = {17: "COCO", 18: "COCO with a neck", 23: "COCO with feet", 25: "BODY_25", 26: "Halpe", 29: "HybrIK's 29",
         133: "COCO-WholeBody", 136: "Halpe full body"}  # fmt: skip
_HYBRIK = "AlphaPose/HybrIK"
_READ = ("AlphaPose/HybrIK (pred_xyz_jts), MMPose 3-D (instance_info), OpenPose --3d (people), 4DHumans/PHALP saved as "
         "JSON (3d_joints), MediaPipe (pose_world_landmarks)")  # fmt: skip


def read(path, tree, image_size=None) -> Detections:
    """The detections in parsed JSON, whoever wrote it.

    Errors: MotionFormatError: the tool, what its file lacks, and the way on. Chapter: 2.
    """
    if tree in ([], {}) or not isinstance(tree, (list, dict)):
        fail(path, f"expected a list with at least one detection, or a file of another tool: {_READ}")
    tool, frames = recognise(path, tree)
    readers = {_HYBRIK: lambda: read_records(path, frames), "MediaPipe": lambda: _mediapipe(path, frames, image_size),
               "MMPose": lambda: _mmpose(path, frames, tree), "OpenPose": lambda: _openpose(path, frames),
               "4DHumans/PHALP": lambda: _phalp(path, frames)}  # fmt: skip
    try:
        return readers.get(tool, lambda: refuse_flat(path, tool, frames))()
    except MotionFormatError:
        raise
    except (TypeError, KeyError, IndexError, AttributeError, ValueError, OverflowError) as error:
        fail(path, f"laid out as {tool} lays it out, but a part is not what it should be: {str(error)[:120]}")


def recognise(path, tree) -> tuple[str, list]:
    """The tool's name, and a list of pairs (name or number of the frame, its people); records for AlphaPose/HybrIK."""
    if isinstance(tree, dict):
        first = next((value for value in tree.values() if isinstance(value, dict) and value), {})
        if "instance_info" in tree:
            return "MMPose", _numbered(path, tree["instance_info"])
        if "people" in tree or "bodies" in tree:
            return _open_or_alpha(tree), [(0, tree)]
        if "annotations" in tree:
            return "COCO annotations", [(0, tree["annotations"])]
        if "3d_joints" in first or "2d_joints" in first:
            return "4DHumans/PHALP", list(tree.items())
        if "people" in first or "bodies" in first:
            return _open_or_alpha(first), list(tree.items())
        if landmarks.is_result(tree):
            return "MediaPipe", [(0, tree)]
        if landmarks.is_result(first):
            return "MediaPipe", [(_frame(path, name), result) for name, result in tree.items()]
        tree = [tree]
    record = next((each for each in tree if isinstance(each, dict) and each), None)
    if record is None:  # a list of frames, each a list of people
        inner = [each[0] for each in tree if isinstance(each, (list, tuple)) and each and isinstance(each[0], dict)]
        record = inner[0] if inner else {}
        if landmarks.is_result(next((each for each in tree if each is not None), None)):
            return "MediaPipe", list(enumerate(tree))
        if "keypoint_scores" in record:
            return "MMPose", list(enumerate(tree))
        return _pixel_tool(path, record), list(enumerate(tree))
    if any(isinstance(each, dict) and "pred_xyz_jts" in each for each in tree):
        return _HYBRIK, tree
    if "instances" in record:
        return "MMPose", _numbered(path, tree)
    if "people" in record or "bodies" in record:
        return _open_or_alpha(record), list(enumerate(tree))
    if landmarks.is_result(record):
        return "MediaPipe", list(enumerate(tree))
    if "keypoint_scores" in record:
        return "MMPose", [(0, tree)]
    return _pixel_tool(path, record), [(0, tree)]


def refuse_flat(path, tool: str, frames) -> None:
    """Say that pixels are no dance yet, and how to get one."""
    joints = _joints(frames)
    count = f" ({joints} joints a person{', ' + _BODY[joints] if joints in _BODY else ''})" if joints else ""
    lost = " (where AlphaPose ran with HybrIK, run it without --format: that leaves pred_xyz_jts out)"
    fail(path, f"key points of {tool} in 2-D only{count}: where in the picture each joint was seen, not how far from "
               "the camera, and cleaning cannot add that. Run a 3-D estimator on the same video: AlphaPose with a HybrIK "
               f"model, whose records have pred_xyz_jts{lost if '--format' in tool else ''}, 4DHumans, or MediaPipe's "
               "PoseLandmarker, whose results choreo_lib.formats.landmarks.records turns into records; then "
               "choreo_lib.clean(path, fps). 3-D joints of another tool, in metres: "
               "choreo_lib.clean([array [people, joints, 3] of each frame], fps)")


def folder(path) -> list | dict:
    """What a folder with one JSON file a frame holds, as one tree; its files' numbers are the frames'."""
    files = [each for each in Path(path).iterdir() if each.suffix.lower() == ".json"]
    if not files:
        fail(path, "expected a file, or a folder with one .json file a frame, as OpenPose writes; this folder has none")
    if len(files) > MAX_FRAMES:
        fail(path, f"{len(files):,} files are more frames than any dance has")
    named = {each: frame_number(path, re.sub(r"_keypoints$", "", each.stem), each.name) for each in files}
    trees = {number: read_json(each) for each, number in sorted(named.items(), key=lambda item: item[1])}
    if len(trees) < len(files):
        fail(path, "two files bear the same number; expected one .json file a frame")
    if any(isinstance(tree, list) for tree in trees.values()):  # MMPose, a file an image: its people
        return [{"frame_id": number, "instances": tree} for number, tree in trees.items()]
    return {str(number): tree for number, tree in trees.items()}


def refuse_folder(path) -> None:
    """A folder is no motion file; where it holds detections, say whose, and the way on."""
    if not any(each.suffix.lower() == ".json" for each in Path(path).iterdir()):
        fail(path, f"expected a file, and {path} is a folder")
    found = read(path, folder(path))
    fail(path, f"this folder holds detections ({found.tool}), a file a frame: make a duet of them with "
               "choreo_lib.clean(path, fps)")


def is_pickle(path) -> bool:
    """Whether the name is that of a Python pickle."""
    return Path(path).suffix.lower() in (".pkl", ".pk", ".pickle", ".joblib")


def refuse_pickle(path) -> None:
    """A pickle runs code as it is opened, so it is not; say what turns it into a file that can be read."""
    data = load_bytes(path)
    try:  # joblib packs with zlib; names of keys stand in the first stretch, and nothing is run by looking
        data = zlib.decompressobj().decompress(data, 4_000_000)
    except zlib.error:
        pass
    tool = ("It holds tracks of 4DHumans/PHALP. " if b"3d_joints" in data else
            "It holds results of HybrIK's demo. " if b"pred_xyz" in data else "4DHumans/PHALP leaves its tracks so. ")
    fail(path, f"a Python pickle can run anything as it is opened, so it is not opened here. {tool}Where you trust "
               "it, run: import json, joblib, numpy; tracks = joblib.load('tracks.pkl'); keys = ('3d_joints', "
               "'2d_joints', 'size', 'bbox', 'conf', 'tid', 'tracked_time'); json.dump({name: {key: "
               "[numpy.asarray(x).tolist() for x in frame[key]] for key in keys if key in frame} for name, frame in "
               "tracks.items()}, open('tracks.json', 'w')); then choreo_lib.clean('tracks.json', fps)")


def _mediapipe(path, frames, image_size) -> Detections:
    try:
        width, height = (float(n) for n in image_size)
        if not (0 < width < 1e6 and 0 < height < 1e6):
            raise ValueError
    except (TypeError, ValueError):
        fail(path, "MediaPipe's landmarks are shares of the image; pass image_size=(width, height) in pixels to clean "
                   f"or read_detections; got {image_size!r}")
    made = [row for t, result in frames if result not in (None, [], {})
            for row in landmarks.records(result, t, (width, height))]  # fmt: skip
    if not made:
        fail(path, f"none of the {len(frames)} frames shows anybody")
    return read_records(path, made)


def _mmpose(path, frames, tree) -> Detections:
    rows = [(t, k, person) for t, people in frames for k, person in enumerate(people, 1)]
    if not rows:
        fail(path, f"none of the {len(frames)} frames shows anybody")
    if len(rows[0][2]["keypoints"][0]) == 2:
        refuse_flat(path, "MMPose", frames)
    joints = len(rows[0][2]["keypoints"])
    points = np.stack([numbers(path, person["keypoints"], (joints, 3), f"frame {t}, person {k}, keypoints")
                       for t, k, person in rows]).reshape(-1, joints, 3)  # fmt: skip
    scores = np.array([np.mean(numbers(path, person["keypoint_scores"], (joints,), f"frame {t}, person {k}, "
                                       "keypoint_scores")) for t, k, person in rows])  # fmt: skip
    skeleton = tree_of_links(tree.get("meta_info") if isinstance(tree, dict) else None, joints) or _usual(points)
    notes = ()
    if mirrored(points, skeleton):
        points = points * (-1, 1, 1)
        notes = ("MMPose's 3-D results are a mirror image (it turns x round, and exchanges two axes); turned back",)
    return _table("MMPose", rows, scores, points, skeleton, "z", notes)


def _usual(points) -> Skeleton:
    from .pointcloud import guess_tree

    return {17: H36M_17, 24: SMPL_24}.get(points.shape[1]) or guess_tree(points)


def _openpose(path, frames) -> Detections:
    rows = [(t, k, person) for t, frame in frames for k, person in enumerate(frame["people"], 1)]
    if not any(person.get("pose_keypoints_3d") for _, _, person in rows):
        refuse_flat(path, "OpenPose", frames)
    rows = [(_frame(path, t), k, person["pose_keypoints_3d"]) for t, k, person in rows
            if person.get("pose_keypoints_3d")]  # fmt: skip
    if len(rows[0][2]) != 100:
        fail(path, f"expected OpenPose's BODY_25, 25 x 4 numbers in pose_keypoints_3d; got {len(rows[0][2])}")
    table = np.stack([numbers(path, flat, (25, 4), f"frame {t}, person {k}, pose_keypoints_3d") for t, k, flat in rows])
    table = table.reshape(-1, 25, 4)[:, BODY_25_ORDER]
    whole = (table[..., 3] > 0).all(axis=1)  # a joint that was not found stands at 0, 0, 0
    if not whole.any():
        fail(path, "nobody was seen whole: in every frame OpenPose has not found some joint in 3-D")
    rows = [row for row, kept in zip(rows, whole) if kept]
    return _table("OpenPose", rows, table[whole, :, 3].mean(axis=1), table[whole, :, :3], BODY_25, None)


def _phalp(path, frames) -> Detections:
    """PHALP's joints are OpenPose's 25, then 19 others, then 0, 0, 0; about the pelvis, in the camera's frame.

    Pixels are shares of a square about the image. Who was lost is written on as last seen (``tracked_time`` above 0):
    left out.
    """
    rows, scores, points, pixels, boxes = [], [], [], [], []
    for name, frame in frames:
        t = _frame(path, name)
        for k, joints in enumerate(frame["3d_joints"]):
            if frame.get("tracked_time", [0] * (k + 1))[k]:
                continue
            where = f"{name}, person {k + 1}"
            height, width = numbers(path, frame["size"][k], (2,), f"{where}, size")
            side = max(height, width)
            flat = numbers(path, frame["2d_joints"][k], (45, 2), f"{where}, 2d_joints").reshape(45, 2)[BODY_25_ORDER]
            pixels.append(flat * side - ((side - width) // 2, (side - height) // 2))
            solid = numbers(path, joints, (45, 3), f"{where}, 3d_joints").reshape(45, 3)[BODY_25_ORDER]
            points.append(solid - solid[0])
            low, high = pixels[-1].min(axis=0), pixels[-1].max(axis=0)
            boxes.append(numbers(path, frame["bbox"][k], (4,), f"{where}, bbox") if "bbox" in frame
                         else [*low, *(high - low)])  # fmt: skip
            scores.append(numbers(path, frame["conf"][k], (1,), f"{where}, conf")[0] if "conf" in frame else 1.0)
            rows.append((t, int(frame["tid"][k]) if "tid" in frame else k + 1, None))
    if not rows:
        fail(path, f"none of the {len(frames)} frames shows anybody")
    sure = np.ones((len(rows), 25, 1))
    return _table("4DHumans/PHALP", rows, np.array(scores), np.stack(points), BODY_25, "-y", (),
                  np.array(boxes, float), np.concatenate([np.stack(pixels), sure], axis=2))


def _table(tool, rows, scores, points, skeleton, up, notes=(), boxes=None, pixels=None) -> Detections:
    frame = np.array([int(row[0]) for row in rows])
    return Detections(tuple(str(t) for t in frame), frame, np.array([row[1] for row in rows]), scores,
                      np.zeros((len(rows), 4)) if boxes is None else boxes, pixels, points, skeleton, up, tool, notes)


def _numbered(path, frames) -> list:
    """MMPose's frames, each with its number."""
    if not isinstance(frames, list):
        fail(path, "expected a list of frames", "instance_info")
    for t, frame in enumerate(frames):
        if not isinstance(frame, dict):
            fail(path, "expected an object with frame_id and instances", f"frame {t}")
    return [(_frame(path, frame.get("frame_id", t)), frame.get("instances") or []) for t, frame in enumerate(frames)]


def _frame(path, name) -> int:
    return frame_number(path, str(name)[:400], "the frame's name")


def _open_or_alpha(frame) -> str:
    if "AlphaPose" in str(frame.get("version", "")):
        return f"AlphaPose (--format {'open' if 'people' in frame else 'cmu'})"
    return "OpenPose" if "people" in frame else "AlphaPose (--format cmu)"


def _pixel_tool(path, record: dict) -> str:
    points = record.get("keypoints")
    if isinstance(points, dict) and {"x", "y"} <= set(points):
        return "Ultralytics YOLO pose"
    if isinstance(points, list) and points and isinstance(points[0], dict):
        return "TensorFlow.js pose-detection (MoveNet, PoseNet)"
    if "keypoints" in record and "image_id" in record:
        return "AlphaPose" if {"idx", "box"} & set(record) else "a COCO results file"
    if "keypoints" in record:
        return "a pose estimator"
    fail(path, f"not a file of detections that is known here; read are {_READ}. The first entry has the keys "
               f"{', '.join(map(str, list(record)[:8])) or 'none'}")


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
