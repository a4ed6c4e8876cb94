"""A dance led elsewhere: bent paths, feet that stand where they stood, rotations that follow. Taught in chapter 10."""

from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import diags
from scipy.sparse.linalg import spsolve

from ..body.blending import inertialise, minimum_jerk
from ..body.bones import carry_rotations, project_bone_lengths
from ..body.motion import Motion
from ..body.reference import reference_frame
from ..body.rotations import rotate_points_z, rotate_z
from ..body.skeleton import Skeleton
from ..core.arguments import a, count, takes
from ..core.shapes import array
from ..extensions.foot_contact import place_toes

STILL, LOW = 0.12, 0.05  # m/s and metres above its floor: what a toe does half of whose weight counts as standing
RIGID, FOLLOW, SMOOTH = 1000.0, 1e-2, 3.0  # how firmly a standing foot stays, follows its body, moves smoothly
FADE = 0.3  # seconds in which feet that are put right are let in where a piece is cut out
SWAY = 0.5  # seconds, the width of the Gaussian that takes sway and steps out of a path
WAITING = 0.02  # how fast a body is led elsewhere while both feet stand, as a share of while both step


@takes(path=array("frames", 2), turn=array("frames"))
def bent_path(path: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """A path on the floor whose every step is turned: who is turned while walking walks on in the new direction.

    Shapes: [T, 2], [T] -> [T, 2]. Units: metres, radians. Chapter: 10. Gleicher, "Motion path editing", I3D 2001.
    """
    steps = np.diff(path, axis=0, append=path[-1:])
    middle = (turn + np.append(turn[1:], turn[-1:])) / 2
    turned = rotate_points_z(middle, np.pad(steps, ((0, 0), (0, 1))))[:, :2]
    return np.concatenate([path[:1], path[0] + np.cumsum(turned[:-1], axis=0)])


@takes(skeleton=a(Skeleton, axis="joints"), before=array("frames", "joints", 3), after=array("frames", "joints", 3))
def replant(skeleton: Skeleton, before: np.ndarray, after: np.ndarray, fps: float, cut_out: bool = False) -> np.ndarray:
    """A dance that was led elsewhere, with feet that step where they stepped and stand where they stood.

    What the edit added to a toe's place is added while the toe is in the air, and hips and knees make room.
    ``cut_out``: both ends are left as the edit has them. A body without legs by name comes back as it is.
    Shapes: [T, J, 3] each -> [T, J, 3]. Units: metres. Chapter: 10. Kovar, Schreiner and Gleicher, "Footskate cleanup
    for motion capture editing", SCA 2002.
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
        targets[:, k] = before[:, toe] + _while_it_steps(before[:, toe], targets[:, k] - before[:, toe], fps)
    placed = place_toes(skeleton, after, targets, fps)
    if not cut_out:
        return placed
    time = np.arange(len(after))
    share = minimum_jerk(np.minimum(time, time[::-1]) / min(FADE * fps, len(after) / 2))[:, None, None]
    return bodily(skeleton, before, after + share * (placed - after))


def bodily(skeleton: Skeleton, before: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [T, J, 3] at which every bone is as long as in the same frame before; metres. Chapter: 10."""
    parents, children = map(list, zip(*skeleton.bones))
    lengths = torch.from_numpy(np.linalg.norm(before[:, children] - before[:, parents], axis=-1))
    return project_bone_lengths(skeleton, torch.from_numpy(points), lengths, iterations=8).double().numpy()


@takes(motion=a(Motion), start=count(0), stop=count(0))
def while_stepping(motion: Motion, start: int, stop: int) -> np.ndarray:
    """A share [T] that rises from 0 at ``start`` to 1 at ``stop``, frames, while feet step. Chapter: 10."""
    time = np.clip((np.arange(len(motion)) - start) / max(stop - start, 1), 0, 1)
    rate = time**2 * (1 - time) ** 2  # of minimum jerk
    try:
        toes = motion.positions[:, motion.skeleton.indices(("left_toe", "right_toe"))]
    except ValueError:
        return minimum_jerk(time)
    stands = [_stands(toe.astype(np.float64), motion.fps) for toe in toes.swapaxes(0, 1)]  # two of [T - 1]
    rate[1:] *= WAITING + gaussian_filter1d(1 - np.mean(stands, axis=0), 0.15 * motion.fps)
    risen = np.cumsum(rate)
    return risen / risen[-1] if risen[-1] > 0 else minimum_jerk(time)


def led(dancers: list[Motion], who: int, together: bool, path: np.ndarray, goal: np.ndarray,
        turn: np.ndarray, cut_out: bool = False) -> list[Motion]:
    """Whole bodies, ``who`` or all ``together``, turned about a path that comes to stand on another, over their feet.

    ``cut_out`` as in `replant`. Shapes: ``path``, ``goal`` [T, 2], ``turn`` [T]. Units: metres, radians. Chapter: 10.
    """
    low = lambda x: np.pad(x, ((0, 0), (0, 1)))[:, None]  # noqa: E731  [T, 1, 3]
    made = [*dancers]
    for k, motion in enumerate(dancers):
        if together or k == who:
            positions = rotate_points_z(turn[:, None], motion.positions - low(path)) + low(goal)
            rotations = None if motion.rotations is None else motion.rotations.astype(np.float64)
            if rotations is not None:
                rotations[:, 0] = rotate_z(torch.from_numpy(turn), torch.from_numpy(rotations[:, 0])).numpy()
            there = replace(motion, positions=positions, rotations=rotations)
            points = replant(motion.skeleton, motion.positions, there.positions, motion.fps, cut_out)
            made[k] = carry_rotations(there, points)
    return made


def ends_with(motion: Motion, pose: np.ndarray, velocity: np.ndarray, frames: int) -> Motion:
    """A motion whose last frame is a pose [J, 3], reached with a velocity [J, 3] more than danced, over ``frames``.

    Units: metres, metres per frame. Bones keep their lengths; feet step to where they are to stand. Chapter: 10.
    """
    danced = motion.positions.astype(np.float64)
    gap = pose - danced[-1]
    points, short = danced.copy(), min(frames, round(FADE * motion.fps))  # a velocity led long away would lead astray
    points[-frames - 1 :] += minimum_jerk(np.arange(frames + 1) / frames)[:, None, None] * gap
    points[-short - 1 : -1] += inertialise(0 * gap, -velocity, short)[::-1]
    points = bodily(motion.skeleton, danced, points)
    return carry_rotations(motion, replant(motion.skeleton, danced, points, motion.fps, cut_out=True))


def floor_path(motion: Motion) -> np.ndarray:
    """Where the pelvis is above the floor, [T, 2], metres. Chapter: 10."""
    return motion.positions[:, motion.skeleton.pelvis, :2].astype(np.float64)


def swayless(path: np.ndarray, fps: float) -> np.ndarray:
    """A path [T, 2] without sway and steps. Units: metres. Chapter: 10."""
    width = SWAY * fps
    margin = min(round(4 * width), len(path) - 1)  # a path goes on beyond its ends, or they would be drawn inwards
    padded = np.pad(path, ((margin, margin), (0, 0)), mode="reflect", reflect_type="odd") if margin else path
    return gaussian_filter1d(padded, width, axis=0)[margin : margin + len(path)]


def heading(motion: Motion, frame: int = -1) -> float:
    """Where a dancer faces in a frame, radians counter-clockwise from X, seen from above. Chapter: 10."""
    batch = torch.from_numpy(motion.positions[None, :, None])
    return float(reference_frame(batch, frame, motion.skeleton, of="a").heading[0])


def way_to(here: Motion, frame: int, there: Motion, at: int) -> tuple[np.ndarray, float]:
    """The shift [3] and turn (metres, radians) with which `Motion.transformed` brings one to another. Chapter: 10."""
    turn = heading(there, at) - heading(here, frame)
    start, goal = (np.append(floor_path(motion)[k], 0.0) for motion, k in ((here, frame), (there, at)))
    return goal - rotate_points_z(np.array(turn), start), turn


def _while_it_steps(toe: np.ndarray, added: np.ndarray, fps: float) -> np.ndarray:
    """What is added [T, 3] to a toe's path, while it does not stand: least steps, lag and acceleration."""
    frames = len(toe)
    stands = _stands(toe, fps)
    step = diags([-1.0, 1.0], [0, 1], shape=(frames - 1, frames))
    bend = diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(frames - 2, frames))
    follow = np.full(frames, FOLLOW)
    follow[[0, 1, -2, -1]] = 1e7
    system = step.T @ diags(RIGID * stands**2) @ step + SMOOTH * bend.T @ bend
    along = spsolve((system + diags(follow)).tocsc(), follow[:, None] * added[:, :2])
    low = np.append(stands, stands[-1:])
    height = added[:, 2] * (1 - low)
    height[[0, 1, -2, -1]] = added[[0, 1, -2, -1], 2]
    follow = np.where(follow > 1, follow, 1 + RIGID * low)
    return np.column_stack([along, spsolve((SMOOTH * bend.T @ bend + diags(follow)).tocsc(), follow * height)])


def _stands(toe: np.ndarray, fps: float) -> np.ndarray:
    """How much a toe [T, 3] stands from each frame to the next, 0 to 1, [T - 1]: it is slow, and low."""
    speed = np.linalg.norm(np.diff(toe[:, :2], axis=0), axis=-1) * fps
    high = toe[:, 2] - np.percentile(toe[:, 2], 5)
    return 1 / (1 + (speed / STILL) ** 4) / (1 + (np.maximum(high[1:], high[:-1]) / LOW) ** 4)
