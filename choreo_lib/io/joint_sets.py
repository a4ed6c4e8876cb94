"""Joint sets of pose estimators, as skeletons: whose joint hangs from whose, and whether left is left.

Taught in chapter 2, "From video to a duet".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..body.skeleton import Skeleton

H36M_17 = Skeleton(
    ("root", "right_hip", "right_knee", "right_foot", "left_hip", "left_knee", "left_foot", "spine", "thorax",
     "neck_base", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"),
    (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
)  # fmt: skip
"""The 17 joints of Human3.6M (Ionescu et al., TPAMI 2014), by MMPose's names; its feet are ankles."""

_BODY_25 = (  # name, parent, OpenPose's number
    ("mid_hip", None, 8), ("right_hip", "mid_hip", 9), ("right_knee", "right_hip", 10),
    ("right_ankle", "right_knee", 11), ("left_hip", "mid_hip", 12), ("left_knee", "left_hip", 13),
    ("left_ankle", "left_knee", 14), ("neck", "mid_hip", 1), ("nose", "neck", 0), ("right_shoulder", "neck", 2),
    ("right_elbow", "right_shoulder", 3), ("right_wrist", "right_elbow", 4), ("left_shoulder", "neck", 5),
    ("left_elbow", "left_shoulder", 6), ("left_wrist", "left_elbow", 7), ("right_eye", "nose", 15),
    ("left_eye", "nose", 16), ("right_ear", "right_eye", 17), ("left_ear", "left_eye", 18),
    ("left_bigtoe", "left_ankle", 19), ("left_smalltoe", "left_bigtoe", 20), ("left_heel", "left_ankle", 21),
    ("right_bigtoe", "right_ankle", 22), ("right_smalltoe", "right_bigtoe", 23), ("right_heel", "right_ankle", 24),
)  # fmt: skip
_NAMES = [name for name, _, _ in _BODY_25]
BODY_25 = Skeleton(tuple(_NAMES), tuple(-1 if parent is None else _NAMES.index(parent) for _, parent, _ in _BODY_25))
"""OpenPose's 25 joints, parents first."""
BODY_25_ORDER = [number for _, _, number in _BODY_25]
"""Which of OpenPose's joints each of `BODY_25` is."""


def tree_of_links(meta, joints: int) -> Skeleton | None:
    """The skeleton that MMPose's ``meta_info`` states, if its links are a tree from joint 0, parents first."""
    if not isinstance(meta, dict):
        return None
    try:
        name_of: Any = meta["keypoint_id2name"]
        names = tuple(str(name_of[str(j)] if str(j) in name_of else name_of[j]) for j in range(joints))
        parents = {int(child): int(parent) for parent, child in meta["skeleton_links"]}
        return Skeleton(names, (-1, *(parents[j] for j in range(1, joints))))
    except (TypeError, KeyError, IndexError, ValueError):
        return None


def mirrored(points: np.ndarray, skeleton: Skeleton) -> bool:
    """Whether knees bend backwards, as they do where left and right were exchanged: then it is a mirror image.

    Shapes: ``points`` [N, J, 3], Z up. Legs that never bend say nothing, and a mirror image is assumed, for MMPose's
    writers make one of every result.
    """
    try:
        hips, knees = ([skeleton.index(f"{side}_{part}") for side in ("left", "right")] for part in ("hip", "knee"))
        end_sites = [j for name in ("foot", "ankle") if (f"left_{name}" in skeleton.names)
                for j in (skeleton.index(f"left_{name}"), skeleton.index(f"right_{name}"))][:2]  # fmt: skip
        apart = points[:, hips[0]] - points[:, hips[1]]
        forward = np.cross(apart, (0.0, 0.0, 1.0))  # [N, 3]
        bent = sum(points[:, knee] - (points[:, hip] + points[:, end]) / 2
                   for hip, knee, end in zip(hips, knees, end_sites, strict=True))  # fmt: skip
        return bool((bent * forward).sum() <= 0)
    except (KeyError, ValueError):
        return False


def bone_costs(points: np.ndarray, joint: int) -> np.ndarray:
    """What a bone from each joint to this one would cost, [J]: how much its length changes, and a tenth of the length.

    A long reach that happens to stay even is rarely a bone. Shapes: ``points`` [T, J, 3], of which some hundred frames
    are looked at. Chapter: 2.
    """
    few = points[:: max(1, len(points) // 100)]
    length = np.linalg.norm(few - few[:, joint:joint + 1], axis=-1)  # [T, J]
    return length.std(axis=0) + 0.1 * length.mean(axis=0)


def guess_tree(points: np.ndarray) -> Skeleton:
    """Guess the tree over unnamed joints that keeps their order: each hangs from the earlier joint that costs least.

    Shapes: ``points`` [T, J, 3]. `choreo_lib.io.points.infer_skeleton` is free to change the order. Chapter: 2.
    """
    joints = points.shape[1]
    parents = (-1, *(int(bone_costs(points, j)[:j].argmin()) for j in range(1, joints)))
    return Skeleton(tuple(f"joint_{j:02d}" for j in range(joints)), parents)
