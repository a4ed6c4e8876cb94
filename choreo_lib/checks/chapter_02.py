"""Checks for the exercises of chapter 2, "From video to a duet"."""

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from ..core.arguments import each, number
from ..sets.registry import load_duet
from .verdict import Hint, check, compare, function_check, given, refuse, trouble, values, whole

_LATE = 5  # frames


@check
def ex2_1(share) -> str:
    """Exercise 2.1: the share of frames that do not show exactly two people, when `corrupt` is left as it is."""
    kind = "A share is a number from 0 to 1; got {}."
    share = given(share, number(0, 100), kind)
    compare(share, 0.19,
            (bool(abs(share - 19) <= 0.5), "That is a percentage. As a share it lies between 0 and 1."),
            (0.81, "That many are kept. How many are lost?"),
            (bool(share == 57), "That is the number of frames. Which share of all 300 are they?"),
            (share > 1, kind.format(share)),
            (0.1, "Those show nobody. Frames with one or three people would go too."),
            (0.15, "Those show nobody or one person. Frames with three people would go too."),
            (0.05, "Those show one person. Frames with nobody, or with three people, would go too."),
            (0.04, "Those show three people. Frames with nobody, or with one person, would go too."),
            (0.14, "Those show nobody or three people. Frames with one person would go too."),
            otherwise="Nobody, one, and three people: all of these frames would go. What did the count say?",
            rtol=0.026)
    return "Nearly a fifth, and not in one piece: every cut would be a leap in the dance."


@function_check
def ex2_2(longest_absence) -> str:
    """Exercise 2.2: a function (index [T, 2], fps) -> each dancer's longest absence in seconds.

    Errors: none of the learner's; they become hints.
    """
    two = "Give two numbers, the first for dancer a and the second for dancer b."
    a = np.array([0, -1, -1, 1, -1, -1, -1, 0, 0, -1])
    index = np.stack([a, np.where(np.arange(10) < 4, 1, -1)], axis=1)  # b leaves and does not come back
    frames, absent = np.array([3, 6]), np.array([6, 6])
    got = values(longest_absence(index, 20), (2,), two)
    compare(got, frames / 20,
            (frames, "These are frames. How long does one last?"),
            (absent / 20, "That adds up all absences of a dancer. The longest one is a run without a break."),
            (frames[::-1] / 20, "The right two, in the wrong order: a comes first."),
            (bool(np.isclose(got[0], frames[0] / 20)),
             "Dancer a is right. Does yours see an absence that lasts until the end?"),
            otherwise="A run grows while the index is -1 and starts again at zero when the dancer is seen.")
    try:
        never = longest_absence(np.zeros((5, 2), int), 20)
    except Exception as error:  # whatever a learner's function may raise
        raise Hint(f"It could not answer: {trouble(error)}. Does it mind a dancer who was never away?") from None
    compare(values(never, (2,), two), 0, otherwise="And a dancer who was never away? Both absences should then be 0.")
    return "It also minds an absence at the end, and a dancer who was never away."


def line_up_2_3() -> tuple[np.ndarray, list[np.ndarray]]:
    """A hand's height as it was danced, and as three smoothers gave it back, [240] each: exercise 2.3."""
    motion = load_duet("synthetic/mirror").a
    danced = motion.positions[:240, motion.skeleton.index("left_wrist"), 2].astype(float)
    seen = danced + np.random.default_rng(23).normal(0, 0.01, len(danced))
    width = 2 * _LATE + 1
    late = uniform_filter1d(seen, width, origin=_LATE, mode="nearest")  # the mean of the last frames only
    return danced, [gaussian_filter1d(seen, 5), gaussian_filter1d(seen, 2), late]


@check
def ex2_3(answer) -> str:
    """Exercise 2.3: which of the line-up is late, counted from 0, and by how many frames."""
    two = "Give two numbers: which of the three, 0, 1 or 2, and how many frames."
    which, frames = given(answer, each(whole, size=2), two)
    refuse((which == 3, "They are counted from 0: number 0, 1 or 2."),
           (which not in (0, 1, 2), two),
           (which != 2, "That one rounds off, but its peaks come when the hand's do. Shift, and compare."),
           (frames < 0, "The right one. It comes after the hand, so say by a positive number."),
           (frames == 0, "The right one, and late: shift it earlier, frame by frame, until it fits."),
           (frames in (2 * _LATE, 2 * _LATE + 1), "The right one. That is how many frames it looks back on; on average "
                                                  "they are half as old."),
           (abs(frames - _LATE) > 1,
            "The right one, and not that late. At which shift is it most like what was danced?"))
    return f"It is the mean of the last {2 * _LATE + 1} frames, so it speaks of {_LATE} frames ago."


@check
def ex2_4(distances) -> str:
    """Exercise 2.4: 4 and 5 metres, when the focal length was one and a half times what was assumed."""
    factor = "Every depth grows by a factor, so the distance between the two does not stay."
    compare(given(distances, each(number(), size=2), "Give two distances in metres."), (6, 7.5),
            ((8 / 3, 10 / 3), "The other way: what a longer lens shows as large stands farther away."),
            ((4, 5), "These are the depths of the assumed focal length. Nothing has changed yet."),
            ((6, 7), factor),
            ((5.5, 6.5), factor),
            ((7.5, 6), "The right two. Which of them is the nearer one?"),
            otherwise="In the chapter the focal length was doubled. What became of the depths? Do the same with one "
                      "and a half.", rtol=0.01)
    return "And they were 1.5 m apart in depth, not 1 m."
