"""The border: what every reader and writer shares. Up axes, units, limits, guesses, safe writing.

Files come with Y up or Z up, in metres, centimetres or the units of a studio; inside it is metres and
Z up, always. Taught in chapter 1, "Seeing a duet".

Limits, so that a broken or hostile file costs neither minutes nor gigabytes: 128 MB a file
(48 MB of JSON), 1,000,000 frames, 512 joints, 3,000,000 frames x joints (an hour of 29 joints at
30 frames per second), 200 MB after unpacking, 0.01 to 10,000 frames per second, 100 km from the
origin. What a file claims is weighed against its size before memory is asked for.
"""

from __future__ import annotations

import functools
import warnings
from pathlib import Path
from typing import NoReturn

import numpy as np

from ..body.motion import Motion, Source
from ..body.skeleton import Skeleton
from ..core import files
from ..core.arguments import MAX_CELLS, MAX_FRAMES, printable, shown
from ..core.arguments import number as any_number
from . import plausible, upright
from .plausible import UNITS

MAX_BYTES, MAX_JSON_BYTES, MAX_ARRAY_BYTES = 128_000_000, 48_000_000, 200_000_000
MAX_JOINTS, MAX_DISTANCE = 512, 1e5
TO_Z_UP = {  # rows: where our x, y and z come from; every matrix is a proper rotation
    "x": ((0, 0, -1), (0, 1, 0), (1, 0, 0)), "-x": ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
    "y": ((1, 0, 0), (0, 0, -1), (0, 1, 0)), "-y": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "z": ((1, 0, 0), (0, 1, 0), (0, 0, 1)), "-z": ((1, 0, 0), (0, -1, 0), (0, 0, -1))}


class MotionFormatError(ValueError):
    """A motion file that cannot be read or written: names the file, the place, and what was expected.

    Chapter: 1.
    """


atomic_write = functools.partial(files.atomic_write, error=MotionFormatError)
"""A temporary path beside the one given, moved over it when all went well; see `choreo_lib.core.files.atomic_write`."""


class MotionGuessWarning(UserWarning):
    """Something a file does not state was guessed; the warning says what, and how to state it.

    Chapter: 1.
    """


def fail(path, message: str, where: str = "", kind: type[MotionFormatError] = MotionFormatError) -> NoReturn:
    """Raise a MotionFormatError that names the file, then the place, then the trouble. Chapter: 1."""
    raise kind(printable(f"{Path(path).name}: {where + ': ' if where else ''}{message}"))


def guess(path, notes: list, message: str, remedy: str):
    """Note what was guessed, and warn with the way to state it."""
    notes.append(message)
    warnings.warn(f"{Path(path).name}: {message}; {remedy}", MotionGuessWarning, stacklevel=2)


def load_bytes(path, limit: int = MAX_BYTES) -> bytes:
    """The file's bytes, once it is known to be a file of a bearable size."""
    path = Path(path)
    try:
        if not path.exists():
            fail(path, f"there is no such file; looked at {path}")
        if not path.is_file():
            fail(path, f"expected a file, and {path} is a folder or a device")
        if (size := path.stat().st_size) > limit:
            fail(path, f"{size:,} bytes are more than the {limit:,} this reader takes; cut the take shorter")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, MotionFormatError):
            raise
        raise MotionFormatError(f"{path.name}: the file could not be opened: {error}") from error
    if not data:
        fail(path, "the file is empty")
    return data


def check_fps(path, fps, where: str = "fps") -> float:
    """A bearable number of frames per second."""
    told, fps = fps, _number(fps)
    if fps is None:
        fail(path, f"expected a number of frames per second; got {shown(told)}", where)
    if not 0.01 <= fps <= 10_000:
        fail(path, f"expected between 0.01 and 10,000 frames per second; got {fps:g}", where)
    return fps


def check_scale(path, scale) -> float:
    """Metres per file unit, a bearable number."""
    number = _number(scale)
    if number is None or not 1e-6 <= number <= 1e6:
        fail(path, f"expected metres per file unit, such as 0.01; got {shown(scale)}", "scale=")
    return number


def _number(value) -> float | None:
    """A number, or one that a file spells out; None for whatever else can be made into one, such as True."""
    try:
        return float(value if isinstance(value, str) else any_number()("value", value))
    except (TypeError, ValueError):
        return None


def check_counts(path, frames: int, joints: int, where: str = ""):
    """Refuse what claims more frames or joints than any dance has, before memory is asked for."""
    if not 1 <= frames <= MAX_FRAMES:
        fail(path, f"expected 1 to {MAX_FRAMES:,} frames; got {frames:,}", where)
    if not 1 <= joints <= MAX_JOINTS:
        fail(path, f"expected 1 to {MAX_JOINTS} joints; got {joints:,}", where)
    if frames * joints > MAX_CELLS:
        fail(path, f"{frames:,} frames of {joints} joints are more than the {MAX_CELLS:,} points this reader takes; "
                   "cut the take shorter", where)


def resolve_axes_and_units(path, skeleton: Skeleton, positions: np.ndarray, notes: list, up=None, scale=None,
           stated_up=None, stated_scale=None) -> tuple[np.ndarray, float]:
    """The matrix to Z up and the scale to metres: the caller's word, else the file's, else a guess.

    Shapes: ``positions`` [T, J, 3] as the file has them. Errors: MotionFormatError where no guess
    can be made, or ``up`` or ``scale`` is none.
    """
    if up is not None and (not isinstance(up, str) or up not in TO_Z_UP):
        fail(path, f"expected one of {', '.join(map(repr, TO_Z_UP))}; got {shown(up)}", "up=")
    if scale is not None:
        scale = check_scale(path, scale)
    # a caller may want giants, or people who lie; a file means people
    believed, upward = None if scale is not None else stated_scale, None if up is not None else stated_up
    up, scale = up or stated_up, scale or stated_scale
    if up is None:
        up, told = upright.guess_up(skeleton, positions)
        if up is None:
            fail(path, "the file does not say which axis points up, and the body does not show it; "
                       "pass up='y', 'z', '-y' or another axis")
        guess(path, notes, f"up axis guessed: {up}", f"pass up='{up}' to say so, or the axis it should be")
        if told:
            guess(path, notes, told, "look at it with choreo_lib.play, and pass up= if it is otherwise")
    if scale is None:
        height = upright.height(skeleton, positions)
        unit = plausible.nearest_unit(height)
        scale = UNITS[unit]
        if not 1 / 1.45 < height * scale / 1.7 < 1.45:
            fail(path, f"the file does not state its unit, and a body {height:.4g} units tall fits none; "
                       "pass scale= (metres per file unit)")
        guess(path, notes, f"unit guessed: {unit} ({scale:g} m)", f"pass scale={scale:g} to say so, or what it is")
    with np.errstate(all="ignore"):
        for doubt, remedy in plausible.doubts(skeleton, positions, believed, upward):
            guess(path, notes, doubt, remedy)
    return np.array(TO_Z_UP[up], np.float64), scale


def build_motion(
    path, positions, fps: float, skeleton: Skeleton, rotations=None, notes=(), source=None, name=None
) -> Motion:
    """The Motion, with a last look at its numbers; positions already in metres, Z up."""
    positions = np.asarray(positions)
    bad = np.argwhere(~(np.abs(positions) <= MAX_DISTANCE))
    if len(bad):
        frame, joint = int(bad[0][0]), int(bad[0][1])
        value = float(positions[tuple(bad[0])])
        fail(path, f"expected finite positions within {MAX_DISTANCE:g} m of the origin; got {value:g}",
             f"frame {frame}, joint {joint} ({skeleton.names[joint]!r})")
    if rotations is not None and len(bad := np.argwhere(~(np.abs(rotations) <= 1e3))):
        frame, joint = int(bad[0][0]), int(bad[0][1])
        fail(path, "expected a rotation as a unit quaternion; got numbers that are none",
             f"frame {frame}, joint {joint} ({skeleton.names[joint]!r})")
    try:
        return Motion(positions, fps, skeleton, rotations, source, Path(path).stem if name is None else name, notes)
    except ValueError as error:
        raise MotionFormatError(f"{Path(path).name}: {error}") from error


def make_skeleton(path, names, parents, offsets=None, end_sites=()) -> Skeleton:
    """The Skeleton, its own complaints turned into ours."""
    try:
        return Skeleton(names, parents, offsets, end_sites)
    except (ValueError, TypeError) as error:
        raise MotionFormatError(f"{Path(path).name}: {error}") from error


def source_to_dict(source: Source | None) -> dict | None:
    """A source as plain words for a file's side-car, extras or header."""
    return None if source is None else {key: getattr(source, key)
                                        for key in ("name", "credit", "terms", "redistribute", "url")}


def source_from_dict(words) -> Source | None:
    """The source back from a file: its own word, not verified. What is no proper source is None, never published."""
    if not isinstance(words, dict) or not isinstance(words.get("name"), str):
        return None
    texts = {key: words[key] for key in ("credit", "terms", "url") if isinstance(words.get(key), str)}
    return Source(words["name"], redistribute=words.get("redistribute") is True, verified=False, **texts)


def unique_names(names: list[str], notes: list[str], what: str = "joint name") -> list[str]:
    """Names, each once: a name that stands twice gets a suffix (``Hand``, ``Hand_2``), and a note. Chapter: 1."""
    taken, unique = set(names), []
    for name in names:
        fresh, count = name, 2
        while fresh in unique or fresh != name and fresh in taken:
            fresh, count = f"{name}_{count}", count + 1
        if fresh != name:
            notes.append(f"{what} {name!r} stood twice; the later one is now {fresh!r}")
        unique.append(fresh)
    return unique
