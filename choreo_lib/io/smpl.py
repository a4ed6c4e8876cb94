"""The joints of the SMPL family of body models, in their order, for arrays that hold them.

Taught in chapter 1, "Seeing a duet". SMPL (Loper et al., SIGGRAPH Asia 2015), SMPL+H (Romero et al., SIGGRAPH Asia
2017), SMPL-X (Pavlakos et al., CVPR 2019). No model is here: their files come from their authors, under their terms.
"""

from __future__ import annotations

from ..body.skeleton import Skeleton

_BODY = ("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
         "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
         "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist")
_TREE = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
_FINGERS = tuple(f"{finger}{k}" for finger in ("index", "middle", "pinky", "ring", "thumb") for k in (1, 2, 3))


def _hands(first: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Fifteen joints a hand, the left one's first, in chains of three from the wrist."""
    names = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in _FINGERS)
    parents = tuple(wrist if k % 3 == 0 else start + k - 1
                    for wrist, start in ((20, first), (21, first + 15)) for k in range(15))
    return names, parents


_H, _X = _hands(22), _hands(25)
_COCO = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
         "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
         "right_ankle")
BODIES = {
    22: Skeleton(_BODY, _TREE),
    24: Skeleton((*_BODY, "left_hand", "right_hand"), (*_TREE, 20, 21)),
    52: Skeleton((*_BODY, *_H[0]), (*_TREE, *_H[1])),
    55: Skeleton((*_BODY, "jaw", "left_eye", "right_eye", *_X[0]), (*_TREE, 15, 15, 15, *_X[1])),
    17: Skeleton(_COCO, (-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14)),
}
"""By how many joints an array holds: SMPL without hands, SMPL, SMPL+H, SMPL-X, and the 17 keypoints of COCO."""
LONGER = {45: 24, 73: 52, 127: 55, 144: 55}
"""How many of the joints that the `smplx` package gives are the model's own; the rest are points on the skin."""
