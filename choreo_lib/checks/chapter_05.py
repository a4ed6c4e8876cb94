"""Checks for the exercises of chapter 5, "A partner"."""

import torch

from ..body.coupling import Drive
from ..body.motion import Duet
from ..core.arguments import each, number, text
from ..sets import synthetic
from .verdict import check, compare, function_check, given, refuse

MEAN, SAME = "regression to the mean", "condition-insensitive output"
FAILURES = ("jitter", SAME, "drift", MEAN)
SYNONYMS = {"freezing": MEAN, "asleep": MEAN, "falling asleep": MEAN, "one pattern": SAME,
            "condition-insensitive": SAME}
LED, ANSWERED, LAG = "left_wrist", "right_knee", 11  # of the film; the lag in frames, 30 a second


@function_check
def ex5_1(mask) -> str:
    """Exercise 5.1: the mask of frames that may not be looked at."""
    frames, reach = 9, 3
    got, wider = (torch.as_tensor(mask(frames + more, reach + k)) for more, k in ((0, 0), (3, 1)))
    refuse((got.shape != (frames, frames), f"For {frames} frames it gives {list(got.shape)}; a mask says for every "
            f"frame, of every frame, whether it may not be looked at: [{frames}, {frames}]."),
           (got.dtype != torch.bool, f"It gives {got.dtype}; the mask should say True or False (torch.bool)."))
    ago = _ago(frames)
    right, seen = (ago < 0) | (ago > reach), (~got[5]).nonzero().flatten().tolist()
    compare(got, right,
            (~right, "The other way round: True is for what may not be looked at."),
            (right.T, "Rows and columns are exchanged: row i is the frame that looks."),
            (ago < 0, "The future is hidden. Now hide what is too long ago."),
            (bool(got.diagonal().any()), "A frame may look at itself; True stands on the diagonal."),
            ((ago < 0) | (ago >= reach), f"One frame too strict: {reach} frames ago may still be looked at."),
            ((ago < 0) | (ago > reach + 1),
             f"One frame too generous: {reach} frames ago may be looked at, and no earlier one."),
            (ago.abs() > reach, "It hides what is far away in both directions. Of the future nothing may be seen."),
            otherwise=f"Frame 5 of 9, with reach 3, should see frames 2, 3, 4 and 5; yours sees {seen}.")
    ago = _ago(frames + 3)
    refuse((not torch.equal(wider, (ago < 0) | (ago > reach + 1)),
            f"Right for {frames} frames and reach {reach}, and for no others: try {frames + 3} and {reach + 1}."))
    return f"Frame 5 may look at {seen}, and at nothing else."


def _ago(frames: int) -> torch.Tensor:
    """How many frames before the frame that looks, a row, is the frame that is looked at, a column: [T, T]."""
    return torch.arange(frames)[:, None] - torch.arange(frames)


@check
def ex5_2(answer) -> str:
    """Exercise 5.2: how often a standard Gaussian sample is below p."""
    p, share = given(answer, each(number(), size=2), "Give two numbers: the p of one half, and the share for p = 0.1.")
    compare(p, 0,
            (0.5, "That would hold for `rand`, which is uniform from 0 to 1. `randn` samples a Gaussian."),
            (1, "That would be every step for `rand`. Of a Gaussian, 84 of 100 samples are below 1."),
            otherwise=f"Below which number does half of a Gaussian around zero lie? Not below {p:g}.",
            rtol=0, atol=0.01)
    compare(share, 0.54,
            (0.1, "The first is right. 0.1 is what was meant; what happened is a share of the Gaussian."),
            (0.46, "The first is right. That is the share above 0.1; steps reconstruct where the sample is below."),
            (0.08, "The first is right. That is the share within 0.1 of zero; everything below zero counts too."),
            (0.04, "The first is right. That is the share between 0 and 0.1; everything below zero counts too."),
            (0.5, "The first is right, and that is its share. For p = 0.1 it is a little more."),
            (54, "Right, as a percentage; a share lies between 0 and 1."),
            otherwise="The first is right. For the second, count: (torch.randn(100_000) < 0.1).float().mean() is not "
                      f"{share:g}.", rtol=0.0112)
    return "More than half of all steps reconstructed one dancer; the other half learned the duet."


@check
def ex5_3(answer) -> str:
    """Exercise 5.3: which of two partners fails, and how."""
    words = given(answer, each(text, size=2), 'Give two words, such as ("second", "drift").')
    which, how = (" ".join(word.lower().split()) for word in words)
    how = SYNONYMS.get(how, how)
    refuse((which in (*FAILURES, *SYNONYMS) and how in ("first", "second"),
            "First which of the two, then the failure."),
           (which not in ("first", "second") or how not in FAILURES,
            f'The one is "first" or "second", the other one of {", ".join(FAILURES)}.'),
           (which == "second" and how == "jitter", "1.1 times the danced jerk is hardly more than danced. Look at the "
                                                   "first."),
           (which == "second" and how == MEAN, "The second moves nearly as fast as dancers do. Look at the first."),
           (which == "second", "The second moves as dancers move; an error of 190 mm is what a will of its own costs. "
                               "Look at what the first one pays for its low error."),
           (how == "jitter", "Jitter has too much jerk; here it is 0.6 of the danced one."),
           (how == SAME, "Its output may be the same for every leader too, but nothing here tells: for that, compare "
                         "leaders."),
           (how == "drift", "Who drifts is far off after a while; this one is near."))
    return "Near to everything that might happen, and hardly moving: a mean. Its error is low for it."


def film_5_4() -> Duet:
    """A duet as if filmed for exercise 5.4: a leads with one hand, and one part of b answers. Chapter: 5."""
    drive = Drive(("a", LED), ("b", ANSWERED), LAG, 1.0)
    return synthetic.duet("drives", 900, seed=57, drives=[drive], shared_beat=False)


@check
def ex5_4(answer) -> str:
    """Exercise 5.4: which part of b answers a's hand in the film, and how many milliseconds later."""
    hint = 'Give a joint of b and its lag in milliseconds, such as ("head", 100).'
    part, lag = given(answer, each(text | number(), size=2), hint)
    refuse((isinstance(lag, str) or not isinstance(part, str), hint))
    part = "_".join(part.lower().replace("_", " ").split())
    refuse((part == LED, "That is what a leads with. Which part of b answers?"),
           (part == "left_knee", "The other side: b faces a. Compare left with right."),
           (part in ("right_ankle", "right_foot", "right_bigtoe"), "It is carried along: which joint above it is more "
                                                                   "strongly correlated?"),
           (part != ANSWERED, f"Not the {part.replace('_', ' ')}. Try each part, and look for the highest "
                              "correlation whose lag is the same all along."))
    right = 1000 * LAG / 30
    compare(lag, right,
            (abs(lag - LAG / 30) < 0.04, "The part is right. That is seconds; in milliseconds?"),
            (abs(lag - LAG) <= 1, "The part is right. That is frames, of which 30 are a second."),
            (abs(lag + right) <= 40, "The part is right. A positive lag says that b comes later."),
            (abs(lag) <= 40, "The part is right. At once would be a mirror; look at the lag, not at the correlation."),
            otherwise="The part is right. Which lag does `cross_correlation` give for it?", rtol=0, atol=40)
    return f"The {ANSWERED.replace('_', ' ')}, {right:.0f} ms later, with the left wrist for a leader."
