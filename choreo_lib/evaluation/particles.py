"""How neural relational inference is judged: the edges it finds, and where bodies go by them.

Taught in chapter 8, "Invisible springs".
"""

from __future__ import annotations

import torch

from ..extensions import NRI
from ..sets.particles import Particles, simulate
from .baselines import correlation_edges, force_edges
from .metrics import edge_accuracy

AHEAD = (1, 10, 20)
REFINE = 100
FEW = 200  # simulations suffice to say how far a forecast is off, and how much algebra finds


@torch.no_grad()
def evaluate_particles(model: NRI, train: Particles, asked: Particles) -> dict[str, dict[str, float]]:
    """Edges of simulations that were not trained on, and what is foretold after the frames that were read.

    ``edge_accuracy`` with ``edge_accuracy_2sigma``: the share of pairs found, one renaming of types allowed;
    ``kl_nats_per_edge`` of the encoder's posterior and the prior; ``mse@1step``, ``mse@10steps``, ``mse@20steps``:
    mean squared error of positions and velocities, each scaled by the largest of a thousand simulations, over the
    first 200; so many are given to the algebra, too.
    Rows: "model" is encoder and decoder together (the encoder's guess, refined by the decoder's likelihood; of
    supervised and "recurrent" ones, not refined); "encoder alone"; "true graph" has the model's decoder and the
    truth; "nothing changes" and "straight on" need no graph; "correlation of paths" and "forces by algebra" no network.
    Errors: ValueError for simulations that end where reading ends. Chapter: 8.
    """
    if asked.positions.shape[1] <= model.frames:
        raise ValueError(f"simulations of {asked.positions.shape[1]} frames: more than the {model.frames} that are "
                         "read are needed, to have something to foretell")
    model.eval()
    past, ahead = asked.states[:, : model.frames], asked.states[:FEW, model.frames :]
    usual = simulate(asked.kind, 1000, asked.edges.shape[-1], seed=0).states  # for all models of a world the same
    scale = usual.abs().amax((0, 1, 2)).view(2, 2).amax(1).repeat_interleave(2)
    steps = [k for k in AHEAD if k <= ahead.shape[1]]

    def off(states: torch.Tensor) -> dict[str, float]:
        error = (((states - ahead) / scale) ** 2).mean((0, 2, 3))  # [steps]
        return {f"mse@{k}step{'s' * (k > 1)}": float(error[k - 1]) for k in steps}

    def foretold(edges: torch.Tensor) -> dict[str, float]:
        return off(model.predict(past[:FEW], edges[:FEW], ahead.shape[1]))

    def found(edges: torch.Tensor) -> dict[str, float]:
        score = edge_accuracy(edges, asked.edges[: len(edges)], model.types)
        return {"edge_accuracy": score.accuracy, "edge_accuracy_2sigma": score.two_sigma}

    alone = model.infer(past)
    refine = 0 if model.supervised or model.config()["decoder"] == "recurrent" else REFINE
    best = model.infer(past, refine) if refine else alone
    names = torch.tensor(edge_accuracy(best.edges, asked.edges, model.types).names).argsort()  # from true to found
    still = past[:FEW, -1:].expand_as(ahead)
    time = model.config()["interval"] * torch.arange(1, ahead.shape[1] + 1)[:, None, None]
    straight = torch.cat([still[..., :2] + time * still[..., 2:], still[..., 2:]], -1)
    kl = (alone.probability * (alone.probability.clamp_min(1e-12) / model.prior).log()).sum(-1)
    one, other = torch.triu_indices(*asked.edges.shape[1:], 1)
    return {
        "model": found(best.edges) | foretold(best.edges),
        "encoder alone": found(alone.edges) | foretold(alone.edges)
        | {"kl_nats_per_edge": float(kl[:, one, other].mean())},
        "true graph": foretold(names[asked.edges]),
        "nothing changes": off(still),
        "straight on": off(straight),
        "correlation of paths": found(correlation_edges(past)),
        "forces by algebra": found(force_edges(past[:FEW]).edges),
    }  # fmt: skip
