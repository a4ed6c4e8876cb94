"""What each joint of a skeleton is, whatever its maker calls it: pelvis, knees, wrists and the rest, as roles.

Mixamo, CMU (BVH and ASF), Xsens, Rokoko, Unreal, Biped (3ds Max), VRM, SMPL, HybrIK, Motive, ARKit, MakeHuman and the
book's own sets. Taught in chapter 5, "A partner".
"""

from __future__ import annotations

from ..body.joint_names import sided_names
from ..body.skeleton import Skeleton

LIMBS = {  # the role, and the stems of names that mean it, the surer first; each hangs from the one before
    "leg": {
        "hip": ("upleg", "upperleg", "thigh", "thighbend", "femur", "hip"),
        "knee": ("knee", "lowerleg", "loleg", "calf", "shin", "tibia", "leg"),
        "ankle": ("ankle", "foot"),
        "toe": ("toebase", "toe", "toes", "toe0", "ball", "foot"),
        "toe_end": ("toeend", "toebaseend", "toetip", "toesend", "toenub", "toe0nub", "bigtoe", "footend"),
    },
    "arm": {
        "shoulder": ("upperarm", "uparm", "uarm", "arm", "humerus", "shldr", "shldrbend", "shoulder"),
        "elbow": ("forearm", "lowerarm", "loarm", "lowarm", "farm", "forearmbend", "elbow", "radius"),
        "wrist": ("wrist", "hand"),
        "hand": ("handmiddle1", "middle", "middle1", "middle01", "middleproximal", "middlefinger1", "finger2",
                 "handend", "handindex1", "index1", "index01", "indexproximal", "hand", "fingerbase", "fingers"),
    },
}
COLLARS = ("collar", "clavicle", "shoulder")
THUMBS = ("handthumb1", "thumb1", "thumb01", "thumbproximal", "thumbmetacarpal", "finger0", "thumb")
HEAD_ENDS = ("headtopend", "headend", "headtop", "headnub", "headtip", "headsite", "crown")
NEEDED = ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_shoulder",
          "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist")


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

    for side in ("left", "right"):
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
