"""Joint names as programs spell them: one finder of sides for mirrors, facings and measures."""

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib.body.joint_names import PARTS, left_right_pairs, plain_name, sided_names, split_side
from choreo_lib.body.reference import reference_frame
from choreo_lib.io.joint_roles import joint_roles

SIDES = [  # name, side, stem
    ("LeftUpLeg", "left", "upleg"), ("mixamorig:RightFoot", "right", "foot"), ("mixamorig7:LeftHand", "left", "hand"),
    ("mixamorigLeftArm", "left", "arm"), ("mixamorig_RightArm", "right", "arm"), ("thigh_l", "left", "thigh"),
    ("ball_r", "right", "ball"), ("index_01_l", "left", "index01"), ("L_Thigh", "left", "thigh"),
    ("Foot.L", "left", "foot"), ("Foot.R.001", "right", "foot"), ("DEF-thigh.L", "left", "thigh"),
    ("toe_end.L", "left", "toeend"), ("Toe.L_end", "left", "toeend"), ("Bip01 L Foot", "left", "foot"),
    ("Bip001_R_Toe0", "right", "toe0"), ("ValveBiped.Bip01_L_Calf", "left", "calf"),
    ("J_Bip_L_UpperLeg", "left", "upperleg"), ("CC_Base_R_Hand", "right", "hand"),
    ("Character1_LeftFoot", "left", "foot"), ("lThigh", "left", "thigh"), ("rShldr", "right", "shldr"),
    ("LHipJoint", "left", "hipjoint"), ("FootL", "left", "foot"), ("AnkleRight", "right", "ankle"),
    ("LEFTFOOT", "left", "foot"), ("RFOOT", "right", "foot"), ("lfemur", "left", "femur"), ("rtibia", "right", "tibia"),
    ("left_hip", "left", "hip"), ("Left Up Leg", "left", "upleg"), ("Lf_Wrist", "left", "wrist"),
    ("左脚", "left", "脚"),
    ("right:rig:LeftFoot", "left", "foot"), ("|rig|RightFoot", "right", "foot"), ("r_thigh", "right", "thigh"),
    ("LUArm", "left", "uarm"), ("rig:LFArm", "left", "farm"), ("RFArm", "right", "farm"),
]  # fmt: skip
NONE = ["LowerBack", "Root", "Roll", "L5", "T12", "abdomenLower", "Hips", "Bip01", "Bip01 Pelvis", "leg", "ring",
        "rear", "Reference", "lower_back", "J_Bip_C_Hips", "Neck", "R1", "upright", "Bone.001", "spine_01"]  # fmt: skip


@pytest.mark.parametrize("name, side, stem", SIDES)
def test_a_side_is_found_however_it_is_spelled(name, side, stem):
    assert split_side(name) == (side, stem)


@pytest.mark.parametrize("name", NONE)
def test_what_only_begins_with_a_letter_has_no_side(name):
    assert split_side(name) == ("", plain_name(name))


def test_plain_names_lose_namespaces_and_prefixes_but_never_all():
    named = {"mixamorig:LeftUpLeg": "leftupleg", "mixamorig2:Hips": "hips", "Bip01 Pelvis": "pelvis", "Bip01": "bip01",
             "J_Bip_C_Hips": "hips", "a:b:Spine_1": "spine1", "Foot.L.002": "footl", "ns:": "ns", "...": "...",
             "joint_07": "joint07", "腰": "腰"}  # fmt: skip
    assert {name: plain_name(name) for name in named} == named


def old_pairs(names):
    """What a mirror exchanged before: Left and Right anywhere, letters only as words of their own."""
    swaps = (("left", "right"), ("Left", "Right"), ("l_", "r_"), ("L_", "R_"))
    return {(j, names.index(name.replace(a, b, 1))) for j, name in enumerate(names) for a, b in swaps
            if name.replace(a, b, 1) != name and name.replace(a, b, 1) in names}  # fmt: skip


KNOWN = [cl.HYBRIK_29.names,
         ("Hips", "Spine", "Head", "RightUpLeg", "RightLeg", "LeftUpLeg", "LeftLeg", "RightHand", "LeftHand"),
         ("pelvis", "L_Hip", "R_Hip", "L_Knee", "R_Knee", "Spine1", "Head"),
         ("Reference", "Hips", "LeftUpLeg", "LeftUpLegRoll", "RightUpLeg", "RightUpLegRoll", "Head")]  # fmt: skip


@pytest.mark.parametrize("names", KNOWN, ids=len)
def test_pairs_of_known_skeletons_are_what_they_were(names):
    assert set(left_right_pairs(tuple(names))) == old_pairs(list(names))


BODIES = {  # hips, head, then hip, knee, ankle, shoulder, elbow, wrist of a side as {} spells it
    "maya": ("root", "head", "{}_Thigh", "{}_Knee", "{}_Foot", "{}_UpperArm", "{}_Elbow", "{}_Hand", "LR"),
    "unreal": ("pelvis", "head", "thigh_{}", "calf_{}", "foot_{}", "upperarm_{}", "lowerarm_{}", "hand_{}", "lr"),
    "blender": ("hips", "head", "thigh.{}", "shin.{}", "foot.{}", "upper_arm.{}", "forearm.{}", "hand.{}", "LR"),
    "copies": ("hips.001", "head.001", "thigh.{}.001", "shin.{}.001", "foot.{}.001", "upper_arm.{}.001",
               "forearm.{}.001", "hand.{}.001", "LR"),
    "biped": ("Bip01 Pelvis", "Bip01 Head", "Bip01 {} Thigh", "Bip01 {} Calf", "Bip01 {} Foot", "Bip01 {} UpperArm",
              "Bip01 {} Forearm", "Bip01 {} Hand", "LR"),
    "vrm": ("J_Bip_C_Hips", "J_Bip_C_Head", "J_Bip_{}_UpperLeg", "J_Bip_{}_LowerLeg", "J_Bip_{}_Foot",
            "J_Bip_{}_UpperArm", "J_Bip_{}_LowerArm", "J_Bip_{}_Hand", "LR"),
    "mixamo": ("mixamorig1:Hips", "mixamorig1:Head", "mixamorig1:{}UpLeg", "mixamorig1:{}Leg", "mixamorig1:{}Foot",
               "mixamorig1:{}Arm", "mixamorig1:{}ForeArm", "mixamorig1:{}Hand", ("Left", "Right")),
    "daz": ("hip", "head", "{}Thigh", "{}Shin", "{}Foot", "{}Shldr", "{}ForeArm", "{}Hand", "lr"),
    "xsens": ("Pelvis", "Head", "{}UpperLeg", "{}LowerLeg", "{}Foot", "{}UpperArm", "{}ForeArm", "{}Hand",
              ("Left", "Right")),
    "vicon": ("HIPS", "HEAD", "{}THIGH", "{}KNEE", "{}FOOT", "{}SHOULDER", "{}ELBOW", "{}WRIST", "LR"),
    "own": ("Ana_rig_hips", "Ana_rig_head", "Ana_rig_thigh_{}", "Ana_rig_calf_{}", "Ana_rig_foot_{}",
            "Ana_rig_upperarm_{}", "Ana_rig_lowerarm_{}", "Ana_rig_hand_{}", "lr"),
    "kinect": ("SpineBase", "Head", "Hip{}", "Knee{}", "Ankle{}", "Shoulder{}", "Elbow{}", "Wrist{}",
               ("Left", "Right")),
}  # fmt: skip


def spelled(kind):
    """A body of fourteen joints as a program spells them: hips, head, then limbs of the left and of the right."""
    hips, head, *limbs, sides = BODIES[kind]
    names, parents = [hips, head], [-1, 0]
    for side in sides:
        for k, limb in enumerate(limbs):
            names.append(limb.format(side))
            parents.append(len(names) - 2 if k % 3 else 0)
    return cl.Skeleton(names, parents)


@pytest.mark.parametrize("kind", BODIES)
def test_every_spelling_has_limbs_pairs_a_pelvis_and_a_facing(kind):
    body = spelled(kind)
    parts = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    assert [body.find(f"{side}_{part}") for side in ("left", "right") for part in parts] == list(range(2, 14))
    assert body.left_right_pairs == tuple((j, j + 6) for j in range(2, 8))
    assert body.pelvis == body.find("pelvis", "hips") == 0 and body.find("head") == 1
    pose = torch.zeros(1, 1, 1, 14, 3)
    pose[..., 2:8, 0], pose[..., 8:, 0] = -1.0, 1.0  # left is -X: this body looks along +Y
    assert reference_frame(pose, 0, body, of="a").heading.item() == pytest.approx(np.pi / 2)
    assert [body.index(f"left_{part}") for part in parts] == list(range(2, 8))


def test_no_joint_is_in_two_pairs_and_a_doubtful_twin_is_in_none():
    names = ("hips", "L_Foot", "R_Foot", "Foot_L", "Foot_R", "LeftFoot", "foot_l.001", "foot_r.001", "Lfoot", "r_hair")
    pairs = left_right_pairs(names)
    assert pairs == ((1, 2), (3, 4), (6, 7)) and len({j for pair in pairs for j in pair}) == 6
    assert left_right_pairs(("left_toe", "Left_toe", "right_toe")) == ()  # which of the two lefts?


def test_a_forehead_is_no_head_and_a_forearm_no_arm():
    body = cl.Skeleton(("root", "forehead", "head", "ForeArm_L", "Arm_L"), (-1, 0, 0, 0, 0))
    assert body.find("head") == 2 and body.find("leftarm") == 4 and body.find("neck", "jaw") is None


def test_the_pelvis_is_where_the_legs_meet():
    legs = ("LeftUpLeg", "LeftFoot", "RightUpLeg", "RightFoot")
    under = lambda *top: cl.Skeleton((*top, *legs), (*range(-1, len(top) - 1), len(top) - 1, len(top),  # noqa: E731
                                                     len(top) - 1, len(top) + 2))  # fmt: skip
    assert under("Hips").pelvis == 0
    assert under("Reference", "Hips").pelvis == 1
    assert under("world", "body").pelvis == 1  # no name to go by: where the legs meet
    assert under("Bip01", "Bip01 Pelvis", "Bip01 Spine").pelvis == 1  # legs from the spine, and the pelvis has its name
    assert cl.HYBRIK_29.pelvis == 0 and cl.Skeleton(("a", "b"), (-1, 0)).pelvis == 0


def test_stems_are_plain_and_a_prefix_of_all_is_left_out():
    assert all(stem == plain_name(stem) for stems in PARTS.values() for stem in stems)
    assert sided_names(("Ana_hips", "Ana_foot_l", "Ana_foot_r"))[1] == ("left", "foot")
    assert sided_names(("L_hips", "L_foot", "L_head"))[1] == ("left", "foot")  # a prefix that is a side stays one


RIGS = {  # pelvis, chest, neck, head, then the limbs of one side
    "Motive": "{0}Hip {0}Chest {0}Neck {0}Head {0}{1}Shoulder {0}{1}UArm {0}{1}FArm {0}{1}Hand {0}{1}Thigh {0}{1}Shin "
              "{0}{1}Foot {0}{1}Toe|Skeleton1_|L R",
    "ARKit": "hips_{0} spine_7_{0} neck_1_{0} head_{0} {1}_shoulder_1_{0} {1}_arm_{0} {1}_forearm_{0} {1}_hand_{0} "
             "{1}_upLeg_{0} {1}_leg_{0} {1}_foot_{0} {1}_toes_{0}|joint|left right",
    "Second Life": "{0}Pelvis {0}Chest {0}Neck {0}Head {0}Collar{1} {0}Shoulder{1} {0}Elbow{1} {0}Wrist{1} {0}Hip{1} "
                   "{0}Knee{1} {0}Ankle{1} {0}Foot{1}|m|Left Right",
    "MakeHuman": "root spine01 neck01 head clavicle.{1} upperarm01.{1} lowerarm01.{1} wrist.{1} upperleg01.{1} "
                 "lowerleg01.{1} foot.{1} toe1-1.{1}||L R",
}


@pytest.mark.parametrize("rig", RIGS)
def test_what_all_names_begin_or_end_with_hides_no_role(rig):
    words, shared, sides = RIGS[rig].split("|")
    words = [[word.format(shared, side) for word in words.split()] for side in sides.split()]
    names = words[0][:4] + words[0][4:] + words[1][4:]
    parents = [-1, 0, 1, 2] + [parent for k in (4, 12) for parent in (1, k, k + 1, k + 2, 0, k + 4, k + 5, k + 6)]
    roles = joint_roles(cl.Skeleton(names, parents))
    assert [roles[role] for role in ("pelvis", "neck", "head")] == [0, 2, 3]
    parts = ("collar", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "toe")
    assert [roles[f"{side}_{part}"] for side in ("left", "right") for part in parts] == list(range(4, 20))
