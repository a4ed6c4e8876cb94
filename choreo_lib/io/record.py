"""The one way of a file: a reader gives a `Recording`, and `build_motion` makes a Motion of it; writers go back.

Taught in chapter 1, "Seeing a duet". A `Recording` is in the axes and units of its file. Whatever the format, counts
and numbers are checked here, and axes and units are resolved here: the caller's word, else the file's, else a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..body.kinematics import forward_kinematics
from ..body.motion import Duet, Motion
from ..body.rotations import change_basis
from ..body.skeleton import Skeleton
from ..body.source import Source
from ..core.arguments import shown
from . import plausible, upright
from .conventions import (
    MAX_DISTANCE,
    TO_Z_UP,
    MotionFormatError,
    check_counts,
    check_fps,
    check_scale,
    fail,
    guess,
)

DEFAULT_FPS = 30.0


@dataclass
class Recording:
    """What a file holds of one dancer, in the file's own axes and units.

    Shapes: ``names`` and ``parents`` J, parents first; either ``positions`` [T, J, 3], or ``rotations`` and
    ``translations`` [T, J, 3], each joint seen from its parent's frame (the root from the world); ``rotations``
    [T, J, 4] local unit quaternions x y z w; ``offsets`` [J, 3], the rest pose; ``end_sites`` pairs of a joint and an
    offset [3].
    Units: ``up`` is the up axis that the file states and ``unit`` its metres per unit, None where it does not;
    ``basis`` [3, 3] is the whole change to right, back, up where the file states all three axes. ``fps`` None: not
    stated. ``ours``: written by this library in metres and Z up, so that nothing is left to resolve.
    ``notes``: what was guessed or repaired, in words. ``name`` None: the name of the file.
    Chapter: 1.
    """

    path: Any
    names: Any
    parents: Any
    positions: Any
    fps: float | None
    rotations: Any = None
    translations: Any = None
    offsets: Any = None
    end_sites: Any = ()
    up: str | None = None
    unit: float | None = None
    basis: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    source: Source | None = None
    name: str | None = None
    ours: bool = False

    def __post_init__(self):
        self.notes = list(self.notes)  # two dancers of one file begin with the same notes

    @property
    def skeleton(self) -> Skeleton:
        """The skeleton, in the file's axes and units.

        Errors: MotionFormatError where it does not hold together. Chapter: 1.
        """
        try:
            return Skeleton(self.names, self.parents, self.offsets, self.end_sites)
        except (ValueError, TypeError) as error:
            raise MotionFormatError(f"{Path(self.path).name}: {error}") from error


def build_motion(record: Recording, up: str | None = None, scale: float | None = None,
                 fps: float | None = None) -> Motion:
    """Make the Motion of a recording: check its counts and numbers, resolve its axes and units, convert it.

    Units: ``up``, ``scale`` and ``fps`` are the caller's word, see `choreo_lib.read_motion`.
    Errors: MotionFormatError, naming the frame and joint of a number that cannot be.
    Chapter: 1.
    """
    path = record.path
    rotations, positions = record.rotations, record.positions
    check_counts(path, len(record.translations if positions is None else positions), len(record.names))
    skeleton = record.skeleton
    stated_by = "its frame rate" if fps is None else "fps="
    fps = record.fps if fps is None else fps
    if fps is None:
        fps = DEFAULT_FPS
        guess(path, record.notes, f"frames per second guessed: {fps:g}",
              f"pass fps={fps:g} to say so, or what it is")
    fps = check_fps(path, fps, stated_by)
    if positions is None:
        positions, _ = forward_kinematics(skeleton, rotations, record.translations[:, 0], record.translations)
        record.positions = positions
    if not record.ours:
        with np.errstate(all="ignore"):
            matrix, scale = resolve_axes_and_units(record, up, scale)
            positions = positions @ matrix.T * scale
            skeleton = _converted(record, skeleton, matrix, scale)
            rotations = None if rotations is None else change_basis(matrix, rotations)
    if len(bad := np.argwhere(~(np.abs(positions) <= MAX_DISTANCE))):
        fail(path, f"expected finite positions within {MAX_DISTANCE:g} m of the origin; got "
                   f"{float(positions[tuple(bad[0])]):g}", place_of(bad[0], skeleton))
    if rotations is not None and len(bad := np.argwhere(~(np.abs(rotations) <= 1e3))):
        fail(path, "expected a rotation as a unit quaternion; got numbers that are none", place_of(bad[0], skeleton))
    name = Path(path).stem if record.name is None else record.name
    try:
        return Motion(positions, fps, skeleton, rotations, record.source, name, tuple(record.notes))
    except ValueError as error:
        raise MotionFormatError(f"{Path(path).name}: {error}") from error


def resolve_axes_and_units(record: Recording, up: str | None = None,
                           scale: float | None = None) -> tuple[np.ndarray, float]:
    """The change of basis to Z up [3, 3] and the metres per unit: the caller's word, else the file's, else a guess.

    What is guessed, and what a file states that looks wrong, is warned of and noted in ``record.notes``.
    Errors: MotionFormatError where no guess can be made, or ``up`` or ``scale`` is none. Chapter: 1.
    """
    path, notes, skeleton, positions = record.path, record.notes, record.skeleton, record.positions
    if up is not None and (not isinstance(up, str) or up not in TO_Z_UP):
        fail(path, f"expected one of {', '.join(map(repr, TO_Z_UP))}; got {shown(up)}", "up=")
    if scale is not None:
        scale = check_scale(path, scale)
    # a caller may want giants, or people who lie; a file means people
    doubted_scale, doubted_up = None if scale is not None else record.unit, None if up is not None else record.up
    basis = record.basis if up is None and record.up is not None else None
    up, scale = up or record.up, scale or record.unit
    if up is None:
        up, warning = upright.guess_up(skeleton, positions)
        if up is None:
            fail(path, "the file does not say which axis points up, and the body does not show it; "
                       "pass up='y', 'z', '-y' or another axis")
        guess(path, notes, f"up axis guessed: {up}", f"pass up='{up}' to say so, or the axis it should be")
        if warning:
            guess(path, notes, warning, "look at it with choreo_lib.play, and pass up= if it is otherwise")
    if scale is None:
        height = upright.height(skeleton, positions)
        unit = plausible.nearest_unit(height)
        scale = plausible.UNITS[unit]
        if not 1 / 1.45 < height * scale / 1.7 < 1.45:
            fail(path, f"the file does not state its unit, and a body {height:.4g} units tall fits none; "
                       "pass scale= (metres per file unit)")
        guess(path, notes, f"unit guessed: {unit} ({scale:g} m)", f"pass scale={scale:g} to say so, or what it is")
    with np.errstate(all="ignore"):
        for doubt, remedy in plausible.doubts(skeleton, positions, doubted_scale, doubted_up):
            guess(path, notes, doubt, remedy)
    return np.array(TO_Z_UP[up], np.float64) if basis is None else basis, scale


def _converted(record: Recording, skeleton: Skeleton, matrix: np.ndarray, scale: float) -> Skeleton:
    """The skeleton in metres, Z up."""
    if skeleton.offsets is None and not skeleton.end_sites:
        return skeleton
    offsets = None if skeleton.offsets is None else skeleton.offsets @ matrix.T * scale
    end_sites = [(j, matrix @ np.array(tip) * scale) for j, tip in skeleton.end_sites]
    return replace(record, offsets=offsets, end_sites=end_sites).skeleton


def place_of(index, skeleton: Skeleton) -> str:
    """Where in a motion a bad number stands, in words: ``index`` is (frame, joint, ...). Chapter: 1."""
    return f"frame {index[0]}, joint {index[1]} ({skeleton.names[index[1]]!r})"


def split_duet(both: Motion) -> Duet:
    """Two dancers whose rows stand one behind the other, [2T, J, 3]: read at once, since one world has one up axis.

    Chapter: 1.
    """
    frames = len(both) // 2
    return Duet(*(replace(both[k * frames:(k + 1) * frames], name=f"{both.name} {who}") for k, who in enumerate("ab")))
