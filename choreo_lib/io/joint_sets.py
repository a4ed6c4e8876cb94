"""Joint sets of pose estimators and body models, as skeletons; and the tree of joints that nobody has named.

Taught in chapters 1 and 2.
"""

from typing import Any

import numpy as np

from ..body.skeleton import HYBRIK_29, Skeleton

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


SMPL_24 = Skeleton(HYBRIK_29.names[:24], HYBRIK_29.parents[:24])
"""The first 24 of HybrIK's joints: those of the SMPL body model, as HybrIK names them."""

# SMPL (Loper et al., SIGGRAPH Asia 2015), SMPL+H (Romero et al., SIGGRAPH Asia 2017), SMPL-X (Pavlakos et al., CVPR
# 2019): their joints in their order. No model is here: their files come from their authors, under their terms.
_BODY = ("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
         "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
         "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist")
_TREE = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
_FINGERS = tuple(f"{finger}{k}" for finger in ("index", "middle", "pinky", "ring", "thumb") for k in (1, 2, 3))
_HANDS = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in _FINGERS)


def _hand_parents(first: int) -> list[int]:
    """Fifteen joints a hand, the left one's first, in chains of three from the wrist."""
    return [first + k - 1 if k % 3 else 20 + k // 15 for k in range(30)]


_COCO = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
         "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
         "right_ankle")
BODIES = {
    22: Skeleton(_BODY, _TREE),
    24: Skeleton((*_BODY, "left_hand", "right_hand"), (*_TREE, 20, 21)),
    52: Skeleton((*_BODY, *_HANDS), (*_TREE, *_hand_parents(22))),
    55: Skeleton((*_BODY, "jaw", "left_eye", "right_eye", *_HANDS), (*_TREE, 15, 15, 15, *_hand_parents(25))),
    17: Skeleton(_COCO, (-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14)),
}
"""By how many joints an array holds: SMPL without hands, SMPL, SMPL+H, SMPL-X, and the 17 keypoints of COCO."""


def tree_of_links(meta, joints: int) -> Skeleton | None:
    """The skeleton that MMPose's ``meta_info`` states, if its links are a tree from joint 0, parents first."""
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
    parts = ("hip", "knee", "foot" if "left_foot" in skeleton.names else "ankle")
    try:
        hips, knees, ends = ([skeleton.index(f"{side}_{part}") for side in ("left", "right")] for part in parts)
    except ValueError:
        return False
    forward = np.cross(points[:, hips[0]] - points[:, hips[1]], (0.0, 0.0, 1.0))  # [N, 3]
    bent = (points[:, knees] - (points[:, hips] + points[:, ends]) / 2).sum(axis=1)
    return bool((bent * forward).sum() <= 0)


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

    Shapes: ``points`` [T, J, 3]. `infer_skeleton` is free to change the order. Chapter: 2.
    """
    joints = points.shape[1]
    parents = (-1, *(int(bone_costs(points, j)[:j].argmin()) for j in range(1, joints)))
    return Skeleton(tuple(f"joint_{j:02d}" for j in range(joints)), parents)


def infer_skeleton(points: np.ndarray) -> tuple[Skeleton, list[int]]:
    """Infer the tree over unnamed joints whose bones change length least, and the order that puts parents first.

    Shapes: ``points`` [T, J, 3]; the order lists the file's joints. Prim's algorithm from the joint nearest the body's
    middle, with the costs of `bone_costs`.
    Chapter: 1. Prim, "Shortest connection networks and some generalizations", Bell System Technical Journal 1957.
    """
    few = points[:: max(1, len(points) // 100)]
    middle = few.mean(axis=1, keepdims=True)
    root = int(np.linalg.norm(few - middle, axis=-1).mean(axis=0).argmin())
    order, parents = [root], [-1]
    cheapest, host = np.full(points.shape[1], np.inf), np.zeros(points.shape[1], int)
    outside = np.ones(points.shape[1], dtype=bool)
    outside[root] = False
    while outside.any():
        costs = bone_costs(points, order[-1])  # [J]
        closer = costs < cheapest
        cheapest[closer], host[closer] = costs[closer], len(order) - 1
        nearest = int(np.where(outside, cheapest, np.inf).argmin())
        parents.append(int(host[nearest]))
        order.append(nearest)
        outside[nearest] = False
    return Skeleton(tuple(f"joint_{j:02d}" for j in order), tuple(parents)), order
