"""What every reader and writer shares: up axes, limits, errors, guesses, safe writing.

Files come with Y up or Z up, in metres, centimetres or the units of a studio; inside it is metres and
Z up, always. Taught in chapter 1, "Seeing a duet".

Limits, so that a broken or hostile file costs neither minutes nor gigabytes: 128 MB a file
(48 MB of JSON), 1,000,000 frames, 512 joints, 3,000,000 frames x joints (an hour of 29 joints at
30 frames per second), 200 MB after unpacking, 0.01 to 10,000 frames per second, 100 km from the
origin. What a file claims is weighed against its size before memory is asked for.
"""

import functools
import importlib
import warnings
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from ..body.source import Source
from ..core import files
from ..core.arguments import MAX_CELLS, MAX_FRAMES, printable, shown
from ..core.arguments import number as any_number

MAX_BYTES, MAX_JSON_BYTES, MAX_ARRAY_BYTES = 128_000_000, 48_000_000, 200_000_000
MAX_JOINTS, MAX_DISTANCE = 512, 1e5
TO_Z_UP = {  # rows: where our x, y and z come from; every matrix is a proper rotation
    "x": ((0, 0, -1), (0, 1, 0), (1, 0, 0)), "-x": ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
    "y": ((1, 0, 0), (0, 0, -1), (0, 1, 0)), "-y": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "z": ((1, 0, 0), (0, 1, 0), (0, 0, 1)), "-z": ((1, 0, 0), (0, -1, 0), (0, 0, -1))}


class MotionFormatError(ValueError):
    """A motion file that cannot be read or written: names file, place, and what was expected. Chapter: 1."""


atomic_write = functools.partial(files.atomic_write, error=MotionFormatError)
"""A temporary path beside the one given, moved over it when all went well; see `choreo_lib.core.files.atomic_write`."""


class MotionGuessWarning(UserWarning):
    """Something a file does not state was guessed; the warning says what, and how to state it. Chapter: 1."""


def fail(path, message: str, where: str = "", kind: type[MotionFormatError] = MotionFormatError) -> NoReturn:
    """Raise a MotionFormatError that names the file, then the place, then the trouble. Chapter: 1."""
    raise kind(printable(f"{Path(path).name}: {where + ': ' if where else ''}{message}"))


def guess(path, notes: list[str], message: str, remedy: str) -> None:
    """Note what was guessed, and warn with the way to state it. Chapter: 1."""
    notes.append(message)
    warnings.warn(f"{Path(path).name}: {message}; {remedy}", MotionGuessWarning, stacklevel=2)


def optional(package: str, what: str, extra: str) -> ModuleType:
    """A package that reads or writes one format. Errors: ImportError, with the line that installs it. Chapter: 1."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(f"{what} through {package}, which is not installed; run: pip install 'choreo-lib[{extra}]'"
                          ) from error


def load_bytes(path, limit: int = MAX_BYTES) -> bytes:
    """Read a file's bytes, once it is known to be a file of a bearable size.

    Errors: MotionFormatError where there is no such file, or it is empty or too large. Chapter: 1.
    """
    path = Path(path)
    try:
        if not path.exists():
            fail(path, f"there is no such file; looked at {path}")
        if not path.is_file():
            fail(path, f"expected a file, and {path} is a folder or a device")
        if (size := path.stat().st_size) > limit:
            fail(path, f"{size:,} bytes are more than the {limit:,} this reader takes; cut the take shorter")
        return path.read_bytes() or fail(path, "the file is empty")
    except OSError as error:
        fail(path, f"the file could not be opened: {error}")


def check_fps(path, fps, where: str = "fps") -> float:
    """A number of frames per second within the limits; text that spells one is taken. Chapter: 1."""
    number = _number(fps)
    if number is None:
        fail(path, f"expected a number of frames per second; got {shown(fps)}", where)
    if not 0.01 <= number <= 10_000:
        fail(path, f"expected between 0.01 and 10,000 frames per second; got {number:g}", where)
    return number


def check_up(path, up) -> str:
    """An axis that is up, one of `TO_Z_UP`. Chapter: 1."""
    if not isinstance(up, str) or up not in TO_Z_UP:
        fail(path, f"expected one of {', '.join(map(repr, TO_Z_UP))}; got {shown(up)}", "up=")
    return up


def check_scale(path, scale) -> float:
    """Metres per file unit, a number within the limits. Chapter: 1."""
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


def check_counts(path, frames: int, joints: int, where: str = "") -> None:
    """Refuse what claims more frames or joints than any dance has, before memory is asked for. Chapter: 1."""
    if not 1 <= frames <= MAX_FRAMES:
        fail(path, f"expected 1 to {MAX_FRAMES:,} frames; got {frames:,}", where)
    if not 1 <= joints <= MAX_JOINTS:
        fail(path, f"expected 1 to {MAX_JOINTS} joints; got {joints:,}", where)
    if frames * joints > MAX_CELLS:
        fail(path, f"{frames:,} frames of {joints} joints are more than the {MAX_CELLS:,} points this reader takes; "
                   "cut the take shorter", where)


def source_to_dict(source: Source | None) -> dict[str, Any] | None:
    """A source as plain values for a file's side-car, extras or header. Chapter: 1."""
    if source is None:
        return None
    return {key: value for key, value in asdict(source).items() if key != "verified"}


def source_from_dict(stated) -> Source | None:
    """The source back from a file, not verified; what is no proper source is None, never published. Chapter: 1."""
    if not isinstance(stated, dict) or not isinstance(stated.get("name"), str):
        return None
    texts = {key: stated[key] for key in ("credit", "terms", "url") if isinstance(stated.get(key), str)}
    return Source(stated["name"], redistribute=stated.get("redistribute") is True, verified=False, **texts)


def first_few(words, most: int) -> str:
    """The first of some words, with three dots where there are more. Chapter: 1."""
    words = list(words)
    return ", ".join(words[:most]) + (" ..." if len(words) > most else "")


def stretching_note(joints: list[str], why: str = "") -> str:
    """What is noted of joints whose bones change length. Chapter: 1."""
    return f"bones change length: {len(joints)} joints{why} ({first_few(joints, 3)}); the skeleton holds their mean"


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
