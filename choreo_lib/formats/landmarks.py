"""MediaPipe's landmarks as AlphaPose records, so that a video of one's own goes the same way as the stored ones.

Taught in chapter 2, "From video to a duet".
"""

from __future__ import annotations

import numpy as np

from ..skeleton import HYBRIK_29
from .border import fail

# Joints of HybrIK's skeleton as mixtures of MediaPipe's 33 landmarks, whose numbers its documentation draws. Spine and
# collars lie where the SMPL body has them between hips and shoulders; MediaPipe has no landmark there.
_HIPS, _SHOULDERS, _EARS = {23: 0.5, 24: 0.5}, {11: 0.5, 12: 0.5}, {7: 0.5, 8: 0.5}
_UP = lambda share: {23: 0.5 - share / 2, 24: 0.5 - share / 2, 11: share / 2, 12: share / 2}  # noqa: E731
_MIXTURES = {
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


def records(result, frame: int, size: tuple[int, int]) -> list[dict]:
    """The people in one frame of video, as records that `read_detections` and `choreo_lib.clean` read.

    ``result`` is what MediaPipe's PoseLandmarker gives: ``pose_landmarks`` (x and y as shares of the image, visibility)
    and ``pose_world_landmarks`` (metres about the hips), a list of people each. ``frame`` is the frame's number,
    ``size`` the image's (width, height) in pixels. Hips, spine and collars are mixed from MediaPipe's landmarks.
    Numbers are rounded to hundredths of a pixel and micrometres, so that a file can hold ten minutes.
    Errors: MotionFormatError (a ValueError) where a person has other than 33 landmarks, or one that is no number.
    Chapter: 2. Paper: BlazePose (Bazarevsky et al., 2020).
    """
    made = []
    if frame != int(frame) or frame < 0:
        fail("landmarks", f"expected the frame's number, 0, 1, 2 ...; got {frame!r}", "frame")
    if len(result.pose_landmarks) != len(result.pose_world_landmarks):
        fail("landmarks", f"{len(result.pose_landmarks)} people in the image and {len(result.pose_world_landmarks)} in "
                          "the world; give the result as MediaPipe made it", f"frame {frame}")
    for number, (flat, solid) in enumerate(zip(result.pose_landmarks, result.pose_world_landmarks), start=1):
        if len(flat) != 33 or len(solid) != 33:
            fail("landmarks", "expected 33 landmarks, as MediaPipe's PoseLandmarker gives; got "
                              f"{len(flat)} and {len(solid)}", f"frame {frame}, person {number}")
        pixels = _MIX @ [(point.x * size[0], point.y * size[1]) for point in flat]  # [29, 2]
        seen = _MIX @ np.array([point.visibility for point in flat], float)
        joints = _MIX @ [(point.x, point.y, point.z) for point in solid]  # [29, 3]
        if not (np.isfinite(pixels).all() and np.isfinite(seen).all() and np.isfinite(joints).all()):
            fail("landmarks", "expected finite numbers; leave the person out", f"frame {frame}, person {number}")
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        made.append({
            "image_id": f"{int(frame)}.jpg", "idx": number, "score": float(seen.mean()),
            "box": [*low.tolist(), *(high - low).tolist()],
            "keypoints": np.column_stack([pixels, seen]).round(2).ravel().tolist(),
            "pred_xyz_jts": (joints - joints[0])[:24].round(6).ravel().tolist(),
        })  # fmt: skip
    return made
