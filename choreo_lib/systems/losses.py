"""The terms of the losses: the KL divergence, free bits, the schedule of the KL weight, and rotation difference.

Taught in chapter 4, "A dancer in 256 numbers"; rotations in chapter 6, "Translating a dancer".
"""

from dataclasses import dataclass

import torch

from ..core.arguments import choice, count, number, takes
from ..core.shapes import tensor


@takes(mean=tensor("windows", "latents"), log_variance=tensor("windows", "latents"))
def kl_per_unit(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """The KL divergence of each latent unit's posterior from a standard normal prior, averaged over the batch.

    Shapes: [B, Z] each -> [Z]. Units: nats. Chapter: 4. Kingma and Welling, "Auto-encoding variational Bayes", ICLR
    2014, appendix B.
    """
    # KL(N(mean, sigma^2) || N(0, 1)) = (mean^2 + sigma^2 - 1 - ln sigma^2) / 2
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean(0)


@takes(per_unit=tensor("latents"), free_bits=number(0))
def kl_loss(per_unit: torch.Tensor, free_bits: float = 0.0) -> torch.Tensor:
    """The KL summed over latent units, in which a unit below ``free_bits`` costs that much and gets no gradient.

    Shapes: [Z] -> []. Units: nats, ``free_bits`` too. Chapter: 4. Kingma et al., "Improved variational
    inference with inverse autoregressive flow", NeurIPS 2016, equation 15.
    """
    return per_unit.clamp_min(free_bits).sum()


@takes(means=tensor("windows", "latents"), least=number(0))
def active_units(means: torch.Tensor, least: float = 0.01) -> int:
    """The number of active latent units: those whose posterior mean varies over the data.

    Shapes: ``means`` [N, Z], posterior means of N windows. ``least``: the variance above which a unit is active.
    Chapter: 4. Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", ICLR 2016.
    """
    return int((means.var(0) > least).sum())


@takes(one=tensor(..., 4), other=tensor(..., 4))
def rotation_difference(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Four times the squared sine of half the angle between two rotations.

    For small angles this is the squared angle in radians; its largest value, at half a turn, is 4. A quaternion and
    its negative are the same rotation: they give the same value and the same gradient up to that sign.
    Shapes: unit quaternions [..., 4] each -> [...]. Units: radians squared, nearly. Chapter: 6. Huynh, "Metrics for 3D
    rotations", Journal of Mathematical Imaging and Vision 2009 (function 5, squared).
    """
    # <p, q> = cos(angle / 2), so 4 sin^2(angle / 2) = 4 (1 - <p, q>^2)
    return 4 * (1 - (one * other).sum(-1) ** 2)


@takes(high=number(0), kind=choice("constant", "warm-up", "cyclical"), low=number(0), wait=count(0, 10**9),
       rise=count(0, 10**9), hold=count(0, 10**9))
@dataclass(frozen=True)
class Schedule:
    """The KL weight (beta) at each training step, between ``low`` and ``high``.

    ``kind``: "constant" (always ``high``); "warm-up" (``low`` for ``wait`` steps, then linear to ``high`` in ``rise``
    steps); "cyclical" (repeatedly: ``wait`` steps at ``low``, ``rise`` steps of linear growth, ``hold`` at ``high``).
    Errors: ValueError for another kind, negative steps, or a cycle without steps. Chapter: 4. Bowman et al., CoNLL
    2016 (warm-up); Fu et al., "Cyclical annealing schedule", NAACL 2019.
    """

    high: float
    kind: str = "constant"
    low: float = 0.0
    wait: int = 0
    rise: int = 0
    hold: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("constant", "warm-up", "cyclical") or min(self.wait, self.rise, self.hold) < 0:
            raise ValueError(f'{self}: kind is "constant", "warm-up" or "cyclical", and steps are not negative')
        if self.kind == "cyclical" and self.wait + self.rise + self.hold < 1:
            raise ValueError(f"{self}: a cycle needs at least one step")

    @takes(step=count(0, 10**12))
    def at(self, step: int | None = None) -> float:
        """The weight at a step, the first being 0; None: the highest, for validation. Chapter: 4."""
        if step is None or self.kind == "constant":
            return self.high
        if self.kind == "cyclical":
            step %= self.wait + self.rise + self.hold
        share = 1.0 if step >= self.wait + self.rise else max(step - self.wait, 0) / max(self.rise, 1)
        return self.low + (self.high - self.low) * share
