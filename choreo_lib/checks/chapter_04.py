"""Checks for the exercises of chapter 4, "A dancer in 256 numbers"."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.distributions import Normal, kl_divergence

from ..core.arguments import each, number
from ..sets import synthetic
from ..training.artifacts import load_model
from .verdict import check, compare, function_check, given, refuse


@function_check
def ex4_1(nats) -> str:
    """Exercise 4.1: the Kullback-Leibler divergence of normal posteriors from the prior, in nats."""
    chance = torch.Generator().manual_seed(41)
    mean, sigma = torch.randn(5, 3, generator=chance), 0.2 + torch.rand(5, 3, generator=chance)
    right = float(kl_divergence(Normal(mean, sigma), Normal(0.0, 1.0)).sum())
    gives = torch.as_tensor(nats(mean, sigma), dtype=torch.float32)
    size = gives.numel()
    refuse((size != 1, f"It gives {size} numbers; the KL of the whole posterior is one. Add them up."))
    got = float(gives)
    compare(got, right,
            (right / mean.numel(), "That is the mean over units. The KL divergence is a sum over all of them."),
            (2 * right, "Twice too much. There is a factor before the sum."),
            (float(0.5 * (mean**2 + sigma.exp() - 1 - sigma).sum()),
             "That takes sigma for the logarithm of the variance. Here it is the standard deviation itself."),
            (got < 0, "A divergence is never below zero. Look at the signs."),
            otherwise=f"For 15 units of mine it gives {got:.2f} nats. Try one unit with mean 0 and standard deviation "
                      "1 first: what should that cost?", rtol=1e-4)
    return f"{right:.2f} nats for {mean.numel()} units that the check made up."


@check
def ex4_2(answer) -> str:
    """Exercise 4.2: how far out normal latents of 1,024 dimensions lie, and the middle between two of them."""
    distance, share = given(answer, each(number(), size=2),
                            "Give two numbers: the distance, and the share of it that is left half-way.")
    compare(distance, 32,
            (1024, "1,024 is the mean of the squared distance."),
            otherwise="Every number of a latent is about 1 from the origin. Add up 1,024 squares, and take the root.",
            rtol=1 / 32)
    compare(share, 1 / math.sqrt(2),
            (0.5, "The distance is right. Half would be left if one of the two latents were nothing; which angle is "
                  "between them?"),
            otherwise="The distance is right. Sample two latents, take their mean, and measure it.", atol=0.02)
    return "A thin shell at 32, and the straight line cuts through the empty inside."


@check
def ex4_3(answer) -> str:
    """Exercise 4.3: the noise on a latent that makes the range of motion half as large again."""
    sigma = given(answer, number(0, 100), "Give one number, the size of the noise, zero or more.")
    model = load_model("solo-synthetic")
    phrases = [dancer[k : k + 64] for dancer in synthetic.duet("canon", 600, seed=643) for k in range(0, 500, 20)]
    latents, places = model.encode_motion(phrases)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(43))
    grown = _range(model.decode_motion(latents + sigma * noise, places)) / _range(phrases)
    compare(grown, 1.5, otherwise=f"With it the range of motion of my phrases is {grown:.2f} times as large. "
                                  f"{'More' if grown < 1.5 else 'Less'} noise.", rtol=0, atol=0.1)
    return f"With it the range of motion is {grown:.2f} times as large. Look at the feet, though."


def _range(motions) -> float:
    """How far a joint is from its mean place in a phrase, on average."""
    x = np.stack([motion.positions for motion in motions])
    return float(np.linalg.norm(x - x.mean(1, keepdims=True), axis=-1).mean())
