"""Evidence that one joint moves another, from lagged correlation of innovations, base rates and competition.

No network is needed for it, and no labels. Taught in chapter 9, "Invisible strings".
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from .coupling_signals import lagged_correlation

ITERATIONS = 20
"""Of expectation-maximisation; average precision on validation clips rises no more after that."""


class CouplingEvidence(nn.Module):
    """How likely each pair of joints is coupled, before an encoder has learned anything.

    ``probability``: the prior of any edge. ``edge_bias``: a learned bias of each pair of joints, beyond the base rates.
    Shapes: [B, 2, J, J, L] for lags; direction, sender, receiver. Chapter: 9.
    """

    def __init__(self, joints: int, lags: range, probability: float, edge_bias: bool):
        super().__init__()
        self.lags, self.probability = lags, probability
        self.log_weight = nn.Parameter(torch.tensor([3.0, 3.0]))  # independent numbers in a window: for edges, for lags
        self.log_sender_rate, self.log_receiver_rate = (nn.Parameter(torch.zeros(joints)) for _ in range(2))
        if edge_bias:
            self.edge_bias = nn.Parameter(torch.zeros(2, joints, joints))

    @property
    def log_rates(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Logarithms of how often each joint sends, and receives, compared with the others: [J] each. Chapter: 9."""
        return self.log_sender_rate, self.log_receiver_rate

    def correlations(self, innovations: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Correlation of each sender and receiver at each lag, and what an independent number gains by it, in nats.

        ``innovations``: of root-relative and local displacements, [B, 2, J, T, 3] each. Shapes: -> two of
        [B, 2, J, J, L]. Chapter: 9.
        """
        with torch.no_grad():
            correlation = lagged_correlation(innovations[0], innovations[1].flip(1), self.lags)
        # the mutual information of two Gaussians: -1/2 log(1 - r^2), of which this is a gain that stays finite
        return correlation, -0.5 * torch.log1p(-correlation.clamp(0, 0.999) ** 2)

    def log_evidence(self, gain: torch.Tensor) -> torch.Tensor:
        """What speaks for an edge at any lag, against none: [B, 2, J, J, L] -> [B, 2, J, J]. Chapter: 9."""
        return torch.logsumexp(self.log_weight[0].exp() * gain, -1) - math.log(len(self.lags))

    def forward(self, gain: torch.Tensor, correction: torch.Tensor) -> torch.Tensor:
        """Log odds of each edge from what is gained at each lag, base rates and an encoder's ``correction``.

        Shapes: [B, 2, J, J, L] and [B, 2, J, J] -> [B, 2, J, J]. Chapter: 9.
        """
        rates = self.log_sender_rate[:, None] + self.log_receiver_rate + correction
        if hasattr(self, "edge_bias"):
            rates = self.edge_bias + rates
        return competition(self.log_evidence(gain) + rates + math.log(self.probability))

    @torch.no_grad()
    def fit_rates(self, evidence: torch.Tensor) -> None:
        """Estimate how often each joint sends and receives, from evidence [N, 2, J, J] without labels.

        In the manner of expectation-maximisation (Dempster, Laird and Rubin, 1977): edges found with the present rates
        are counted by sender and by receiver, and the counts are the next rates. The null class keeps the weight 1,
        since this evidence never speaks against an edge; so rates rank joints, and are too high throughout. Chapter: 9.
        """
        rates = evidence.new_full(evidence.shape[-2:], self.probability)
        for _ in range(ITERATIONS):
            counts = competition(evidence + rates.log()).sigmoid().sum((0, 1))  # [J, J]
            counts = (counts + self.probability) / (2 * len(evidence) + 1)  # one window more, of the prior
            senders, receivers = counts.sum(1), counts.sum(0)
            rates = senders[:, None] * receivers / counts.sum()
        for log_rate, rate in zip(self.log_rates, (senders, receivers)):
            log_rate.copy_(rate.log() - 0.5 * (counts.sum() * self.probability).log())


def competition(evidence: torch.Tensor) -> torch.Tensor:
    """Softmax over the senders of one receiver and a null class, as log odds of each: [B, 2, J, J]. Chapter: 9."""
    null = torch.zeros_like(evidence[:, :, :1])
    share = torch.cat([null, evidence], 2).log_softmax(2)[:, :, 1:].clamp_max(-1e-6)
    return share - torch.log(-torch.expm1(share))
