"""Checks for the exercises of chapter 8, "Invisible springs"."""

from __future__ import annotations

import math
from numbers import Real

import torch

from .verdict import Verdict, forgiving


@forgiving
def ex8_1(answer) -> Verdict:
    """Exercise 8.1: what an edge costs, in nats."""
    if not callable(answer):
        return Verdict(False, "Hand over the function itself, without calling it: cl.checks.ex8_1(cost).")
    asked = torch.tensor([[0.5, 0.5], [0.99, 0.01], [0.2, 0.8]], dtype=torch.float64)
    prior = torch.tensor([0.8, 0.2], dtype=torch.float64)
    right = (asked * (asked / prior).log()).sum(-1)  # before the answer, which may change what it is given
    got = answer(asked.clone(), prior.clone())
    if got is None:
        return Verdict(False, "It gives nothing back. Is `return` missing?")
    got = torch.as_tensor(got, dtype=torch.float64)
    if got.shape != (3,):
        return Verdict(False, f"Three edges have three costs, and it gives {list(got.shape)}. Sum over the types only.")
    if torch.allclose(got, right, rtol=1e-3):
        return Verdict(True, f"To be nearly sure of the rare type costs {right[2]:.2f} nats here, to be sure of the "
                             f"common one {right[1]:.2f}.")
    if torch.allclose(got, right / math.log(2), rtol=1e-3):
        return Verdict(False, "These are bits. A nat is a bit whose logarithm is natural.")
    if torch.allclose(got, -right, rtol=1e-3):
        return Verdict(False, "The sign is turned round: knowing costs, and costs are positive.")
    if torch.allclose(got, (prior * (prior / asked).log()).sum(-1), rtol=1e-3):
        return Verdict(False, "The two have changed places. It is the posterior that says how often each term counts.")
    if torch.allclose(got, -(asked * asked.log()).sum(-1), rtol=1e-3):
        return Verdict(False, "That is how unsure an edge is. What it costs is measured from the prior.")
    return Verdict(False, f"An edge of (0.2, 0.8) under a prior of (0.8, 0.2) costs {float(right[2]):.3f} nats; yours "
                          f"says {float(got[2]):.4g}.")


@forgiving
def ex8_2(answer) -> Verdict:
    """Exercise 8.2: one renaming for the whole set."""
    if isinstance(answer, bool) or not isinstance(answer, Real):
        return Verdict(False, "Give one number, a share from 0 to 1.")
    answer = float(answer)
    if abs(answer - 0.65) < 1e-6:
        return Verdict(True, "One renaming for all of them, and the better of the two.")
    if abs(answer - 0.35) < 1e-6:
        return Verdict(False, "Nobody told the model which type is called a spring. Try the other names.")
    if abs(answer - 0.85) < 1e-6 or abs(answer - 1.0) < 1e-6:
        return Verdict(False, "You have renamed each simulation as it suits. A type has to mean the same in all.")
    return Verdict(False, "Count the pairs that are right in all simulations together, under either naming.")


@forgiving
def ex8_3(answer) -> Verdict:
    """Exercise 8.3: forces that let the gradient through to the edges."""
    if not callable(answer):
        return Verdict(False, "Hand over the function itself, without calling it: cl.checks.ex8_3(pulls).")
    chance = torch.Generator().manual_seed(0)
    place = torch.randn(4, 2, generator=chance)
    edges = torch.rand(4, 4, generator=chance).triu(1)
    edges = edges + edges.T
    edges[0, 1] = edges[1, 0] = 0.0
    asked = edges.clone().requires_grad_()
    right = 0.1 * (edges[..., None] * (place[None] - place[:, None])).sum(1)
    got = answer(place, asked)
    if got is None:
        return Verdict(False, "It gives nothing back. Is `return` missing?")
    said = got.detach().to(right)
    if said.shape != right.shape:
        return Verdict(False, f"Four bodies get a force of two numbers each, [4, 2]; it gives {list(said.shape)}.")
    if torch.allclose(said, -right, atol=1e-5):
        return Verdict(False, "Your springs push. From body i, the other one lies at place[j] - place[i].")
    whole = 0.1 * ((edges > 0).float()[..., None] * (place[None] - place[:, None])).sum(1)
    if torch.allclose(said, whole, atol=1e-5):
        return Verdict(False, "An edge of 0.3 pulls as strongly as one of 1: the edges were chosen, not multiplied.")
    if not torch.allclose(said, right, atol=1e-5):
        return Verdict(False, f"The first body should be pulled by ({right[0, 0]:.3f}, {right[0, 1]:.3f}); yours is by "
                              f"({said[0, 0]:.3f}, {said[0, 1]:.3f}).")
    back = torch.autograd.grad(got.square().sum(), asked, allow_unused=True)[0] if got.requires_grad else None
    if back is None:
        return Verdict(False, "The forces are right, but no gradient comes back to the edges.")
    back = back + back.T  # one of an edge's two directions suffices
    if back[0, 1] == 0 or (back == 0).sum() > 4:
        return Verdict(False, "The forces are right. But an edge that is 0 now gets no gradient, so it can never begin "
                              "to be one.")
    return Verdict(True, "Every edge hears what would have been better, those that are not there too.")
