"""Checks for the exercises of chapter 5, "A partner"."""

from __future__ import annotations

import torch

from ..core.arguments import each, number, text
from .verdict import check, compare, function_check, given, refuse

FAILURES = ("jitter", "one pattern", "drift", "asleep")


@function_check
def ex5_1(mask) -> str:
    """Exercise 5.1: the mask of frames that may not be looked at."""
    frames, reach = 9, 3
    got, wider = (torch.as_tensor(mask(frames + more, reach + k)) for more, k in ((0, 0), (3, 1)))
    refuse((got.shape != (frames, frames),
            f"For {frames} frames it gives {list(got.shape)}; a mask says for every frame, of every frame, whether it "
            f"may not be looked at: [{frames}, {frames}]."),
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
    """Exercise 5.2: how often a normal draw is below p."""
    p, share = given(answer, each(number(), size=2), "Give two numbers: the p of one half, and the share for p = 0.1.")
    compare(p, 0,
            (0.5, "That would hold for `rand`, which draws evenly from 0 to 1. `randn` draws from a normal "
                  "distribution."),
            otherwise=f"Below which number does half of a normal distribution around zero lie? Not below {p:g}.",
            rtol=0, atol=0.01)
    compare(share, 0.54,
            (0.1, "The first is right. 0.1 is what was meant; what happened is a share of the normal distribution."),
            (54, "Right, as a percentage; a share lies between 0 and 1."),
            otherwise="The first is right. For the second, count: (torch.randn(100_000) < 0.1).float().mean() is not "
                      f"{share:g}.", rtol=0.0112)
    return "More than half of all steps rebuilt one dancer; the other half learned the duet."


@check
def ex5_3(answer) -> str:
    """Exercise 5.3: which of two partners fails, and how."""
    words = given(answer, each(text, size=2), 'Give two words, such as ("second", "drift").')
    which, how = (word.strip().lower().removeprefix("falling ") for word in words)
    refuse((which not in ("first", "second") or how not in FAILURES,
            f'The one is "first" or "second", the other one of {", ".join(FAILURES)}.'),
           (which == "second", "The second moves as dancers move; an error of 190 mm is what an own will costs. Look "
                               "at what the first one pays for its low error."),
           (how == "jitter", "Jitter has too much jerk; here it is 0.6 of the real one."),
           (how == "one pattern", "It may have one pattern too, but nothing here tells: for that, compare leaders."),
           (how == "drift", "Who drifts is far off after a while; this one is near."))
    return "Near to everything that might happen, and hardly moving: a mean. Its error is low for it."
