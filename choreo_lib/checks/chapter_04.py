"""Checks for the exercises of chapter 4, "A dancer in 256 numbers"."""

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
    """Exercise 4.1: the Kullback-Leibler divergence of Gaussian posteriors from any Gaussian prior, in nats."""
    chance = torch.Generator().manual_seed(41)
    m, prior_m = torch.randn(2, 5, 3, generator=chance)
    s, prior_s = 0.2 + torch.rand(2, 5, 3, generator=chance)
    right = float(kl_divergence(Normal(m, s), Normal(prior_m, prior_s)).sum())
    gives = torch.as_tensor(nats(m, s, prior_m, prior_s), dtype=torch.float32)
    size = gives.numel()
    refuse((size != 1, f"It gives {size} numbers; the KL of the whole posterior is one. Add them up."))
    got, apart, spread = float(gives), (m - prior_m) ** 2, prior_s**2
    compare(got, right,
            (float(kl_divergence(Normal(m, s), Normal(0.0, 1.0)).sum()),
             "That is the divergence from N(0, 1). Here the prior has a mean and a standard deviation of its own."),
            (float(kl_divergence(Normal(prior_m, prior_s), Normal(m, s)).sum()),
             "That is the divergence of the prior from the posterior. It is asked the other way round."),
            (right / m.numel(), "That is the mean over units. The KL divergence is a sum over all of them."),
            (2 * right, "Twice too much: the factor 1/2 is missing."),
            (float(((s / prior_s).log() + (s**2 + apart) / (2 * spread) - 0.5).sum()),
             "The logarithm has the wrong sign: a posterior narrower than the prior says something, and costs."),
            (float(((prior_s / s).log() + (s**2 / spread + apart - 1) / 2).sum()),
             "The distance of the means counts in widths of the prior: divide its square by the prior's variance."),
            (float(((prior_s / s).log() + (s / prior_s + apart / prior_s - 1) / 2).sum()),
             "That takes the standard deviations for variances. Square them, wherever no logarithm is taken."),
            (float(((prior_s / s).log() / 2 + (s**2 + apart) / (2 * spread) - 0.5).sum()),
             "The logarithm is half of what it should be: it is that of the variances, and they are squares."),
            (right + 0.5 * m.numel(), "The 1 in the formula is missing: a posterior equal to its prior costs nothing."),
            (right / math.log(2), "That is in bits. In nats the logarithm is the natural one."),
            (got < 0, "A divergence is never below zero. Look at the signs."),
            otherwise=f"For 15 units of mine it gives {got:.2f} nats. Try one unit with mean 0 and prior N(0, 1): at "
                      "standard deviation 1 it should cost nothing, at 0.5 about 0.32 nats.", rtol=1e-4)
    return f"{right:.2f} nats for {m.numel()} units that the check made up; with the prior N(0, 1) it is the chapter's."


@check
def ex4_2(answer) -> str:
    """Exercise 4.2: how far out Gaussian latents of 1,024 dimensions lie, and the middle between two of them."""
    distance, share = given(answer, each(number(), size=2),
                            "Give two numbers: the distance, and the share of it that is left half-way.")
    compare(distance, 32,
            (1024, "1,024 is the mean of the squared distance."),
            (1, "That is one number of the latent. There are 1,024 of them, each at right angles to the others."),
            (0, "The density is highest at the origin, and hardly any latent lies there: there is no room."),
            (16, "That is for 256 numbers. Here there are 1,024."),
            otherwise="Every number of a latent is about 1 from the origin. Add up 1,024 squares, and take the root.",
            rtol=1 / 32)
    compare(share, 1 / math.sqrt(2),
            (0.5, "The distance is right. Half would be left if one of the two latents were nothing; which angle is "
                  "between them?"),
            (1, "The distance is right. All would be left if the two latents were the same."),
            (0, "The distance is right. Nothing would be left if they were opposite; by chance they are not."),
            (20 < share < 25, "The distance is right. Of the second a share is asked: divide it by the first."),
            otherwise="The distance is right. Sample two latents, take their mean, and measure it.", atol=0.02)
    return "A thin shell at 32, and the straight line cuts through the empty inside."


@check
def ex4_3(answer) -> str:
    """Exercise 4.3: the noise on a latent that makes the range of motion half as large again."""
    sigma = given(answer, number(0, 100), "Give one number, the standard deviation of the noise, zero or more.")
    model = load_model("solo-synthetic")
    phrases = [dancer[k : k + 64] for dancer in synthetic.duet("canon", 600, seed=643) for k in range(0, 500, 20)]
    latents, places = model.encode_motion(phrases)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(43))
    grown = _range(model.decode_motion(latents + sigma * noise, places)) / _range(phrases)
    told = f"With it the range of motion of my phrases is {grown:.2f} times as large. "
    compare(grown, 1.5,
            (sigma == 0, told + "Without noise a phrase is only reconstructed. More noise."),
            (sigma == 0.5, told + "Half as much noise is not half as much range: a latent is moved at right angles to "
                                  "where it is, so squares add up. More noise."),
            (sigma == 1.5, told + "1.5 is the range that is asked for, and not the noise that makes it. Less noise."),
            (sigma in (2, 2.25), told + "That is a larger step than it looks. Less noise."),
            otherwise=told + f"{'More' if grown < 1.5 else 'Less'} noise.", rtol=0, atol=0.1)
    return f"With it the range of motion is {grown:.2f} times as large. Look at the feet, though."


def _range(motions) -> float:
    """How far a joint is from its mean place in a phrase, on average."""
    x = np.stack([motion.positions for motion in motions])
    return float(np.linalg.norm(x - x.mean(1, keepdims=True), axis=-1).mean())
