"""The list of edges: ordered pairs, features of pairs, sums at receivers, and edges as latent variables.

Kipf, Fetaya, Wang, Welling and Zemel, "Neural relational inference for interacting systems", ICML 2018. Taught in
chapter 8, "Invisible springs".
Shapes: B of the batch, N nodes (bodies or joints), E = N (N - 1) ordered pairs, K edge types.
"""

from collections.abc import Sequence
from itertools import permutations

import torch


def ordered_pairs(nodes: int, device: torch.device | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Sender and receiver of all ordered pairs, receiver by receiver.

    Shapes: int64 [E] each, E = nodes (nodes - 1). Chapter: 8.
    """
    receiver, sender = torch.tensor(list(permutations(range(nodes), 2)), device=device).T
    return sender, receiver


def pair_features(x: torch.Tensor) -> torch.Tensor:
    """Features of each sender beside those of its receiver. Shapes: [..., N, F] -> [..., E, 2 F]. Chapter: 8."""
    sender, receiver = ordered_pairs(x.shape[-2], x.device)
    return torch.cat([x[..., sender, :], x[..., receiver, :]], -1)


def sum_to_receivers(edge: torch.Tensor, nodes: int) -> torch.Tensor:
    """The sum of what arrives at each node. Shapes: [..., E, F] -> [..., N, F]. Chapter: 8."""
    return edge.unflatten(-2, (nodes, nodes - 1)).sum(-2)


def dense_edges(edges: torch.Tensor, nodes: int) -> torch.Tensor:
    """Values of ordered pairs as a matrix, sender first, 0 on the diagonal: [B, E] -> [B, N, N]. Chapter: 8."""
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
