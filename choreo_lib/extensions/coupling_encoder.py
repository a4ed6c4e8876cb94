"""The encoder of couplings: lagged correlation, corrected by the published network. Taught in chapter 9."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ..body.reference import reference_frame, velocities
from ..body.skeleton import Skeleton
from ..core.precision import in_full_precision
from ..systems.dance_nri import Encoder
from ..systems.edges import prior_of
from ..systems.graph_convolution import bone_graph
from .coupling_decoder import Posterior
from .coupling_evidence import CouplingEvidence
from .coupling_signals import NOISE_FLOOR, ORDER, ROUNDING, Signals, ar_coefficients, innovations, signals


class CouplingEncoder(nn.Module):
    """Windows of a duet to the posterior of all edges, and to what the joints' own past predicts.

    ``settings``: a `coupling_nri.Config`. Errors: ValueError for settings that cannot be. Chapter: 9.
    """

    def __init__(self, skeleton: Skeleton, lags: range, config: Any):
        super().__init__()
        s, joints, longest = config, len(skeleton), max(lags, default=0)
        self.skeleton, self.lags, self.config = skeleton, lags, config
        if s.types < 2:
            raise ValueError(f"types is {s.types}: two at least are needed, the first for no edge")
        prior = [0.99] + [0.01 / (s.types - 1)] * (s.types - 1) if s.prior is None else list(s.prior)
        if s.correlation and not lags:
            raise ValueError("correlation without lags: there is nothing to correlate; set max_lag")
        if s.frames < 2 * longest + ORDER + 3:
            raise ValueError(f"windows of {s.frames} frames are too short for lags of up to {longest}: "
                             f"{2 * longest + ORDER + 3} are needed, or a smaller max_lag")
        self.graph = nn.Buffer(bone_graph(skeleton), persistent=False)
        self.prior = nn.Buffer(prior_of(prior, s.types))
        self.innovation_scale = nn.Buffer(torch.full((joints,), ROUNDING))  # of the training set
        self.ar = nn.Parameter(torch.zeros(joints, ORDER), requires_grad=bool(lags))  # of the training set
        self.network = Encoder(6 * s.frames, s.hidden, s.types + (1 + len(lags) if lags else 0), s.dropout)
        if lags:
            self.log_strength = nn.Parameter(torch.zeros(s.types - 1))  # of what a type passes on
            start = torch.randn(s.types - 1, len(lags)) * (0.1 if s.types > 2 else 0.0)
            self.lag_logits = nn.Parameter(start)  # at which lags a type passes it on
        if lags and s.window_ar:
            self.window_gate = nn.Parameter(torch.zeros(joints))
        if s.correlation:
            self.evidence = CouplingEvidence(joints, lags, sum(prior[1:]), s.edge_bias)
            nn.init.zeros_(self.network.classifier.weight)  # begin with the evidence alone
            nn.init.zeros_(self.network.classifier.bias)

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Fit autoregression and base rates, measure innovations; of windows [B, T, 2, J, 3]. Chapter: 9."""
        weights, squares, evidence = [], [], []
        for batch in batches:
            moves = signals(self.skeleton, batch.to(self.prior.device))
            weights.append(ar_coefficients(moves.local, shared=2))
            squares.append(innovations(moves.local, weights[-1]).pow(2).mean((0, 1, 3, 4)))
            if self.config.correlation:
                new = whiten(moves.until(self.config.frames))[1]
                evidence.append(self.evidence.log_evidence(self.evidence.correlations(new)[1]))
        self.ar.copy_(torch.stack(weights).mean(0))
        self.innovation_scale.copy_(torch.stack(squares).mean(0).sqrt().clamp_min(ROUNDING))
        if self.config.correlation:
            self.evidence.fit_rates(torch.cat(evidence))

    def forward(self, batch: torch.Tensor, moves: Signals | None = None) -> Posterior:
        """Windows [B, frames, 2, J, 3] to the posterior. ``moves``: their signals, if known. Chapter: 9."""
        s, moves = self.config, signals(self.skeleton, batch) if moves is None else moves
        x = reference_frame(batch, batch.shape[1] - 1, self.skeleton).to_local(batch)
        features = torch.cat([x, velocities(x, s.fps, s.gap)], -1).permute(0, 2, 3, 1, 4).flatten(3)  # [B, 2, J, 6 T]
        out = self.network(features, self.graph)  # [B, 2, J, J, K, or K + 1 + L with lags]
        logits, lag_weights, sender_ar, sender_scale = out[..., : s.types] + self.prior.log(), None, None, None
        receiver_ar = self.ar.expand(len(batch), 2, -1, -1)
        with torch.no_grad():  # a joint that stood still may move yet
            receiver_scale = _rms(innovations(moves.local, self.ar)).maximum(0.1 * self.innovation_scale)
        if self.lags:
            with torch.no_grad():
                coefficients, new = whiten(moves)
                sender_ar, sender_scale = coefficients[0], _rms(new[0])
            if s.window_ar:
                receiver_ar = torch.lerp(receiver_ar, coefficients[1], torch.sigmoid(self.window_gate)[:, None])
            logits, lag_weights = self._lagged(out, logits, new)
        if not s.directed:
            logits = (logits + logits.flip(1).transpose(2, 3)) / 2
        return Posterior(logits, lag_weights, sender_ar, receiver_ar, sender_scale, receiver_scale)

    def _lagged(self, out: torch.Tensor, logits: torch.Tensor,
                new: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits [B, 2, J, J, K] and lag weights [B, 2, J, J, K - 1, L] from the network's numbers and innovations."""
        types = self.config.types
        strength, late = torch.sigmoid(out[..., types]), out[..., types + 1:]
        if self.config.correlation:
            correlation, gain = self.evidence.correlations(new)
            odds = self.evidence(gain, out[..., 0])
            kinds = (self.prior.log()[1:] + out[..., 1:types]).log_softmax(-1)
            logits = torch.cat([torch.zeros_like(kinds[..., :1]), odds[..., None] + kinds], -1)
            late = late + self.evidence.log_weight[1].exp() * gain
        share = (late[..., None, :] + self.lag_logits).softmax(-1)  # [B, 2, J, J, K - 1, L]
        if self.config.correlation:
            strength = 2 * strength * (share * correlation[..., None, :]).sum(-1).amax(-1)
        return logits, share * strength[..., None, None] * self.log_strength.exp()[:, None]


def whiten(moves: Signals) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Autoregressive coefficients and innovations of both signals (prewhitening).

    Shapes: of each signal [..., T, 3] coefficients [..., ORDER] and innovations [..., T - ORDER, 3]. Chapter: 9.
    """
    weights = [ar_coefficients(each) for each in moves]
    return weights, [innovations(each, weight) for each, weight in zip(moves, weights)]


def _rms(x: torch.Tensor) -> torch.Tensor:
    """Root mean square of innovations [..., T, 3]: [...], metres a frame and coordinate."""
    return x.pow(2).mean((-1, -2)).sqrt().clamp_min(NOISE_FLOOR / 3**0.5)
