"""What each joint of a skeleton is, whatever its maker calls it: pelvis, knees, wrists and the rest, as roles.

Mixamo, CMU (BVH and ASF), Xsens, Rokoko, Unreal, Biped (3ds Max), VRM, SMPL, HybrIK, Motive, ARKit, MakeHuman and the
book's own sets. Taught in chapter 5, "A partner".
"""

import numpy as np

from ..body.joint_names import PARTS, sided_names
from ..body.skeleton import Skeleton

SIDES = ("left", "right")
LIMBS = {  # the role, and the stems of names that mean it, the surer first; each hangs from the one before
    "leg": {**{part: PARTS[part] for part in ("hip", "knee", "ankle", "toe")},
            "toe_end": ("toeend", "toebaseend", "toetip", "toesend", "toenub", "toe0nub", "bigtoe", "footend")},
    "arm": {**{part: PARTS[part] for part in ("shoulder", "elbow", "wrist")},
            "hand": ("handmiddle1", "middle", "middle1", "middle01", "middleproximal", "middlefinger1", "finger2",
                     "handend", "handindex1", "index1", "index01", "indexproximal", "hand", "fingerbase", "fingers")},
}
COLLARS = ("collar", "clavicle", "shoulder")
THUMBS = ("handthumb1", "thumb1", "thumb01", "thumbproximal", "thumbmetacarpal", "finger0", "thumb")
HEAD_ENDS = ("headtopend", "headend", "headtop", "headnub", "headtip", "headsite", "crown")
NEEDED = tuple(f"{side}_{part}" for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist") for side in SIDES)
T_POSE = {  # metres from the pelvis, a body of 1.70 m that looks along -Y; the left side, where there are two
    "pelvis": (0, 0, 0), "neck": (0, 0.02, 0.50), "head": (0, 0.0, 0.60), "head_end": (0, 0, 0.75),
    "hip": (0.09, 0, -0.04), "knee": (0.09, 0, -0.46), "ankle": (0.09, 0, -0.87), "toe": (0.09, -0.13, -0.92),
    "toe_end": (0.09, -0.20, -0.925), "collar": (0.04, 0.01, 0.44), "shoulder": (0.18, 0.015, 0.45),
    "elbow": (0.46, 0.015, 0.45), "wrist": (0.72, 0.015, 0.45), "hand": (0.81, 0.015, 0.45),
    "thumb": (0.76, -0.03, 0.43),
}  # fmt: skip
MAIN = ("neck", "head", "head_end", "collar", "shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "toe",
        "toe_end")
"""Where a segment that carries several points to: the first of these."""


def with_sides(parts) -> list[str]:
    """The roles of parts of a body: a part that stands on both sides is two."""
    return [role for part in parts for role in ((part,) if part in ("pelvis", "neck", "head", "head_end") else
                                                [f"{side}_{part}" for side in SIDES])]


def t_pose(role: str) -> np.ndarray:
    """Where the joint of a role is in a usual T-pose, [3], metres from the pelvis. Chapter: 5."""
    if role in T_POSE:
        return np.array(T_POSE[role], float)
    side, _, part = role.partition("_")
    return np.array(T_POSE[part], float) * ([1, 1, 1] if side == "left" else [-1, 1, 1])


def joint_roles(skeleton: Skeleton) -> dict[str, int]:
    """The joint of each role that a skeleton has: {"pelvis": 0, "left_knee": 4, ...}.

    Roles: pelvis, neck, head, head_end; of each side hip, knee, ankle, toe (the ball of the foot), toe_end, collar,
    shoulder, elbow, wrist, hand (its knuckles), thumb. Joints without a role are those between (a spine's), twist
    bones, fingers, props.
    Errors: ValueError naming the roles that were looked for in vain, and the joints there are. Chapter: 5.
    """
    sided = sided_names(skeleton.names)
    uncounted = [(side, name.rstrip("0123456789")) for side, name in sided]  # MakeHuman: upperarm01, and no upperarm
    found: dict[str, int] = {"pelvis": skeleton.pelvis}

    def seek(side: str, stems, below: int | None = None) -> int | None:
        for stem, spelled in [(stem, names) for names in (sided, uncounted) for stem in stems]:
            for j, name in enumerate(spelled):
                if name == (side, stem) and j not in found.values() and (below is None or below in skeleton.chain(j)):
                    return j
        return None

    for side in SIDES:
        for limb in LIMBS.values():
            above = None
            for part, stems in limb.items():
                j = seek(side, stems, above)
                if j is not None:
                    found[f"{side}_{part}"] = above = j
        shoulder, wrist = found.get(f"{side}_shoulder"), found.get(f"{side}_wrist")
        collar = seek(side, COLLARS)
        if collar is not None and shoulder is not None and collar in skeleton.chain(shoulder):
            found[f"{side}_collar"] = collar
        thumb = seek(side, THUMBS, wrist)
        # HybrIK's thumb carries the middle of the hand: a joint between, and no thumb that points elsewhere
        if thumb is not None and thumb not in skeleton.chain(found.get(f"{side}_hand", 0)):
            found[f"{side}_thumb"] = thumb
    _add_head(skeleton, sided, found)
    missing = [role for role in NEEDED if role not in found] + ["head or neck"] * ("head" not in found
                                                                                 and "neck" not in found)
    if missing:
        raise ValueError(f"no joint is known as {', '.join(missing)} among {', '.join(skeleton.names)}; a body is "
                         "conformed by its joints' names. Rename those joints as in choreo_lib.HYBRIK_29, for instance "
                         "left_knee")
    return found


def chest(skeleton: Skeleton, roles: dict[str, int]) -> int:
    """The joint that carries both arms. Chapter: 5."""
    left, right = (skeleton.chain(roles[f"{side}_shoulder"]) for side in SIDES)
    return next(j for j in left if j in right)


def _add_head(skeleton: Skeleton, sided, found: dict[str, int]) -> None:
    """Neck, head (where the skull begins) and head_end (its top)."""
    middle = {}
    for j, (side, name) in reversed(list(enumerate(sided))):
        if not side:  # VRM says J_Bip_C_Head: C is its middle
            middle[name] = middle[name.removeprefix("c")] = j
    head, jaw = middle.get("head"), middle.get("jaw")
    top = next((middle[name] for name in HEAD_ENDS if name in middle), None)
    if head is not None and jaw is not None and jaw in skeleton.chain(head):  # HybrIK: the jaw carries the crown
        head, top = jaw, head
    if head is not None:
        found["head"] = head
        if top is not None and head in skeleton.chain(top):
            found["head_end"] = top
    above = skeleton.chain(head)[1:] if head is not None else range(len(skeleton))
    necks = [j for j in above if sided[j][0] == "" and "neck" in sided[j][1]]
    if necks:
        found["neck"] = min(necks)
