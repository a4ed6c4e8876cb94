"""Checks for the exercises of chapter 7, "A deepfake of dancers"."""

from __future__ import annotations

import torch

from .verdict import Verdict, forgiving

DONE = ("nothing", "another dance", "the manner", "mush")


@forgiving
def ex7_1(answer) -> Verdict:
    """Exercise 7.1: one number of a pose, carried from one dancer's cloud onto another's."""
    if not callable(answer):
        return Verdict(False, "Hand over the function itself, without calling it: cl.checks.ex7_1(carry).")
    chance = torch.Generator().manual_seed(0)
    own = 40 + 8 * torch.randn(4000, generator=chance, dtype=torch.float64)
    other = 70 + 20 * torch.randn(3000, generator=chance, dtype=torch.float64)
    asked = torch.tensor([20.0, 40.0, 60.0], dtype=torch.float64)
    got = answer(asked, own, other)
    if got is None:
        return Verdict(False, "It gives nothing back. Is `return` missing?")
    got = torch.as_tensor(got, dtype=torch.float64)
    if got.shape != asked.shape:
        return Verdict(False, f"Three numbers were to be carried, and it gives {list(got.shape)}.")
    right = other.mean() + (asked - own.mean()) * other.std() / own.std()
    if torch.allclose(got, right, rtol=0.01):
        return Verdict(True, f"{asked[2]:.0f} is two and a half spreads above the one's mean, and {float(got[2]):.0f} "
                             "as far above the other's.")
    if torch.allclose(got, asked - own.mean() + other.mean(), rtol=0.01):
        return Verdict(False, "The usual poses are exchanged; the spread is still the first dancer's.")
    if torch.allclose(got, other.mean() + (asked - own.mean()) * own.std() / other.std(), rtol=0.01):
        return Verdict(False, "The wrong way round: the other dancer goes farther, and yours goes less far.")
    if torch.allclose(got, other.mean() + (asked - own.mean()) * other.var() / own.var(), rtol=0.02):
        return Verdict(False, "That is the ratio of variances. A spread is the root of a variance.")
    if torch.allclose(got, asked * other.std() / own.std(), rtol=0.01):
        return Verdict(False, "Stretched about zero. Poses are stretched about the usual one.")
    k = int((got - right).abs().nan_to_num(999.0).argmax())
    away = float((asked[k] - own.mean()) / own.std())
    return Verdict(False, f"Whoever is at {float(asked[k]):.0f}, {away:.1f} spreads from the one's mean, should come "
                          f"to {float(right[k]):.0f}; yours comes to {float(got[k]):.4g}.")


@forgiving
def ex7_2(answer) -> Verdict:
    """Exercise 7.2: what four deepfakes have done, from three numbers each."""
    try:
        said = [str(word).strip().lower() for word in answer]
    except TypeError:
        said = []
    if isinstance(answer, str) or len(said) != 4 or any(word not in DONE for word in said):
        return Verdict(False, f"Give four of these words, one for each of A to D: {', '.join(DONE)}.")
    for name, word, right, hint in zip("ABCD", said, ("nothing", "another dance", "the manner", "mush"), (
            "perfect pace, and nobody is taken in: what has changed?",
            "everybody is taken in, but does the pace follow the dance that was given?",
            "compare it with what would be best in all three columns.",
            "the judge tosses a coin, and the own dance is not even rebuilt.")):
        if word != right:
            return Verdict(False, f"Look at {name} again: {hint}")
    return Verdict(True, "One number alone would have praised A, or B.")


@forgiving
def ex7_3(answer) -> Verdict:
    """Exercise 7.3: which results may be published with their positions."""
    try:
        said = list(answer)
    except TypeError:
        said = []
    if len(said) != 4 or any(not isinstance(each, bool) for each in said):
        return Verdict(False, "Give four answers, True or False, such as (True, True, False, False).")
    for k, (got, right, hint) in enumerate(zip(said, (True, False, False, True), (
            "both of its sources are ours.", "a mirror makes no new dance.",
            "new bones do not make a new dance; every turn of a joint comes from the recording.",
            "nobody can dance, or recognise, a mean error in millimetres."))):
        if got != right:
            return Verdict(False, f"Number {k + 1}: {hint}")
    return Verdict(True, "What is made from several parts is as free as the least free of them.")
