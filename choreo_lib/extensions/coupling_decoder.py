"""The decoder of couplings: a joint's own autoregression, what its senders add, a correction. Taught in chapter 9."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from ..body.skeleton import Skeleton
from ..core.precision import full_precision
from ..systems.dance_nri import MessagePassing
from ..systems.graph_convolution import GCN, GCNLSTM, State
from .coupling_signals import ORDER, Signals, ar_prediction, innovations, signals

WARM_UP = 8
"""Frames that the cells read before their first prediction counts."""


class Posterior(NamedTuple):
    """What the encoder makes of windows. Direction 0: a sends and b receives; sender first, then receiver.

    ``logits`` [B, 2, J, J, K] of the types, the first of which is no edge; ``lag_weights`` [B, 2, J, J, K - 1, L], by
    which each type passes innovations on, lag by lag; ``sender_ar`` and ``receiver_ar`` [B, 2, J, 3], autoregressive
    coefficients; ``sender_scale`` and ``receiver_scale`` [B, 2, J], root mean square innovations, metres a frame and
    coordinate. Without lags, ``lag_weights``, ``sender_ar`` and ``sender_scale`` are None. Chapter: 9.
    """

    logits: torch.Tensor
    lag_weights: torch.Tensor | None
    sender_ar: torch.Tensor | None
    receiver_ar: torch.Tensor
    sender_scale: torch.Tensor | None
    receiver_scale: torch.Tensor


class CouplingDecoder(nn.Module):
    """Predicts each joint's next local displacement.

    With ``lags``, edges pass on innovations of the senders; without, messages of what the cells remember, as published.
    ``memory``: the cells are GCN-LSTMs, else graph convolutions. Chapter: 9.
    """

    def __init__(self, skeleton: Skeleton, lags: range, types: int, hidden: int, memory: bool, dropout: float):
        super().__init__()
        self.skeleton, self.lags = skeleton, lags
        self.cell = (GCNLSTM if memory else GCN)(9, hidden)
        self.output = nn.Linear(hidden, 3)
        nn.init.zeros_(self.output.weight)  # begin with no correction
        nn.init.zeros_(self.output.bias)
        if not lags:
            self.messages = MessagePassing(hidden, types, dropout, batch_norm=False)

    def forward(self, batch: torch.Tensor, graph: torch.Tensor, posterior: Posterior, edges: torch.Tensor, begin: int,
                state: State | None = None, moves: Signals | None = None) -> tuple[torch.Tensor, State]:
        """The local displacement after each frame from ``begin`` on, the last one included, and the cells' state.

        ``state``: of the cells, None for none; ``moves``: the signals of these frames if known, or of one frame more,
        of which edges without lag then know the sender's displacement.
        Shapes: [B, T, 2, J, 3], edges [B, 2, J, J, K] -> [B, 2, J, T - begin, 3]. Units: metres a frame. Chapter: 9.
        """
        moves = signals(self.skeleton, batch) if moves is None else moves
        local = moves.local[:, :, :, : batch.shape[1] - 1]
        scale = posterior.receiver_scale[..., None, None]
        first = begin if state is not None else max(begin - WARM_UP, 1)
        pose = batch[:, first:].transpose(1, 2)  # [B, 2, n, J, 3]
        parents = [max(parent, 0) for parent in self.skeleton.parents]
        before = (local[:, :, :, first - 1:] / scale).transpose(2, 3).clamp(-50, 50)
        features = torch.cat([before, pose - pose[..., :1, :], pose - pose[..., parents, :]], -1)  # [B, 2, n, J, 9]
        hidden, state = self.cell(features.flatten(0, 1), graph, state or ())
        hidden = hidden[:, begin - first:].unflatten(0, (-1, 2))  # [B, 2, n, J, H]
        if not self.lags:
            hidden = self.messages(hidden, edges, graph)
        with full_precision(batch.device):  # millimetres want all their digits
            correction = self.output(hidden.to(batch)).transpose(2, 3)  # [B, 2, J, n, 3]
            if self.lags:
                predicted = ar_prediction(local[:, :, :, begin - ORDER:], posterior.receiver_ar) / scale
                predicted = predicted + self._received(moves, posterior, edges, begin, batch.shape[1] - 1)
            else:
                predicted = local[:, :, :, begin - 1:] / scale  # the displacement that led to each frame
        return (predicted + correction) * scale, state

    def _received(self, moves: Signals, posterior: Posterior, edges: torch.Tensor, begin: int,
                  last: int) -> torch.Tensor:
        """What edges add, as shares of the receivers' innovations: [B, 2, J, n, 3]."""
        assert posterior.sender_ar is not None and posterior.sender_scale is not None
        sent, longest = moves.root_relative, self.lags[-1]
        last = last if self.lags[0] else last + 1  # without lag, the sender's displacement of the predicted frame
        new = innovations(sent[:, :, :, begin - longest - ORDER : last], posterior.sender_ar)
        new = F.pad(new / posterior.sender_scale[..., None, None], (0, 0, 0, max(last - sent.shape[3], 0)))
        late = new.unfold(3, len(self.lags), 1).flip(-1)  # [B, 2, J, n, 3, L], the shortest lag first
        late = late.permute(0, 1, 2, 5, 3, 4).flatten(2, 3)  # [B, 2, J L, n, 3]
        weights = torch.einsum("bdijk,bdijkl->bdjil", edges[..., 1:], posterior.lag_weights)
        weights = weights.flatten(3)  # [B, 2, J, J L], receiver first
        return (weights @ late.flatten(3)).unflatten(3, late.shape[3:]).flip(1)
