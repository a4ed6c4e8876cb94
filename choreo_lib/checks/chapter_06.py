"""Checks for the exercises of chapter 6, "Translating a dancer"."""

import torch

from ..core.arguments import each, number
from ..core.deferred import roma
from .verdict import check, compare, function_check, given, refuse, values


@function_check
def ex6_1(apart) -> str:
    """Exercise 6.1: how many degrees two rotations are apart."""
    right = torch.tensor([0.0, 10.0, 90.0, 175.0], dtype=torch.float64)
    one = roma.random_unitquat(4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    about_z = torch.deg2rad(right)[:, None] * torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    other = roma.quat_product(one, roma.rotvec_to_unitquat(about_z))
    got, negative, alike = (
        values(apart(q, p), (4,), "Four pairs of quaternions, and it gives {}; one number a pair: [4].")
        for q, p in ((one, other), (one, -other), (1.0000001 * one, one)))
    k = int((got - right).abs().nan_to_num(999.0).argmax())
    compare(got, right,
            (right / 2, "Half of it: a quaternion holds half the angle."),
            (torch.deg2rad(right), "In radians. Degrees were asked for."),
            (torch.deg2rad(right) / 2, "Half of it, in radians: double the angle, and turn it into degrees."),
            ((one - other).norm(dim=-1), "That is a distance of four numbers, and no angle. Begin with their product."),
            ((one * other).sum(-1), "That is the cosine of half the angle. Which angle has it?"),
            (360 - right, "That is the longer way round. Take the shorter one, up to 180 degrees."),
            otherwise=f"For two rotations {float(right[k]):.0f} degrees apart it gives {float(got[k]):.5g}.", atol=1e-3)
    compare(negative, right, otherwise="Right for q and p. For q and -p, which is the same rotation, it gives "
                                       f"{float(negative[1]):.4g} where 10 is right.", atol=1e-3)
    refuse((alike.isnan().any(), "Right, until a number is a hair above 1, as rounding makes it: then it gives nan."))
    return "By either name, and with no step over the edge at zero."


@check
def ex6_2(answer) -> str:
    """Exercise 6.2: what squared angles teach a network that turns its back."""
    said, off = given(answer, each(number(), size=2),
                      "Give two numbers of degrees: what it answers, and how far off that is.")
    compare(said, 0,
            (abs(abs(said) - 180) < 0.5, "That would be right. But the squares know only the numbers 170 and -170."),
            (abs(abs(said) - 170) < 0.5, "That is one of the two truths. In the other half of the cases it would cost "
                                         "the square of 340."),
            otherwise=f"For which number is the mean of its squared distances to 170 and -170 smallest? Not for "
                      f"{said:g}.", rtol=0, atol=0.5)
    compare(off, 170,
            (10, "So far off would be an answer of 180. From 0, turn until you face 170."),
            (20, "So far are the two truths from each other. How far is each from 0?"),
            (340, "That is the difference of the two numbers. How far is each from 0?"),
            (0, "It is right on average of the numbers, and in no case of the dancers."),
            otherwise="The first is right. How far must somebody turn who faces there and should face the "
                                f"other way, at 170? Not by {off:g}.", rtol=0, atol=0.5)
    return ("It faces the partner who is not there. Half-way between the two rotations, by the shorter way, it would "
            "have faced 180.")


@function_check
def ex6_3(fade) -> str:
    """Exercise 6.3: weights with which windows that overlap by half add up to one."""
    got, other = (values(fade(n), (n,), f"For {n} frames it gives {{}}; one weight a frame: [{n}].") for n in (64, 32))
    low, high = float(got.min()), float(got.max())
    off = max(float((x[: len(x) // 2] + x[len(x) // 2 :] - 1).abs().max()) for x in (got, other))
    one = "They add up to one; but "
    refuse((not (got.isfinite().all() and other.isfinite().all()), "Some of the weights are no numbers."),
           (low < -1e-6 or high > 1 + 1e-6, f"Weights from {low:.2g} to {high:.2g}; they are shares, from 0 to 1."),
           (off > 1e-3, f"Where two windows overlap, the weights are off one by {off:.2g}. (np.hanning has a zero at "
                        "both ends, which is one too many here.)"),
           ((got - got.flip(0)).abs().max() > 0.06, one + "one side fades otherwise than the other."),
           (got[0] > 0.6, one + "each window counts most at its ends, where it knows least."),
           (high < 0.75, one + "nobody fades: at a window's ends two dancers would change places at once."),
           (got.diff().abs().max() > 0.1, one + "somewhere in the window the dancers change places at once."),
           (got[1] - got[0] > 0.02, one + "at the ends they set out at full pace, and a hand would feel it; make the "
                                          "slope begin at zero."))
    return f"The first frame counts {float(got[0]):.4f}, one in the middle {high:.4f}."
