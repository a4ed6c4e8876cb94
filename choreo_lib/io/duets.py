"""Two dancers from files: one axis and one unit, or one of each a file; clocks and lengths brought together, and told.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..body.motion import Duet, Motion
from . import upright
from .conventions import MotionFormatError, MotionGuessWarning, fail
from .pairs import match_skeletons

RATIO, APART = 1.6, 30.0  # of heights; metres between two who dance together


def join(a: Motion, b: Motion, paths, up=None, scale=None) -> Duet:
    """Two Motions that were read as one Duet, once they are seen to share a world and a clock.

    Rates and lengths that differ a little are brought together by `match`, which notes it.
    Errors: MotionFormatError, naming the way on.
    """
    names = [Path(path).name for path in paths]
    guesses = [dict(note.split(" guessed: ", 1) for note in m.notes if " guessed: " in note) for m in (a, b)]
    unlike = [what for what in guesses[0] if guesses[0][what] != guesses[1].get(what, guesses[0][what])]
    if unlike:
        axes = [made.get("up axis", "y") for made in guesses]
        differ = "; ".join(f"{what} {guesses[1][what]}, not {guesses[0][what]}" for what in unlike)
        fail(paths[1], f"guessed otherwise than {names[0]} ({differ}); two dancers "
                       "share one world, so pass up= and scale=: one for both where the guess is wrong, or one a file "
                       f"where the files differ, such as up=({axes[0]!r}, {axes[1]!r}) or scale=(0.01, 1)")
    duet = _together(a, b, names)
    return _alike(duet, paths, names, isinstance(up, tuple | list), isinstance(scale, tuple | list))


def _together(a: Motion, b: Motion, names) -> Duet:
    if len(a) == len(b) and abs(a.fps - b.fps) <= 1e-3 * a.fps:
        return Duet(a, b)
    differ = (f"{names[0]} has {len(a)} frames at {a.fps:g} frames per second and {names[1]} {len(b)} at {b.fps:g}")
    try:
        duet = match_skeletons(a, b, tuple(names))
    except MotionFormatError as error:
        raise MotionFormatError(
            f"{names[0]} and {names[1]}: {differ}, and they do not match: {error}. Read each with read_motion, bring "
            "them together with motion.resampled(fps) and motion[start:stop], then choreo_lib.Duet(a, b), or "
            "choreo_lib.io.match_skeletons(a, b)") from error
    told = [note for m, old in zip(duet, (a, b)) for note in m.notes[len(old.notes):] if not note.startswith("renamed")]
    warnings.warn(f"{names[0]} and {names[1]}: {differ}; brought together ({'; '.join(told)})", MotionGuessWarning,
                  stacklevel=4)
    return duet


def _posture(motion: Motion) -> tuple[str | None, float | None]:
    """How a body is through most of its frames, and its height; None where its joints do not show it."""
    points = upright.sample(motion.positions)
    bones = upright.bone_lengths(motion.skeleton, points)
    head, feet = upright.landmarks(motion.skeleton, bones)
    if head is None:
        return None, None
    spine = points[:, head] - points[:, feet].mean(axis=1)
    raised = spine[:, 2] / np.maximum(np.linalg.norm(spine, axis=-1), 1e-9)
    shares = {"stands": np.mean(raised > upright.STANDS), "lies": np.mean(abs(raised) < 0.4),
              "stands on its head": np.mean(raised < -upright.STANDS)}
    most = max(shares, key=shares.get)
    return most if shares[most] >= 0.8 else None, upright.height(motion.skeleton, points)


def _alike(duet: Duet, paths, names, axes_said: bool, scales_said: bool) -> Duet:
    """The duet, refused or warned of where its two bodies cannot well be in one world."""
    (posture_a, height_a), (posture_b, height_b) = _posture(duet.a), _posture(duet.b)
    if height_a and height_b and max(height_a, height_b) > RATIO * min(height_a, height_b) and not scales_said:
        fail(paths[-1], f"dancer a is {height_a:.3g} m tall and dancer b {height_b:.3g} m; if their files count in "
                        "other units, pass one a file, such as scale=(0.01, 1); if they are so, pass both all the same")
    odd = []
    if posture_a and posture_b and posture_a != posture_b and not axes_said:
        odd.append((f"dancer a {posture_a} and dancer b {posture_b} in most frames",
                    "if their files have other axes, pass one a file, such as up=('y', 'z')"))
    apart = float(np.median(np.linalg.norm(duet.a.positions.mean(axis=1) - duet.b.positions.mean(axis=1), axis=-1)))
    if apart > APART:
        odd.append((f"the dancers are {apart:.3g} m apart in half of the frames or more",
                    "if one file counts in other units, pass scale=(a's, b's); else move one with motion.moved"))
    for message, remedy in odd:
        warnings.warn(f"{' and '.join(names)}: {message}; {remedy}", MotionGuessWarning, stacklevel=4)
    if not odd:
        return duet
    a, b = (replace(m, notes=(*m.notes, *(message for message, _ in odd))) for m in duet)
    return replace(duet, a=a, b=b)
