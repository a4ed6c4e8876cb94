"""A last look at a body that was read: whether it is of human size, stands, and has toes that point where it faces.

What a file states is believed, and what is odd about it is warned of. Taught in chapter 1, "Seeing a duet".
Shapes: ``positions`` [T, J, 3] in file units, any axes. Units: ``scale`` metres per file unit.
"""

from __future__ import annotations

import numpy as np

from ..body.skeleton import Skeleton
from . import upright

SHORTEST, TALLEST = 0.5, 2.6  # metres; from a small child to nobody
UNITS = {"metre": 1.0, "centimetre": 0.01, "millimetre": 0.001, "inch": 0.0254, "CMU unit": 0.056444}


def nearest_unit(height: float) -> str:
    """The unit in which a body is nearest to 1.7 m, by ratio. ``height`` in file units. Chapter: 1."""
    return min(UNITS, key=lambda unit: abs(np.log(max(height, 1e-12) * UNITS[unit] / 1.7)))


def doubts(skeleton: Skeleton, positions: np.ndarray, scale: float | None,
           up: str | None = None) -> list[tuple[str, str]]:
    """What is odd about a body, each with what to do about it.

    ``scale`` and the ``up`` axis are as the file states them; None: it does not. Chapter: 1.
    """
    odd = [unlikely_height(skeleton, positions, scale)] if scale else []
    odd += [standing_elsewhere(skeleton, positions, up)] if up else []
    return [doubt for doubt in (*odd, mirrored(skeleton, positions)) if doubt]


def unlikely_height(skeleton: Skeleton, positions: np.ndarray, scale: float) -> tuple[str, str] | None:
    """A body of no human size, and the scale that would make it one; None where nothing is odd or known. Chapter: 1."""
    figure = upright.figure_of(skeleton, positions)
    if figure is None or SHORTEST <= (height := figure.height) * scale <= TALLEST or not 0 < height < np.inf:
        return None
    fits = UNITS[nearest_unit(height)]
    fits = fits if SHORTEST <= height * fits <= TALLEST else float(f"{1.7 / height:.2g}")
    return (f"a body {height * scale:.3g} m tall, one unit being {scale:g} m",
            f"pass scale={fits:g} if it should be {height * fits:.3g} m tall")


def standing_elsewhere(skeleton: Skeleton, positions: np.ndarray, up: str) -> tuple[str, str] | None:
    """A body that stands on a floor, and not on the one across the axis that is stated. Chapter: 1."""
    danced = upright.stands_along(skeleton, positions, up)
    if danced is None:
        return None
    return (f"the dancer stands along {danced}, and the file says that {up} is up, so the body lies",
            f"pass up='{danced}' if it should stand")


def mirrored(skeleton: Skeleton, positions: np.ndarray) -> tuple[str, str] | None:
    """A body whose toes point backwards, by its left and right: exported left-handed, or with sides exchanged.

    Chapter: 1.
    """
    parts = [skeleton.find(f"{side}_{part}") for part in ("hip", "shoulder", "ankle", "toe")
             for side in ("left", "right")]
    if None in parts or len(set(parts)) < 8:
        return None
    left_hip, right_hip, left_arm, right_arm, *feet = np.moveaxis(upright.sample(positions)[:, parts], 1, 0)  # [T, 3]
    leftward = left_hip - right_hip + left_arm - right_arm
    ahead = np.cross(leftward, left_arm + right_arm - left_hip - right_hip)
    with np.errstate(all="ignore"):
        cosines = [(toe * ahead).sum(-1) / np.linalg.norm(toe, axis=-1) / np.linalg.norm(ahead, axis=-1)
                   for toe in (feet[2] - feet[0], feet[3] - feet[1])]
    if min(np.mean(cosine < -0.3) for cosine in cosines) < 0.8:
        return None
    return ("the toes point against the facing, so left and right are exchanged: the file was exported mirrored "
            "(left-handed), or its names are on the wrong sides",
            "export it from a right-handed scene, or multiply one coordinate of its positions by -1")
