"""The one way of a file: a reader gives a `Recording`, `build_motion` makes a Motion of it, and writers go back.

Taught in chapter 1, "Seeing a duet". A `Recording` is in the axes and units of its file. Whatever the format, counts
and numbers are checked here; `axes_and_units` says what is up and how long a unit is. On the way out `recording_of`
gives a writer the same record, or refuses the motion while the take can still be cut.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..body.kinematics import forward_kinematics
from ..body.motion import Motion
from ..body.rotations import change_basis
from ..body.skeleton import Skeleton
from ..body.source import Source
from ..core.deferred import roma
from .axes_and_units import resolve_axes_and_units
from .conventions import MAX_CELLS, MAX_DISTANCE, MAX_FRAMES, MAX_JOINTS, TO_Z_UP, check_counts, check_fps, fail, guess

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
        """The skeleton, in the file's axes and units. Errors: MotionFormatError where it does not hold together."""
        try:
            return Skeleton(self.names, self.parents, self.offsets, self.end_sites)
        except (ValueError, TypeError) as error:
            fail(self.path, str(error))


def build_motion(record: Recording, up: str | None = None, scale: float | None = None,
                 fps: float | None = None) -> Motion:
    """Make the Motion of a recording: check its counts and numbers, resolve its axes and units, convert it.

    Units: ``up``, ``scale`` and ``fps`` are the caller's word, see `choreo_lib.read_motion`.
    Errors: MotionFormatError, naming the frame and joint of a number that cannot be.
    Chapter: 1.
    """
    path, rotations, positions = record.path, record.rotations, record.positions
    check_counts(path, len(record.translations if positions is None else positions), len(record.names))
    skeleton = record.skeleton
    stated_by = "its frame rate" if fps is None else "fps="
    fps = record.fps if fps is None else fps
    if fps is None:
        fps = DEFAULT_FPS
        guess(path, record.notes, f"frames per second guessed: {fps:g}", f"pass fps={fps:g} to say so, or what it is")
    fps = check_fps(path, fps, stated_by)
    if positions is None:
        record.positions = positions = forward_kinematics(skeleton, rotations, record.translations[:, 0],
                                                          record.translations)[0]
    if not record.ours:
        with np.errstate(all="ignore"):
            matrix, scale = resolve_axes_and_units(record, up, scale)
            positions = positions @ matrix.T * scale
            offsets = None if skeleton.offsets is None else skeleton.offsets @ matrix.T * scale
            end_sites = [(j, matrix @ np.array(tip) * scale) for j, tip in skeleton.end_sites]
            skeleton = replace(record, offsets=offsets, end_sites=end_sites).skeleton
            rotations = None if rotations is None else change_basis(matrix, rotations)
    if len(bad := np.argwhere(~(np.abs(positions) <= MAX_DISTANCE))):
        fail(path, f"expected finite positions within {MAX_DISTANCE:g} m of the origin; got "
                   f"{float(positions[tuple(bad[0])]):g}", place_of(bad[0], skeleton))
    if rotations is not None and len(bad := np.argwhere(~(np.abs(rotations) <= 1e3))):
        fail(path, "expected a rotation as a unit quaternion; got numbers that are none", place_of(bad[0], skeleton))
    name = Path(path).stem if record.name is None else record.name
    try:
        return Motion(positions, fps, skeleton, rotations, record.source, name, tuple(record.notes))
    except (ValueError, TypeError) as error:
        fail(path, str(error))


def place_of(index, skeleton: Skeleton) -> str:
    """Where in a motion a bad number stands, in words: ``index`` is (frame, joint, ...). Chapter: 1."""
    return f"frame {index[0]}, joint {index[1]} ({skeleton.names[index[1]]!r})"


def recording_of(path, motion: Motion, up: str = "z", scale: float = 1.0, margin: float = 0.0) -> Recording:
    """Make the recording that a writer writes: local rotations and translations in the file's axes and units.

    Shapes: every field but ``positions`` and ``basis`` is filled; a body known only as points gets the identity for
    every rotation and its mean translations for offsets.
    Errors: as `check_writable`, which explains ``margin``. Chapter: 1.
    """
    check_writable(path, motion, margin=margin)
    to_file, skeleton = np.array(TO_Z_UP[up], np.float64).T, motion.skeleton
    rotations, translations = _local_transforms(motion)
    offsets = translations.mean(axis=0) if skeleton.offsets is None else skeleton.offsets
    return Recording(path, skeleton.names, skeleton.parents, None, motion.fps, change_basis(to_file, rotations),
                     translations @ to_file.T / scale, offsets @ to_file.T / scale,
                     [(j, np.array(tip) @ to_file.T / scale) for j, tip in skeleton.end_sites],
                     up, scale, source=motion.source, name=motion.name)


def steady_bones(record: Recording) -> np.ndarray:
    """Which bones keep the length and direction of their offset within 10 micrometres, bool [J]; the root never."""
    steady = np.abs(record.translations - record.offsets).max(axis=(0, 2)) * record.unit < 1e-5
    steady[0] = False
    return steady


def _local_transforms(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations [T, J, 4], and each joint seen from its parent's frame (the root from the world) [T, J, 3]."""
    skeleton, positions = motion.skeleton, motion.positions.astype(np.float64)
    parents = np.maximum(skeleton.parents, 0)
    local = positions - positions[:, parents]  # [T, J, 3], in the world's axes so far
    local[:, 0] = positions[:, 0]
    if motion.rotations is None:
        return np.tile([0.0, 0.0, 0.0, 1.0], (*positions.shape[:2], 1)), local
    rotations = motion.rotations.astype(np.float64)
    rotations /= np.linalg.norm(rotations, axis=-1, keepdims=True)
    none = np.zeros_like(positions)
    world = torch.from_numpy(forward_kinematics(skeleton, rotations, none[:, 0], none)[1])[:, parents[1:]]
    local[:, 1:] = roma.quat_action(roma.quat_conjugation(world), torch.from_numpy(local[:, 1:])).numpy()
    return rotations, local


def check_writable(path, motion: Motion, who: str = "", margin: float = 0.0) -> None:
    """Refuse a motion that no reader of ours would take back, while there is still somebody to cut the take.

    ``margin`` metres short of the farthest place that is read: for a format that rounds. ``who``: which dancer.
    Errors: MotionFormatError, naming the frame, joint or end site, and what to do. Chapter: 1.
    """
    frames, joints, body = len(motion), len(motion.skeleton), motion.skeleton
    lead = f"{who}, " if who else ""
    if joints > MAX_JOINTS:
        fail(path, f"{joints:,} joints are more than the {MAX_JOINTS} that are read back; leave some out (fingers, "
                   "twist bones)", who)
    if frames > MAX_FRAMES or frames * joints > MAX_CELLS:
        most = min(MAX_FRAMES, MAX_CELLS // joints)
        fail(path, f"{frames:,} frames of {joints} joints ({motion.duration / 60:.0f} minutes) are more than the "
                   f"{MAX_CELLS:,} points that are read back; write it in parts of {most:,} frames, as in "
                   f"motion[:{most}], or at fewer frames a second with motion.resampled(...)", who)
    if not 0.01 <= motion.fps <= 10_000:
        fail(path, f"{motion.fps:g} frames per second; between 0.01 and 10,000 are read back", who)
    limit = MAX_DISTANCE - margin
    if len(bad := np.argwhere(~(np.abs(motion.positions) <= limit))):
        fail(path, f"expected finite positions within {limit:g} m of the origin, which are read back; got "
                   f"{motion.positions[tuple(bad[0])]:g}. Are they millimetres? motion.positions are metres",
             lead + place_of(bad[0], body))
    if motion.rotations is not None:
        length = np.linalg.norm(motion.rotations, axis=-1)
        if len(bad := np.argwhere(~((length > 1e-6) & (length <= 1e3)))):
            fail(path, "expected a rotation as a unit quaternion; got numbers that are none",
                 lead + place_of(bad[0], body))
    offsets = () if body.offsets is None else body.offsets
    for what, joint, place in [("end site", j, tip) for j, tip in body.end_sites] + [
            ("offset", j, offset) for j, offset in enumerate(offsets)]:
        if len(place) != 3 or not (np.abs(place) <= limit).all():
            fail(path, f"expected three finite numbers within {limit:g} m; got ({', '.join(f'{x:g}' for x in place)}). "
                       f"Build the skeleton without this {what}, or with its right place",
                 f"{lead}{what} of joint {joint} ({body.names[joint]!r})")
