"""Each pose estimator's own way to write three dimensions, as `choreo_lib.io.Detections`.

Taught in chapter 2, "From video to a duet".
"""

from __future__ import annotations

import numpy as np

from ..body.skeleton import Skeleton
from . import landmarks
from .conventions import MotionFormatError, fail
from .detections import SMPL_24, Detections, frame_number, numbers, read_records
from .joint_sets import BODY_25, BODY_25_ORDER, H36M_17, mirrored, tree_of_links
from .refusals import refuse_flat


def read_mediapipe(path, frames, image_size) -> Detections:
    """Landmarks of many images, as `choreo_lib.io.landmarks.records` makes them. Chapter: 2."""
    try:
        width, height = (float(n) for n in image_size)
        if not (0 < width < 1e6 and 0 < height < 1e6):
            raise ValueError
    except (TypeError, ValueError):
        fail(path, "MediaPipe's landmarks are shares of the image; pass image_size=(width, height) in pixels to clean "
                   f"or read_detections; got {image_size!r}")
    made = []
    for t, result in frames:
        try:
            made += landmarks.records(result, t, (width, height)) if result not in (None, [], {}) else []
        except MotionFormatError as error:
            fail(path, str(error).partition(": ")[2])
    if not made:
        fail(path, f"none of the {len(frames)} frames shows anybody")
    return read_records(path, made)


def read_mmpose(path, frames, tree) -> Detections:
    """What a 3-D lifter made of 2-D key points: everybody about their own hips, Z up, and in a mirror. Chapter: 2."""
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
    from .points import guess_tree

    return {17: H36M_17, 24: SMPL_24}.get(points.shape[1]) or guess_tree(points)


def read_openpose(path, frames) -> Detections:
    """What several calibrated cameras saw, x, y, z, whether found: in the unit and axes of their calibration.

    Who was not seen whole is left out. Chapter: 2.
    """
    rows = [(t, k, person) for t, frame in frames for k, person in enumerate(frame["people"], 1)]
    if not any(person.get("pose_keypoints_3d") for _, _, person in rows):
        refuse_flat(path, "OpenPose", frames)
    rows = [(named(path, t), k, person["pose_keypoints_3d"]) for t, k, person in rows
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


def read_phalp(path, frames) -> Detections:
    """PHALP's joints are OpenPose's 25, then 19 others, then 0, 0, 0; about the pelvis, in the camera's frame.

    Pixels are shares of a square about the image. Who was lost is written on as last seen (``tracked_time`` above 0):
    left out. Chapter: 2.
    """
    rows, scores, points, pixels, boxes = [], [], [], [], []
    for name, frame in frames:
        t = named(path, name)
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


def named(path, name) -> int:
    """The number in a frame's name."""
    return frame_number(path, str(name)[:400], "the frame's name")
