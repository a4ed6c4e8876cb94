"""One table of joint names, so that a measure means the same joint in every recording. Taught in chapter 3."""

from __future__ import annotations

from ..core.arguments import a, each, takes, text
from .joint_names import PARTS
from .skeleton import Skeleton

_PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "toe")  # the order in which features count them
COMMON = ("pelvis", "neck", "head") + tuple(f"{side}_{part}" for side in ("left", "right") for part in _PARTS)
"""The 17 joints that every body in this book has, under the names that the measures use."""


@takes(skeleton=a(Skeleton), name=text)
def joint(skeleton: Skeleton, name: str) -> int:
    """The index of a joint, by the skeleton's own name or by one of `COMMON`.

    "left_toe" is the ball of the foot (ToeBase, HybrIK's left_foot), "left_ankle" the ankle (LeftFoot).
    Errors: ValueError where the skeleton has no such joint. Chapter: 3.
    """
    if name in skeleton.names:
        return skeleton.names.index(name)
    if name == "pelvis":
        return skeleton.pelvis
    side, _, part = name.partition("_")
    found = skeleton.limb(side, part) if part in PARTS else skeleton.find(name.replace("_", ""))
    if found is None:
        raise ValueError(f"no joint of this skeleton is a {name!r}; it has {', '.join(skeleton.names)}. "
                         "Measures know joints by these names: " + ", ".join(COMMON))
    return found


@takes(skeleton=a(Skeleton), names=each(text))
def joints(skeleton: Skeleton, names=COMMON) -> list[int]:
    """The indices of several joints, as `joint`. Chapter: 3."""
    return [joint(skeleton, name) for name in names]


@takes(skeleton=a(Skeleton))
def hands(skeleton: Skeleton) -> list[int]:
    """Both hands: the wrists and every joint that hangs from them. Chapter: 3."""
    found = set(joints(skeleton, ("left_wrist", "right_wrist")))
    for j, parent in enumerate(skeleton.parents):
        if parent in found:
            found.add(j)
    return sorted(found)
