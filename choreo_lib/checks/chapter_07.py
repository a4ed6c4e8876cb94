"""Checks for the exercises of chapter 7, "A deepfake of dancers"."""

import torch

from ..core.arguments import a, each, text
from .verdict import check, compare, function_check, given, refuse, values

DONE = ("nothing", "another dance", "style transfer", "collapse")


@function_check
def ex7_1(transport_one) -> str:
    """Exercise 7.1: one number of a pose, moved by optimal transport from one dancer's Gaussian onto another's."""
    chance = torch.Generator().manual_seed(0)
    own = 40 + 8 * torch.randn(4000, generator=chance, dtype=torch.float64)
    other = 70 + 20 * torch.randn(3000, generator=chance, dtype=torch.float64)
    asked = torch.tensor([20.0, 40.0, 60.0], dtype=torch.float64)
    got = values(transport_one(asked, own, other), (3,), "Three numbers were to be moved, and it gives {}.")
    from_mean, ratio = asked - own.mean(), other.std() / own.std()
    right = other.mean() + from_mean * ratio
    k = int((got - right).abs().nan_to_num(999.0).argmax())
    compare(got, right,
            (from_mean + other.mean(), "The means are matched; the standard deviation is still the first dancer's."),
            (other.mean() + from_mean / ratio,
             "The wrong way round: the other dancer goes farther, and yours goes less far."),
            (other.mean() + from_mean * ratio**2,
             "That is the ratio of variances. A standard deviation is the root of a variance."),
            (asked * ratio, "Stretched about zero. Poses are stretched about their mean."),
            (own.mean() + from_mean * ratio, "Stretched, but still about the first dancer's mean."),
            (asked, "Nothing has changed: these are the first dancer's numbers."),
            (other.mean() + 0 * asked, "All of them come to the other's mean. How far each was from its own is lost."),
            (from_mean / own.std(), "These are standard deviations from the mean (z-scores), not degrees yet."),
            otherwise=f"Whoever is at {float(asked[k]):.0f}, {float(from_mean[k] / own.std()):.1f} standard deviations "
                      f"from the one's mean, should come to {float(right[k]):.0f}; yours comes to {float(got[k]):.4g}.",
            rtol=0.01)
    return (f"{asked[2]:.0f} is two and a half standard deviations above the one's mean, and {float(got[2]):.0f} as "
            "far above the other's.")


@check
def ex7_2(answer) -> str:
    """Exercise 7.2: what four deepfakes have done, from three numbers each."""
    four = f"Give four of these words, one for each of A to D: {', '.join(DONE)}."
    said = [word.strip().lower() for word in given(answer, each(text, size=4), four)]
    first, second, third, fourth = said
    refuse((set(said) - set(DONE), four),
           (first != "nothing",
            "Look at A again: the speed is kept, and no window taken for the other: what has changed?"),
           (second != "another dance",
            "Look at B again: all is taken for the other, but does the speed follow the dance that was given?"),
           (third != "style transfer", "Look at C again: compare it with what would be best in all three columns."),
           (fourth != "collapse",
            "Look at D again: the style classifier tosses a coin, and the own dance is not even rebuilt."))
    return "One number alone would have praised A, or B."


@check
def ex7_3(answer) -> str:
    """Exercise 7.3: which results may be published with their positions."""
    one, two, three, four = given(answer, each(a(bool), size=4),
                                  "Give four answers, True or False, such as (True, True, False, False).")
    refuse((not one, "Number 1: both of its sources are ours."),
           (two, "Number 2: a mirror makes no new dance."),
           (three, "Number 3: new bones do not make a new dance; every turn of a joint comes from the recording."),
           (not four, "Number 4: nobody can dance, or recognise, a mean error in millimetres."))
    return "What is made from several parts is as free as the least free of them."
