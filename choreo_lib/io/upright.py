"""Which way is up, and how tall a body is: told from names, from the shape of the tree, and from how it moves.

A rest pose can lie although the dancer stands, and a dancer can lie although the rest pose stands. The motion decides
where it stands on a floor; floor work is left to the rest pose. Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import numpy as np

from ..body.skeleton import Skeleton

STANDS = 0.6  # how far along the vertical a body that stands has its head above its feet, as a share of the distance
_MOST = 0.8  # the share of frames that is most of them


def sample(positions: np.ndarray) -> np.ndarray:
    """Some 256 frames, evenly taken, in double precision."""
    return np.asarray(positions[:: max(1, len(positions) // 256)], np.float64)


def bone_lengths(skeleton: Skeleton, positions: np.ndarray) -> np.ndarray:
    """The usual length [J] of the bone that ends in each joint, from points [T, J, 3]."""
    parents = np.maximum(skeleton.parents, 0)
    return np.median(np.linalg.norm(positions - positions[:, parents], axis=-1), axis=0)


def landmarks(skeleton: Skeleton, bones: np.ndarray) -> tuple[int | None, list[int]]:
    """Head and feet: by name, else by the shape of the tree; (None, []) where neither shows them."""
    head = skeleton.find("head", "headtop", "headend", "jaw", "neck")
    feet = [next((j for part in ("ankle", "toe", "knee") if (j := skeleton.find(f"{side}_{part}")) is not None), None)
            for side in ("left", "right")]
    feet = [j for j in feet if j is not None]
    return (head, feet) if head is not None and feet else _by_shape(skeleton, bones)


def _by_shape(skeleton: Skeleton, bones: np.ndarray) -> tuple[int | None, list[int]]:
    """Head and feet of a body whose names say nothing: legs are the twin limbs of the longest bones, arms the next,
    and the head is what else grows where the arms meet."""
    children = [[] for _ in skeleton.names]
    for parent, child in skeleton.bones:
        children[parent].append(child)
    limb = {}  # joint -> the joints of the longest chain that hangs from it, itself first
    for j in reversed(range(len(skeleton))):
        longest = max((limb[c] for c in children[j]), key=lambda chain: bones[chain].sum(), default=[])
        limb[j] = [j, *longest]
    pairs = []
    for joint, hanging in enumerate(children):
        for k, c in enumerate(hanging):
            for d in hanging[k + 1:]:
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


def height(skeleton: Skeleton, positions: np.ndarray) -> float:
    """How tall a body is, in the units of its positions [T, J, 3]: along its bones, else its largest extent."""
    points = sample(positions)
    bones = bone_lengths(skeleton, points)
    head, feet = landmarks(skeleton, bones)
    if head is not None:
        return 1.05 * path_length(skeleton, head, feet[0], bones)  # the crown and the heel come on top
    return float(np.median((points.max(axis=1) - points.min(axis=1)).max(axis=-1)))


def path_length(skeleton: Skeleton, head: int, foot: int, bones: np.ndarray) -> float:
    """The length of the bones between two joints, by way of the joint where their limbs meet."""
    return float(bones[list(set(skeleton.chain(head)) ^ set(skeleton.chain(foot)))].sum())


def guess_up(skeleton: Skeleton, positions: np.ndarray) -> tuple[str | None, str]:
    """The axis that points up, or None, and what to tell of a rest pose and a motion that disagree.

    Shapes: ``positions`` [T, J, 3] as the file has them.
    """
    points = sample(positions)
    bones = bone_lengths(skeleton, points)
    head, feet = landmarks(skeleton, bones)
    if head is None:
        return _of_points(points), ""
    spine = points[:, head] - points[:, feet].mean(axis=1)  # [T, 3]
    reach = path_length(skeleton, head, feet[0], bones)
    danced, share = _stands_along(spine, reach)
    if skeleton.offsets is not None:
        rest = np.zeros((len(skeleton), 3))
        for j, parent in enumerate(skeleton.parents[1:], start=1):
            rest[j] = rest[parent] + skeleton.offsets[j]
        rested = _clear(rest[head] - rest[feet].mean(axis=0), reach, 0.9)
        if rested and danced and rested != danced and share >= 0.5:
            if share >= _MOST and _is_floor(points, feet, danced, rested, reach):
                return danced, f"the rest pose lies, its up axis being {rested}; the dancer stands along {danced}"
            return rested, f"the rest pose stands along {rested}; the dancer mostly lies, along {danced}"
        if rested:
            return rested, ""
    named = is_named(skeleton)
    if danced and share >= _MOST and (named or _sole(points, danced)):
        return danced, ""
    return _clear(spine.mean(axis=0), reach, STANDS) if named else None, ""


def stands_along(skeleton: Skeleton, positions: np.ndarray, up: str) -> str | None:
    """The axis other than ``up`` along which a body with known head and feet stands on a floor, if it does; or None."""
    points = sample(positions)
    bones = bone_lengths(skeleton, points)
    head, feet = landmarks(skeleton, bones)
    if head is None:
        return None
    reach = path_length(skeleton, head, feet[0], bones)
    danced, share = _stands_along(points[:, head] - points[:, feet].mean(axis=1), reach)
    stands = danced and danced != up and share >= _MOST and _is_floor(points, feet, danced, up, reach)
    return danced if stands else None


def is_named(skeleton: Skeleton) -> bool:
    """Whether names show a body's head and feet. Chapter: 1."""
    return skeleton.find("head", "headtop", "headend", "jaw", "neck") is not None and any(
        skeleton.find(f"{side}_{part}") is not None for side in ("left", "right") for part in ("ankle", "toe", "knee"))


def _clear(spine: np.ndarray, reach: float, need: float) -> str | None:
    """The axis from feet to head, if it is clear, and if the body is about as long as its bones."""
    axis, length = int(np.abs(spine).argmax()), float(np.linalg.norm(spine))
    if length < max(0.4 * reach, 1e-9) or abs(spine[axis]) < need * length:
        return None
    return ("-" if spine[axis] < 0 else "") + "xyz"[axis]


def _stands_along(spine: np.ndarray, reach: float) -> tuple[str | None, float]:
    """The axis along which a body stands in most frames, and in which share of them."""
    length = np.linalg.norm(spine, axis=-1)
    upright = (length > max(0.4 * reach, 1e-9))[:, None] & (np.abs(spine) > STANDS * length[:, None])  # [T, 3]
    share = np.stack([(upright & (spine > 0)).mean(axis=0), (upright & (spine < 0)).mean(axis=0)])  # [sign, 3]
    sign, axis = np.unravel_index(share.argmax(), share.shape)
    return (("-" if sign else "") + "xyz"[axis], float(share.max())) if share.max() > 0 else (None, 0.0)


def _along(points: np.ndarray, up: str) -> np.ndarray:
    return points[..., "xyz".index(up[-1])] * (-1.0 if up[0] == "-" else 1.0)


def _is_floor(points: np.ndarray, feet: list[int], danced: str, rested: str, reach: float) -> bool:
    """Whether the feet stand on a floor across ``danced``, rather than the body lies on one across ``rested``.

    Floors are at nought, and nothing is below. Where that tells nothing (both axes have one, or the root is held at the
    origin), floor and weight keep their heights along the vertical, and wander along the others.
    """
    heights = _along(points, danced)
    lowest = heights.min(axis=1)
    if np.mean(heights[:, feet].min(axis=1) - lowest < 0.12 * reach) < _MOST:
        return False
    if danced[-1] == rested[-1]:  # on the feet, unless the hands or the head are what stands still
        return _evidence(-heights, points) == 0
    at_nought = [-0.08 * reach < np.percentile(_along(points, up).min(axis=1), 5) < 0.15 * reach
                 for up in (danced, rested)]
    if at_nought[0] != at_nought[1] or not at_nought[0] and np.abs(points[:, 0]).max() > 0.03 * reach:
        return at_nought[0]
    wanders = [np.ptp(np.percentile(_along(points, up).min(axis=1), (5, 95)))
               + np.ptp(np.percentile(_along(points, up).mean(axis=1), (5, 95))) for up in (danced, rested)]
    return wanders[0] < 0.7 * wanders[1]


def _sole(points: np.ndarray, up: str) -> bool:
    """Whether the low end along an axis is that of the feet: it rests on a floor, and stands still between steps."""
    return _evidence(_along(points, up), points) > 0


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
    for end_sites, sign in ((heights.argmin(axis=1), 1), (heights.argmax(axis=1), -1)):
        outer = sign * heights[np.arange(len(heights)), end_sites]
        still.append(np.percentile(speed[frames, end_sites[:-1]], 25) + 1e-4 * tall)
        level.append(np.median(outer) - np.percentile(outer, 5) + 2e-3 * tall)
    votes = np.log(still[1] / still[0]), np.log(level[1] / level[0])
    return float(sum(votes)) if min(votes) > -0.25 and max(votes) > 0.7 else 0.0


def _of_points(points: np.ndarray) -> str | None:
    """The vertical of points without names and of no shape we know: a body is tallest along it and has a floor."""
    extent = np.median(points.max(axis=1) - points.min(axis=1), axis=0)
    axis = "xyz"[int(extent.argmax())]
    if points.shape[1] < 4 or extent.max() < 1.25 * np.sort(extent)[1]:
        return None
    signs = {up: _evidence(_along(points, up), points) for up in (axis, "-" + axis)}
    return max(signs, key=signs.get) if max(signs.values()) > 1 else None
