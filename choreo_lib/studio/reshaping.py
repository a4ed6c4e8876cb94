"""A dance led elsewhere and still a dance: bent paths, feet that stand where they stood, rotations that follow.

Taught in chapter 10, "The studio".
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.sparse import diags
from scipy.sparse.linalg import spsolve

from ..body.motion import Motion
from ..body.rotations import rotate_points_z, rotate_z
from ..body.skeleton import Skeleton
from ..core.arguments import a, takes
from ..core.shapes import array
from ..extensions.foot_skate import place_toes

STILL, LOW = 0.12, 0.05  # m/s and metres above its floor: what a toe does half of whose weight counts as standing
RIGID, FOLLOW, SMOOTH = 100.0, 1e-2, 3.0  # how firmly a standing foot stays, follows its body, and moves without a jerk


@takes(path=array("frames", 2), turn=array("frames"))
def bent_path(path: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """A path on the floor whose every step is turned, from the same beginning.

    A dancer who is turned while walking walks on in the new direction. Shapes: [T, 2], [T] -> [T, 2]. Units: metres,
    radians. Chapter: 10. Gleicher, "Motion path editing", I3D 2001.
    """
    steps = np.diff(path, axis=0, append=path[-1:])
    middle = (turn + np.append(turn[1:], turn[-1:])) / 2
    turned = rotate_points_z(middle, np.pad(steps, ((0, 0), (0, 1))))[:, :2]
    return np.concatenate([path[:1], path[0] + np.cumsum(turned[:-1], axis=0)])


@takes(motion=a(Motion), path=array("frames", 2), goal=array("frames", 2), turn=array("frames"))
def moved(motion: Motion, path: np.ndarray, goal: np.ndarray, turn: np.ndarray) -> Motion:
    """Each frame's whole body turned about a point of one path, which comes to stand on the other.

    Shapes: ``path`` and ``goal`` [T, 2], ``turn`` [T]. Units: metres, radians. Feet skate where the two paths drift
    apart: see `replant`. Chapter: 10.
    """
    low = lambda x: np.pad(x, ((0, 0), (0, 1)))[:, None]  # noqa: E731  [T, 1, 3]
    positions = rotate_points_z(turn[:, None], motion.positions - low(path)) + low(goal)
    rotations = None if motion.rotations is None else motion.rotations.astype(np.float64)
    if rotations is not None:
        rotations[:, 0] = rotate_z(torch.from_numpy(turn), torch.from_numpy(rotations[:, 0])).numpy()
    return replace(motion, positions=positions, rotations=rotations)


@takes(skeleton=a(Skeleton, axis="joints"), before=array("frames", "joints", 3), after=array("frames", "joints", 3))
def replant(skeleton: Skeleton, before: np.ndarray, after: np.ndarray, fps: float) -> np.ndarray:
    """A dance that was led elsewhere, with feet that step where they stepped and stand where they stood.

    What the edit added to a toe's place is added while the toe is in the air: on the floor it stays constant. The
    foot keeps its orientation, and hips and knees make room (`place_toes`). The first and the last two frames stay, so that
    what was cut out fits in again. A body without feet comes back as it is.
    Shapes: [T, J, 3] each, of one clock -> [T, J, 3]. Units: metres. Chapter: 10. Kovar, Schreiner and Gleicher,
    "Footskate cleanup for motion capture editing", SCA 2002.
    """
    try:
        toes = skeleton.indices(("left_toe", "right_toe"))
        skeleton.indices([f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle")])
    except ValueError:
        return after
    if len(after) < 5:
        return after
    targets = after[:, toes].astype(np.float64)  # [T, 2, 3]
    for k, toe in enumerate(toes):
        added = (after[:, toe] - before[:, toe])[:, :2].astype(np.float64)
        targets[:, k, :2] = before[:, toe, :2] + _while_it_steps(before[:, toe], added, fps)
    return place_toes(skeleton, after, targets, fps)


def _while_it_steps(toe: np.ndarray, added: np.ndarray, fps: float) -> np.ndarray:
    """What is added [T, 2] to a toe's path [T, 3], given over to those frames in which the toe is not standing.

    The least of: a standing toe's steps, what the foot lags behind its body, and its acceleration.
    """
    frames = len(toe)
    speed = np.linalg.norm(np.diff(toe[:, :2], axis=0), axis=-1) * fps
    high = toe[:, 2] - np.percentile(toe[:, 2], 5)
    stands = 1 / (1 + (speed / STILL) ** 4) / (1 + (np.maximum(high[1:], high[:-1]) / LOW) ** 4)  # [T - 1]
    step = diags([-1.0, 1.0], [0, 1], shape=(frames - 1, frames))
    bend = diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(frames - 2, frames))
    follow = np.full(frames, FOLLOW)
    follow[[0, 1, -2, -1]] = 1e7
    system = step.T @ diags(RIGID * stands**2) @ step + SMOOTH * bend.T @ bend + diags(follow)
    return spsolve(system.tocsc(), follow[:, None] * added)
