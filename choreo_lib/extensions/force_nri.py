"""What this book adds to neural relational inference of particles: relative features, a law of forces, refinement.

Taught in chapter 8, "Invisible springs". The published system is `choreo_lib.systems.nri`.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from ..core.arguments import count, takes
from ..core.precision import in_full_precision
from ..core.shapes import tensor
from ..sets.particles import Particles
from ..systems import nri
from ..systems.edges import dense_edges, kl_per_edge
from ..systems.layers import eval_mode
from .edge_refinement import refine_edges
from .force_decoders import DECODERS


@dataclass(frozen=True)
class Config:
    """Settings of `ForceNRI`; those of `choreo_lib.systems.nri.Config` mean the same. Chapter: 8.

    Worth, in edges found, with and without. ``relative``: by the encoder alone 92 %, 75 (one epoch of 10,000 springs).
    ``decoder`` "law": 94, 55 (quick); in full both find all, and the law's squared error 20 frames on is a hundredth.
    ``refine``: springs of 5 and 10 bodies 100.0 %, 99.1 and 100.0, 88.1; charges 99.7, 96.7 and 98.2, 88.4 (full).
    ``one_step``: 94.0 %, 93.7 ("mlp" after one epoch, where 1.1 points are chance): nothing that could be seen.
    """

    types: int = 2
    no_edge: bool = True
    decoder: str = "mlp"  # "law": forces are central and accumulate, and a type's law is learned; or "recurrent"
    relative: bool = True  # the encoder sees each pair from its own line; False: the published encoder
    hidden: int = 32
    decoder_hidden: int = 64
    tau: float = 0.5
    hard: bool = False
    prediction_steps: int = 10
    one_step: int = 100  # training steps for which the decoder predicts one frame only
    prior: tuple[float, ...] | None = None
    supervised: bool = False  # the encoder learns the true edges, and the decoder is given them
    refine: int = 100  # iterations of refinement by the decoder's likelihood, where the model is evaluated
    frames: int = 49
    interval: float = 0.1  # simulated time from frame to frame


ABLATIONS: dict[str, dict[str, object]] = {
    "relative features": {"relative": False},
    "law decoder": {"decoder": "mlp", "prediction_steps": 10, "decoder_hidden": 64},
    "refinement": {"refine": 0}}
"""What can be switched off, by name: the settings that do it. Chapter: 8."""


class RelativeEncoder(nn.Module):
    """Which type each pair has, from what it sees along and across its own line, so that a moved world has the same.

    One network serves all frames, which needs a tenth of the training of the published one, and any number of bodies.
    Shapes: [B, T, N, 4] -> logits [B, N, N, K], symmetric, no diagonal. Chapter: 8. Kipf et al., equations 5 to 8.
    """

    FEATURES = 9

    def __init__(self, types: int, hidden: int):
        super().__init__()
        self.feature_scale = nn.Buffer(torch.ones(self.FEATURES))
        self.edge_mlp = nn.Sequential(nn.Linear(self.FEATURES, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.edge_proj, self.self_proj, self.other_proj = (nn.Linear(hidden, hidden, bias=k == 0) for k in range(3))
        self.update = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.attention = nn.Linear(hidden, 1)
        self.pool = nn.Linear(2 * hidden, hidden)
        self.self_clip_proj, self.other_clip_proj = (nn.Linear(hidden, hidden, bias=False) for _ in range(2))
        self.classifier = nn.Sequential(nn.ELU(), nn.Linear(hidden, hidden), nn.ELU(), nn.Linear(hidden, types))
        # all types are used from the first step on: else "all are tied" wins early, for a mean spring beats none
        self.norm = nn.BatchNorm1d(types, affine=False)
        self.logit_scale = nn.Parameter(torch.ones(()))

    def features(self, states: torch.Tensor) -> torch.Tensor:
        """What a pair sees in each frame: [B, T, N, 4] -> [B, T - 1, N, N, 9], the one that looks first.

        Distance in three forms; relative velocity and both accelerations, along their line and across it. Chapter: 8.
        """
        position, velocity = states[:, :-1].chunk(2, -1)
        change = states[:, 1:, :, 2:] - velocity  # [B, T - 1, N, 2]
        offset = position[:, :, None] - position[:, :, :, None]  # [B, T - 1, N, N, 2], from the one that looks
        distance = offset.norm(dim=-1, keepdim=True).clamp_min(0.05)
        along = offset / distance
        across = torch.stack([-along[..., 1], along[..., 0]], -1)
        relative = velocity[:, :, None] - velocity[:, :, :, None]
        features = [distance, 1 / distance, 1 / distance**2]
        for vector in (relative, change[:, :, :, None].expand_as(relative), change[:, :, None].expand_as(relative)):
            features += [(vector * along).sum(-1, keepdim=True), (vector * across).sum(-1, keepdim=True)]
        return torch.cat(features, -1)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """States [B, T, N, 4] to logits [B, N, N, K], symmetric. Chapter: 8."""
        others = 1 - torch.eye(states.shape[2], device=states.device)[:, :, None]
        features = self.features(states) / self.feature_scale  # [B, T - 1, N, N, 9]
        features = features.sign() * features.abs().log1p()  # two charges that nearly meet are felt a thousandfold
        edge = self.edge_mlp(features)  # [B, T - 1, N, N, H]
        node = (edge * others).mean(3)  # edge to node, [B, T - 1, N, H]
        pair = self.edge_proj(edge) + self.self_proj(node)[:, :, :, None] + self.other_proj(node)[:, :, None]
        edge = edge + self.update(pair)  # node to edge, [B, T - 1, N, N, H]
        weights = self.attention(edge).softmax(1)  # over frames: those in which two are near tell most
        clip = self.pool(torch.cat([edge.mean(1), (weights * edge).sum(1)], -1))  # [B, N, N, H]
        node = (clip * others).mean(2)  # [B, N, H]
        logits = self.classifier(clip + self.self_clip_proj(node)[:, :, None] + self.other_clip_proj(node)[:, None])
        return self._normalised((logits + logits.transpose(1, 2)) / 2)  # these edges have no direction

    def _normalised(self, logits: torch.Tensor) -> torch.Tensor:
        one, other = _pairs(logits[..., 0])
        norm = self.norm(logits[:, one, other].flatten(0, 1)).view(len(logits), len(one), -1)  # [B, P, K]
        upper = torch.zeros_like(logits)
        upper[:, one, other] = (self.logit_scale * norm).to(upper)
        return upper + upper.transpose(1, 2)


class InferredEdges(NamedTuple):
    """``edges`` int64 [B, N, N]; ``probability`` [B, N, N, K], the encoder's; diagonals mean nothing. Chapter: 8."""

    edges: torch.Tensor
    probability: torch.Tensor


class ForceNRI(nri.NRI):
    """Neural relational inference with an encoder of relative features, and edges refined by the decoder.

    Edges have no direction here: [B, N, N, K]. What is added, and can be switched off, is in `ABLATIONS`.
    Errors: ValueError for a decoder or prior that cannot be, TypeError for an unknown setting. Chapter: 8.
    """

    Config: ClassVar[type] = Config
    DECODERS: ClassVar[dict[str, Any]] = DECODERS

    def build(self, config: Any) -> None:
        """Make the encoder and the decoder. Chapter: 8."""
        s = config
        published = nri.Config(types=s.types, hidden=s.hidden, frames=s.frames)
        self.encoder: Any = RelativeEncoder(s.types, s.hidden) if s.relative else nri.Encoder(published)
        self.decoder = DECODERS[s.decoder](s.types, s.no_edge, s.decoder_hidden, s.interval)

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, simulations: Particles) -> None:
        """Before training, measure the encoder's features, and how much a state changes in a frame. Chapter: 8."""
        states = simulations.states[:, : self.config.frames]
        self.decoder.fit_statistics(states)
        if self.config.relative:
            features = self.encoder.features(states)[:, :, *_pairs(simulations.edges)]  # [B, T - 1, P, F]
            self.encoder.feature_scale.copy_(features.flatten(0, 2).std(0).clamp_min(1e-6))

    def encode(self, states: torch.Tensor) -> torch.Tensor:
        """States [B, T, N, 4] to logits [B, N, N, K], symmetric; of longer ones the first ``frames`` are read.

        Errors: ValueError for fewer than two frames, in which nobody accelerates. Chapter: 8.
        """
        if states.shape[1] < 2:
            raise ValueError(f"{states.shape[1]} frames: two at least are needed to see who accelerates")
        states = states[:, : self.config.frames]
        if self.config.relative:
            return self.encoder(states).to(states)
        logits = self.encoder(states / self.decoder.state_scale).unbind(-1)  # K of [B, E]
        dense = torch.stack([dense_edges(each, states.shape[2]) for each in logits], -1)
        return (dense + dense.transpose(1, 2)) / 2

    def sample(self, logits: torch.Tensor) -> torch.Tensor:
        """Edges [B, N, N, K], symmetric: drawn in training, otherwise the most probable. Chapter: 8."""
        edges = super().sample(logits) * torch.ones_like(logits[0, ..., 0]).triu(1)[:, :, None]
        return edges + edges.transpose(1, 2)

    def forward(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States [B, T, N, 4] to the next frame, [B, 1, N, 4], and logits [B, N, N, K]. Chapter: 8."""
        logits = self.encode(states)
        return self.decoder.predict(states, self.sample(logits), 1), logits

    def loss(self, batch: Particles, step: int | None) -> dict[str, torch.Tensor]:
        """The negative evidence lower bound, in nats a pair, with the share of edges that are right.

        ``step`` None: the decoder predicts as far as at the end of training. Chapter: 8.
        """
        s, states, (one, other) = self.config, batch.states[:, : self.config.frames], _pairs(batch.edges)
        logits = self.encode(states)
        truth = batch.edges[:, one, other]  # [B, P]
        if s.supervised:
            edges, kl = self._one_hot(batch.edges), logits.new_zeros(())
            classification = F.cross_entropy(logits[:, one, other].flatten(0, 1), truth.flatten())
        else:
            edges, kl = self.sample(logits), kl_per_edge(logits[:, one, other], self.prior).mean()
            classification = logits.new_zeros(())
        steps = s.prediction_steps if step is None or step >= s.one_step else 1
        nll = self.decoder.nll(states, edges, steps).mean() / len(one)
        found, names = logits[:, one, other].argmax(-1), list(range(s.types))
        orders = [names] if s.supervised else permutations(names)  # without labels, names of types are free
        right = torch.stack([(truth.new_tensor(each)[found] == truth).float().mean() for each in orders]).max()
        return {"loss": nll + kl + classification, "nll_nats": nll, "kl_nats_per_edge": kl, "edge_accuracy": right}

    @takes(states=tensor("simulations", "frames", "bodies", 4, finite=True), refine=count(0, 10_000), size=count())
    def infer(self, states: torch.Tensor, refine: int = 0, size: int = 100) -> InferredEdges:
        """The edges of simulations [B, T, N, 4]: the encoder's, after so many iterations of `refine_edges`.

        ``size`` simulations at a time. Errors: ValueError for refining by a recurrent decoder. Chapter: 8.
        """
        if refine and not self.decoder.refines:
            raise ValueError("a recurrent decoder gives no cheap answer for one pair at a time; choose refine=0, or a "
                             'model whose decoder is "mlp" or "law"')
        edges, probability, states = [], [], states.to(self.prior.device)
        with eval_mode(self):
            for part in states[:, : self.config.frames].split(size):
                with torch.no_grad():
                    logits = self.encode(part)
                best = logits.argmax(-1).triu(1)
                edges.append(refine_edges(part, logits, self.decoder, refine) if refine else best + best.mT)
                probability.append(logits.softmax(-1))
        return InferredEdges(torch.cat(edges), torch.cat(probability))

    def _one_hot(self, edges: torch.Tensor) -> torch.Tensor:
        """Types [B, N, N] as weights [B, N, N, K], none on the diagonal."""
        others = 1 - torch.eye(edges.shape[-1], device=edges.device)
        return F.one_hot(edges, self.config.types) * others[:, :, None]

    @torch.no_grad()
    @takes(states=tensor("simulations", "frames", "bodies", 4, finite=True),
           edges=tensor("simulations", "bodies", "bodies"), steps=count(1, 100_000))
    def predict(self, states: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        """What follows states [B, T, N, 4] with edges int64 [B, N, N]: [B, steps, N, 4]. Chapter: 8."""
        with eval_mode(self):
            states, edges = states.to(self.prior.device), edges.to(self.prior.device)
            return self.decoder.predict(states, self._one_hot(edges), steps)


def _pairs(edges: torch.Tensor) -> torch.Tensor:
    """Both bodies of every unordered pair, [2, P]."""
    return torch.triu_indices(edges.shape[-1], edges.shape[-1], 1, device=edges.device)
