"""Checks for the exercises of chapter 4, "A dancer in 256 numbers"."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..sets import synthetic
from ..training.artifacts import load_model
from .verdict import Verdict, forgiving


@forgiving
def ex4_1(answer) -> Verdict:
    """Exercise 4.1: the Kullback-Leibler divergence of normal posteriors from the prior, in nats."""
    if not callable(answer):
        return Verdict(False, "Hand over the function itself, without calling it: cl.checks.ex4_1(nats).")
    chance = torch.Generator().manual_seed(41)
    mean, sigma = torch.randn(5, 3, generator=chance), 0.2 + torch.rand(5, 3, generator=chance)
    normal = torch.distributions.Normal
    want = float(torch.distributions.kl_divergence(normal(mean, sigma), normal(0.0, 1.0)).sum())
    given = torch.as_tensor(answer(mean, sigma), dtype=torch.float32)
    if given.numel() != 1:
        return Verdict(False, f"It gives {given.numel()} numbers; the KL of the whole posterior is one. Add them up.")
    got = float(given)
    if math.isclose(got, want, rel_tol=1e-4):
        return Verdict(True, f"{want:.2f} nats for {mean.numel()} units that the check made up.")
    if math.isclose(got, want / mean.numel(), rel_tol=1e-4):
        return Verdict(False, "That is the mean over units. The KL is their sum.")
    if math.isclose(got, 2 * want, rel_tol=1e-4):
        return Verdict(False, "Twice too much. There is a factor before the sum.")
    if math.isclose(got, float(0.5 * (mean**2 + sigma.exp() - 1 - sigma).sum()), rel_tol=1e-4):
        return Verdict(False, "That takes sigma for the logarithm of the variance. Here it is the standard deviation "
                              "itself.")
    if got < 0:
        return Verdict(False, "A KL below zero, which no distribution has. Look at the signs.")
    return Verdict(False, f"For 15 units of mine it gives {got:.2f} nats. Try one unit with mean 0 and standard "
                          "deviation 1 first: what should that cost?")


@forgiving
def ex4_2(answer) -> Verdict:
    """Exercise 4.2: how far out normal latents of 1,024 dimensions lie, and the middle between two of them."""
    try:
        distance, share = (float(n) for n in answer)
    except (TypeError, ValueError):
        return Verdict(False, "Give two numbers: the distance, and the share of it that is left half-way.")
    if abs(distance - 1024) < 40:
        return Verdict(False, "1,024 is the mean of the squared distance.")
    if not abs(distance - 32) <= 1:
        return Verdict(False, "Every number of a latent is about 1 from the origin. Add up 1,024 squares, and take "
                              "the root.")
    if abs(share - 1 / math.sqrt(2)) < 0.02:
        return Verdict(True, "A thin shell at 32, and the straight line cuts through the empty inside.")
    if abs(share - 0.5) < 0.02:
        return Verdict(False, "The distance is right. Half would be left if one of the two latents were nothing; "
                              "which angle is between them?")
    return Verdict(False, "The distance is right. Sample two latents, take their mean, and measure it.")


@forgiving
def ex4_3(answer) -> Verdict:
    """Exercise 4.3: the noise on a latent that makes the range of motion half as large again."""
    try:
        sigma = float(answer) if not isinstance(answer, bool | str) else math.nan
    except (TypeError, ValueError):
        sigma = math.nan
    if not 0 <= sigma < 100:
        return Verdict(False, "Give one number, the size of the noise, zero or more.")
    model = load_model("solo-synthetic")
    phrases = [dancer[k : k + 64] for dancer in synthetic.duet("canon", 600, seed=643) for k in range(0, 500, 20)]
    latents, places = model.encode_motion(phrases)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(43))
    varied, danced = (np.stack([m.positions for m in motions])
                      for motions in (model.decode_motion(latents + sigma * noise, places), phrases))
    grown = _range(varied) / _range(danced)
    if abs(grown - 1.5) <= 0.1:
        return Verdict(True, f"With it the range of motion is {grown:.2f} times as large. Look at the feet, though.")
    return Verdict(False, f"With it the range of motion of my phrases is {grown:.2f} times as large. "
                          f"{'More' if grown < 1.5 else 'Less'} noise.")


def _range(x: np.ndarray) -> float:
    return float(np.linalg.norm(x - x.mean(1, keepdims=True), axis=-1).mean())
