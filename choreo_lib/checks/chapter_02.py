"""Checks for the exercises of chapter 2, "From video to a duet"."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from ..sets.registry import load_duet
from .verdict import Verdict, forgiving, trouble

_LATE = 5  # frames


@forgiving
def ex2_1(share) -> Verdict:
    """Exercise 2.1: the share of frames that do not show exactly two people, when `corrupt` is left as it is."""
    number = isinstance(share, (int, float, np.number)) and not isinstance(share, bool)
    if not number or not (0 <= share <= 1 or abs(share - 19) < 0.5):
        return Verdict(False, f"A share is a number from 0 to 1; got {share!r}.")
    if abs(share - 0.19) < 0.005:
        return Verdict(True, "Nearly a fifth, and not in one piece: every cut would be a leap in the dance.")
    if abs(share - 19) < 0.5:
        return Verdict(False, "That is a percentage. As a share it lies between 0 and 1.")
    if abs(share - 0.81) < 0.005:
        return Verdict(False, "That many are kept. How many are lost?")
    return Verdict(False, "Nobody, one, and three people: all of these frames would go. What did the count say?")


@forgiving
def ex2_2(longest_absence) -> Verdict:
    """Exercise 2.2: a function (index [T, 2], fps) -> each dancer's longest absence in seconds."""
    if not callable(longest_absence):
        return Verdict(False, "The check takes your function itself: cl.checks.ex2_2(longest_absence).")
    a = np.array([0, -1, -1, 1, -1, -1, -1, 0, 0, -1])
    index = np.stack([a, np.where(np.arange(10) < 4, 1, -1)], axis=1)  # b leaves and does not come back
    want, frames, absent = np.array([3, 6]) / 20, np.array([3, 6]), np.array([6, 6])
    try:
        got, never = (longest_absence(i, 20) for i in (index, np.zeros((5, 2), int)))
    except Exception as error:  # whatever a learner's function may raise
        return Verdict(False, f"It could not answer: {trouble(error)}. Does it mind a dancer who was never away?")
    try:
        got, never = np.asarray(got, float), np.asarray(never, float)
    except (TypeError, ValueError):
        got = np.zeros(0)
    if got.shape != (2,):
        return Verdict(False, "Give two numbers, the first for dancer a and the second for dancer b.")
    if np.allclose(got, want):
        if never.shape == (2,) and np.allclose(never, 0):
            return Verdict(True, "It also minds an absence at the end, and a dancer who was never away.")
        return Verdict(False, "And a dancer who was never away? Both absences should then be 0.")
    if np.allclose(got, frames):
        return Verdict(False, "These are frames. How long does one last?")
    if np.allclose(got, absent / 20):
        return Verdict(False, "That adds up all absences of a dancer. The longest one is a run without a break.")
    if np.allclose(got, want[::-1]):
        return Verdict(False, "The right two, in the wrong order: a comes first.")
    if np.allclose(got[0], want[0]):
        return Verdict(False, "Dancer a is right. Does yours see an absence that lasts until the end?")
    return Verdict(False, "A run grows while the index is -1 and starts again at zero when the dancer is seen.")


def line_up_2_3() -> tuple[np.ndarray, list[np.ndarray]]:
    """A hand's height as it was danced, and as three smoothers gave it back, [240] each: exercise 2.3."""
    motion = load_duet("synthetic/mirror").a
    danced = motion.positions[:240, motion.skeleton.index("left_wrist"), 2].astype(float)
    seen = danced + np.random.default_rng(23).normal(0, 0.01, len(danced))
    width = 2 * _LATE + 1
    late = uniform_filter1d(seen, width, origin=_LATE, mode="nearest")  # the mean of the last frames only
    return danced, [gaussian_filter1d(seen, 5), gaussian_filter1d(seen, 2), late]


@forgiving
def ex2_3(answer) -> Verdict:
    """Exercise 2.3: which of the line-up is late, counted from 0, and by how many frames."""
    try:
        which, frames = (int(n) for n in answer)
    except (TypeError, ValueError):
        which = -1
    if which not in (0, 1, 2):
        return Verdict(False, "Give two numbers: which of the three, 0, 1 or 2, and how many frames.")
    if which != 2:
        return Verdict(False, "That one rounds off, but its peaks come when the hand's do. Shift, and compare.")
    if frames < 0:
        return Verdict(False, "The right one. It comes after the hand, so say by a positive number.")
    if abs(frames - _LATE) > 1:
        return Verdict(False, "The right one, and not that late. At which shift is it most like what was danced?")
    return Verdict(True, f"It is the mean of the last {2 * _LATE + 1} frames, so it speaks of {_LATE} frames ago.")


@forgiving
def ex2_4(distances) -> Verdict:
    """Exercise 2.4: 4 and 5 metres, when the focal length was one and a half times what was assumed."""
    try:
        near, far = (float(d) for d in distances)
    except (TypeError, ValueError):
        return Verdict(False, "Give two distances in metres.")
    if np.allclose((near, far), (6, 7.5)):
        return Verdict(True, "And they were 1.5 m apart in depth, not 1 m.")
    if np.allclose((near, far), (8 / 3, 10 / 3), atol=0.05):
        return Verdict(False, "The other way: what a longer lens shows as large stands farther away.")
    if np.allclose((near, far), (6, 7)) or np.allclose((near, far), (5.5, 6.5)):
        return Verdict(False, "Every depth grows by a factor, so the distance between the two does not stay.")
    if np.allclose((far, near), (6, 7.5)):
        return Verdict(False, "The right two. Which of them is the nearer one?")
    return Verdict(False, "In the chapter the focal length was doubled. What became of the depths? Do the same with "
                          "one and a half.")
