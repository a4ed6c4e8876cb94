"""MediaPipe's landmarks as AlphaPose records, so that a video of one's own goes the same way as the stored ones.

Taught in chapter 2, "From video to a duet".
"""

from typing import Any

import numpy as np

from ..body.skeleton import HYBRIK_29
from ..core.arguments import shown
from .conventions import fail

# Joints of HybrIK's skeleton as mixtures of MediaPipe's 33 landmarks, whose numbers its documentation draws. Spine and
# collars lie where the SMPL body has them between hips and shoulders; MediaPipe has no landmark there.
_HIPS, _SHOULDERS, _EARS = {23: 0.5, 24: 0.5}, {11: 0.5, 12: 0.5}, {7: 0.5, 8: 0.5}
_UP = lambda share: {23: 0.5 - share / 2, 24: 0.5 - share / 2, 11: share / 2, 12: share / 2}  # noqa: E731
_MIXTURES: dict[str, dict[int, float]] = {
    "pelvis": _HIPS, "left_hip": {23: 1}, "right_hip": {24: 1}, "spine1": _UP(0.2), "left_knee": {25: 1},
    "right_knee": {26: 1}, "spine2": _UP(0.45), "left_ankle": {27: 1}, "right_ankle": {28: 1}, "spine3": _UP(0.6),
    "left_foot": {31: 0.7, 27: 0.3}, "right_foot": {32: 0.7, 28: 0.3}, "neck": _SHOULDERS,
    "left_collar": {11: 0.6, 12: 0.4}, "right_collar": {11: 0.4, 12: 0.6},
    "jaw": {7: 0.25, 8: 0.25, 11: 0.25, 12: 0.25},
    "left_shoulder": {11: 1}, "right_shoulder": {12: 1}, "left_elbow": {13: 1}, "right_elbow": {14: 1},
    "left_wrist": {15: 1}, "right_wrist": {16: 1}, "left_thumb": {15: 0.5, 21: 0.5}, "right_thumb": {16: 0.5, 22: 0.5},
    "head": _EARS, "left_middle": {17: 0.5, 19: 0.5}, "right_middle": {18: 0.5, 20: 0.5}, "left_bigtoe": {31: 1},
    "right_bigtoe": {32: 1},
}  # fmt: skip
_MIX = np.zeros((29, 33))
for _joint, _parts in _MIXTURES.items():
    _MIX[HYBRIK_29.index(_joint), list(_parts)] = list(_parts.values())
KEYS = (("pose_landmarks", "pose_world_landmarks"), ("poseLandmarks", "poseWorldLandmarks"),
         ("landmarks", "worldLandmarks"))  # fmt: skip
"""Python's PoseLandmarker and its older `solutions.pose`; the older JavaScript; today's."""


def is_result(result) -> bool:
    """Whether this is what MediaPipe gives for one image, as an object or as a dictionary. Chapter: 2."""
    return _is_tensorflow(result) or any(_has(result, image) and _has(result, world) for image, world in KEYS)


def pixel_size(size) -> tuple[float, float] | None:
    """An image's (width, height) in pixels; None for what is no size. Chapter: 2."""
    try:
        width, height = (float(n) for n in size)
    except (TypeError, ValueError, OverflowError):
        return None
    return (width, height) if 0 < width < 1e6 and 0 < height < 1e6 else None


def records(result, frame: int, size: tuple[float, float]) -> list[dict]:
    """The people in one frame of video, as records that `read_detections` and `choreo_lib.clean` read.

    ``result`` is what MediaPipe's PoseLandmarker gives: ``pose_landmarks`` (x and y as shares of the image, visibility)
    and ``pose_world_landmarks`` (metres about the hips), a list of people each; or what its older ``solutions.pose``
    gives, one person, or nobody (None); or either as a dictionary, also with JavaScript's names. ``frame`` is the
    frame's number, ``size`` the image's (width, height) in pixels. Hips, spine and collars are mixed from MediaPipe's
    landmarks. Numbers are rounded to hundredths of a pixel and micrometres, so that a file can hold ten minutes.
    Errors: MotionFormatError (a ValueError) where a person has other than 33 landmarks, or one that is no number.
    Chapter: 2. Paper: BlazePose (Bazarevsky et al., 2020).
    """
    if type(frame) is bool or not isinstance(frame, (int, float, np.number)) or not (
            0 <= frame < 1e9 and frame == int(frame)):
        fail("landmarks", f"expected the frame's number, 0, 1, 2 ...; got {shown(frame)}", "frame")
    pixels = pixel_size(size)
    if pixels is None:
        fail("landmarks", f"expected the image's (width, height) in pixels; got {shown(size)}", "size")
    in_image, in_world = _people(result, frame, pixels)
    if len(in_image) != len(in_world):
        fail("landmarks", f"{len(in_image)} people in the image and {len(in_world)} in the world; give the result as "
                          "MediaPipe made it", f"frame {frame}")
    return [_record(image, world, int(frame), number, pixels)
            for number, (image, world) in enumerate(zip(in_image, in_world), start=1)]


def _record(image: list, world: list, frame: int, number: int, size: tuple[float, float]) -> dict:
    """One person's 33 landmarks, in the image and in the world, as a record of HybrIK's 29 joints."""
    where = f"frame {frame}, person {number}"
    if len(image) != 33 or len(world) != 33:
        fail("landmarks", "expected 33 landmarks, as MediaPipe's PoseLandmarker gives; got "
                          f"{len(image)} and {len(world)}", where)
    try:
        table = np.array([[*_point(p)[:2], _point(p)[3], *_point(q)[:3]] for p, q in zip(image, world)], float)
    except (TypeError, ValueError, AttributeError, KeyError):
        table = np.full((33, 6), np.nan)
    mixed = _MIX @ table  # [29, 6]
    mixed[:, :2] *= size
    if not np.isfinite(mixed).all():
        fail("landmarks", "expected finite numbers; leave the person out", where)
    pixels, visibility, joints = mixed[:, :2], mixed[:, 2], mixed[:, 3:]
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    return {"image_id": f"{frame}.jpg", "idx": number, "score": float(visibility.mean()),
            "box": [*low.tolist(), *(high - low).tolist()],
            "keypoints": np.column_stack([pixels, visibility]).round(2).ravel().tolist(),
            "pred_xyz_jts": (joints - joints[0])[:24].round(6).ravel().tolist()}


def _is_tensorflow(result) -> bool:
    """Whether this is TensorFlow.js's form: a list of people, or one of them, key points in pixels."""
    people = result if isinstance(result, (list, tuple)) else [result]
    return bool(people) and all(isinstance(each, dict) and {"keypoints", "keypoints3D"} <= set(each) for each in people)


def _has(thing, name: str) -> bool:
    return name in thing if isinstance(thing, dict) else hasattr(thing, name)


def _get(thing, name: str) -> Any:
    return thing[name] if isinstance(thing, dict) else getattr(thing, name)


def _people(result, frame, size: tuple[float, float]) -> list[list]:
    """Everybody's landmarks in the image and in the world, a list of people each, a list of landmarks a person."""
    if _is_tensorflow(result):  # in pixels
        people = result if isinstance(result, (list, tuple)) else [result]
        return [[[{**p, "x": p["x"] / size[0], "y": p["y"] / size[1]} for p in each["keypoints"]] for each in people],
                [each["keypoints3D"] for each in people]]
    found = next((keys for keys in KEYS if _has(result, keys[0]) and _has(result, keys[1])), None)
    if found is None:
        fail("landmarks", "expected MediaPipe's result for one image, with pose_landmarks and pose_world_landmarks; "
                          f"got {type(result).__name__}", f"frame {frame}")
    return [_listed(_get(result, key), frame) for key in found]


def _listed(people, frame) -> list:
    """A list of people, each a list of landmarks: one person alone is a list of one, and None is nobody."""
    if people is None:
        return []
    if _has(people, "landmark"):
        return [list(_get(people, "landmark"))]
    try:
        people = [list(_get(each, "landmark")) if _has(each, "landmark") else each for each in people]
        alone = people and not isinstance(people[0], (list, tuple, np.ndarray))
        return [people] if alone or people and np.ndim(people[0]) == 1 and np.isscalar(people[0][0]) else people
    except (TypeError, ValueError, IndexError, KeyError):
        fail("landmarks", f"expected lists of landmarks; got {type(people).__name__}", f"frame {frame}")


def _point(landmark) -> tuple:
    """x, y, z, visibility of a landmark: an object, a dictionary (1 where it is silent), or numbers."""
    if isinstance(landmark, dict):
        visibility = landmark.get("visibility", landmark.get("score", 1.0))
        return landmark["x"], landmark["y"], landmark.get("z", 0.0), visibility
    if isinstance(landmark, (list, tuple, np.ndarray)):
        return *landmark[:3], landmark[3] if len(landmark) > 3 else 1.0
    return landmark.x, landmark.y, landmark.z, landmark.visibility
