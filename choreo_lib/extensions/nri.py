"""Who moves whom? Neural relational inference: an encoder that guesses the strings, a decoder that dances by them.

Taught in chapter 8, "Invisible springs". After Kipf, Fetaya, Wang, Welling and Zemel, "Neural relational inference for
interacting systems", ICML 2018; what differs is said where it does, and why in the chapter.
"""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from ..core.arguments import count, takes
from ..core.precision import in_full_precision
from ..core.shapes import tensor
from ..sets.particles import Particles
from ..systems.layers import eval_mode
from .nri_decoders import DECODERS


class Encoder(nn.Module):
    """Which type has each pair? Edges look at every frame, ask their bodies, and make up their mind over the clip.

    Every ordered pair is seen from its own line (distance, velocities and accelerations along it and across it), so a
    world that is turned or moved has the same springs. The published encoder reads the coordinates of the whole clip
    at once; one network for all frames needs a tenth of the training. The same weights serve any number of bodies.
    Shapes: states [N, T, B, 4] -> logits [N, B, B, K], symmetric; the diagonal means nothing. Equations 5 to 8.
    """

    FEATURES = 9

    def __init__(self, types: int, hidden: int):
        super().__init__()
        self.register_buffer("scale", torch.ones(self.FEATURES))
        self.look = nn.Sequential(nn.Linear(self.FEATURES, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.told, self.own, self.other = (nn.Linear(hidden, hidden, bias=k == 0) for k in range(3))
        self.think = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.heed = nn.Linear(hidden, 1)
        self.sum_up = nn.Linear(2 * hidden, hidden)
        self.own_clip, self.other_clip = (nn.Linear(hidden, hidden, bias=False) for _ in range(2))
        self.decide = nn.Sequential(nn.ELU(), nn.Linear(hidden, hidden), nn.ELU(), nn.Linear(hidden, types))
        # both types are used from the first step on: else "all are tied" wins early, for a mean string beats none
        self.level = nn.BatchNorm1d(types, affine=False)
        self.firmness = nn.Parameter(torch.ones(()))

    def features(self, states: torch.Tensor) -> torch.Tensor:
        """What a pair sees of itself in a frame, [N, T - 1, B, B, 9]; first index the one who looks.

        Distance in three forms; how it changes, and how both speed up, along their line and across it.
        """
        place, pace = states[:, :-1].chunk(2, -1)
        change = states[:, 1:, :, 2:] - pace  # [N, T - 1, B, 2]
        apart = place[:, :, None] - place[:, :, :, None]  # [N, T - 1, B, B, 2], from the one who looks to the other
        far = apart.norm(dim=-1, keepdim=True).clamp_min(0.05)
        along = apart / far
        across = torch.stack([-along[..., 1], along[..., 0]], -1)
        gone = pace[:, :, None] - pace[:, :, :, None]
        seen = [far, 1 / far, 1 / far**2]
        for what in (gone, change[:, :, :, None].expand_as(gone), change[:, :, None].expand_as(gone)):
            seen += [(what * along).sum(-1, keepdim=True), (what * across).sum(-1, keepdim=True)]
        return torch.cat(seen, -1)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """States [N, T, B, 4] to logits [N, B, B, K], symmetric."""
        others = 1 - torch.eye(states.shape[2], device=states.device)[:, :, None]  # nobody is tied to herself
        edge = self.look(_squeeze(self.features(states) / self.scale))  # [N, T - 1, B, B, H]
        body = (edge * others).mean(3)  # edges to bodies
        edge = edge + self.think(self.told(edge) + self.own(body)[:, :, :, None] + self.other(body)[:, :, None])
        share = self.heed(edge).softmax(1)  # which frames tell most: when two are near, say
        clip = self.sum_up(torch.cat([edge.mean(1), (share * edge).sum(1)], -1))  # [N, B, B, H]
        body = (clip * others).mean(2)
        logits = self.decide(clip + self.own_clip(body)[:, :, None] + self.other_clip(body)[:, None])
        logits = (logits + logits.transpose(1, 2)) / 2  # these strings have no direction
        one, other = _pairs(logits[..., 0])
        tied = torch.zeros_like(logits)
        level = self.level(logits[:, one, other].flatten(0, 1)).view(len(logits), len(one), -1)
        tied[:, one, other] = (self.firmness * level).to(tied)
        return tied + tied.transpose(1, 2)


class Guess(NamedTuple):
    """What a model makes of simulations: ``edges`` int64 [N, B, B]; and ``probability`` [N, B, B, K], always the
    encoder's, refined or not. Its diagonal means nothing."""

    edges: torch.Tensor
    probability: torch.Tensor


class NRI(nn.Module):
    """An encoder and a decoder that meet in the edges, and only there.

    ``types``: of edges; with ``no_edge`` the first carries nothing. ``decoder``: "mlp", "recurrent", or "law", which
    knows that forces are central and accumulate, and learns which force. ``tau``: temperature of the Gumbel-softmax;
    ``hard``: samples are one-hot, their gradient that of the soft ones (straight-through). ``steps``: how far the
    decoder runs before it is told the truth again; for the first ``first`` steps of training, one. ``prior``: the
    probability of each type (None: even). ``supervised``: the encoder is told the truth, and the decoder is given it.
    ``frames``: how much of a simulation is read; ``interval``: box time from frame to frame.
    Shapes: states [N, T, B, 4], position and velocity, box units. Chapter: 8. Kipf et al., ICML 2018; Jang, Gu and
    Poole, "Categorical reparameterization with Gumbel-softmax", ICLR 2017.
    """

    def __init__(self, types=2, no_edge=True, decoder="mlp", hidden=32, wide=64, tau=0.5, hard=False, steps=10,
                 first=100, prior=None, supervised=False, frames=49, interval=0.1):
        super().__init__()
        if decoder not in DECODERS:
            raise ValueError(f"decoder is {decoder!r}; choose from {', '.join(DECODERS)}")
        prior = [1 / types] * types if prior is None else list(prior)
        if len(prior) != types or min(prior) <= 0 or abs(sum(prior) - 1) > 1e-6:
            raise ValueError(f"prior is {prior}: {types} probabilities above 0 whose sum is 1 are needed")
        if types - no_edge < 1:
            raise ValueError(f"{types} types, {int(no_edge)} without an edge: one at least has to carry something")
        self._config = {"types": types, "no_edge": no_edge, "decoder": decoder, "hidden": hidden, "wide": wide,
                        "tau": tau, "hard": hard, "steps": steps, "first": first, "prior": prior,
                        "supervised": supervised, "frames": frames, "interval": interval}  # fmt: skip
        self.types, self.tau, self.hard, self.steps, self.first = types, tau, hard, steps, first
        self.supervised, self.frames = supervised, frames
        self.encoder = Encoder(types, hidden)
        self.decoder = DECODERS[decoder](types, no_edge, wide, interval)
        self.register_buffer("prior", torch.tensor(prior))

    def config(self) -> dict:
        """What `from_config` needs to build the same model, without its weights; JSON takes it."""
        return self._config

    @classmethod
    def from_config(cls, config: dict) -> NRI:
        """The inverse of `config`."""
        return cls(**config)

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, worlds: Particles) -> None:
        """Before training, measure how large what the encoder sees is, and how much a state changes in a frame."""
        states = worlds.states[:, : self.frames]
        seen = self.encoder.features(states)[:, :, *_pairs(worlds.edges)]  # [N, T - 1, P, F]
        self.encoder.scale.copy_(seen.flatten(0, 2).std(0).clamp_min(1e-6))
        self.decoder.fit_statistics(states)

    def encode(self, states: torch.Tensor) -> torch.Tensor:
        """States [N, T, B, 4] to logits [N, B, B, K], symmetric; of longer ones the first ``frames`` are read.

        Errors: ValueError for fewer than two frames, in which nobody speeds up.
        """
        if states.shape[1] < 2:
            raise ValueError(f"{states.shape[1]} frames: two at least are needed to see who speeds up")
        return self.encoder(states[:, : self.frames]).to(states)

    def sample(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits to edges [N, B, B, K], drawn while training, the likeliest at rest; the same both ways."""
        if self.training:
            drawn = F.gumbel_softmax(logits, self.tau, self.hard)
        else:
            drawn = F.one_hot(logits.argmax(-1), self.types).to(logits)
        upper = torch.ones_like(drawn[0, ..., 0]).triu(1)[:, :, None]
        drawn = drawn * upper
        return drawn + drawn.transpose(1, 2)

    def loss(self, worlds: Particles, step: int | None) -> dict[str, torch.Tensor]:
        """What training makes small, in nats a pair: how surprised the decoder is, and what the edges cost.

        ``step`` None: as far ahead as at the end of training. At rest (``model.eval()``) edges are the likeliest.
        """
        states, (one, other) = worlds.states[:, : self.frames], _pairs(worlds.edges)
        logits = self.encode(states)
        posterior = logits[:, one, other].log_softmax(-1)  # [N, P, K]
        truth = worlds.edges[:, one, other]
        if self.supervised:
            edges, kl = self._one_hot(worlds.edges), logits.new_zeros(())
            told = F.nll_loss(posterior.flatten(0, 1), truth.flatten())
        else:
            edges, told = self.sample(logits), 0.0
            kl = (posterior.exp() * (posterior - self.prior.log())).sum(-1).mean()
        steps = self.steps if step is None or step >= self.first else 1
        surprise = self.decoder.surprise(states, edges, steps).mean() / len(one)
        kinds, names = posterior.argmax(-1), [tuple(range(self.types))]
        names = names if self.supervised else list(permutations(*names))  # whoever was told no names is free in them
        right = torch.stack([(truth.new_tensor(each)[kinds] == truth).float().mean() for each in names]).max()
        return {"loss": surprise + kl + told, "surprise_nats": surprise, "kl_nats_per_edge": kl,
                "edge_accuracy": right}

    @takes(states=tensor("simulations", "frames", "bodies", 4, finite=True), refine=count(0, 10_000), size=count())
    def infer(self, states: torch.Tensor, refine: int = 0, size: int = 100) -> Guess:
        """The edges of simulations [N, T, B, 4]: the encoder's, refined by the decoder's likelihood in so many steps.

        ``size`` simulations at a time. Errors: ValueError for refining by a decoder that remembers. Chapter: 8. Kim,
        Wiseman, Miller, Sontag and Rush, "Semi-amortized variational autoencoders", ICML 2018.
        """
        edges, chances, states = [], [], states.to(self.prior.device)
        with eval_mode(self):
            for part in states[:, : self.frames].split(size):
                with torch.no_grad():
                    logits = self.encode(part)
                kinds = self.decoder.refined(part, logits, refine) if refine else logits.argmax(-1).triu(1)
                edges.append(kinds if refine else kinds + kinds.mT)
                chances.append(logits.softmax(-1))
        return Guess(torch.cat(edges), torch.cat(chances))

    def _one_hot(self, edges: torch.Tensor) -> torch.Tensor:
        """Types [N, B, B] as weights [N, B, B, K], none on the diagonal."""
        others = 1 - torch.eye(edges.shape[-1], device=edges.device)
        return F.one_hot(edges, self.types) * others[:, :, None]

    @torch.no_grad()
    @takes(states=tensor("simulations", "frames", "bodies", 4, finite=True),
           edges=tensor("simulations", "bodies", "bodies"), steps=count(1, 100_000))
    def predict(self, states: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        """What comes after states [N, T, B, 4] with edges [N, B, B] int64: [N, steps, B, 4], one from the other."""
        with eval_mode(self):
            states, edges = states.to(self.prior.device), edges.to(self.prior.device)
            return self.decoder.run(states, self._one_hot(edges), steps)


def _squeeze(x: torch.Tensor) -> torch.Tensor:
    """Large values on a logarithmic scale: two charges that nearly meet are a thousand times as strong as two apart."""
    return x.sign() * x.abs().log1p()


def _pairs(edges: torch.Tensor) -> torch.Tensor:
    return torch.triu_indices(edges.shape[-1], edges.shape[-1], 1, device=edges.device)
