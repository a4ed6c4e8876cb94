"""Checks for the exercises of chapter 6, "Translating a dancer"."""

from __future__ import annotations

import torch

from ..core.deferred import roma
from .verdict import Verdict, forgiving


@forgiving
def ex6_1(answer) -> Verdict:
    """Exercise 6.1: how many degrees two rotations are apart."""
    if not callable(answer):
        return Verdict(False, "Hand over the function itself, without calling it: cl.checks.ex6_1(apart).")
    half = torch.deg2rad(torch.tensor([0.0, 10.0, 90.0, 175.0], dtype=torch.float64)) / 2
    nothing = torch.zeros_like(half)
    one = roma.random_unitquat(4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    other = roma.quat_product(one, torch.stack([half.sin(), nothing, nothing, half.cos()], -1))
    got, negative = answer(one, other), answer(one, -other)
    if got is None:
        return Verdict(False, "It gives nothing back. Is `return` missing?")
    got, negative, alike = (torch.as_tensor(x, dtype=torch.float64)
                            for x in (got, negative, answer(1.0000001 * one, one)))
    if got.shape != (4,):
        return Verdict(False, f"Four pairs of quaternions, and it gives {list(got.shape)}; one number a pair: [4].")
    true = torch.rad2deg(2 * half)
    if torch.allclose(got, true / 2, atol=1e-3):
        return Verdict(False, "Half of it: a quaternion holds half the angle.")
    if torch.allclose(got, 2 * half, atol=1e-4):
        return Verdict(False, "In radians. Degrees were asked for.")
    if not torch.allclose(got, true, atol=1e-3):
        k = int((got - true).abs().nan_to_num(999.0).argmax())
        return Verdict(False, f"For two rotations {float(true[k]):.0f} degrees apart it gives {float(got[k]):.5g}.")
    if not torch.allclose(negative, true, atol=1e-3):
        return Verdict(False, f"Right for q and p. For q and -p, which is the same rotation, it gives "
                              f"{float(negative[1]):.4g} where 10 is right.")
    if alike.isnan().any():
        return Verdict(False, "Right, until a number is a hair above 1, as rounding makes it: then it gives nan.")
    return Verdict(True, "By either name, and with no step over the edge at zero.")


@forgiving
def ex6_2(answer) -> Verdict:
    """Exercise 6.2: what squared angles teach a network that turns its back."""
    try:
        said, off = (float(n) for n in answer)
    except (TypeError, ValueError):
        return Verdict(False, "Give two numbers of degrees: what it answers, and how far off that is.")
    if abs(abs(said) - 180) < 0.5:
        return Verdict(False, "That is what one would wish. The squares know only the numbers 170 and -170.")
    if not abs(said) < 0.5:
        return Verdict(False, f"For which number is the mean of its squared distances to 170 and -170 smallest? Not "
                              f"for {said:g}.")
    if not abs(off - 170) < 0.5:
        return Verdict(False, f"The first is right. How far must somebody turn who faces there and should face the "
                              f"other way, at 170? Not by {off:g}.")
    return Verdict(True, "It faces the partner who is not there. Half-way between the two rotations, by the shorter "
                         "way, it would have faced 180.")


@forgiving
def ex6_3(answer) -> Verdict:
    """Exercise 6.3: weights with which windows that overlap by half add up to one."""
    if not callable(answer):
        return Verdict(False, "Hand over the function itself, without calling it: cl.checks.ex6_3(fade).")
    got = answer(64)
    if got is None:
        return Verdict(False, "It gives nothing back. Is `return` missing?")
    got, other = (torch.as_tensor(x, dtype=torch.float64) for x in (got, answer(32)))
    if got.shape != (64,) or other.shape != (32,):
        return Verdict(False, f"For 64 frames it gives {list(got.shape)}; one weight a frame: [64].")
    if not (got.isfinite().all() and other.isfinite().all()):
        return Verdict(False, "Some of the weights are no numbers.")
    if float(got.min()) < -1e-6 or float(got.max()) > 1 + 1e-6:
        return Verdict(False, f"Weights from {float(got.min()):.2g} to {float(got.max()):.2g}; they are shares, from "
                              "0 to 1.")
    off = max(float((x[: len(x) // 2] + x[len(x) // 2 :] - 1).abs().max()) for x in (got, other))
    if off > 1e-3:
        return Verdict(False, f"Where two windows overlap, the weights are off one by {off:.2g}. (np.hanning has a "
                              "zero at both ends, which is one too many here.)")
    if float((got - got.flip(0)).abs().max()) > 0.06:
        return Verdict(False, "They add up to one; but one side fades otherwise than the other.")
    if float(got[0]) > 0.6:
        return Verdict(False, "They add up to one; but each window counts most at its ends, where it knows least.")
    if float(got.max()) < 0.75:
        return Verdict(False, "They add up to one, and nobody fades: at a window's ends two dancers would change "
                              "places at once.")
    if float(got.diff().abs().max()) > 0.1:
        return Verdict(False, "They add up to one; but somewhere in the window the dancers change places at once.")
    if float(got[1] - got[0]) > 0.02:
        return Verdict(False, "They add up to one. But at the ends they set out at full pace, and a hand would feel "
                              "it; make the slope begin at zero.")
    return Verdict(True, f"The first frame counts {float(got[0]):.4f}, one in the middle {float(got.max()):.4f}.")
