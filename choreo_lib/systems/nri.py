"""Neural relational inference: an encoder that infers who interacts with whom, a decoder that predicts motion by it.

Kipf, Fetaya, Wang, Welling and Zemel, "Neural relational inference for interacting systems", ICML 2018; equations are
numbered as there. Taught in chapter 8, "Invisible springs".
Shapes: B simulations, T frames, N bodies, K edge types, E = N (N - 1) ordered pairs of bodies, H hidden units.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from .edges import dense_edges, kl_per_edge, ordered_pairs, pair_features, prior_of, sum_to_receivers
from .layers import GRUCell, System

STATE = 4  # numbers of a body: position x and y, velocity x and y


@dataclass(frozen=True)
class Config:
    """The published settings (appendix B). Training: Adam, 5e-4 halved every 200 epochs, batches of 128. Chapter: 8."""

    types: int = 2  # K: no spring and spring; attraction and repulsion
    no_edge: bool = True  # the first type carries no message (springs); False for charges
    decoder: str = "mlp"  # or "recurrent"
    hidden: int = 256
    dropout: float = 0.0
    tau: float = 0.5  # temperature of the Gumbel-softmax
    hard: bool = False  # one-hot samples with the gradient of the soft ones (straight-through)
    prediction_steps: int = 10  # that the decoder goes on from its own predictions in training
    variance: float = 5e-5  # of the Gaussian p(x | z), of states scaled to [-1, 1]
    prior: tuple[float, ...] | None = None  # of the types; None: uniform
    frames: int = 49  # that the encoder sees


class MLP(nn.Module):
    """Two layers with ELU, dropout between them and batch normalisation after them. Chapter: 8."""

    def __init__(self, features: int, hidden: int, dropout: float):
        super().__init__()
        self.hidden_layers = nn.Sequential(nn.Linear(features, hidden), nn.ELU(), nn.Dropout(dropout),
                                           nn.Linear(hidden, hidden), nn.ELU())  # fmt: skip
        self.norm = nn.BatchNorm1d(hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of nodes or edges [B, M, F] to [B, M, H]."""
        x = self.hidden_layers(x)  # [B, M, H]
        return self.norm(x.flatten(0, 1)).view_as(x)  # one normalisation over all M of all B


class Encoder(nn.Module):
    """Messages between bodies, twice, give the posterior of each ordered pair's edge type. Chapter: 8."""

    def __init__(self, config: Config):
        super().__init__()
        hidden, dropout = config.hidden, config.dropout
        self.embed = MLP(config.frames * STATE, hidden, dropout)
        self.node_to_edge = MLP(2 * hidden, hidden, dropout)
        self.edge_to_node = MLP(hidden, hidden, dropout)
        self.node_to_edge_skip = MLP(3 * hidden, hidden, dropout)
        self.classifier = nn.Linear(hidden, config.types)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """States [B, T, N, 4] to logits [B, E, K]."""
        # h1_j = f_emb(x_j)                                               (5)
        node = self.embed(states.transpose(1, 2).flatten(2))  # [B, T, N, 4] -> [B, N, 4 T] -> [B, N, H]
        # h1_ij = f_e1([h1_i, h1_j])                                      (6)
        edge = self.node_to_edge(pair_features(node))  # [B, E, H]
        # h2_j = f_v1(sum over i of h1_ij)                                (7)
        node = self.edge_to_node(sum_to_receivers(edge, states.shape[2]))  # [B, N, H]
        # h2_ij = f_e2([h2_i, h2_j, h1_ij]), with a skip connection       (8)
        edge = self.node_to_edge_skip(torch.cat([pair_features(node), edge], -1))  # [B, E, H]
        return self.classifier(edge)  # [B, E, K]


def fully_connected(*widths: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers from width to width, with an activation after each. Chapter: 8."""
    return nn.Sequential(*(each for pair in pairwise(widths) for each in (nn.Linear(*pair), activation())))


class MLPDecoder(nn.Module):
    """Predicts the next state from the present one (the Markovian decoder). Chapter: 8."""

    def __init__(self, config: Config):
        super().__init__()
        hidden, self.first = config.hidden, int(config.no_edge)
        self.edge_mlps = nn.ModuleList(fully_connected(2 * STATE, hidden, hidden)
                                       for _ in range(self.first, config.types))
        self.node_mlp = nn.Sequential(fully_connected(STATE + hidden, hidden, hidden), nn.Linear(hidden, STATE))

    def forward(self, state: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        """States [B, C, N, 4] of C frames and edges [B, E, K] to the states a frame later, [B, C, N, 4]."""
        pair = pair_features(state)  # [B, C, E, 8]
        weights = edges[:, None, :, self.first:, None].unbind(3)  # one [B, 1, E, 1] a type
        # h_ij = sum over k of z_ijk f_ek([x_i, x_j])                     (10)
        edge = sum(weight * mlp(pair) for weight, mlp in zip(weights, self.edge_mlps))  # [B, C, E, H]
        # mu_j = x_j + f_v([x_j, sum over i of h_ij])                     (11)
        received = sum_to_receivers(edge, state.shape[2])  # [B, C, N, H]
        return state + self.node_mlp(torch.cat([state, received], -1))

    def reconstruct(self, states: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        """States [B, T, N, 4] to predictions of frames 1 to T - 1, from the ground truth again every ``steps``."""
        runs = self.rollout(states[:, :-1:steps], edges, steps)  # [B, runs, steps, N, 4]
        return runs.flatten(1, 2)[:, : states.shape[1] - 1]  # the last run goes beyond the end

    def predict(self, states: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        """States [B, T, N, 4] to the ``steps`` states that follow, [B, steps, N, 4]."""
        return self.rollout(states[:, -1:], edges, steps)[:, 0]

    def rollout(self, state: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        """States [B, C, N, 4] to ``steps`` predictions from each, [B, C, steps, N, 4]."""
        predicted = [state]
        for _ in range(steps):
            predicted.append(self(predicted[-1], edges))
        return torch.stack(predicted[1:], 2)


class RecurrentDecoder(nn.Module):
    """Predicts the next state from all so far: messages between hidden states, and a GRU for each body. Chapter: 8."""

    def __init__(self, config: Config):
        super().__init__()
        hidden, self.hidden, self.first = config.hidden, config.hidden, int(config.no_edge)
        self.edge_mlps = nn.ModuleList(fully_connected(2 * hidden, hidden, hidden, activation=nn.Tanh)
                                       for _ in range(self.first, config.types))
        self.gru = GRUCell(hidden + STATE, hidden)
        self.output = nn.Sequential(fully_connected(hidden, hidden, hidden), nn.Linear(hidden, STATE))

    def forward(self, state: torch.Tensor, edges: torch.Tensor, memory: torch.Tensor):
        """States [B, N, 4], edges [B, E, K] and hidden states [B, N, H] to the next states and hidden states."""
        pair = pair_features(memory)  # [B, E, 2 H]
        weights = edges[..., self.first:, None].unbind(2)  # one [B, E, 1] a type
        # h_ij = sum over k of z_ijk f_ek([h_i, h_j]);  MSG_j = sum over i of h_ij       (13, 14)
        edge = sum(weight * edge_mlp(pair) for weight, edge_mlp in zip(weights, self.edge_mlps))  # [B, E, H]
        message = sum_to_receivers(edge, state.shape[1])  # [B, N, H]
        # h_j = GRU([MSG_j, x_j], h_j);  mu_j = x_j + f_out(h_j)                         (15, 16)
        memory = self.gru(torch.cat([message, state], -1).flatten(0, 1), memory.flatten(0, 1))  # [B N, H]
        memory = memory.unflatten(0, state.shape[:2])  # [B, N, H]
        return state + self.output(memory), memory

    def reconstruct(self, states: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        """States [B, T, N, 4] to predictions of frames 1 to T - 1, the last ``steps`` from own predictions."""
        last = states.shape[1] - 1
        return self.rollout(states[:, : max(last + 1 - steps, 1)], edges, last)

    def predict(self, states: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        """States [B, T, N, 4] to the ``steps`` states that follow, [B, steps, N, 4]."""
        return self.rollout(states, edges, states.shape[1] - 1 + steps)[:, -steps:]

    def rollout(self, given: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        """Predictions of frames 1 to ``steps`` from states [B, T, N, 4], and from predictions where these end."""
        memory, predicted = given.new_zeros(len(given), given.shape[2], self.hidden), [given[:, 0]]
        for t in range(steps):
            state, memory = self(given[:, t] if t < given.shape[1] else predicted[-1], edges, memory)
            predicted.append(state)
        return torch.stack(predicted[1:], 1)  # [B, steps, N, 4]


class NRI(System):
    """A variational autoencoder whose latent variables are the types of all edges. ``NRI(types=3)`` changes a setting.

    Errors: ValueError for a decoder or prior that cannot be, TypeError for an unknown setting. Chapter: 8.
    """

    encoder: nn.Module
    prior: torch.Tensor
    scale: torch.Tensor
    Config: ClassVar[type] = Config
    DECODERS: ClassVar[dict[str, Any]] = {"mlp": MLPDecoder, "recurrent": RecurrentDecoder}

    def __init__(self, config: Any = None, **changes: Any):
        super().__init__(None, config, **changes)
        s = self.config
        if s.decoder not in self.DECODERS:
            raise ValueError(f"decoder is {s.decoder!r}; choose from {', '.join(self.DECODERS)}")
        if s.types - s.no_edge < 1:
            raise ValueError(f"{s.types} types, {int(s.no_edge)} without an edge: one at least has to carry messages")
        self.register_buffer("prior", prior_of(s.prior, s.types))
        self.build(s)

    def build(self, config: Any) -> None:
        """Make the encoder, the decoder and the scale of states, which is measured before training."""
        self.encoder, self.decoder = Encoder(config), self.DECODERS[config.decoder](config)
        self.register_buffer("scale", torch.ones(STATE))

    @torch.no_grad()
    def fit_statistics(self, simulations: Any) -> None:
        """Measure the largest coordinate and speed, by which states are scaled to [-1, 1]. Chapter: 8."""
        self.scale.copy_(simulations.states.abs().amax((0, 1, 2)).view(2, 2).amax(1).repeat_interleave(2))

    def sample(self, logits: torch.Tensor) -> torch.Tensor:
        """Edges [..., K] drawn from the posterior in training (Jang et al., ICLR 2017), else the most probable."""
        # z_ij = softmax((h2_ij + g) / tau)                               (9)
        if self.training:
            return F.gumbel_softmax(logits, self.config.tau, self.config.hard)
        return F.one_hot(logits.argmax(-1), self.config.types).to(logits)

    def forward(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States [B, T, N, 4] to predictions of frames 1 to T - 1, [B, T - 1, N, 4], and logits [B, E, K]."""
        states = states / self.scale
        logits = self.encoder(states)  # [B, E, K]
        edges, steps = self.sample(logits), self.config.prediction_steps
        predicted = self.decoder.reconstruct(states, edges, steps)  # [B, T - 1, N, 4]
        return predicted * self.scale, logits

    def loss(self, batch: Any, step: int | None) -> dict[str, torch.Tensor]:
        """The negative evidence lower bound of states [B, T, N, 4], nats an edge; ``step`` is not used. Chapter: 8."""
        states = batch.states[:, : self.config.frames]
        predicted, logits = self(states)
        error = (predicted - states[:, 1:]) / self.scale  # [B, T - 1, N, 4]
        # -log p(x | z) = sum over j, t of |x_jt - mu_jt|^2 / (2 variance) + c    (18)
        nll = error.pow(2).sum() / (2 * self.config.variance) / logits[..., 0].numel()
        # KL(q || p) = sum over ij, k of q_ijk log(q_ijk / p_k)
        kl = kl_per_edge(logits, self.prior).mean()
        return {"loss": nll + kl, "nll_nats": nll, "kl_nats_per_edge": kl}

    @torch.no_grad()
    def infer_edges(self, states: torch.Tensor) -> torch.Tensor:
        """The most probable type of every edge. Shapes: [B, T, N, 4] -> int64 [B, N, N], sender first. Chapter: 8."""
        logits = self.encoder(states[:, : self.config.frames] / self.scale)  # [B, E, K]
        return dense_edges(logits.argmax(-1), states.shape[2])

    @torch.no_grad()
    def predict(self, states: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        """What follows states [B, T, N, 4] with edges [B, N, N]: [B, steps, N, 4]. Chapter: 8."""
        sender, receiver = ordered_pairs(states.shape[2], states.device)
        weights = F.one_hot(edges[:, sender, receiver], self.config.types).to(states)  # [B, E, K]
        return self.decoder.predict(states / self.scale, weights, steps) * self.scale
