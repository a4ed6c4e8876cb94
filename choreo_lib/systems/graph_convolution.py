"""Graph convolutions, and LSTM cells whose gates are graph convolutions.

Kipf and Welling, "Semi-supervised classification with graph convolutional networks", ICLR 2017; Seo et al., "Structured
sequence modeling with graph convolutional recurrent networks", ICONIP 2018. Taught in chapter 9, "Invisible strings".
Shapes: B of the batch, T frames, J joints, F features, H hidden units.
"""

import torch
from torch import nn

from ..body.skeleton import Skeleton
from ..core.precision import in_full_precision

State = tuple[torch.Tensor, ...]


def bone_graph(skeleton: Skeleton) -> torch.Tensor:
    """Which joints are tied by a bone. Shapes: [J, J], symmetric. Chapter: 9."""
    graph = torch.zeros(len(skeleton), len(skeleton))
    for parent, child in skeleton.bones:
        graph[parent, child] = graph[child, parent] = 1.0
    return graph


def graph_layer(features: int, out: int) -> nn.Module:
    """A graph convolution for batches [B, J, F] on one dense graph [J, J]. Chapter: 9."""
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
        """Features [B, T, J, F] and the last state (empty: zeros) to hidden states [B, T, J, H] and the last state."""
        h, c = state or (x.new_zeros(x.shape[0], x.shape[2], self.hidden),) * 2
        weights, outputs = normalised(graph), []
        # neighbours are averaged before the layer widens them: the same product, and cheaper in this order
        for frame in self.input_gates(weights @ x).unbind(1):  # [B, J, 4 H]
            gates = torch.sigmoid(frame + self.hidden_gates(weights @ h))
            forget, enter, output, candidate = gates.chunk(4, -1)  # [B, J, H] each
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
        """Features [B, T, J, F] to hidden states [B, T, J, H] and an empty state: there is no memory."""
        return torch.tanh(self.layer(normalised(graph) @ x)).to(x), ()
