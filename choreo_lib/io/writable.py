"""The way back: a Motion becomes the `Recording` that a writer writes, or is refused while the take can still be cut.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import numpy as np
import torch

from ..body.kinematics import forward_kinematics
from ..body.motion import Motion
from ..body.rotations import change_basis
from ..core.deferred import roma
from .conventions import MAX_CELLS, MAX_DISTANCE, MAX_FRAMES, MAX_JOINTS, TO_Z_UP, fail
from .record import Recording, place_of


def recording_of(path, motion: Motion, up: str = "z", scale: float = 1.0, who: str = "",
                 margin: float = 0.0) -> Recording:
    """Make the recording that a writer writes: local rotations and translations in the file's axes and units.

    Shapes: every field but ``positions`` and ``basis`` is filled; a body known only as points gets the identity for
    every rotation and its mean translations for offsets.
    Errors: as `check_writable`, which explains ``who`` and ``margin``. Chapter: 1.
    """
    check_writable(path, motion, who, margin)
    to_file, skeleton = np.array(TO_Z_UP[up], np.float64).T, motion.skeleton
    rotations, translations = local_transforms(motion)
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


def local_transforms(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations [T, J, 4], and each joint seen from its parent's frame (the root from the world) [T, J, 3].

    A body known only as points gets the identity for every rotation. Units: metres. Chapter: 1.
    """
    skeleton, positions = motion.skeleton, motion.positions.astype(np.float64)
    parents = np.maximum(skeleton.parents, 0)
    local = positions - positions[:, parents]  # [T, J, 3], in the world's axes so far
    local[:, 0] = positions[:, 0]
    if motion.rotations is None:
        rotations = np.zeros((*positions.shape[:2], 4))
        rotations[..., 3] = 1.0
    else:
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
