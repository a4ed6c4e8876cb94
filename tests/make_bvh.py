"""A body that dances, written as BVH the way programs write it, with the truth by SciPy: no line of the library."""

import numpy as np
from scipy.spatial.transform import Rotation

PARTS = ["hips", "spine", "chest", "neck", "head"] + [f"{side}_{part}" for limb in (
    ("collar", "arm", "forearm", "hand"), ("thigh", "shin", "foot", "toe")) for side in "lr" for part in limb]
PARENTS = [-1, 0, 1, 2, 3, 2, 5, 6, 7, 2, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19]
_ARM, _LEG = [[.04, 0, .15], [.13, 0, 0], [.27, 0, 0], [.25, 0, 0]], [
    [.09, 0, -.03], [0, 0, -.41], [0, 0, -.40], [0, -.12, -.06]]
OFFSETS = np.array([[0, 0, 0], [0, .01, .11], [0, 0, .2], [0, -.01, .21], [0, -.02, .1]] + [
    [sign * x, y, z] for limb in (_ARM, _LEG) for sign in (1, -1) for x, y, z in limb])
# metres, Z up, looks along -Y, so that left is +X
HIPS = .93

STYLES = {  # hips, spine, chest, neck, head, then the limbs of one side, and how its two sides are spelled
    "motionbuilder": "Hips Spine Spine1 Neck Head {}Shoulder {}Arm {}ForeArm {}Hand {}UpLeg {}Leg {}Foot "
                     "{}ToeBase|Left Right",
    "mixamo": "mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Neck mixamorig:Head mixamorig:{}Shoulder "
              "mixamorig:{}Arm mixamorig:{}ForeArm mixamorig:{}Hand mixamorig:{}UpLeg mixamorig:{}Leg mixamorig:{}Foot "
              "mixamorig:{}ToeBase|Left Right",
    "unreal": "pelvis spine_01 spine_02 neck_01 head clavicle_{} upperarm_{} lowerarm_{} hand_{} thigh_{} calf_{} "
              "foot_{} ball_{}|l r",
    "maya": "root spineA chest neck head {}_Clavicle {}_UpperArm {}_Forearm {}_Hand {}_Thigh {}_Shin {}_Foot "
            "{}_Toes|L R",
    "blender": "hips spine chest neck head shoulder.{} upper_arm.{} forearm.{} hand.{} thigh.{} shin.{} foot.{} "
               "toe.{}|L R",
    "suffix": "Hips Spine Chest Neck Head Shoulder_{} Arm_{} ForeArm_{} Hand_{} UpLeg_{} Leg_{} Foot_{} ToeBase_{}|L R",
    "vrm": "J_Bip_C_Hips J_Bip_C_Spine J_Bip_C_Chest J_Bip_C_Neck J_Bip_C_Head J_Bip_{}_Shoulder J_Bip_{}_UpperArm "
           "J_Bip_{}_LowerArm J_Bip_{}_Hand J_Bip_{}_UpperLeg J_Bip_{}_LowerLeg J_Bip_{}_Foot J_Bip_{}_ToeBase|L R",
    "daz": "hip abdomen chest neck head {}Collar {}Shldr {}ForeArm {}Hand {}Thigh {}Shin {}Foot {}Toe|l r",
    "xsens": "Pelvis L3 T8 Neck Head {}Shoulder {}UpperArm {}ForeArm {}Hand {}UpperLeg {}LowerLeg {}Foot "
             "{}Toe|Left Right",
    "biped": "Bip01~Pelvis Bip01~Spine Bip01~Spine1 Bip01~Neck Bip01~Head Bip01~{}~Clavicle Bip01~{}~UpperArm "
             "Bip01~{}~Forearm Bip01~{}~Hand Bip01~{}~Thigh Bip01~{}~Calf Bip01~{}~Foot Bip01~{}~Toe0|L R",
    "unknown": "q0 q1 q2 q3 q4 q5{} q6{} q7{} q8{} q9{} qa{} qb{} qc{}|x y",
}  # fmt: skip
UPS = {"y": [[1, 0, 0], [0, 0, -1], [0, 1, 0]], "z": np.eye(3), "-y": [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
       "x": [[0, 0, -1], [0, 1, 0], [1, 0, 0]]}  # from the file's axes to ours


def spelled(style):
    words, sides = STYLES[style].split("|")
    words = [word.replace("~", " ") for word in words.split(" ")]
    limbs = [(limb, side) for limb in (words[5:9], words[9:]) for side in sides.split()]
    return words[:5] + [word.format(side) for limb, side in limbs for word in limb]


def dance(frames=60, seed=0, fps=30.0, hop=0.0, travel=0.6):
    """Root path [T, 3] and local rotations (T x 21), metres, Z up: steps in place and about, arms that swing."""
    rng = np.random.default_rng(seed)
    time, turns = np.arange(frames) / fps, np.zeros((frames, len(PARTS), 3))
    wave = lambda size, pace: size * np.sin(2 * np.pi * (pace * time + rng.random()))  # noqa: E731
    for side, sign in (("l", 1), ("r", -1)):
        lift = 0.35 * np.maximum(np.sin(2 * np.pi * time + (sign > 0) * np.pi), 0)
        turns[:, PARTS.index(f"{side}_thigh"), 0] = -lift  # forward is -Y: a negative turn about X lifts the knee
        turns[:, PARTS.index(f"{side}_shin"), 0] = 2 * lift
        turns[:, PARTS.index(f"{side}_foot"), 0] = -lift
        turns[:, PARTS.index(f"{side}_arm"), 1] = sign * (1.0 + wave(.4, .7))
        turns[:, PARTS.index(f"{side}_forearm"), 2] = wave(.5, 1.1)
    turns[:, 1:4] += rng.normal(size=(1, 3, 3)) * .03
    turns[:, 2, 2], turns[:, 3, 0] = wave(.2, .5), wave(.15, .8)
    turns = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(frames, len(PARTS), 3, 3)
    turns[:, 0] = Rotation.from_euler("z", wave(.8, .2)[:, None]).as_matrix()
    root = np.stack([wave(travel, .23), wave(travel, .17), np.full(frames, HIPS) + hop * np.abs(wave(1, 1.3))], 1)
    return root, turns


def kinematics(root, turns, offsets=OFFSETS):
    """Joint positions [T, J, 3] by matrices."""
    places, spins = [root], [turns[:, 0]]
    for j, parent in enumerate(PARENTS[1:], start=1):
        places.append(places[parent] + spins[parent] @ offsets[j])
        spins.append(spins[parent] @ turns[:, j])
    return np.stack(places, 1)


def lying(root, turns, turn):
    """The same dance on the floor: turned by ``turn`` [3, 3] about the root, which is where a pelvis on a floor is."""
    turns = turns.copy()
    turns[:, 0] = turn @ turns[:, 0]
    return np.stack([root[:, 0], root[:, 1], np.full(len(root), .15)], 1), turns


def tree(names, offsets, digits=6, extra=""):
    """The HIERARCHY lines of one ROOT; ``extra`` stands under the OFFSET of each End Site."""
    children = [[c for c, p in enumerate(PARENTS) if p == j] for j in range(len(PARENTS))]
    lines = []

    def put(j, pad):
        word = " ".join(f"{x:.{digits}f}" for x in offsets[j])
        lines.extend([pad + ("JOINT " if j else "ROOT ") + names[j], pad + "{", f"{pad}\tOFFSET {word}",
                      f"{pad}\tCHANNELS " + ("3" if j else "6 Xposition Yposition Zposition")
                      + " Zrotation Xrotation Yrotation"])
        for child in children[j]:
            put(child, pad + "\t")
        if not children[j]:
            lines.extend([pad + "\tEnd Site", pad + "\t{", f"{pad}\t\tOFFSET {word}",
                          *([pad + "\t\t" + extra] * bool(extra)), pad + "\t}"])
        lines.append(pad + "}")
    put(0, "")
    return lines


def rows(root, turns, digits=6):
    angles = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_euler("ZXY", degrees=True).reshape(len(root), -1)
    return [" ".join(f"{x:.{digits}f}" for x in row) for row in np.concatenate([root, angles], 1)]


def bvh(root, turns, up="y", unit=.01, rest=None, style="motionbuilder", time="0.0333333", frames=None, mirror=False,
        extra="", names=None):
    """The lines of a BVH (list, so that a test may spoil them) and the place of its first line of numbers.

    ``rest`` [3, 3] turns the rest pose, in the file's axes, and leaves the motion as it is; ``mirror`` exports
    left-handed: x changes its sign and the names stay.
    """
    axes = np.array(UPS[up], float).T  # from ours to the file's
    flip, offsets = np.diag([-1.0, 1, 1]) if mirror else np.eye(3), OFFSETS
    root, offsets, turns = root @ flip, offsets @ flip, flip @ turns @ flip
    root, offsets, turns = root @ axes.T / unit, offsets @ axes.T / unit, axes @ turns @ axes.T
    if rest is not None:
        offsets = offsets @ np.asarray(rest).T
        turns = np.concatenate([turns[:, :1] @ np.asarray(rest).T, rest @ turns[:, 1:] @ np.asarray(rest).T], 1)
    head = ["HIERARCHY", *tree(names or spelled(style), offsets, extra=extra)]
    lines = [*head, "MOTION", f"Frames: {len(root) if frames is None else frames}", f"Frame Time: {time}"]
    return lines + rows(root, turns), len(lines)


def save(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
