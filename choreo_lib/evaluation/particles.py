"""How relational inference of particles is evaluated: the edges found, the motion predicted. Taught in chapter 8."""

import torch

from ..extensions import ForceNRI
from ..sets.particles import Particles, simulate
from .baselines import correlation_edges, force_edges
from .metrics import edge_accuracy

HORIZONS = (1, 10, 20)  # steps
FORECASTS = 200  # simulations suffice for the error of a forecast, and for the forces by algebra


def evaluate_particles(model: ForceNRI, train: Particles, test: Particles) -> dict[str, dict[str, float]]:
    """Edges of simulations that were not trained on, and forecasts of what follows the frames that were read.

    ``edge_accuracy`` with ``edge_accuracy_2sigma``: the share of pairs found, one renaming of types allowed;
    ``kl_nats_per_edge`` of the encoder's posterior and the prior; ``mse@1step``, ``mse@10steps``, ``mse@20steps``:
    mean squared error of positions and velocities, each scaled by the largest of a thousand simulations, over the
    first 200; so many are given to the algebra, too.
    Rows: "model" is encoder and decoder together (edges refined by the decoder's likelihood in the ``refine``
    iterations of the model's config); "encoder alone"; "true graph" has the model's decoder and the ground truth;
    "repeat" and "constant velocity" need no graph; "correlation of paths" and "forces by algebra" no network.
    Errors: ValueError for simulations that end where reading ends. Chapter: 8.
    """
    config = model.config
    if test.positions.shape[1] <= config.frames:
        raise ValueError(f"simulations of {test.positions.shape[1]} frames: more than the {config.frames} that are "
                         "read are needed, to have something to predict")
    past, ahead = test.states[:, : config.frames], test.states[:FORECASTS, config.frames :]
    known = simulate(test.kind, 1000, test.edges.shape[-1], seed=0).states  # the same scale for all models of a kind
    scale = known.abs().amax((0, 1, 2)).view(2, 2).amax(1).repeat_interleave(2)
    horizons = [k for k in HORIZONS if k <= ahead.shape[1]]

    def errors(states: torch.Tensor) -> dict[str, float]:
        error = (((states - ahead) / scale) ** 2).mean((0, 2, 3))  # [steps]
        return {f"mse@{k}step{'s' * (k > 1)}": float(error[k - 1]) for k in horizons}

    def forecast(edges: torch.Tensor) -> dict[str, float]:
        return errors(model.predict(past[:FORECASTS], edges[:FORECASTS], ahead.shape[1]))

    def accuracy(edges: torch.Tensor) -> dict[str, float]:
        score = edge_accuracy(edges, test.edges[: len(edges)], config.types)
        return {"edge_accuracy": score.accuracy, "edge_accuracy_2sigma": score.two_sigma}

    refine = config.refine if model.decoder.refines else 0
    alone = model.infer(past)
    best = model.infer(past, refine) if refine else alone
    names = torch.tensor(edge_accuracy(best.edges, test.edges, config.types).names).argsort()  # from true to found
    repeat = past[:FORECASTS, -1:].expand_as(ahead)
    time = config.interval * torch.arange(1, ahead.shape[1] + 1)[:, None, None]
    straight = torch.cat([repeat[..., :2] + time * repeat[..., 2:], repeat[..., 2:]], -1)
    kl = (alone.probability * (alone.probability.clamp_min(1e-12) / model.prior).log()).sum(-1)
    one, other = torch.triu_indices(test.edges.shape[1], test.edges.shape[1], 1)
    return {
        "model": accuracy(best.edges) | forecast(best.edges),
        "encoder alone": accuracy(alone.edges) | forecast(alone.edges)
        | {"kl_nats_per_edge": float(kl[:, one, other].mean())},
        "true graph": forecast(names[test.edges]),
        "repeat": errors(repeat),
        "constant velocity": errors(straight),
        "correlation of paths": accuracy(correlation_edges(past)),
        "forces by algebra": accuracy(force_edges(past[:FORECASTS]).edges)}
