"""Which way is up, and how tall a body is: from names, the shape of the tree, and how it moves. Taught in chapter 1.

A rest pose can lie although the dancer stands, and a dancer can lie although the rest pose stands. The motion decides
where it stands on a floor; floor work is left to the rest pose.
"""

import itertools
from typing import NamedTuple

import numpy as np

from ..body.skeleton import Skeleton

STANDS = 0.6  # how far along the vertical a body that stands has its head above its feet, as a share of the distance
_MOST = 0.8  # the share of frames that is most of them


def sample(positions: np.ndarray) -> np.ndarray:
    """Some 256 frames, evenly taken, in double precision. Shapes: [F, J, 3] -> [T, J, 3]. Chapter: 1."""
    return np.asarray(positions[:: max(1, len(positions) // 256)], np.float64)


def bone_lengths(skeleton: Skeleton, positions: np.ndarray) -> np.ndarray:
    """The usual length [J] of the bone that ends in each joint, from points [T, J, 3]. Chapter: 1."""
    parents = np.maximum(skeleton.parents, 0)
    return np.median(np.linalg.norm(positions - positions[:, parents], axis=-1), axis=0)


def rest_positions(skeleton: Skeleton) -> np.ndarray:
    """Where each joint is in the rest pose, seen from the root [J, 3]. Chapter: 1."""
    assert skeleton.offsets is not None
    return np.array([skeleton.offsets[skeleton.chain(j)[-2::-1]].sum(axis=0) for j in range(len(skeleton))])


def named_landmarks(skeleton: Skeleton) -> tuple[int, list[int]] | None:
    """Head and feet (or what is nearest to them) by their names, or None. Chapter: 1."""
    head = skeleton.find("head", "headtop", "headend", "jaw", "neck")
    found = [[skeleton.find(f"{side}_{part}") for part in ("ankle", "toe", "knee")] for side in ("left", "right")]
    feet = [foot for feet in found for foot in [j for j in feet if j is not None][:1]]
    return (head, feet) if head is not None and feet else None


def landmarks(skeleton: Skeleton, bones: np.ndarray) -> tuple[int | None, list[int]]:
    """Head and feet by name, else by the shape of the tree and its bones' lengths, else (None, []). Chapter: 1."""
    return named_landmarks(skeleton) or _by_shape(skeleton, bones)


class Figure(NamedTuple):
    """A body whose head and feet are known. Chapter: 1.

    Shapes: ``points`` [T, J, 3], a sample; ``spine`` [T, 3] from feet to head, ``upward`` [3] the same in the rest
    pose, if there is one. ``bone_length``: of the bones between head and foot together, in the points' units.
    """

    points: np.ndarray
    feet: list[int]
    spine: np.ndarray
    bone_length: float
    upward: np.ndarray | None

    @property
    def height(self) -> float:
        """How tall the body is; the crown and the heel come on top of its bones."""
        return 1.05 * self.bone_length


def figure_of(skeleton: Skeleton, positions: np.ndarray) -> Figure | None:
    """What shows how a body stands, from positions [T, J, 3]; None where head and feet are not known. Chapter: 1."""
    points = sample(positions)
    bones = bone_lengths(skeleton, points)
    head, feet = landmarks(skeleton, bones)
    if head is None:
        return None
    between = set(skeleton.chain(head)) ^ set(skeleton.chain(feet[0]))  # by way of the joint where the limbs meet
    rest = None if skeleton.offsets is None else rest_positions(skeleton)
    upward = None if rest is None else rest[head] - rest[feet].mean(axis=0)
    spine = points[:, head] - points[:, feet].mean(axis=1)  # [T, 3]
    return Figure(points, feet, spine, float(bones[list(between)].sum()), upward)


def _by_shape(skeleton: Skeleton, bones: np.ndarray) -> tuple[int | None, list[int]]:
    """Head and feet without names: legs are the twin limbs of the longest bones, the head grows where arms meet."""
    children = [[child for child, parent in enumerate(skeleton.parents) if parent == j] for j in range(len(skeleton))]
    limb: dict[int, list[int]] = {}  # joint -> the joints of the longest chain that hangs from it, itself first
    for j in reversed(range(len(skeleton))):
        longest: list[int] = max((limb[c] for c in children[j]), key=lambda chain: bones[chain].sum(), default=[])
        limb[j] = [j, *longest]
    pairs = []
    for joint, hanging in enumerate(children):
        for c, d in itertools.combinations(hanging, 2):
            one, other = bones[limb[c][1:]], bones[limb[d][1:]]
            if min(len(one), len(other)) >= 2 and abs(one.sum() - other.sum()) < 0.1 * max(one.sum(), other.sum()):
                pairs.append((np.sort(one)[-2:].sum() + np.sort(other)[-2:].sum(), joint, c, d))
    pairs.sort(reverse=True)
    if not pairs:
        return None, []
    _, hips, *legs = pairs[0]
    arms = next((pair for pair in pairs[1:] if pair[1] != hips), None)
    if arms is None:
        return None, []
    _, chest, *both = arms
    below = set(skeleton.chain(hips))  # a tree may be rooted at the chest: then this way lead the legs
    crown = max((limb[c] for c in children[chest] if c not in both and c not in below), default=[chest],
                key=lambda chain: bones[chain].sum())
    return crown[-1], [limb[leg][-1] for leg in legs]


def guess_up(skeleton: Skeleton, positions: np.ndarray) -> tuple[str | None, str]:
    """The axis up of positions [T, J, 3], or None, and a warning where rest pose and motion disagree. Chapter: 1."""
    figure = figure_of(skeleton, positions)
    if figure is None:
        return _of_points(sample(positions)), ""
    danced, share = _standing(figure)
    rested = None if figure.upward is None else _clear(figure.upward, figure.bone_length, 0.9)
    if rested and danced and rested != danced and share >= 0.5:
        if share >= _MOST and _is_floor(figure, danced, rested):
            return danced, f"the rest pose lies, its up axis being {rested}; the dancer stands along {danced}"
        return rested, f"the rest pose stands along {rested}; the dancer mostly lies, along {danced}"
    if rested:
        return rested, ""
    named = named_landmarks(skeleton) is not None
    if danced and share >= _MOST and (named or _evidence(_along(figure.points, danced), figure.points) > 0):
        return danced, ""
    return _clear(figure.spine.mean(axis=0), figure.bone_length, STANDS) if named else None, ""


def stands_along(figure: Figure, up: str) -> str | None:
    """The axis other than ``up`` along which a body stands on a floor, or None. Chapter: 1."""
    danced, share = _standing(figure)
    return danced if danced and danced != up and share >= _MOST and _is_floor(figure, danced, up) else None


def _clear(spine: np.ndarray, bone_length: float, need: float) -> str | None:
    """The axis from feet to head, if it is clear, and if the body is about as long as its bones."""
    axis, length = int(np.abs(spine).argmax()), float(np.linalg.norm(spine))
    if length < max(0.4 * bone_length, 1e-9) or abs(spine[axis]) < need * length:
        return None
    return ("-" if spine[axis] < 0 else "") + "xyz"[axis]


def usual_axis(spine: np.ndarray, need: float, shortest: float = 0.0) -> tuple[str | None, float]:
    """The axis along which lines [T, 3] lie in most frames, and in which share of them. Chapter: 1."""
    length = np.linalg.norm(spine, axis=-1, keepdims=True)
    along = (length > shortest) & (np.abs(spine) > need * length)  # [T, 3]
    share = np.stack([(along & (spine > 0)).mean(axis=0), (along & (spine < 0)).mean(axis=0)])  # [sign, 3]
    sign, axis = np.unravel_index(share.argmax(), share.shape)
    return (("-" if sign else "") + "xyz"[axis], float(share.max())) if share.max() > 0 else (None, 0.0)


def _standing(figure: Figure) -> tuple[str | None, float]:
    return usual_axis(figure.spine, STANDS, max(0.4 * figure.bone_length, 1e-9))


def _along(points: np.ndarray, up: str) -> np.ndarray:
    return points[..., "xyz".index(up[-1])] * (-1.0 if up[0] == "-" else 1.0)


def _is_floor(figure: Figure, danced: str, rested: str) -> bool:
    """Whether the feet stand on a floor across ``danced``, rather than the body lies on one across ``rested``.

    Floors are at nought, and nothing is below; where that shows nothing, floor and weight keep their heights.
    """
    points, tall = figure.points, figure.bone_length
    heights = _along(points, danced)
    lowest = heights.min(axis=1)
    if np.mean(heights[:, figure.feet].min(axis=1) - lowest < 0.12 * tall) < _MOST:
        return False
    if danced[-1] == rested[-1]:  # on the feet, unless the hands or the head are what stands still
        return _evidence(-heights, points) == 0
    at_nought = [-0.08 * tall < np.percentile(_along(points, up).min(axis=1), 5) < 0.15 * tall
                 for up in (danced, rested)]
    if at_nought[0] != at_nought[1] or not at_nought[0] and np.abs(points[:, 0]).max() > 0.03 * tall:
        return at_nought[0]
    wanders = [np.ptp(np.percentile(_along(points, up).min(axis=1), (5, 95)))
               + np.ptp(np.percentile(_along(points, up).mean(axis=1), (5, 95))) for up in (danced, rested)]
    return wanders[0] < 0.7 * wanders[1]


def _evidence(heights: np.ndarray, points: np.ndarray) -> float:
    """How much speaks for a floor at the low end [T, J] rather than at the high end; 0 where little does.

    Feet come back to one height, and the foot that bears the weight stands still; heads do neither.
    """
    tall = np.median(np.ptp(heights, axis=1))
    if len(points) < 10 or not tall > 0:
        return 0.0
    frames = np.arange(len(points) - 1)
    speed = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    still, level = [], []
    for tips, sign in ((heights.argmin(axis=1), 1), (heights.argmax(axis=1), -1)):
        outer = sign * heights[np.arange(len(heights)), tips]
        still.append(np.percentile(speed[frames, tips[:-1]], 25) + 1e-4 * tall)
        level.append(np.median(outer) - np.percentile(outer, 5) + 2e-3 * tall)
    votes = np.log(still[1] / still[0]), np.log(level[1] / level[0])
    return float(sum(votes)) if min(votes) > -0.25 and max(votes) > 0.7 else 0.0


def _of_points(points: np.ndarray) -> str | None:
    """The vertical of points without names and of no shape we know: a body is tallest along it and has a floor."""
    extent = np.median(np.ptp(points, axis=1), axis=0)
    axis = "xyz"[int(extent.argmax())]
    if points.shape[1] < 4 or extent.max() < 1.25 * np.sort(extent)[1]:
        return None
    signs = {up: _evidence(_along(points, up), points) for up in (axis, "-" + axis)}
    return max(signs, key=lambda up: signs[up]) if max(signs.values()) > 1 else None
