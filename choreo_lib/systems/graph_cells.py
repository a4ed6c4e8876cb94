"""What networks on graphs are made of: ordered pairs, edges as latent variables, graph convolutions, GCN-LSTM cells.

Kipf and Welling, "Semi-supervised classification with graph convolutional networks", ICLR 2017; Seo et al., "Structured
sequence modeling with graph convolutional recurrent networks", ICONIP 2018. Taught in chapter 8, "Invisible springs",
and chapter 9, "Invisible strings".
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import torch
from torch import nn

from ..core.precision import in_full_precision

State = tuple[torch.Tensor, ...]


def ordered_pairs(nodes: int, device: torch.device | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Sender and receiver of all ordered pairs, receiver by receiver.

    Shapes: int64 [E] each, E = nodes (nodes - 1). Chapter: 8.
    """
    receiver, sender = torch.tensor(list(permutations(range(nodes), 2)), device=device).T
    return sender, receiver


def pair_features(x: torch.Tensor) -> torch.Tensor:
    """Features of each sender beside those of its receiver. Shapes: [..., B, F] -> [..., E, 2 F]. Chapter: 8."""
    sender, receiver = ordered_pairs(x.shape[-2], x.device)
    return torch.cat([x[..., sender, :], x[..., receiver, :]], -1)


def sum_to_receivers(edge: torch.Tensor, nodes: int) -> torch.Tensor:
    """The sum of what arrives at each node. Shapes: [..., E, F] -> [..., B, F]. Chapter: 8."""
    return edge.unflatten(-2, (nodes, nodes - 1)).sum(-2)


def dense_edges(edges: torch.Tensor, nodes: int) -> torch.Tensor:
    """Values of ordered pairs as a matrix, sender first, 0 on the diagonal: [N, E] -> [N, B, B]. Chapter: 8."""
    sender, receiver = ordered_pairs(nodes, edges.device)
    dense = edges.new_zeros(len(edges), nodes, nodes)
    dense[:, sender, receiver] = edges
    return dense


def prior_of(prior: Sequence[float] | None, types: int) -> torch.Tensor:
    """The prior probabilities of edge types as a tensor [K]; None is uniform.

    Errors: ValueError for probabilities that are not K, not above 0, or do not sum to 1. Chapter: 8.
    """
    values = [1 / types] * types if prior is None else list(prior)
    if len(values) != types or min(values) <= 0 or abs(sum(values) - 1) > 1e-6:
        raise ValueError(f"prior is {values}: {types} probabilities above 0 whose sum is 1 are needed")
    return torch.tensor(values)


def kl_per_edge(logits: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
    """KL(q || p) of each edge's posterior q = softmax(logits) and the prior p: sum over k of q_k log(q_k / p_k).

    Shapes: [..., K] and [K] -> [...]. Units: nats. Chapter: 8. Kipf et al., ICML 2018, equation 3.
    """
    log_posterior = logits.log_softmax(-1)
    return (log_posterior.exp() * (log_posterior - prior.log())).sum(-1)


def graph_layer(features: int, out: int) -> nn.Module:
    """A graph convolution for batches [N, J, F] on one dense graph [J, J]. Chapter: 9."""
    from torch_geometric.nn import DenseGCNConv  # takes three seconds to import, which other chapters need not wait for

    return DenseGCNConv(features, out)


def normalised(graph: torch.Tensor) -> torch.Tensor:
    """The graph with self-loops, divided by the square roots of both nodes' degrees: D^-1/2 (A + I) D^-1/2.

    Shapes: [J, J] -> [J, J]. Chapter: 9. Kipf and Welling, equation 2.
    """
    graph = graph + torch.eye(len(graph), device=graph.device)
    scale = graph.sum(-1).rsqrt()
    return scale[:, None] * graph * scale


class GCNLSTM(nn.Module):
    """An LSTM whose gates are graph convolutions, so that each joint remembers, and its neighbours reach it.

    Chapter: 9. Seo et al., equation 8, without peepholes.
    """

    def __init__(self, features: int, hidden: int):
        super().__init__()
        self.hidden = hidden
        self.input_gates = nn.Linear(features, 4 * hidden)
        self.hidden_gates = nn.Linear(hidden, 4 * hidden, bias=False)
        nn.init.ones_(self.input_gates.bias[:hidden])  # begin with an open forget gate

    @in_full_precision  # as every recurrent layer
    def forward(self, x: torch.Tensor, graph: torch.Tensor, state: State = ()) -> tuple[torch.Tensor, State]:
        """Features [N, T, J, F] and the last state (empty: zeros) to hidden states [N, T, J, H] and the last state."""
        h, c = state or (x.new_zeros(x.shape[0], x.shape[2], self.hidden),) * 2
        weights, outputs = normalised(graph), []
        # neighbours are averaged before the layer widens them: the same product, and cheaper in this order
        for frame in self.input_gates(weights @ x).unbind(1):  # [N, J, 4 H]
            gates = torch.sigmoid(frame + self.hidden_gates(weights @ h))
            forget, enter, output, candidate = gates.chunk(4, -1)  # [N, J, H] each
            # c = f * c + i * tanh(g): 2 sigmoid(x) - 1 = tanh(x / 2), so one pass serves all gates
            c = forget * c + enter * (2 * candidate - 1)
            # h = o * tanh(c)
            h = output * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, 1), (h, c)


class GCN(nn.Module):
    """A graph convolution of each frame: `GCNLSTM` without memory. Chapter: 9."""

    def __init__(self, features: int, hidden: int):
        super().__init__()
        self.layer = nn.Linear(features, hidden)

    def forward(self, x: torch.Tensor, graph: torch.Tensor, state: State = ()) -> tuple[torch.Tensor, State]:
        """Features [N, T, J, F] to hidden states [N, T, J, H] and an empty state: there is no memory."""
        return torch.tanh(self.layer(normalised(graph) @ x)).to(x), ()
