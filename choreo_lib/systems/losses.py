"""What training makes small: reconstruction, the price of a latent code, and how that price is raised over time.

Taught in chapter 4, "A dancer in 256 numbers"; of rotations in chapter 6, "Translating a dancer".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..core.arguments import choice, count, number, takes
from ..core.shapes import tensor


@takes(mean=tensor("windows", "latents"), log_variance=tensor("windows", "latents"))
def kl_per_unit(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """How far each latent unit's posterior is from a standard normal, averaged over the batch.

    Shapes: [B, Z] each -> [Z]. Units: nats. Chapter: 4. Kingma and Welling, "Auto-encoding variational Bayes", ICLR
    2014, appendix B.
    """
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean(0)


@takes(per_unit=tensor("latents"), free_bits=number(0))
def kl_loss(per_unit: torch.Tensor, free_bits: float = 0.0) -> torch.Tensor:
    """The sum over units of what each costs above ``free_bits``: a unit below is neither punished nor paid.

    Shapes: [Z] -> one number. Units: nats, ``free_bits`` too. Chapter: 4. Kingma et al., "Improved variational
    inference with inverse autoregressive flow", NeurIPS 2016, equation 15.
    """
    return per_unit.clamp_min(free_bits).sum()


@takes(means=tensor("windows", "latents"), least=number(0))
def active_units(means: torch.Tensor, least: float = 0.01) -> int:
    """How many latent units say something: those whose posterior mean varies over the data.

    Shapes: ``means`` [N, Z], posterior means of N windows. ``least``: variance above which a unit is active.
    Chapter: 4. Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", ICLR 2016.
    """
    return int((means.var(0) > least).sum())


@takes(one=tensor(..., 4), other=tensor(..., 4))
def rotation_difference(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """How far apart two rotations are: four times the squared sine of half the angle between them.

    For small angles that is the squared angle in radians; at half a turn it is 4, the most there is. A quaternion and
    its negative are the same rotation, and here they cost the same and pull the same way.
    Shapes: unit quaternions [..., 4] each -> [...]. Units: radians squared, nearly. Chapter: 6. Huynh, "Metrics for 3D
    rotations", Journal of Mathematical Imaging and Vision 2009 (function 5, squared).
    """
    return 4 * (1 - (one * other).sum(-1) ** 2)


@takes(high=number(0), kind=choice("constant", "warm-up", "cyclical"), low=number(0), wait=count(0, 10**9),
       rise=count(0, 10**9), hold=count(0, 10**9))
@dataclass(frozen=True)
class Schedule:
    """How the weight of the KL goes from ``low`` to ``high`` over training, in steps.

    ``kind``: "constant" (always ``high``); "warm-up" (``low`` for ``wait`` steps, then ``rise`` steps of a straight
    line); "cyclical" (again and again: ``wait`` steps at the minimum, ``rise`` steps up, ``hold`` at the maximum).
    Errors: ValueError for another kind, negative steps, or a cycle without length. Chapter: 4. Bowman et al., CoNLL
    2016 (warm-up); Fu et al., "Cyclical annealing schedule", NAACL 2019.
    """

    high: float
    kind: str = "constant"
    low: float = 0.0
    wait: int = 0
    rise: int = 0
    hold: int = 0

    def __post_init__(self):
        if self.kind not in ("constant", "warm-up", "cyclical") or min(self.wait, self.rise, self.hold) < 0:
            raise ValueError(f'{self}: kind is "constant", "warm-up" or "cyclical", and steps are not negative')
        if self.kind == "cyclical" and self.wait + self.rise + self.hold < 1:
            raise ValueError(f"{self}: a cycle needs at least one step")

    @takes(step=count(0, 10**12))
    def at(self, step: int) -> float:
        """The weight at a step, the first being 0."""
        if self.kind == "constant":
            return self.high
        if self.kind == "cyclical":
            step %= self.wait + self.rise + self.hold
        share = 1.0 if step >= self.wait + self.rise else max(step - self.wait, 0) / max(self.rise, 1)
        return self.low + (self.high - self.low) * share
