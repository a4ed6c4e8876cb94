"""What the model of invisible strings is made of: graph convolutions, cells of them that remember, and an encoder.

Taught in chapter 9, "Invisible strings". Kipf and Welling, "Semi-supervised classification with graph convolutional
networks", ICLR 2017; Seo et al., "Structured sequence modeling with graph convolutional recurrent networks", ICONIP
2018; Kipf et al., "Neural relational inference for interacting systems", ICML 2018.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


def graph_layer(width: int, out: int) -> nn.Module:
    """A graph convolution for batches [N, J, F] on one dense graph [J, J]."""
    from torch_geometric.nn import DenseGCNConv  # takes three seconds, which the other chapters need not wait for

    return DenseGCNConv(width, out)


class GCNLSTM(nn.Module):
    """An LSTM cell whose gates are graph convolutions: each joint remembers, and hears its neighbours. Seo et al."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.hidden = hidden
        self.gates = graph_layer(width + hidden, 4 * hidden)

    def forward(self, x: torch.Tensor, graph: torch.Tensor, state=None):
        """Features [N, J, F] and what was remembered (None: nothing) to memory and cell, [N, J, H] each."""
        memory, cell = state or (x.new_zeros(*x.shape[:2], self.hidden),) * 2
        enter, keep, show, new = self.gates(torch.cat([x, memory], -1), graph).chunk(4, -1)
        cell = torch.sigmoid(keep + 1) * cell + torch.sigmoid(enter) * torch.tanh(new)
        return torch.sigmoid(show) * torch.tanh(cell), cell


class GCN(nn.Module):
    """The same without memory: a graph convolution of this frame."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.layer = graph_layer(width, hidden)

    def forward(self, x: torch.Tensor, graph: torch.Tensor, state=None):
        """As of `GCNLSTM`; nothing is remembered."""
        return (torch.tanh(self.layer(x, graph)),)


class Encoder(nn.Module):
    """Joints hear their bodies, edges their two joints, joints all their edges, and edges their joints once more.

    Shapes: features [B, 2, J, F] -> [B, 2, J, J, out]: direction, sender, receiver. The bones are known, and carry the
    graph convolutions; edges from dancer to dancer are what is asked for.
    """

    def __init__(self, width: int, hidden: int, out: int, dropout: float):
        super().__init__()
        self.first, self.second = graph_layer(width, hidden), graph_layer(2 * hidden, hidden)
        self.send, self.receive = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden, bias=False)
        self.think = nn.Sequential(nn.ELU(), nn.Linear(hidden, hidden), nn.ELU())
        self.level, self.dropout = nn.BatchNorm1d(hidden), nn.Dropout(dropout)
        self.send_on, self.receive_on = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden, bias=False)
        self.decide = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ELU(), nn.Linear(hidden, out))

    def forward(self, x: torch.Tensor, graph: torch.Tensor) -> torch.Tensor:
        """Features [B, 2, J, F] to edges [B, 2, J, J, out]."""
        node = F.elu(self.first(x.flatten(0, 1), graph)).unflatten(0, x.shape[:2])  # [B, 2, J, H]
        edge = self.think(self.send(node)[:, :, :, None] + self.receive(node).flip(1)[:, :, None])
        edge = self.dropout(self.level(edge.flatten(0, 3)).unflatten(0, edge.shape[:4]))
        heard = torch.cat([edge.mean(3), edge.mean(2).flip(1)], -1)  # a joint's edges, where it sends and receives
        node = F.elu(self.second(heard.flatten(0, 1), graph)).unflatten(0, x.shape[:2])
        again = F.elu(self.send_on(node)[:, :, :, None] + self.receive_on(node).flip(1)[:, :, None])
        return self.decide(torch.cat([edge, again], -1))
