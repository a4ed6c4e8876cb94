"""Foot contact without skating, in a stream of poses and in a whole take of rotations. Taught in chapters 5 and 6."""

import math

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from ..body.bones import MAX_REACH, carry_rotations, place_limb, project_bone_lengths
from ..body.kinematics import forward_kinematics
from ..body.motion import Motion
from ..body.skeleton import Skeleton
from ..core.arguments import a, rate, takes
from ..core.shapes import array

MAX_SINK = 0.12  # metres by which the pelvis may give way for that


class Feet:
    """Toes that stay planted while their targets are slow and low, and step, as a spring does, when they are not.

    A network that learns a mean of several futures lets feet skate: that is the mean of standing and of stepping. A
    toe is planted until its target is faster than 0.5 m/s, 10 cm away or 8 cm high; then it follows, 3 cm above its
    floor at least, until the target is slower than 0.3 m/s, within 3 cm and low. With ``friction`` 1 it lifts before
    it travels: below 5 mm it stays where it is, from 15 mm it is free; with 0, as salsa does, it may skim the floor.
    The rest of the body makes room.
    Its floor is where the toe was lowest in the past. A body without feet is left alone. Chapter: 5.
    """

    SPRING = 20.0  # 1 / s; critically damped: a toe is there after a fifth of a second
    GRIP = (0.005, 0.015)  # metres above the floor between which friction ends

    def __init__(self, skeleton: Skeleton, past: torch.Tensor, fps: float, friction: float = 0.0):
        """``past`` [B, P, J, 3]: the poses before, metres."""
        self.skeleton, self.fps, self.friction = skeleton, fps, friction
        self.toes: list[int] = []
        self.carried: list[int] = []
        try:
            self.toes, ankles = (skeleton.indices((f"left_{part}", f"right_{part}")) for part in ("toe", "ankle"))
            # what a toe takes along: its ankle, and what lies beyond it, such as the tip of the big toe
            found = [(j, side) for side, (toe, ankle) in enumerate(zip(self.toes, ankles))
                     for j, parent in enumerate(skeleton.parents) if j == ankle or parent == toe]
            self.carried, self.by = map(list, zip(*found))  # joints, and 0 or 1: whose foot they are of
        except ValueError:
            pass  # a body without feet
        self.inverse_mass = torch.ones(len(skeleton))
        self.inverse_mass[self.toes] = 0.02
        toes = past[:, :, self.toes]  # [B, P, 2, 3]
        self.floor = toes[..., 2].amin(1)  # [B, 2]
        self.target = self.at = self.plant = toes[:, -1]  # [B, 2, 3]
        self.velocity, self.stepping = torch.zeros_like(self.at), torch.zeros_like(self.floor, dtype=torch.bool)

    def __call__(self, poses: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The next poses without foot skating. Shapes: [B, f, J, 3], bone lengths [B, 1, J - 1]. Chapter: 5."""
        if not self.toes:
            return poses
        poses = poses.clone()
        for k in range(poses.shape[1]):
            target = poses[:, k, self.toes]  # [B, 2, 3]
            poses[:, k, self.toes] = self.step(target)
            poses[:, k, self.carried] += (self.at - target)[:, self.by]
        return project_bone_lengths(self.skeleton, poses, lengths, iterations=4, inverse_mass=self.inverse_mass)

    def step(self, target: torch.Tensor) -> torch.Tensor:
        """Where the toes are in the next frame, given their targets. Shapes: [B, 2, 3] -> [B, 2, 3]. Chapter: 5."""
        velocity, self.target = self.fps * (target - self.target), target
        speed, gap = (x[..., :2].norm(dim=-1) for x in (velocity, target - self.at))  # [B, 2]
        high = target[..., 2] - self.floor > 0.08
        before = self.stepping
        self.stepping = high | torch.where(before, (speed > 0.3) | (gap > 0.03), (speed > 0.5) | (gap > 0.1))
        landed = (before & ~self.stepping)[..., None]
        self.plant = torch.cat([torch.where(landed, self.at, self.plant)[..., :2], self.floor[..., None]], -1)
        lifted = torch.cat([target[..., :2], target[..., 2:].maximum(self.floor[..., None] + 0.03)], -1)
        stepping = self.stepping[..., None]
        goal, goal_velocity = torch.where(stepping, lifted, self.plant), torch.where(stepping, velocity, 0.0)
        # a critically damped spring towards a goal that moves, solved exactly over one frame
        offset, relative = self.at - (goal - goal_velocity / self.fps), self.velocity - goal_velocity
        slope, decay = relative + self.SPRING * offset, math.exp(-self.SPRING / self.fps)
        at = goal + decay * (offset + slope / self.fps)
        velocity = goal_velocity + decay * (relative - slope * self.SPRING / self.fps)
        held, free = self.GRIP
        share = ((at[..., 2:] - self.floor[..., None] - held) / (free - held)).clamp(0, 1)  # [B, 2, 1]
        share = 1 - self.friction * (1 - share)
        share = torch.cat([share, share, torch.ones_like(share)], -1)
        self.at, self.velocity = torch.lerp(self.at, at, share), share * velocity
        return self.at


@takes(motion=a(Motion))
def fix_foot_skate(motion: Motion) -> Motion:
    """The same take with its toes where `Feet` puts them, by hips and knees, as `place_toes`.

    Both feet share a floor: where the lower of them is in a fifth of the take. A take without rotations, one whose
    positions are not those of its rotations, or a body without two-bone legs by name comes back as it is. Chapter: 6.
    The two bones of a leg by the law of cosines, as in `choreo_lib.body.rotations.two_bone_ik`.
    """
    skeleton = motion.skeleton
    try:
        legs = [skeleton.indices([f"{side}_{part}" for part in ("hip", "knee", "ankle", "toe")])
                for side in ("left", "right")]
    except ValueError:
        return motion
    parents = skeleton.parents
    if motion.rotations is None or skeleton.offsets is None or any(
            (parents[knee], parents[ankle]) != (hip, knee) for hip, knee, ankle, _ in legs):
        return motion
    posed, _ = forward_kinematics(skeleton, motion.rotations, motion.positions[:, 0])
    if np.abs(posed - motion.positions).max() > 1e-3:
        return motion
    targets = _planted(motion, [toe for *_, toe in legs])  # [T, 2, 3], of the toes
    return carry_rotations(motion, place_toes(skeleton, motion.positions, targets, motion.fps))


@takes(skeleton=a(Skeleton, axis="joints"), positions=array("frames", "joints", 3), targets=array("frames", 2, 3),
       fps=rate)
def place_toes(skeleton: Skeleton, positions: np.ndarray, targets: np.ndarray, fps: float) -> np.ndarray:
    """A body whose toes are at their targets, by hips and knees; the feet's own orientation stays.

    Where a leg would be too short the pelvis sinks, softly and by 12 cm at most; what is out of reach then is not
    reached. Shapes: [T, J, 3] and [T, 2, 3] (left, right) -> float64 [T, J, 3]. Units: metres.
    Errors: ValueError for a body without legs by name. Chapter: 6.
    """
    places, targets = positions.astype(np.float64), targets.astype(np.float64)
    sink, legs = np.zeros(len(places)), []
    for target, side in zip(targets.swapaxes(0, 1), ("left", "right")):
        hip, knee, ankle, toe = skeleton.indices([f"{side}_{part}" for part in ("hip", "knee", "ankle", "toe")])
        target = target - places[:, toe] + places[:, ankle]  # of the ankle, from here on
        leg = np.linalg.norm(np.diff(places[:, [hip, knee, ankle]], axis=1), axis=-1).sum(-1)  # [T]
        line = target - places[:, hip]
        below = np.sqrt(np.maximum((MAX_REACH * leg) ** 2 - (line[:, :2] ** 2).sum(-1), 0.01))  # the hip, at most
        sink = np.maximum(sink, (-line[:, 2] - below).clip(0, MAX_SINK))
        legs.append((target, hip, knee, ankle, toe))
    frames = fps / 30
    sink = gaussian_filter1d(maximum_filter1d(sink, max(round(7 * frames), 1)), 3 * frames)
    places[..., 2] -= sink[:, None]
    for target, hip, knee, ankle, toe in legs:
        # a knee bends where it did; a straight one, which cannot tell, where the toes point
        forward = 0.3 * (places[:, toe] - places[:, ankle])
        places = place_limb(skeleton, places, (hip, knee, ankle), target, forward)
    return places


def _planted(motion: Motion, toes: list[int]) -> np.ndarray:
    """Where `Feet` would have the toes in every frame, [T, 2, 3], smoothed by a thirtieth of a second."""
    positions = torch.tensor(motion.positions)
    feet = Feet(motion.skeleton, positions[None, :1], motion.fps)
    feet.floor = positions[:, toes, 2].quantile(0.2, dim=0).amin().expand(1, len(toes))
    found = [feet.step(pose[None])[0] for pose in positions[:, toes]]
    return gaussian_filter1d(torch.stack(found).double().numpy(), motion.fps / 30, axis=0)
