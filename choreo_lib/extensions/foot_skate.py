"""Feet that stand where they are meant to stand, in a stream of poses and in a whole take of rotations.

Taught in chapter 5, "A partner", and chapter 6, "Translating a dancer".
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import roma
import torch
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from ..body.joints import joints
from ..body.motion import Motion
from ..body.skeleton import Skeleton, forward_kinematics, project_bone_lengths
from ..core.arguments import a, takes
from ..sets.synthetic.geometry import rotation_between, two_bone_ik

STRAIGHT = 0.995  # of a leg's length: no foot is asked to be farther from its hip
SINK = 0.12  # metres by which the pelvis may give way for that
KNEE = np.deg2rad((1.0, 150.0))


class Feet:
    """Toes that stand still while they are meant to be slow and low, and step, as a spring does, when they are not.

    A network that learns a mean of several answers lets feet slide: that is the mean of standing and of stepping. A
    toe stands until it is meant to go faster than 0.5 m/s, to be 10 cm away or 8 cm high; then it follows, 3 cm above
    its floor at least, until it is slower than 0.3 m/s, within 3 cm and low. The rest of the body makes room.
    Its floor is where the toe was lowest in the past. A body without feet is left alone. Chapter: 5.
    """

    SPRING = 20.0  # 1 / s; critically damped: a toe is there after a fifth of a second

    def __init__(self, skeleton: Skeleton, past, fps: float):
        """``past`` [B, P, J, 3]: what was danced before, metres."""
        self.skeleton, self.fps = skeleton, fps
        try:
            self.toes, self.ankles = (joints(skeleton, (f"left_{part}", f"right_{part}")) for part in ("toe", "ankle"))
        except ValueError:
            self.toes = self.ankles = []
        self.inverse_mass = torch.ones(len(skeleton))
        self.inverse_mass[self.toes] = 0.02
        toes = past[:, :, self.toes]  # [B, P, 2, 3]
        self.floor = toes[..., 2].amin(1)  # [B, 2]
        self.meant = self.at = self.stand = toes[:, -1]  # [B, 2, 3]
        self.speed, self.steps = torch.zeros_like(self.at), torch.zeros_like(self.floor, dtype=torch.bool)

    def __call__(self, poses, lengths) -> torch.Tensor:
        """The next poses [B, f, J, 3], on their feet; bones keep ``lengths`` [B, 1, J - 1]."""
        if not self.toes:
            return poses
        poses = poses.clone()
        for k in range(poses.shape[1]):
            meant = poses[:, k, self.toes]
            poses[:, k, self.toes] = self._next(meant)
            poses[:, k, self.ankles] += self.at - meant
        return project_bone_lengths(self.skeleton, poses, lengths, rounds=4, inverse_mass=self.inverse_mass)

    def _next(self, meant) -> torch.Tensor:
        speed, self.meant = self.fps * (meant - self.meant), meant
        pace, gap = (x[..., :2].norm(dim=-1) for x in (speed, meant - self.at))  # [B, 2]
        high = meant[..., 2] - self.floor > 0.08
        went = self.steps
        self.steps = high | torch.where(went, (pace > 0.3) | (gap > 0.03), (pace > 0.5) | (gap > 0.1))
        landed = (went & ~self.steps)[..., None]
        self.stand = torch.cat([torch.where(landed, self.at, self.stand)[..., :2], self.floor[..., None]], -1)
        lifted = torch.cat([meant[..., :2], meant[..., 2:].maximum(self.floor[..., None] + 0.03)], -1)
        goes = self.steps[..., None]
        goal, pace = torch.where(goes, lifted, self.stand), torch.where(goes, speed, 0.0)
        # a critically damped spring towards a goal that moves, solved exactly over one frame
        away, lag = self.at - (goal - pace / self.fps), self.speed - pace
        pull, left = lag + self.SPRING * away, math.exp(-self.SPRING / self.fps)
        self.at = goal + left * (away + pull / self.fps)
        self.speed = pace + left * (lag - pull * self.SPRING / self.fps)
        return self.at


@takes(motion=a(Motion))
def standing(motion: Motion) -> Motion:
    """The same take with its toes where `Feet` hold them, by hips and knees; the feet stay turned as they are.

    Where a leg would be too short for that, the pelvis sinks, softly and by 12 cm at most; what is out of reach then
    is not reached. Both feet share a floor: where the lower of them is in a fifth of the take. A take without
    rotations, one whose places are not those of its rotations, or a body without two-bone legs by name comes back as
    it is.
    Chapter: 6. The two bones of a leg by the law of cosines, as in `choreo_lib.sets.synthetic.geometry.two_bone_ik`.
    """
    skeleton = motion.skeleton
    try:
        legs = [joints(skeleton, [f"{side}_{part}" for part in ("hip", "knee", "ankle", "toe")])
                for side in ("left", "right")]
    except ValueError:
        return motion
    parents = skeleton.parents
    if motion.rotations is None or skeleton.offsets is None or any(
            (parents[knee], parents[ankle]) != (hip, knee) for hip, knee, ankle, _ in legs):
        return motion
    turns, root = torch.tensor(motion.rotations), torch.tensor(motion.positions[:, 0])
    walked, world = forward_kinematics(skeleton, turns, root)
    if np.abs(walked.numpy() - motion.positions).max() > 1e-3:
        return motion
    aims = _held(motion, [toe for *_, toe in legs])  # [T, 2, 3], of the toes
    places = motion.positions.astype(np.float64)
    world = roma.unitquat_to_rotmat(world).double().numpy()  # [T, J, 3, 3]
    lacks = np.zeros(len(motion))
    for aim, (hip, knee, ankle, toe) in zip(aims.swapaxes(0, 1), legs):
        aim -= places[:, toe] - places[:, ankle]  # of the ankle, from here on
        leg = np.linalg.norm(np.diff(places[:, [hip, knee, ankle]], axis=1), axis=-1).sum(-1)
        line = aim - places[:, hip]
        deep = np.sqrt(np.maximum((STRAIGHT * leg) ** 2 - (line[:, :2] ** 2).sum(-1), 0.01))  # how far below the hip
        lacks = np.maximum(lacks, (-line[:, 2] - deep).clip(0, SINK))
    pace = motion.fps / 30
    sunk = gaussian_filter1d(maximum_filter1d(lacks, max(round(7 * pace), 1)), 3 * pace)
    places[..., 2] -= sunk[:, None]
    for aim, (hip, knee, ankle, toe) in zip(aims.swapaxes(0, 1), legs):
        upper, lower = places[:, knee] - places[:, hip], places[:, ankle] - places[:, knee]
        long, short = (np.linalg.norm(bone, axis=-1).mean() for bone in (upper, lower))
        line, full = aim - places[:, hip], long + short
        far = np.linalg.norm(line, axis=-1, keepdims=True)
        left = (1 - STRAIGHT) * full  # the last of a leg's length is used up slowly, or the knee would snap
        near = full - left * np.exp(-(far - STRAIGHT * full).clip(0) / left)
        aim = places[:, hip] + line * np.where(far > STRAIGHT * full, near / far, 1.0)
        # a knee bends where it did; a straight one, which cannot tell, where the toes point
        bend = upper - (places[:, ankle] - places[:, hip]) * long / full + 0.3 * (places[:, toe] - places[:, ankle])
        thigh, shank = two_bone_ik(places[:, hip], aim, long, short, bend, KNEE)
        world[:, hip] = rotation_between(world[:, hip], upper / long, thigh)
        world[:, knee] = rotation_between(world[:, knee], lower / short, shank)
    turned = roma.rotmat_to_unitquat(torch.from_numpy(world))
    local = turned.clone()
    local[:, 1:] = roma.quat_product(roma.quat_conjugation(turned[:, list(parents[1:])]), turned[:, 1:])
    root[:, 2] -= torch.from_numpy(sunk).float()
    made = Motion.from_rotations(local.float(), root, motion.fps, skeleton, source=motion.source, name=motion.name)
    return replace(made, notes=motion.notes)


def _held(motion: Motion, toes: list[int]) -> np.ndarray:
    """Where `Feet` would have the toes in every frame, [T, 2, 3], smoothed by a thirtieth of a second."""
    positions = torch.tensor(motion.positions)
    feet = Feet(motion.skeleton, positions[None, :1], motion.fps)
    feet.floor = positions[:, toes, 2].quantile(0.2, dim=0).amin().expand(1, len(toes))
    held = []
    for pose in positions[:, toes]:
        feet._next(pose[None])
        held.append(feet.at[0])
    return gaussian_filter1d(torch.stack(held).double().numpy(), motion.fps / 30, axis=0)
