"""Bodies as the usual programs name them: the same dance on each, rigged for the test from nobody's recording."""

from __future__ import annotations

import functools

import numpy as np

import choreo_lib as cl
from choreo_lib.sets import synthetic

SIDED = {  # our body's joint -> name of the left one
    "mixamo": {"collar": "mixamorig:LeftShoulder", "shoulder": "mixamorig:LeftArm", "elbow": "mixamorig:LeftForeArm",
               "wrist": "mixamorig:LeftHand", "middle": "mixamorig:LeftHandMiddle1", "hip": "mixamorig:LeftUpLeg",
               "knee": "mixamorig:LeftLeg", "ankle": "mixamorig:LeftFoot", "foot": "mixamorig:LeftToeBase",
               "bigtoe": "mixamorig:LeftToe_End"},
    "mixamo plain": {"collar": "LeftShoulder", "shoulder": "LeftArm", "elbow": "LeftForeArm", "wrist": "LeftHand",
                     "hip": "LeftUpLeg", "knee": "LeftLeg", "ankle": "LeftFoot", "foot": "LeftToeBase"},
    "unreal": {"collar": "clavicle_l", "shoulder": "upperarm_l", "elbow": "lowerarm_l", "wrist": "hand_l",
               "middle": "middle_01_l", "hip": "thigh_l", "knee": "calf_l", "ankle": "foot_l", "foot": "ball_l"},
    "biped": {"collar": "Bip01 L Clavicle", "shoulder": "Bip01 L UpperArm", "elbow": "Bip01 L Forearm",
              "wrist": "Bip01 L Hand", "middle": "Bip01 L Finger2", "hip": "Bip01 L Thigh", "knee": "Bip01 L Calf",
              "ankle": "Bip01 L Foot", "foot": "Bip01 L Toe0"},
    "vrm": {"collar": "J_Bip_L_Shoulder", "shoulder": "J_Bip_L_UpperArm", "elbow": "J_Bip_L_LowerArm",
            "wrist": "J_Bip_L_Hand", "middle": "J_Bip_L_Middle1", "hip": "J_Bip_L_UpperLeg", "knee": "J_Bip_L_LowerLeg",
            "ankle": "J_Bip_L_Foot", "foot": "J_Bip_L_ToeBase"},
    "xsens": {"collar": "LeftShoulder", "shoulder": "LeftUpperArm", "elbow": "LeftForeArm", "wrist": "LeftHand",
              "hip": "LeftUpperLeg", "knee": "LeftLowerLeg", "ankle": "LeftFoot", "foot": "LeftToe"},
    "rokoko": {"collar": "LeftShoulder", "shoulder": "LeftArm", "elbow": "LeftForeArm", "wrist": "LeftHand",
               "hip": "LeftThigh", "knee": "LeftShin", "ankle": "LeftFoot", "foot": "LeftToe",
               "bigtoe": "LeftToeTip"},
    "cmu": {"collar": "LeftShoulder", "shoulder": "LeftArm", "elbow": "LeftForeArm", "wrist": "LeftHand",
            "middle": "LeftHandIndex1", "hip": "LeftUpLeg", "knee": "LeftLeg", "ankle": "LeftFoot",
            "foot": "LeftToeBase"},
    "asf": {"collar": "lclavicle", "shoulder": "lhumerus", "elbow": "lradius", "wrist": "lwrist", "middle": "lhand",
            "hip": "lfemur", "knee": "ltibia", "ankle": "lfoot", "foot": "ltoes"},
    "smpl": {"collar": "L_Collar", "shoulder": "L_Shoulder", "elbow": "L_Elbow", "wrist": "L_Wrist",
             "middle": "L_Hand", "hip": "L_Hip", "knee": "L_Knee", "ankle": "L_Ankle", "foot": "L_Foot"},
}
TRUNK = {  # from the pelvis to the neck, the head, its top; further joints that nobody asks for
    "mixamo": (("mixamorig:Hips", "mixamorig:Spine", "mixamorig:Spine1", "mixamorig:Spine2"),
               ("mixamorig:Neck", "mixamorig:Head", "mixamorig:HeadTop_End")),
    "mixamo plain": (("Hips", "Spine", "Spine1", "Spine2"), ("Neck", "Head")),
    "unreal": (("pelvis", "spine_01", "spine_02", "spine_03"), ("neck_01", "head")),
    "biped": (("Bip01 Pelvis", "Bip01 Spine", "Bip01 Spine1"), ("Bip01 Neck", "Bip01 Head", "Bip01 HeadNub")),
    "vrm": (("J_Bip_C_Hips", "J_Bip_C_Spine", "J_Bip_C_Chest", "J_Bip_C_UpperChest"),
            ("J_Bip_C_Neck", "J_Bip_C_Head")),
    "xsens": (("Hips", "Chest", "Chest2", "Chest3", "Chest4"), ("Neck", "Head")),
    "rokoko": (("Hips", "Spine1", "Spine2", "Spine3", "Spine4"), ("Neck", "Head")),
    "cmu": (("Hips", "LowerBack", "Spine", "Spine1"), ("Neck1", "Head")),
    "asf": (("root", "lowerback", "upperback", "thorax"), ("lowerneck", "head")),
    "smpl": (("Pelvis", "Spine1", "Spine2", "Spine3"), ("Neck", "Head")),
}
FINGERS = {"mixamo": "mixamorig:LeftHandThumb1", "unreal": "thumb_01_l", "biped": "Bip01 L Finger0"}
RIGHT = (("Left", "Right"), (" L ", " R "), ("_L_", "_R_"), ("L_", "R_"), ("_l", "_r"))
SCHEMES = tuple(SIDED)


def right(name: str, scheme: str) -> str:
    """The right joint's name of a left one's."""
    if scheme == "asf":
        return "r" + name[1:]
    for left, other in RIGHT:
        if left in name:
            return name.replace(left, other, 1) if left != "_l" else name[:-2] + other
    raise ValueError(name)


@functools.cache
def dance(frames: int = 60, seed: int = 3, fps: float = 30.0) -> cl.Motion:
    """A synthetic dancer's motion, with rotations, whose arms and spine move."""
    return synthetic.duet(frames=frames, seed=seed, fps=fps).a


@functools.cache
def body(scheme: str, rest: str = "t-pose", frames: int = 60) -> cl.Motion:
    """The dance on a body named as ``scheme`` does, with its own bones: a shorter trunk, longer arms, a thumb.

    ``rest``: "t-pose"; "x" with every rest bone along its own x axis; "turned" with rest frames turned at random.
    """
    ours = dance(frames)
    j = ours.skeleton.index
    world = cl.forward_kinematics(ours.skeleton, ours.rotations.astype(float), ours.positions[:, 0].astype(float))[1]
    spine, head = TRUNK[scheme]
    offsets, made, parents, follows = {}, [], {}, {}

    def add(name, parent, offset, joint):
        made.append(name)
        parents[name], offsets[name], follows[name] = parent, np.array(offset, float), joint

    for k, name in enumerate(spine):
        joint = ("pelvis", "spine1", "spine2", "spine3", "spine3")[k] if name != spine[-1] else "spine3"
        add(name, None if k == 0 else spine[k - 1], (0, 0.0, 0.0 if k == 0 else 0.36 / (len(spine) - 1)), joint)
    above = spine[-1]
    for name, joint, high in zip(head, ("neck", "jaw", "jaw"), (0.17, 0.09, 0.16)):
        add(name, above, (0, -0.01, high), joint)
        above = name
    bones = {"collar": (0.05, 0.01, 0.12), "shoulder": (0.13, 0, 0), "elbow": (0.29, 0, 0), "wrist": (0.25, 0, 0),
             "middle": (0.09, 0, 0), "hip": (0.095, 0, -0.06), "knee": (0, 0, -0.42), "ankle": (0, 0, -0.40),
             "foot": (0, -0.13, -0.055), "bigtoe": (0, -0.07, 0)}
    order = {"collar": None, "shoulder": "collar", "elbow": "shoulder", "wrist": "elbow", "middle": "wrist",
             "hip": None, "knee": "hip", "ankle": "knee", "foot": "ankle", "bigtoe": "foot"}
    for side in ("left", "right"):
        called = {part: name if side == "left" else right(name, scheme) for part, name in SIDED[scheme].items()}
        for part, name in called.items():
            parent = called.get(order[part]) or (spine[-1] if part == "collar" else spine[0])
            mirror = np.array([1 if side == "left" else -1, 1, 1])
            add(name, parent, mirror * bones[part], f"{side}_{part}")
        if scheme in FINGERS:
            thumb = FINGERS[scheme] if side == "left" else right(FINGERS[scheme], scheme)
            add(thumb, called["wrist"], mirror * (0.03, -0.03, -0.01), f"{side}_wrist")
    index = {name: k for k, name in enumerate(made)}
    skeleton = cl.Skeleton(made, [-1 if parents[n] is None else index[parents[n]] for n in made],
                           np.array([offsets[n] for n in made]))
    turns = np.stack([world[:, j(follows[n])] for n in made], 1)  # world rotations [T, J, 4]
    if rest != "t-pose":
        skeleton, turns = _other_rest(skeleton, turns, rest)
    local = _local(skeleton, turns)
    # its ankles are 82 cm and its balls of the foot 5.5 cm lower: as high above the floor as the dance's own
    motion = cl.Motion.from_rotations(local, ours.positions[:, 0], ours.fps, skeleton, name=scheme, source=cl.OURS)
    toes = [skeleton.index(SIDED[scheme]["foot"]), skeleton.index(right(SIDED[scheme]["foot"], scheme))]
    return motion.transformed((0, 0, 0.03 - float(np.quantile(motion.positions[:, toes, 2].min(1), 0.05))))


def _matrices(q):
    import roma
    import torch

    return roma.unitquat_to_rotmat(torch.from_numpy(np.array(q, float))).numpy()


def _quaternions(matrices):
    import roma
    import torch

    return roma.rotmat_to_unitquat(torch.from_numpy(np.ascontiguousarray(matrices))).numpy()


def _local(skeleton, world):
    matrices = _matrices(world)
    local = matrices.copy()
    up = list(skeleton.parents[1:])
    local[:, 1:] = matrices[:, up].swapaxes(-1, -2) @ matrices[:, 1:]
    return _quaternions(local)


def _other_rest(skeleton, world, rest):
    """The same motion told from other rest frames: each joint's frame is turned by a constant K."""
    chance = np.random.default_rng(7)
    keys = []
    for k in range(len(skeleton)):
        children = [c for p, c in skeleton.bones if p == k]
        if rest == "turned":
            turn = np.linalg.qr(chance.normal(size=(3, 3)))[0]
            keys.append(turn * np.linalg.det(turn))
            continue
        bone = skeleton.offsets[children[0]] if children else np.array([1.0, 0, 0])
        x = bone / np.linalg.norm(bone)
        z = np.cross(x, [0, 1, 0.1])
        z /= np.linalg.norm(z)
        keys.append(np.stack([x, np.cross(z, x), z], 1))
    keys = np.stack(keys)
    offsets = skeleton.offsets.copy()
    for parent, child in skeleton.bones:
        offsets[child] = keys[parent].T @ offsets[child]
    turned = _quaternions(_matrices(world) @ keys)
    return cl.Skeleton(skeleton.names, skeleton.parents, offsets), turned
