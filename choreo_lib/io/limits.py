"""What is written can be read again: the readers' limits, kept while there is still somebody to cut the take.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import numpy as np

from ..body.motion import Motion
from .conventions import MAX_CELLS, MAX_DISTANCE, MAX_FRAMES, MAX_JOINTS, fail


def check_writable(path, motion: Motion, who: str = "", margin: float = 0.0):
    """Refuse a motion that no reader of ours would take back, and say what to do about it.

    ``margin`` metres short of the farthest place that is read: for a format that rounds.
    Errors: MotionFormatError, naming the frame, joint or end site.
    """
    frames, joints, body = len(motion), len(motion.skeleton), motion.skeleton
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
    reach = MAX_DISTANCE - margin
    if len(bad := np.argwhere(~(np.abs(motion.positions) <= reach))):
        frame, joint, axis = (int(i) for i in bad[0])
        fail(path, f"expected finite positions within {reach:g} m of the origin, which are read back; got "
                   f"{motion.positions[frame, joint, axis]:g}. Are they millimetres? motion.positions are metres",
             f"{who + ', ' if who else ''}frame {frame}, joint {joint} ({body.names[joint]!r})")
    if motion.rotations is not None:
        length = np.linalg.norm(motion.rotations, axis=-1)
        if len(bad := np.argwhere(~((length > 1e-6) & (length <= 1e3)))):
            frame, joint = (int(i) for i in bad[0])
            fail(path, "expected a rotation as a unit quaternion; got numbers that are none",
                 f"{who + ', ' if who else ''}frame {frame}, joint {joint} ({body.names[joint]!r})")
    for what, joint, place in [("end site", j, tip) for j, tip in body.end_sites] + [
            ("offset", j, offset) for j, offset in enumerate(() if body.offsets is None else body.offsets)]:
        if len(place) != 3 or not (np.abs(place) <= reach).all():
            fail(path, f"expected three finite numbers within {reach:g} m; got ({', '.join(f'{x:g}' for x in place)}). "
                       f"Build the skeleton without this {what}, or with its right place",
                 f"{who + ', ' if who else ''}{what} of joint {joint} ({body.names[joint]!r})")
