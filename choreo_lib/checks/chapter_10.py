"""Checks for the exercises of chapter 10, "The studio"."""

import numpy as np

from ..body.blending import inertialise, minimum_jerk
from ..core.arguments import each, text
from .verdict import check, compare, function_check, given, refuse, values

ASKED = ("friend", "passer-by", "salsa dancers", "nobody")


@function_check
def ex10_1(lead_away) -> str:
    """Exercise 10.1: a gap led to nothing by a cubic, from its value and its velocity."""
    gap, velocity, frames = np.array([0.3, -0.1, 0.0]), np.array([0.0, 0.02, 0.01]), 10
    got = np.asarray(values(lead_away(gap.copy(), velocity.copy(), frames), (frames, 3),
                            "For 10 frames and a gap of three numbers it should give [10, 3], and gives {}."))
    t = np.arange(1, frames + 1)[:, None] / frames
    right, still, slow, turned = (inertialise(gap[None], way[None], frames)[:, 0]
                                  for way in (velocity, 0 * velocity, velocity / frames, -velocity))  # [T, 3] each
    compare(got, right,
            ((1 - t) * gap, "That is a straight line. It begins with another velocity than the gap has, and stops with "
                            "a jerk: both ends are felt."),
            (still, "The gap is led away, its velocity is not: where the gap grew, it suddenly stands. Add the second "
                    "term."),
            (slow, "The velocity is in metres a frame, and t runs from 0 to 1 in all the frames: the second term lacks "
                   "a factor."),
            ([gap, *right[:-1]], "One frame late. It is for the frames after the one with the gap, so t begins at "
                                 "1 / frames and ends at 1."),
            ((1 - minimum_jerk(t)) * gap, "A smooth way, at rest at both ends: but this gap moves when it begins."),
            (gap - right, "That is how much is gone; asked is how much is left, nothing in the last frame."),
            (turned, "The gap is growing where it should shrink: look at the sign of the second term."),
            otherwise=f"After five of ten frames {right[4].round(4).tolist()} is left of the gap; yours leaves "
                      f"{got[4].round(4).tolist()}.", atol=1e-6)
    return "It leaves the first frame at the gap's own velocity, and ends with neither gap nor velocity."


@function_check
def ex10_2(bend) -> str:
    """Exercise 10.2: how far a limb of two bones is bent, by the law of cosines."""
    upper, lower = 0.4, 0.3
    distance = np.array([0.69, 0.6, 0.5, 0.2])
    got = np.array([float(values(bend(upper, lower, float(d)), (), "For one distance it should give one number; it "
                                 "gives {}.")) for d in (*distance, 0.9, 0.05)])
    cosine = (distance**2 - upper**2 - lower**2) / (2 * upper * lower)
    right = np.arccos(cosine)
    first = got[:4]
    compare(first, right,
            (np.pi - right, "That is the angle between the bones, pi for a straight limb. Asked is how far it is bent: "
                            "0 for a straight one."),
            (np.degrees(right), "Right, in degrees; asked are radians."),
            (cosine, "That is the cosine of it. One more step."),
            (np.arccos((upper**2 + distance**2 - lower**2) / (2 * upper * distance)),
             "That is the angle at the first joint, between the upper bone and the line to the goal."),
            (np.arccos(np.clip(distance / (upper + lower), -1, 1)), "Right where it is straight. A limb whose goal is "
             "half as far away as it is long need not be bent by 60 degrees: the law of cosines knows both bones."),
            (bool(np.isnan(first).any()), "It gives no number for a goal within reach. Is the sign of a term turned "
                                          "round?"),
            otherwise=f"Bones of 0.4 and 0.3 m with the goal 0.5 m away are bent by {right[2]:.3f}; yours says "
                      f"{first[2]:.3g}. Where bones and line make a right angle Pythagoras must come out.", rtol=1e-4)
    refuse((bool(np.isnan(got[4:]).any()), "Right within reach. Farther than the limb is long, or nearer than its "
                                           "bones allow, there is no such triangle: clip the cosine to -1 and 1."),
           (not np.allclose(got[4:], [0, np.pi], atol=1e-4), "Right within reach. At 0.9 m the limb is stretched, 0, "
            f"and at 0.05 m folded, pi; yours says {got[4]:.3g} and {got[5]:.3g}."))
    return "At 0.5 m it is a right angle, and out of reach it is stretched, without an error."


@check
def ex10_3(answer) -> str:
    """Exercise 10.3: who is asked and named before a made partner is shown."""
    hint = f'Give those who are to be asked or named, as a list of words: {", ".join(ASKED)}.'
    words = given(sorted(answer) if isinstance(answer, set | frozenset) else answer, each(text), hint)
    people = {" ".join(word.lower().split()) for word in words}
    refuse((not people or not people <= set(ASKED), hint),
           ("nobody" in people and len(people) > 1, "Nobody and somebody: decide."),
           (people == {"nobody"}, "No recorded point is in the file, and yet it answers one body and moves as others "
                                  "moved. Whose?"),
           ("passer-by" in people and len(people) == 3, "Those three were all filmed. But of one of them nothing went "
                                                        "into what is shown: the track was left out. (Before the "
                                                        "video is shown, that is another question.)"),
           ("passer-by" in people, "`clean` left that track out, so nothing of it is in what is shown. Two others "
                                   "are in it."),
           (people == {"friend"}, "She leads it, so she is asked. And from whom did the model learn how to answer?"),
           (people == {"salsa dancers"}, "From them the model learned. And whose dance does it answer?"))
    return "Both stand in the file: one as the source of the motion, the others as what the model was trained on."
