"""Which axis is up and how long a unit is: the caller's word, else the file's, else a guess from the body.

What a file states is believed, and what is odd about it is warned of: a body of no human size, one that lies, or one
whose toes point backwards. Taught in chapter 1, "Seeing a duet".
Shapes: ``positions`` [T, J, 3] in file units, any axes. Units: ``scale`` metres per file unit.
"""

from collections.abc import Iterator

import numpy as np

from ..body.skeleton import Skeleton
from . import up_axis
from .conventions import TO_Z_UP, check_scale, check_up, fail, guess

SHORTEST, TALLEST = 0.5, 2.6  # metres; from a small child to nobody
UNITS = {"metre": 1.0, "centimetre": 0.01, "millimetre": 0.001, "inch": 0.0254, "CMU unit": 0.056444}


def resolve_axes_and_units(record, up: str | None = None, scale: float | None = None) -> tuple[np.ndarray, float]:
    """The change of basis to Z up [3, 3] and the metres per unit: the caller's word, else the file's, else a guess.

    ``record``: a `choreo_lib.io.record.Recording`. What is guessed, and what a file states that looks wrong, is warned
    of and noted in ``record.notes``.
    Errors: MotionFormatError where no guess can be made, or ``up`` or ``scale`` is none. Chapter: 1.
    """
    path, notes, skeleton, positions = record.path, record.notes, record.skeleton, record.positions
    if up is not None:
        check_up(path, up)
    if scale is not None:
        scale = check_scale(path, scale)
    # a caller may want giants, or people who lie; a file means people
    doubted_scale, doubted_up = None if scale is not None else record.unit, None if up is not None else record.up
    basis = record.basis if up is None and record.up is not None else None
    up, scale = up or record.up, scale or record.unit
    if up is None:
        up, warning = up_axis.guess_up(skeleton, positions)
        if up is None:
            fail(path, "the file does not say which axis points up, and the body does not show it; "
                       "pass up='y', 'z', '-y' or another axis")
        guess(path, notes, f"up axis guessed: {up}", f"pass up='{up}' to say so, or the axis it should be")
        if warning:
            guess(path, notes, warning, "look at it with choreo_lib.play, and pass up= if it is otherwise")
    figure = up_axis.figure_of(skeleton, positions)
    if scale is None:
        height = figure.height if figure else np.median(np.ptp(up_axis.sample(positions), axis=1).max(axis=-1))
        unit = nearest_unit(height)
        scale = UNITS[unit]
        if not 1 / 1.45 < height * scale / 1.7 < 1.45:
            fail(path, f"the file does not state its unit, and a body {height:.4g} units tall fits none; "
                       "pass scale= (metres per file unit)")
        guess(path, notes, f"unit guessed: {unit} ({scale:g} m)", f"pass scale={scale:g} to say so, or what it is")
    with np.errstate(all="ignore"):
        for doubt, remedy in doubts(figure, doubted_scale, doubted_up):
            guess(path, notes, doubt, remedy)
        if mirrored(skeleton, positions):
            guess(path, notes, "the toes point against the facing, so left and right are exchanged: the file was "
                  "exported mirrored (left-handed), or its names are on the wrong sides",
                  "export it from a right-handed scene, or multiply one coordinate of its positions by -1")
    return np.array(TO_Z_UP[up], np.float64) if basis is None else basis, scale


def nearest_unit(height: float) -> str:
    """The unit in which a body is nearest to 1.7 m, by ratio. ``height`` in file units. Chapter: 1."""
    return min(UNITS, key=lambda unit: abs(np.log(max(height, 1e-12) * UNITS[unit] / 1.7)))


def doubts(figure: up_axis.Figure | None, scale: float | None, up: str | None) -> Iterator[tuple[str, str]]:
    """What is odd about a body of the scale and up axis that a file states, and what to do about it. Chapter: 1."""
    if figure and scale and 0 < (height := figure.height) < np.inf and not SHORTEST <= height * scale <= TALLEST:
        fits = UNITS[nearest_unit(height)]
        fits = fits if SHORTEST <= height * fits <= TALLEST else float(f"{1.7 / height:.2g}")
        yield (f"a body {height * scale:.3g} m tall, one unit being {scale:g} m",
               f"pass scale={fits:g} if it should be {height * fits:.3g} m tall")
    if figure and up and (danced := up_axis.stands_along(figure, up)):
        yield (f"the dancer stands along {danced}, and the file says that {up} is up, so the body lies",
               f"pass up='{danced}' if it should stand")


def mirrored(skeleton: Skeleton, positions: np.ndarray) -> bool:
    """Whether a body's toes point backwards, by its left and right. Chapter: 1."""
    parts = [skeleton.find(f"{side}_{part}") for part in ("hip", "shoulder", "ankle", "toe")
             for side in ("left", "right")]
    if None in parts or len(set(parts)) < 8:
        return False
    left_hip, right_hip, left_arm, right_arm, *feet = np.moveaxis(up_axis.sample(positions)[:, parts], 1, 0)  # [T, 3]
    leftward = left_hip - right_hip + left_arm - right_arm
    ahead = np.cross(leftward, left_arm + right_arm - left_hip - right_hip)
    with np.errstate(all="ignore"):
        cosines = [(toe * ahead).sum(-1) / np.linalg.norm(toe, axis=-1) / np.linalg.norm(ahead, axis=-1)
                   for toe in (feet[2] - feet[0], feet[3] - feet[1])]
    return bool(min(np.mean(cosine < -0.3) for cosine in cosines) >= 0.8)
