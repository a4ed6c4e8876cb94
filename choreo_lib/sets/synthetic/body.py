"""A body that performs a score: from steps and angles to joint rotations. Taught in chapter 1, "Seeing a duet"."""

from dataclasses import dataclass

import numpy as np

from ...body.coupling import JOINT_INDEX
from ...body.rotations import axes_from, rotation_about, two_bone_ik
from ...body.skeleton import HYBRIK_29, Skeleton
from ...core.arguments import number, takes

SIDES = (("left", 1.0), ("right", -1.0))  # the left side is +X in the rest pose, which looks along -Y
ELBOW_LIMIT = np.deg2rad((4.0, 140.0))
KNEE_LIMIT = np.deg2rad((2.0, 140.0))
HEAD_TURN_LIMIT = np.deg2rad(65.0)
_SHARE = number(0.7, 1.4, what="a share of an average body's")


@takes(height=number(1.2, 2.2, what="a number of metres"), legs=_SHARE, arms=_SHARE, shoulders=_SHARE)
def body(height: float = 1.70, legs: float = 1.0, arms: float = 1.0, shoulders: float = 1.0) -> Skeleton:
    """A 29-joint skeleton with the proportions you ask for, resting in a T-pose that looks along -Y.

    Units: ``height`` metres from sole to crown; the other three are factors on an average body.
    Errors: ValueError for a height outside 1.2 to 2.2 m or a factor outside 0.7 to 1.4. Chapter: 1. Thigh and shank are
    the shares of body height of Drillis and Contini (1966); the rest is rounded to look right.
    """
    leg = 0.491 * legs  # hip to ankle, as a share of height
    trunk = (1 - 0.039 - 0.028 - leg) / (1 - 0.039 - 0.028 - 0.491)  # what is left for the spine and the head
    left_offsets = {
        "pelvis": (0, 0, 0), "spine1": (0, 0, 0.062 * trunk), "spine2": (0, 0.004, 0.075 * trunk),
        "spine3": (0, 0.004, 0.072 * trunk), "neck": (0, 0.006, 0.130 * trunk),
        "jaw": (0, -0.010, 0.051 * trunk), "head": (0, -0.004, 0.080 * trunk),
        "hip": (0.055, 0, -0.028), "knee": (0, 0, -0.245 * legs), "ankle": (0, 0, -0.246 * legs),
        "foot": (0, -0.078, -0.030), "bigtoe": (0, -0.040, -0.002),
        "collar": (0.030 * shoulders, 0, 0.085 * trunk), "shoulder": (0.085 * shoulders, 0, 0.010),
        "elbow": (0.172 * arms, 0, 0), "wrist": (0.152 * arms, 0, 0),
        "thumb": (0.050 * arms, 0, 0), "middle": (0.052 * arms, 0, 0)}
    offsets = []
    for name in HYBRIK_29.names:
        side, _, part = name.rpartition("_")
        x, y, z = left_offsets[part]
        offsets.append((-x if side == "right" else x, y, z))
    return Skeleton(HYBRIK_29.names, HYBRIK_29.parents, height * np.array(offsets, dtype=np.float64))


def rest_offsets(skeleton: Skeleton) -> np.ndarray:
    """A body's rest offsets [J, 3], metres. Errors: ValueError for a skeleton without. Chapter: 1."""
    if skeleton.offsets is None:
        raise ValueError("bodies need rest offsets, to know how long their bones are; synthetic.body() makes such")
    return skeleton.offsets


@dataclass(frozen=True)
class Performance:
    """What one dancer does with a score: world rotations [T, J, 3, 3], pelvis path [T, 3] in metres. Chapter: 1."""

    skeleton: Skeleton
    world: np.ndarray
    root: np.ndarray

    def positions(self) -> np.ndarray:
        """Joint positions, float64 [T, J, 3]. Chapter: 1."""
        offsets = rest_offsets(self.skeleton)
        placed = np.empty(self.world.shape[:2] + (3,))
        placed[:, 0] = self.root
        for parent, j in self.skeleton.bones:
            placed[:, j] = placed[:, parent] + self.world[:, parent] @ offsets[j]
        return placed


def arm_directions(angles: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray]:
    """Upper arm and forearm directions [T, 3] in the chest's frame, from the angles [T, 4] of a score. Chapter: 1."""
    up, out, swivel, flexion = np.moveaxis(angles, -1, 0)
    arm = np.stack([side * np.sin(up) * np.sin(out), -np.sin(up) * np.cos(out), -np.cos(up)], -1)
    rise = np.stack([side * np.cos(up) * np.sin(out), -np.cos(up) * np.cos(out), np.sin(up)], -1)
    front = np.stack([-side * np.cos(out), -np.sin(out), np.zeros_like(out)], -1)
    fold = np.cos(swivel)[:, None] * rise + np.sin(swivel)[:, None] * front
    return arm, np.cos(flexion)[:, None] * arm + np.sin(flexion)[:, None] * fold


def perform(skeleton: Skeleton, moves: dict[str, np.ndarray]) -> Performance:
    """Let a body dance what `choreo_lib.sets.synthetic.score.Score.at` says.

    Shapes: the arrays of ``moves``, each [T, ...]; angles in radians, places in metres.
    Gives a Performance; hands that hold something are placed afterwards by `place_hand`. Chapter: 1.
    """
    offsets = rest_offsets(skeleton)
    length = np.linalg.norm(offsets, axis=-1)
    feet, foot_yaw = moves["feet"], moves["foot_yaw"]
    world = np.empty((len(feet), len(skeleton), 3, 3))
    heading = rotation_about("z", moves["heading"])
    world[:, 0] = heading @ rotation_about("z", moves["hip_twist"]) @ rotation_about("y", moves["hip_roll"])
    root = np.concatenate([moves["pelvis"], np.zeros((len(feet), 1))], axis=-1)
    sole = np.array([0.0, 0.0, -offsets[JOINT_INDEX["left_foot"], 2] - offsets[JOINT_INDEX["left_bigtoe"], 2]])
    ankles = feet + sole
    root[:, 2] = _pelvis_height(offsets, length, world[:, 0], root, ankles) - moves["bounce"]
    for i, (side, _) in enumerate(SIDES):
        hip, knee, ankle = (JOINT_INDEX[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
        turn = rotation_about("z", foot_yaw[:, i])
        foot = turn @ rotation_about("x", moves["foot_pitch"][:, i])
        forward = -(world[:, 0, :, 1] + turn[..., 1])
        start = root + world[:, 0] @ offsets[hip]
        thigh, shin = two_bone_ik(start, ankles[:, i], length[knee], length[ankle], forward, KNEE_LIMIT)
        for j, bone in ((hip, thigh), (knee, shin)):  # rest legs hang along -Z, so the bone is minus the z column
            world[:, j] = axes_from(-bone, -forward)[..., [2, 1, 0]] * np.array([-1.0, 1.0, 1.0])
        world[:, ankle] = foot
        world[:, JOINT_INDEX[f"{side}_foot"]] = world[:, JOINT_INDEX[f"{side}_bigtoe"]] = foot
    bend, tilt, twist = np.moveaxis(moves["spine"], -1, 0)
    third = rotation_about("z", (twist - moves["hip_twist"]) / 3) @ rotation_about("y", (tilt - moves["hip_roll"]) / 3)
    third = third @ rotation_about("x", bend / 3)  # of three joints, each takes a third of the way
    for joint, parent in (("spine1", "pelvis"), ("spine2", "spine1"), ("spine3", "spine2")):
        world[:, JOINT_INDEX[joint]] = world[:, JOINT_INDEX[parent]] @ third
    chest = world[:, JOINT_INDEX["spine3"]]
    # towards the partner, and back to the front when the partner is behind
    look = HEAD_TURN_LIMIT * np.sin(moves["look"] - moves["heading"] - twist)
    nod = rotation_about("x", moves["nod"] - 0.4 * bend)
    world[:, JOINT_INDEX["neck"]] = chest @ rotation_about("z", 0.4 * look)
    head = world[:, JOINT_INDEX["neck"]] @ rotation_about("z", 0.6 * look) @ nod
    world[:, JOINT_INDEX["jaw"]] = world[:, JOINT_INDEX["head"]] = head
    performance = Performance(skeleton, world, root)
    for i, (side, sign) in enumerate(SIDES):
        angles = moves["arms"][:, i]
        shrug = sign * -0.25 * np.clip(angles[:, 0] - 1.2, 0, None)
        world[:, JOINT_INDEX[f"{side}_collar"]] = chest @ rotation_about("y", shrug)
        arm, forearm = arm_directions(angles, sign)
        arm, forearm = (np.einsum("tij,tj->ti", chest, bone) for bone in (arm, forearm))  # into the world
        place_arm(performance, i, arm, forearm, moves["wrists"][:, i])
    return performance


def place_arm(performance: Performance, i: int, arm: np.ndarray, forearm: np.ndarray, wrist: np.ndarray) -> None:
    """Point one arm's bones along world directions [T, 3]; the hand bends by `wrist` [T] radians. Chapter: 1."""
    side, sign = SIDES[i]
    fold = forearm - (forearm * arm).sum(-1, keepdims=True) * arm
    rest = axes_from(np.array([sign, 0.0, 0.0]), np.array([0.0, -1.0, 0.0]))
    hinge = axes_from(arm, fold)
    performance.world[:, JOINT_INDEX[f"{side}_shoulder"]] = hinge @ rest.T
    elbow = np.stack([forearm, np.cross(hinge[..., 2], forearm), hinge[..., 2]], axis=-1) @ rest.T
    performance.world[:, JOINT_INDEX[f"{side}_elbow"]] = elbow
    hand = elbow @ rotation_about("y", sign * wrist)
    for joint in ("wrist", "thumb", "middle"):
        performance.world[:, JOINT_INDEX[f"{side}_{joint}"]] = hand


def place_hand(performance: Performance, i: int, goal: np.ndarray) -> None:
    """Bring one hand's middle joint to world points [T, 3], or as near as the arm is long. Chapter: 1."""
    side, sign = SIDES[i]
    skeleton = performance.skeleton
    length = np.linalg.norm(rest_offsets(skeleton), axis=-1)
    shoulder, elbow, wrist = (JOINT_INDEX[f"{side}_{part}"] for part in ("shoulder", "elbow", "wrist"))
    hand = length[JOINT_INDEX[f"{side}_thumb"]] + length[JOINT_INDEX[f"{side}_middle"]]
    placed = performance.positions()
    chest = performance.world[:, JOINT_INDEX["spine3"]]
    out = np.einsum("tij,j->ti", chest, np.array([0.8 * sign, 0.4, -1.0]))
    # the hand continues the forearm, so the chain has two bones: upper arm, and forearm with hand
    arm, forearm = two_bone_ik(placed[:, shoulder], goal, length[elbow], length[wrist] + hand, out, ELBOW_LIMIT)
    place_arm(performance, i, arm, forearm, np.zeros(len(goal)))


def _pelvis_height(offsets, length, pelvis, root, ankles) -> np.ndarray:
    """As high as both legs allow: a smoothed lower envelope, so no leg is ever too short."""
    bounds = []
    for i, (side, _) in enumerate(SIDES):
        leg = length[JOINT_INDEX[f"{side}_knee"]] + length[JOINT_INDEX[f"{side}_ankle"]]
        hip = pelvis @ offsets[JOINT_INDEX[f"{side}_hip"]]
        across = np.linalg.norm((root + hip - ankles[:, i])[:, :2], axis=-1)
        bounds.append(ankles[:, i, 2] + np.sqrt(np.maximum((0.985 * leg) ** 2 - across**2, 0.01)) - hip[:, 2])
    # a smooth curve that never passes above: the lowest of 19 frames around, then a kernel as wide
    lowest = np.lib.stride_tricks.sliding_window_view(np.pad(np.minimum(*bounds), 18, mode="edge"), 19).min(-1)
    bump = np.cos(np.linspace(-np.pi / 2, np.pi / 2, 21)[1:-1]) ** 4
    return np.convolve(lowest, bump / bump.sum(), mode="valid")
