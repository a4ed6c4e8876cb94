"""What the model of invisible strings is made of: graph convolutions, cells of them that remember, and an encoder.

Taught in chapter 9, "Invisible strings". Kipf and Welling, "Semi-supervised classification with graph convolutional
networks", ICLR 2017; Seo et al., "Structured sequence modeling with graph convolutional recurrent networks", ICONIP
2018; Kipf et al., "Neural relational inference for interacting systems", ICML 2018.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..core.precision import in_full_precision


def graph_layer(width: int, out: int) -> nn.Module:
    """A graph convolution for batches [N, J, F] on one dense graph [J, J]."""
    from torch_geometric.nn import DenseGCNConv  # takes three seconds, which the other chapters need not wait for

    return DenseGCNConv(width, out)


def normalised(graph: torch.Tensor) -> torch.Tensor:
    """With which weights a joint hears its neighbours and itself: [J, J]. Kipf and Welling."""
    graph = graph + torch.eye(len(graph), device=graph.device)
    few = graph.sum(-1).rsqrt()
    return few[:, None] * graph * few


class GCNLSTM(nn.Module):
    """An LSTM whose gates are graph convolutions: each joint remembers, and hears its neighbours. Seo et al.

    They widen what they take, so it is cheaper to hear first and to widen then, the other way round than `graph_layer`.
    """

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.hidden = hidden
        self.enter, self.again = nn.Linear(width, 4 * hidden), nn.Linear(hidden, 4 * hidden, bias=False)
        nn.init.ones_(self.enter.bias[:hidden])  # begin by keeping what is remembered

    @in_full_precision  # as every layer that remembers
    def forward(self, x: torch.Tensor, graph: torch.Tensor, state=None):
        """Features [N, T, J, F] and what was remembered (None: nothing) to memories [N, T, J, H] and the last state."""
        memory, cell = state or (x.new_zeros(x.shape[0], x.shape[2], self.hidden),) * 2
        weights, told = normalised(graph), []
        for seen in self.enter(weights @ x).unbind(1):
            gates = torch.sigmoid(seen + self.again(weights @ memory))
            keep, take, show, new = gates.chunk(4, -1)
            cell = keep * cell + take * (2 * new - 1)  # 2 sigmoid(x) - 1 = tanh(x / 2): one pass for all gates
            memory = show * torch.tanh(cell)
            told.append(memory)
        return torch.stack(told, 1), (memory, cell)


class GCN(nn.Module):
    """The same without memory: a graph convolution of each frame."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.layer = nn.Linear(width, hidden)

    def forward(self, x: torch.Tensor, graph: torch.Tensor, state=None):
        """As of `GCNLSTM`; nothing is remembered."""
        return torch.tanh(self.layer(normalised(graph) @ x)).to(x), ()


class Encoder(nn.Module):
    """Joints hear their bodies, edges their two joints, joints all their edges, and edges their joints once more.

    Shapes: features [B, 2, J, F] -> [B, 2, J, J, out]: direction, sender, receiver. The bones are known, and carry the
    graph convolutions; edges from dancer to dancer are what is asked for. Dropout leaves out whole edges.
    """

    def __init__(self, width: int, hidden: int, out: int, dropout: float):
        super().__init__()
        self.first, self.second = graph_layer(width, hidden), graph_layer(2 * hidden, hidden)
        self.send, self.receive = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden, bias=False)
        self.level, self.dropout = nn.BatchNorm1d(hidden), nn.Dropout1d(dropout)
        self.send_on, self.receive_on = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden, bias=False)
        self.skip, self.decide = nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, out)

    def forward(self, x: torch.Tensor, graph: torch.Tensor) -> torch.Tensor:
        """Features [B, 2, J, F] to edges [B, 2, J, J, out]."""
        node = F.relu(self.first(x.flatten(0, 1), graph)).unflatten(0, x.shape[:2])  # [B, 2, J, H]
        edge = F.relu(self.send(node)[:, :, :, None] + self.receive(node).flip(1)[:, :, None])
        edge = self.dropout(self.level(edge.flatten(0, 3))).view_as(edge)
        heard = torch.cat([edge.mean(3), edge.mean(2).flip(1)], -1)  # a joint's edges, where it sends and receives
        node = F.relu(self.second(heard.flatten(0, 1), graph)).unflatten(0, x.shape[:2])
        again = self.send_on(node)[:, :, :, None] + self.receive_on(node).flip(1)[:, :, None]
        return self.decide(F.relu(self.skip(edge) + again)).to(x)
