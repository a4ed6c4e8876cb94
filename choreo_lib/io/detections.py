"""What pose estimators leave behind, read as one table: who was found in which image, and where their joints were.

Which tool wrote a file shows in its names and shapes; it is read where it is 3-D, and else the way on is named. The
layouts are those of the tools' own writers: AlphaPose `alphapose/utils/pPose_nms.py` (its own form, "cmu" and
"open"), OpenPose `doc/02_output.md`, MMPose 1.3.2 `mmpose/structures/utils.py` and `mmpose/apis/inferencers`, PHALP
`README.md` ("Output .pkl structure"), COCO's results format, Ultralytics `Results.to_json`.
Taught in chapter 2, "From video to a duet".
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ..body.motion import Motion
from ..core.arguments import a, takes
from ..core.arguments import path as any_path
from . import estimators, landmarks
from .arrays import PICKLES, read_json, refuse_pickle
from .conventions import MAX_FRAMES, MotionFormatError, fail
from .estimators import Detections, frame_number, refuse_flat
from .record import Recording, build_motion

_HYBRIK, _PHALP = "AlphaPose/HybrIK", "4DHumans/PHALP"
_READ = ("AlphaPose/HybrIK (pred_xyz_jts), MMPose 3-D (instance_info), OpenPose --3d (people), 4DHumans/PHALP saved as "
         "JSON (3d_joints), MediaPipe (pose_world_landmarks)")


@takes(path=any_path | a(list, dict))
def read_detections(path, image_size: tuple[int, int] | None = None) -> Detections:
    """Read what a pose estimator found in a video, if it found it in three dimensions.

    ``path``: a JSON file of AlphaPose/HybrIK, MMPose's 3-D lifters, OpenPose's 3-D module, 4DHumans/PHALP (its tracks
    saved as JSON) or MediaPipe; a folder with one file a frame; or the list that such a file holds.
    Units: ``image_size`` (width, height) in pixels, for MediaPipe, whose landmarks are shares of the image.
    Errors: MotionFormatError, naming the record and its field; for key points in 2-D, and for pickles, it names the
    tool and the way on.
    Chapter: 2. Paper: AlphaPose (Fang et al., TPAMI 2022), HybrIK (Li et al., CVPR 2021).
    """
    if isinstance(path, (list, dict)):
        return detections_of("detections (path)", path, image_size)
    if Path(path).suffix.lower() in PICKLES:
        refuse_pickle(path)
    return detections_of(path, read_folder(path) if Path(path).is_dir() else read_json(path), image_size)


def read_dancer(path, tree, up=None, scale=None, fps=None) -> Motion:
    """The one dancer whom a file of detections follows, as a Motion: joints are where the tool put them.

    Errors: MotionFormatError, for two people with the way to clean them, and as `read_detections`. Chapter: 2.
    """
    found = detections_of(path, tree)
    several = found.keypoints is None and len(np.unique(found.frame)) < len(found)
    if found.keypoints is not None or several:
        fail(path, f"these are detections of {'several people' if several else 'people in images'} ({found.tool}), and "
                   "who is who is not settled: make a duet of them with choreo_lib.clean(path, fps)")
    gaps = np.flatnonzero(np.diff(found.frame) != 1)
    if len(gaps):
        fail(path, f"one dancer has to be seen in every frame, in order; after frame {found.frame[gaps[0]]} comes "
                   f"{found.frame[gaps[0] + 1]}. Cut the take there")
    record = Recording(path, found.skeleton.names, found.skeleton.parents, found.pred_xyz_jts, None, up=found.up,
                       notes=list(found.notes))
    return build_motion(record, up, scale, fps)


def is_detections(tree) -> bool:
    """Whether parsed JSON holds objects, as tools write them, rather than plain lists of points. Chapter: 2."""
    while isinstance(tree, list):
        tree = next((part for part in tree if not isinstance(part, (list, dict, type(None))) or part), None)
    return isinstance(tree, dict) and bool(tree) or landmarks.is_result(tree)


def detections_of(path, tree, image_size=None) -> Detections:
    """The detections in parsed JSON, whoever wrote it; as `read_detections`, with its errors. Chapter: 2."""
    if tree in ([], {}) or not isinstance(tree, (list, dict)):
        fail(path, f"expected a list with at least one detection, or a file of another tool: {_READ}")
    tool, frames = recognise(path, tree)
    readers: dict[str, Callable[..., Detections]] = {
        _HYBRIK: estimators.read_records, "OpenPose": estimators.read_openpose, _PHALP: estimators.read_phalp,
        "MediaPipe": partial(estimators.read_mediapipe, image_size=image_size),
        "MMPose": partial(estimators.read_mmpose, tree=tree)}
    try:
        if tool in readers:
            return readers[tool](path, frames)
        refuse_flat(path, tool, frames)
    except MotionFormatError:
        raise
    except (TypeError, KeyError, IndexError, AttributeError, ValueError, OverflowError) as error:
        fail(path, f"laid out as {tool} lays it out, but a part is not what it should be: {str(error)[:120]}")


def recognise(path, tree: list | dict) -> tuple[str, list]:
    """The tool's name, and pairs (name or number of the frame, its people); of HybrIK its records. Chapter: 2."""
    if isinstance(tree, dict):
        tree = _unboxed(tree)
    if isinstance(tree, dict):
        if "instance_info" in tree:
            return "MMPose", _numbered(path, tree["instance_info"])
        if "annotations" in tree:
            return "COCO annotations", [(0, tree["annotations"])]
        if tool := _tool_of_frame(tree):
            return tool, [(0, tree)]
        tool = _tool_of_frame(next((value for value in tree.values() if isinstance(value, dict) and value), {}))
        if tool:
            numbered = tool == "MediaPipe"
            return tool, [(frame_number(path, name) if numbered else name, frame) for name, frame in tree.items()]
        tree = [tree]
    record = next((each for each in tree if isinstance(each, dict) and each), None)
    if record is None:  # a list of frames, each a list of people
        if landmarks.is_result(next((each for each in tree if each is not None), None)):
            return "MediaPipe", list(enumerate(tree))
        lists = (each for each in tree if isinstance(each, (list, tuple)) and each)
        record = next((each[0] for each in lists if isinstance(each[0], dict)), {})
        return "MMPose" if "keypoint_scores" in record else _flat_tool(path, record), list(enumerate(tree))
    if any(isinstance(each, dict) and "pred_xyz_jts" in each for each in tree):
        return _HYBRIK, tree
    if "instances" in record:
        return "MMPose", _numbered(path, tree)
    if tool := _tool_of_frame(record):
        return tool, list(enumerate(tree))
    return "MMPose" if "keypoint_scores" in record else _flat_tool(path, record), [(0, tree)]


def read_folder(path) -> list | dict:
    """What a folder with one JSON file a frame holds, as one tree; its files' numbers are the frames'. Chapter: 2."""
    files = [each for each in Path(path).iterdir() if each.suffix.lower() == ".json"]
    if not files:
        fail(path, "expected a file, or a folder with one .json file a frame, as OpenPose writes; this folder has none")
    if len(files) > MAX_FRAMES:
        fail(path, f"{len(files):,} files are more frames than any dance has")
    numbered = {each: frame_number(path, re.sub(r"_keypoints$", "", each.stem), each.name) for each in files}
    trees = {number: read_json(each) for each, number in sorted(numbered.items(), key=lambda item: item[1])}
    if len(trees) < len(files):
        fail(path, "two files bear the same number; expected one .json file a frame")
    if any(isinstance(tree, list) for tree in trees.values()):  # MMPose, a file an image: its people
        return [{"frame_id": number, "instances": tree} for number, tree in trees.items()]
    return {str(number): tree for number, tree in trees.items()}


def refuse_folder(path) -> None:
    """Refuse a folder where a file is wanted; one of detections with their tool and the way on. Chapter: 2."""
    if not any(each.suffix.lower() == ".json" for each in Path(path).iterdir()):
        fail(path, f"expected a file, and {path} is a folder")
    found = detections_of(path, read_folder(path))
    fail(path, f"this folder holds detections ({found.tool}), a file a frame: make a duet of them with "
               "choreo_lib.clean(path, fps)")


def _unboxed(tree: dict) -> list | dict:
    """Records by their image, and records in a box such as {"frames": [...]}, as one list."""
    lists = [value for value in tree.values() if isinstance(value, list)]
    if not lists or len(lists) < len(tree):
        return tree
    inner = [record for value in lists for record in value]
    if inner and "annotations" not in tree and all(isinstance(r, dict) and "image_id" in r for r in inner):
        return inner
    return lists[0] if len(lists) == 1 and set(tree) & {"frames", "predictions", "results", "detections"} else tree


def _numbered(path, frames) -> list:
    """MMPose's frames, each with its number."""
    if not isinstance(frames, list):
        fail(path, "expected a list of frames", "instance_info")
    for t, frame in enumerate(frames):
        if not isinstance(frame, dict):
            fail(path, "expected an object with frame_id and instances", f"frame {t}")
    return [(frame_number(path, frame.get("frame_id", t)), frame.get("instances") or [])
            for t, frame in enumerate(frames)]


def _tool_of_frame(frame: dict) -> str:
    """Who writes a frame so; "" where its keys do not show it."""
    if "people" in frame or "bodies" in frame:
        if "AlphaPose" in str(frame.get("version", "")) or "people" not in frame:
            return f"AlphaPose (--format {'open' if 'people' in frame else 'cmu'})"
        return "OpenPose"
    if "3d_joints" in frame or "2d_joints" in frame:
        return _PHALP
    return "MediaPipe" if landmarks.is_result(frame) else ""


def _flat_tool(path, record: dict) -> str:
    """Who writes such records, which have pixels and no more."""
    flat = next((key for key, _ in landmarks.KEYS if key in record), None)
    both = "or both as choreo_lib.io.landmarks.records(result, frame, size) gives them"
    if flat is not None:
        fail(path, f"MediaPipe's {flat} without its landmarks in the world, which are what is 3-D. Save "
                   f"pose_world_landmarks of the same result too, {both}")
    if {"x", "y", "visibility"} <= set(record):
        fail(path, "bare lists of landmarks, such as MediaPipe's; expected each image's whole result, pose_landmarks "
                   f"with pose_world_landmarks, {both}")
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
