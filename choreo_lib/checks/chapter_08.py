"""Checks for the exercises of chapter 8, "Invisible springs"."""

import math
from typing import Any

import torch
import torch.nn.functional as F

from ..core.arguments import number
from .verdict import check, compare, function_check, given, refuse, values


@function_check
def ex8_1(kl) -> str:
    """Exercise 8.1: the Kullback-Leibler divergence of each edge from the prior, in nats."""
    asked = torch.tensor([[0.5, 0.5], [0.99, 0.01], [0.2, 0.8]], dtype=torch.float64)
    prior = torch.tensor([0.8, 0.2], dtype=torch.float64)
    right = (asked * (asked / prior).log()).sum(-1)
    got = values(kl(asked, prior), (3,), "Three edges have three divergences; it gives {}. Sum over the types only.")
    backward = (prior * (prior / asked).log()).sum(-1)
    compare(got, right,
            (right / math.log(2), "These are bits. A nat is a bit whose logarithm is natural."),
            (-right, "The sign is turned round: a divergence is never below zero."),
            (backward, "Posterior and prior have changed places: the posterior weighs the terms."),
            (right / 2, "That is the mean over the types; a divergence is the sum over them."),
            (-(asked * asked.log()).sum(-1),
             "That is the entropy, how unsure an edge is. The divergence is measured from the prior."),
            (-(asked * prior.log()).sum(-1),
             "That is the cross-entropy. Subtract the entropy of the posterior, or divide inside the logarithm."),
            ((asked / prior).log().sum(-1), "Each logarithm counts as often as its type is held likely: weigh by q."),
            otherwise=f"A posterior of (0.2, 0.8) under a prior of (0.8, 0.2) has {float(right[2]):.3f} nats; yours "
                      f"says {float(got[2]):.4g}.", rtol=1e-3)
    return (f"To be nearly sure of the rare type takes {right[2]:.2f} nats here, to be sure of the common one "
            f"{right[1]:.2f}.")


@check
def ex8_2(answer) -> str:
    """Exercise 8.2: one renaming for the whole set."""
    each = "You have renamed each simulation as it suits. A type has to mean the same in all."
    compare(given(answer, number(), "Give one number, a share from 0 to 1."), 0.65,
            (0.35, "Nobody told the model which type is called a spring. Try the other names."),
            (0.85, each),
            (1.0, each),
            (13, "That is how many pairs are right, of 20. Give it as a share."),
            (65, "A share, not per cent: a number from 0 to 1."),
            (0.5, "Types may be named anew. The better of the two namings counts, not their mean."),
            otherwise="Count the pairs that are right in all simulations together, under either naming.")
    return "One renaming for all of them, and the better of the two."


@function_check
def ex8_3(pulls) -> str:
    """Exercise 8.3: forces that let the gradient through to the edges."""
    chance = torch.Generator().manual_seed(0)
    place = torch.randn(4, 2, generator=chance)
    edges = torch.rand(4, 4, generator=chance).triu(1)
    edges = edges + edges.T
    edges[0, 1] = edges[1, 0] = 0.0
    asked = edges.clone().requires_grad_()
    away = place[None] - place[:, None]  # [from, to, 2]
    right = 0.1 * (edges[..., None] * away).sum(1)
    force = pulls(place, asked)
    got = values(force, (4, 2), "Four bodies get a force of two numbers each, [4, 2]; it gives {}.")
    compare(got, right,
            (-right, "Your springs push. From body i, the other one lies at place[j] - place[i]."),
            (0.1 * ((edges > 0)[..., None] * away).sum(1),
             "An edge of 0.3 pulls as strongly as one of 1: the edges were chosen, not multiplied."),
            (right * 10, "Ten times too strong: the stiffness of 0.1 is missing."),
            (right / 4, "That is the mean of what the others do. Forces add up."),
            (0.1 * (edges[..., None] * F.normalize(away, dim=-1)).sum(1),
             "Each pulls equally hard, near and far. A spring pulls in proportion to its length: do not divide by it."),
            (0.1 * (edges.triu()[..., None] * away).sum(1),
             "Only one end of each spring is pulled. It pulls both, towards each other."),
            otherwise=f"The first body should be pulled by ({right[0, 0]:.3f}, {right[0, 1]:.3f}); yours is by "
                      f"({got[0, 0]:.3f}, {got[0, 1]:.3f}).", atol=1e-5)
    back: Any = None
    if force.requires_grad:
        (back,) = torch.autograd.grad(force.square().sum(), asked, allow_unused=True)
    refuse((back is None, "The forces are right, but no gradient comes back to the edges."))
    back = back + back.T  # one of an edge's two directions suffices
    refuse((back[0, 1] == 0 or (back == 0).sum() > 4,
            "The forces are right. But an edge that is 0 now gets no gradient, so it can never begin to be one."))
    return "The gradient reaches every edge, those that are not there too."
