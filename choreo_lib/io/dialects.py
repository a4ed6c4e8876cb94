"""Which pose estimator wrote this? Told from names and shapes; read where it is 3-D, and else the way on is named.

The layouts are those of the tools' own writers: AlphaPose `alphapose/utils/pPose_nms.py` (its own form, "cmu" and
"open"), OpenPose `doc/02_output.md`, MMPose 1.3.2 `mmpose/structures/utils.py` and `mmpose/apis/inferencers`, PHALP
`README.md` ("Output .pkl structure"), COCO's results format, Ultralytics `Results.to_json`.
Taught in chapter 2, "From video to a duet".
"""

from __future__ import annotations

import re
from pathlib import Path

from . import landmarks
from .conventions import MAX_FRAMES, MotionFormatError, fail
from .detections import Detections, frame_number, read_json, read_records
from .estimators import named, read_mediapipe, read_mmpose, read_openpose, read_phalp
from .refusals import PICKLES, refuse_flat

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
    readers = {
        _HYBRIK: lambda: read_records(path, frames),
        "MediaPipe": lambda: read_mediapipe(path, frames, image_size),
        "MMPose": lambda: read_mmpose(path, frames, tree),
        "OpenPose": lambda: read_openpose(path, frames),
        "4DHumans/PHALP": lambda: read_phalp(path, frames),
    }
    try:
        return readers.get(tool, lambda: refuse_flat(path, tool, frames))()
    except MotionFormatError:
        raise
    except (TypeError, KeyError, IndexError, AttributeError, ValueError, OverflowError) as error:
        fail(path, f"laid out as {tool} lays it out, but a part is not what it should be: {str(error)[:120]}")


def recognise(path, tree) -> tuple[str, list]:
    """The tool's name, and a list of pairs (name or number of the frame, its people); records for AlphaPose/HybrIK."""
    lists = [value for value in tree.values() if isinstance(value, list)] if isinstance(tree, dict) else []
    if lists and len(lists) == len(tree):
        inner = [record for value in lists for record in value]
        if inner and "annotations" not in tree and all(isinstance(r, dict) and "image_id" in r for r in inner):
            tree = inner  # records by their image
        elif len(lists) == 1 and set(tree) & {"frames", "predictions", "results", "detections"}:
            tree = lists[0]  # {"frames": [...]}, {"predictions": [...]} and the like
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
            return "MediaPipe", [(named(path, name), result) for name, result in tree.items()]
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
    return Path(path).suffix.lower() in PICKLES


def _numbered(path, frames) -> list:
    """MMPose's frames, each with its number."""
    if not isinstance(frames, list):
        fail(path, "expected a list of frames", "instance_info")
    for t, frame in enumerate(frames):
        if not isinstance(frame, dict):
            fail(path, "expected an object with frame_id and instances", f"frame {t}")
    return [(named(path, frame.get("frame_id", t)), frame.get("instances") or []) for t, frame in enumerate(frames)]


def _open_or_alpha(frame) -> str:
    if "AlphaPose" in str(frame.get("version", "")):
        return f"AlphaPose (--format {'open' if 'people' in frame else 'cmu'})"
    return "OpenPose" if "people" in frame else "AlphaPose (--format cmu)"


def _pixel_tool(path, record: dict) -> str:
    flat = next((key for key, _ in landmarks.KEYS if key in record), None)
    if flat is not None:
        fail(path, f"MediaPipe's {flat} without its landmarks in the world, which are what is 3-D. Save "
                   "pose_world_landmarks of the same result too, or both as choreo_lib.io.landmarks.records("
                   "result, frame, size) gives them")
    if {"x", "y", "visibility"} <= set(record):
        fail(path, "bare lists of landmarks, such as MediaPipe's; expected each image's whole result, pose_landmarks "
                   "with pose_world_landmarks, or both as choreo_lib.io.landmarks.records(result, frame, size) "
                   "gives them")
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
