"""Neural relational inference for two dancers: which joint of one moves which joint of the other.

A variant of Kipf et al., "Neural relational inference for interacting systems" (ICML 2018), built of graph convolutions
(Kipf and Welling, ICLR 2017) and GCN-LSTM cells (Seo et al., ICONIP 2018). Bones are known edges, along which graph
convolutions pass messages; edges from dancer to dancer are latent. Taught in chapter 9, "Invisible strings".

    GCN(x) = D^-1/2 (A + I) D^-1/2 x W, with bones A and degrees D               (Kipf and Welling, equation 2)
    encoder    h_j = relu(GCN(x)_j);  h_ij = relu(W [h_i, h_j]);  h'_j = relu(GCN([mean h_ji, mean h_ij]));
               q(z_ij | x) = softmax(log p + W' relu(W [h'_i, h'_j, h_ij]))      (after Kipf et al., 5 to 8)
    sample     z_ij = softmax((log q_ij + g) / tau), g from Gumbel(0, 1)         (Kipf et al., 9)
    decoder    h(t), c(t) = GCN-LSTM(x(t), h(t - 1), c(t - 1))                   (Seo et al., 8)
               m_j = sum over i, k of z_ijk relu(W_k h_i);  x_j(t + 1) = x_j(t) + f(h_j, m_j)
    objective  E_q[log p(x | z)] - beta KL(q(z | x) || p(z)), p(x | z) Gaussian  (Kipf et al., 3)

The prototype is repaired: sampled weights multiply messages, so that the reconstruction trains the encoder; axes of
time and joints are not mixed; the decoder predicts a change of position, in a frame of reference of the duet; joints
are sampled without replacement; the KL is a mean over edges, in nats.

Shapes: B windows, T frames, 2 dancers, J joints, K edge types, H hidden units; edges [B, 2, J, J, K]: direction (0: a
sends, 1: b sends), sender, receiver.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..body.reference import ReferenceFrame, reference_frame
from ..body.skeleton import Skeleton
from .edges import kl_per_edge, prior_of
from .graph_convolution import GCNLSTM, State, bone_graph, graph_layer
from .layers import System
from .losses import Schedule


@dataclass(frozen=True)
class Config:
    """The settings of the published variant, as its author's text and code state them.

    Training: Adam at 3e-4, batches of 8, 20 epochs. Chapter: 9.
    """

    frames: int = 8
    fps: float = 30.0
    types: int = 4  # K, from non-existing to core
    prior: tuple[float, ...] | None = (0.35, 0.25, 0.15, 0.25)  # as coded; None: uniform
    hidden: int = 64
    dropout: float = 0.1  # of whole edges in the encoder, of joints' features in the decoder
    tau: float = 0.5  # temperature of the Gumbel-softmax
    hard: bool = False  # one-hot samples with the gradient of the soft ones
    directed: bool = True  # False: an edge is the same both ways
    gap: int = 1  # frames between which velocities are measured
    joints: int | None = None  # drawn from each dancer in a training step (the author's best: 3); None: all
    prediction_steps: int = 1  # the last so many frames of a window are predicted from own predictions
    variance: float = 5e-5  # of the Gaussian p(x | z), square metres
    kl: Schedule = Schedule(1.0)  # KL weight (beta)


class Encoder(nn.Module):
    """Node to edge, edge to node, node to edge with a skip connection: numbers for each edge. Chapter: 9."""

    def __init__(self, features: int, hidden: int, out: int, dropout: float):
        super().__init__()
        self.node_gcn, self.edge_gcn = graph_layer(features, hidden), graph_layer(2 * hidden, hidden)
        self.sender, self.receiver = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden, bias=False)
        self.norm, self.dropout = nn.BatchNorm1d(hidden), nn.Dropout1d(dropout)
        self.sender_2, self.receiver_2 = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden, bias=False)
        self.skip, self.classifier = nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, out)

    def forward(self, x: torch.Tensor, graph: torch.Tensor) -> torch.Tensor:
        """Features of joints [B, 2, J, F] and bones [J, J] to edges [B, 2, J, J, out]."""
        # h_j = relu(GCN(x)_j)
        node = F.relu(self.node_gcn(x.flatten(0, 1), graph)).unflatten(0, (-1, 2))  # [B, 2, J, H]
        # h_ij = relu(W [h_i, h_j]): a linear layer of a pair is the sum of one of the sender and one of the receiver
        pair = self.sender(node).unsqueeze(3) + self.receiver(node).flip(1)[:, :, None]
        edge = F.relu(pair)  # [B, 2, J, J, H]
        edge = self.dropout(self.norm(edge.flatten(0, 3))).view_as(edge)
        # h_j = relu(GCN([mean of edges sent, mean of edges received]))
        node = torch.cat([edge.mean(3), edge.mean(2).flip(1)], -1)  # [B, 2, J, 2 H]
        node = F.relu(self.edge_gcn(node.flatten(0, 1), graph)).unflatten(0, (-1, 2))  # [B, 2, J, H]
        # logits_ij = W' relu(W [h_i, h_j, h_ij])
        pair = self.sender_2(node)[:, :, :, None]
        pair = pair + self.receiver_2(node).flip(1)[:, :, None]  # [B, 2, J, J, H]
        return self.classifier(F.relu(self.skip(edge) + pair)).to(x)  # [B, 2, J, J, out]


class MessagePassing(nn.Module):
    """Messages along the sampled edges, what each joint makes of their sum, and a graph convolution over its body.

    ``batch_norm`` and ``dropout`` are between the two, as described. Chapter: 9.
    """

    def __init__(self, hidden: int, types: int, dropout: float, batch_norm: bool = True):
        super().__init__()
        self.types = types
        self.message = nn.Linear(hidden, (types - 1) * hidden)  # the first type is no edge, and carries nothing
        self.update = nn.Linear(2 * hidden, hidden)
        self.norm = nn.BatchNorm1d(hidden) if batch_norm else nn.Identity()
        self.dropout, self.node_gcn = nn.Dropout1d(dropout), graph_layer(hidden, hidden)

    def forward(self, node: torch.Tensor, edges: torch.Tensor, graph: torch.Tensor) -> torch.Tensor:
        """Features [B, 2, T, J, H] and edges [B, 2, J, J, K] to features [B, 2, T, J, H]."""
        message = F.relu(self.message(node)).unflatten(-1, (self.types - 1, -1))  # [B, 2, T, J, K - 1, H]
        # m_j = sum over i, k of z_ijk relu(W_k h_i) / sqrt(J), as one product of receivers x (senders and types)
        weights = edges[..., 1:].permute(0, 1, 3, 2, 4).flatten(3)[:, :, None]
        weights = weights / edges.shape[2] ** 0.5
        received = (weights @ message.flatten(3, 4)).flip(1)  # [B, 2, T, J, H]; what a sent arrives at b
        # h_j = dropout(relu(norm(W [h_j, m_j])))
        pair = torch.cat([node, received], -1).flatten(0, 3)  # [B 2 T J, 2 H]
        node = self.dropout(F.relu(self.norm(self.update(pair)))).view_as(node)  # [B, 2, T, J, H]
        # h_j = h_j + relu(GCN(h)_j)
        return node + F.relu(self.node_gcn(node.flatten(0, 2), graph)).view_as(node)


class Decoder(nn.Module):
    """GCN-LSTM cells over the frames, messages along the sampled edges, how far each joint goes next. Chapter: 9."""

    def __init__(self, features: int, hidden: int, types: int, dropout: float):
        super().__init__()
        self.cell = GCNLSTM(features, hidden)
        self.messages = MessagePassing(hidden, types, dropout)
        self.output = nn.Linear(hidden, 3)
        nn.init.zeros_(self.output.weight)  # begin by standing still
        nn.init.zeros_(self.output.bias)

    def forward(self, x: torch.Tensor, edges: torch.Tensor, graph: torch.Tensor,
                state: State = ()) -> tuple[torch.Tensor, State]:
        """Features [B, T, 2, J, F] and edges [B, 2, J, J, K] to displacements [B, T, 2, J, 3] and the cells' state."""
        node, state = self.cell(x.transpose(1, 2).flatten(0, 1), graph, state)  # [B, 2, T, J, F] -> [2 B, T, J, H]
        node = self.messages(node.unflatten(0, (-1, 2)), edges, graph)  # [B, 2, T, J, H]
        return self.output(node).transpose(1, 2), state  # [B, T, 2, J, 3]


class DanceNRI(System):
    """A variational autoencoder whose latent variables are the edges between two dancers' joints.

    Shapes: windows [B, T, 2, J, 3]. Units: metres, world coordinates. Errors: ValueError for a prior that cannot be,
    TypeError for an unknown setting. Chapter: 9.
    """

    Config = Config
    prior: torch.Tensor
    graph: torch.Tensor
    step_size: torch.Tensor

    def __init__(self, skeleton: Skeleton, config: Any = None, **changes: Any):
        super().__init__(skeleton, config, **changes)
        s = self.config
        self.register_buffer("prior", prior_of(s.prior, s.types))
        self.register_buffer("graph", bone_graph(skeleton), persistent=False)
        self.register_buffer("step_size", torch.tensor(0.01))  # root mean square displacement of a joint, metres
        self.encoder = Encoder(6 * s.frames, s.hidden, s.types, s.dropout)
        self.decoder = Decoder(6, s.hidden, s.types, s.dropout)

    @torch.no_grad()
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Before training, measure how far joints go from frame to frame. Chapter: 9."""
        self.step_size.copy_(torch.stack([x.diff(dim=1).pow(2).mean() for x in batches]).mean().sqrt())

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Positions beside velocities, 0 in the first ``gap`` frames. Shapes: [B, T, 2, J, 3] -> [B, T, 2, J, 6]."""
        gap = self.config.gap
        velocity = (x[:, gap:] - x[:, :-gap]) * (self.config.fps / gap)
        return torch.cat([x, F.pad(velocity, (0, 0, 0, 0, 0, 0, min(gap, x.shape[1]), 0))], -1)

    def encode(self, x: torch.Tensor, graph: torch.Tensor) -> torch.Tensor:
        """Positions [B, T, 2, J, 3] in the duet's frame to logits [B, 2, J, J, K]."""
        features = self.features(x).permute(0, 2, 3, 1, 4).flatten(3)  # [B, 2, J, T, 6] -> [B, 2, J, 6 T]
        # q(z | x) = softmax(log p + encoder(x)): an encoder that knows nothing gives the prior
        logits = self.encoder(features, graph) + self.prior.log()  # [B, 2, J, J, K]
        return logits if self.config.directed else (logits + logits.flip(1).transpose(2, 3)) / 2

    def sample(self, logits: torch.Tensor) -> torch.Tensor:
        """Edges [B, 2, J, J, K] drawn from the posterior in training (Gumbel-softmax), else the most probable."""
        if self.training:
            edges = F.gumbel_softmax(logits, self.config.tau, self.config.hard)
        else:
            edges = F.one_hot(logits.argmax(-1), self.config.types).to(logits)
        return edges if self.config.directed else torch.stack([edges[:, 0], edges[:, 0].transpose(1, 2)], 1)

    def rollout(self, x: torch.Tensor, edges: torch.Tensor, graph: torch.Tensor, further: int) -> torch.Tensor:
        """The frame after each of [B, T, 2, J, 3], and ``further`` ones from predictions: [B, T + further, 2, J, 3]."""
        displacement, state = self.decoder(self.features(x), edges, graph)  # [B, T, 2, J, 3]
        predicted = x + self.step_size * displacement
        for _ in range(further):
            x = torch.cat([x, predicted[:, -1:]], 1)
            displacement, state = self.decoder(self.features(x)[:, -1:], edges, graph, state)  # [B, 1, 2, J, 3]
            predicted = torch.cat([predicted, x[:, -1:] + self.step_size * displacement], 1)
        return predicted

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Windows [B, T, 2, J, 3] to predictions of frames 1 to T - 1 in the world, and logits [B, 2, J, J, K]."""
        frame = self.reference(batch)
        predicted, logits = self._reconstruct(frame.to_local(batch), self.graph)
        return frame.to_world(predicted), logits

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """The negative evidence lower bound, in nats an edge; ``step`` None: with the final KL weight.

        In training, of ``joints`` of each dancer, drawn without replacement. Chapter: 9.
        """
        batch = batch[:, : self.config.frames]
        x, graph = self.reference(batch).to_local(batch), self.graph
        if self.training and self.config.joints is not None:
            chosen = torch.randperm(x.shape[3], device=x.device)[: self.config.joints]
            x, graph = x[:, :, :, chosen], graph[chosen][:, chosen]
        predicted, logits = self._reconstruct(x, graph)
        # -log p(x | z) = sum over j, t of |x_jt - mu_jt|^2 / (2 variance), without its constant
        nll = (predicted - x[:, 1:]).pow(2).sum() / (2 * self.config.variance) / logits[..., 0].numel()
        # KL(q || p) = sum over k of q_ijk log(q_ijk / p_k); two directions of an undirected edge are one
        kl = kl_per_edge(logits, self.prior).mean() / (1 if self.config.directed else 2)
        weight = self.config.kl.at(step)
        return {"loss": nll + weight * kl, "nll_nats": nll, "kl_nats_per_edge": kl}

    def _reconstruct(self, x: torch.Tensor, graph: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.encode(x, graph)
        given = max(x.shape[1] - self.config.prediction_steps, 1)
        return self.rollout(x[:, :given], self.sample(logits), graph, x.shape[1] - 1 - given), logits

    @torch.no_grad()
    def posterior(self, batch: torch.Tensor) -> torch.Tensor:
        """Probabilities of all edges' types. Shapes: [B, T, 2, J, 3] -> [B, 2, J, J, K]. Chapter: 9."""
        return self.encode(self.reference(batch).to_local(batch), self.graph).softmax(-1)

    @torch.no_grad()
    def predict(self, batch: torch.Tensor, steps: int, edges: torch.Tensor | None = None) -> torch.Tensor:
        """What follows windows [B, T, 2, J, 3], each frame from the one before: [B, steps, 2, J, 3]. Chapter: 9."""
        frame = self.reference(batch)
        x = frame.to_local(batch)
        edges = self.sample(self.encode(x, self.graph)) if edges is None else edges
        return frame.to_world(self.rollout(x, edges, self.graph, steps - 1)[:, -steps:])

    def reference(self, batch: torch.Tensor) -> ReferenceFrame:
        """The duet's frame of reference at the first frame, so that nothing of the future is in it."""
        return reference_frame(batch, 0, self.skeleton)
