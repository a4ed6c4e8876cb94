"""Checks for the exercises of chapter 5, "A partner"."""

from __future__ import annotations

import torch

from .verdict import Verdict, forgiving

FAILURES = ("jitter", "one pattern", "drift", "asleep")


@forgiving
def ex5_1(answer) -> Verdict:
    """Exercise 5.1: the mask of frames that may not be looked at."""
    if not callable(answer):
        return Verdict(False, "Hand over the function itself, without calling it: cl.checks.ex5_1(mask).")
    frames, reach = 9, 3
    now, then = torch.arange(frames)[:, None], torch.arange(frames)[None]
    late, long_ago = then > now, now - then > reach
    got, wider = answer(frames, reach), answer(frames + 3, reach + 1)
    if got is None:
        return Verdict(False, "It gives nothing back. Is `return` missing?")
    got, wider = torch.as_tensor(got), torch.as_tensor(wider)
    if got.shape != (frames, frames):
        return Verdict(False, f"For {frames} frames it gives {list(got.shape)}; a mask says for every frame, of every "
                              f"frame, whether it may not be looked at: [{frames}, {frames}].")
    if got.dtype != torch.bool:
        return Verdict(False, f"It gives {got.dtype}; the mask should say True or False (torch.bool).")
    if torch.equal(got, late | long_ago):
        now, then = torch.arange(frames + 3)[:, None], torch.arange(frames + 3)[None]
        if not torch.equal(wider, (then > now) | (now - then > reach + 1)):
            return Verdict(False, f"Right for {frames} frames and reach {reach}, and for no others: try {frames + 3} "
                                  f"and {reach + 1}.")
        return Verdict(True, f"Frame 5 may look at {(~got[5]).nonzero().flatten().tolist()}, and at nothing else.")
    if torch.equal(got, ~(late | long_ago)):
        return Verdict(False, "The other way round: True is for what may not be looked at.")
    if torch.equal(got, (late | long_ago).T):
        return Verdict(False, "Rows and columns are exchanged: row i is the frame that looks.")
    if torch.equal(got, late):
        return Verdict(False, "The future is hidden. Now hide what is too long ago.")
    if got.diagonal().any():
        return Verdict(False, "A frame may look at itself; True stands on the diagonal.")
    if torch.equal(got, late | (now - then >= reach)):
        return Verdict(False, f"One frame too strict: {reach} frames ago may still be looked at.")
    if torch.equal(got, late | (now - then > reach + 1)):
        return Verdict(False, f"One frame too generous: {reach} frames ago may be looked at, and no earlier one.")
    if torch.equal(got, long_ago | long_ago.T):
        return Verdict(False, "It hides what is far away in both directions. Of the future nothing may be seen.")
    return Verdict(False, f"Frame 5 of 9, with reach 3, should see frames 2, 3, 4 and 5; yours sees "
                          f"{(~got[5]).nonzero().flatten().tolist()}.")


@forgiving
def ex5_2(answer) -> Verdict:
    """Exercise 5.2: how often a normal draw is below p."""
    try:
        p, share = (float(n) for n in answer)
    except (TypeError, ValueError):
        return Verdict(False, "Give two numbers: the p of one half, and the share for p = 0.1.")
    if abs(p - 0.5) < 0.01:
        return Verdict(False, "That would hold for `rand`, which draws evenly from 0 to 1. `randn` draws from a bell.")
    if not abs(p) <= 0.01:
        return Verdict(False, f"Below which number does half of a bell around zero lie? Not below {p:g}.")
    if abs(share - 0.1) < 0.005:
        return Verdict(False, "The first is right. 0.1 is what was meant; what happened is a share of the bell.")
    if abs(share - 54) < 0.6:
        return Verdict(False, "Right, as a percentage; a share lies between 0 and 1.")
    if not abs(share - 0.54) <= 0.006:
        return Verdict(False, f"The first is right. For the second, count: (torch.randn(100_000) < 0.1).float().mean() "
                              f"is not {share:g}.")
    return Verdict(True, "More than half of all steps rebuilt one dancer; the other half learned the duet.")


@forgiving
def ex5_3(answer) -> Verdict:
    """Exercise 5.3: which of two partners fails, and how."""
    try:
        which, how = (str(word).strip().lower().removeprefix("falling ") for word in answer)
    except (TypeError, ValueError):
        return Verdict(False, 'Give two words, such as ("second", "drift").')
    if which not in ("first", "second") or how not in FAILURES:
        return Verdict(False, f'The one is "first" or "second", the other one of {", ".join(FAILURES)}.')
    if which == "second":
        return Verdict(False, "The second moves as dancers move; an error of 190 mm is what an own will costs. Look at "
                              "what the first one pays for its low error.")
    if how != "asleep":
        return Verdict(False, {"jitter": "Jitter has too much jerk; here it is 0.6 of the real one.",
                               "one pattern": "It may have one pattern too, but nothing here tells: for that, compare "
                                              "leaders.",
                               "drift": "Who drifts is far off after a while; this one is near."}[how])
    return Verdict(True, "Near to everything that might happen, and hardly moving: a mean. Its error is low for it.")
