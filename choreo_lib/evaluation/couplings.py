"""How edges between dancers are evaluated: by ground truth, by pseudo-pairs, by predictions. Taught in chapter 9."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..body.motion import Duet, dancer_index
from ..extensions import CouplingNRI
from ..sets import synthetic
from ..sets.windows import Windows, takes_of
from ..systems.layers import eval_mode
from .baselines import cross_correlation_coupling, granger_coupling, partner_swap, ridge_coupling
from .metrics import auc, average_precision, coupling

HORIZONS = (1, 10)  # frames
CONFIDENT = 0.8
"""An edge is drawn from this probability on, as the variant's author draws it."""
SECONDS = 7.0
"""Length of the pieces by which true partners are told from pseudo-pairs."""
Rows = dict[str, dict[str, float]]
Finder = Callable[[Duet], tuple[np.ndarray, np.ndarray]]
"""A method as `grade` asks: a duet to scores and lags in frames, [2, J, J] each; sender first, then receiver."""


def planted(duet: Duet) -> tuple[np.ndarray, np.ndarray]:
    """The ground truth of a simulated duet: strength and lag in frames, [2, J, J] each, 0 where nothing was planted.

    Direction 0 is a to b; sender first, then receiver. Errors: ValueError for a duet without ground truth. Chapter: 9.
    """
    truth: Any = duet.coupling
    if truth is None:
        raise ValueError("this duet has no coupling: only simulated ones have a ground truth")
    joints = len(duet.a.skeleton)
    strength, lag = np.zeros((2, joints, joints)), np.zeros((2, joints, joints))
    for drive in truth.drives:
        (dancer, sender), (_, receiver) = drive.source, drive.target
        at = dancer_index(dancer), duet.a.skeleton.index(sender), duet.a.skeleton.index(receiver)
        strength[at], lag[at] = drive.strength, drive.lag
    return strength, lag


def grade(find: Finder, duets: list[Duet]) -> dict[str, float]:
    """How well what a method finds agrees with the ground truth, on average over duets.

    ``edge_auc`` and ``average_precision`` of all pairs; ``direction_accuracy``, how many planted edges score higher
    than the same two joints the other way round; ``lag_accuracy``, how many are found within one frame of the planted
    lag; ``average_precision_2sigma``, twice the standard error. Chapter: 9.
    """
    areas, precisions, directions, lags = [], [], [], []
    for duet in duets:
        (score, found), (strength, lag) = find(duet), planted(duet)
        edges = strength > 0
        areas.append(auc(score, edges))
        precisions.append(average_precision(score, edges))
        directions.append((score > score[::-1].swapaxes(1, 2))[edges].mean())
        lags.append((np.abs(found - lag) <= 1)[edges].mean())
    error = np.std(precisions, ddof=1) / len(duets) ** 0.5 if len(duets) > 1 else np.nan
    return {"edge_auc": float(np.mean(areas)), "average_precision": float(np.mean(precisions)),
            "average_precision_2sigma": float(2 * error), "direction_accuracy": float(np.mean(directions)),
            "lag_accuracy": float(np.mean(lags))}  # fmt: skip


def finder_of(model: CouplingNRI) -> Finder:
    """A model as `grade` asks: scores and lags of a duet's first window. Chapter: 9."""

    def find(duet: Duet) -> tuple[np.ndarray, np.ndarray]:
        step = max(round(duet.fps / model.fps), 1)
        found = model.find(duet[: step * model.frames])
        return found.probability[0].numpy(), step * found.lag[0].numpy()

    return find


def untrained(model: CouplingNRI, train: Windows) -> CouplingNRI:
    """A model of the same settings that has only measured the training windows. Chapter: 9."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fresh = CouplingNRI(model.skeleton, model.config)
    fresh.fit_statistics(train.batches(256))
    return fresh.eval()


def evaluate_couplings(model: CouplingNRI, train: Windows, test: Windows) -> Rows:
    """Edges beside those of every baseline, and forecasts beside those that need none.

    Where drives were planted: `grade` of the first window of each take; ``kl_nats_per_edge``, of posterior and prior,
    and of the planted ones ``kl_nats_planted``; of as many independent duets ``kl_nats_independent`` and
    ``confident_independent``, the share of pairs above 80 %. Rows: "untrained", and chapter 3's baselines, as they are
    there and (", local displacements") on what a joint adds to being carried. Elsewhere: ``swap_auc``, how well true
    partners are told from pseudo-pairs in seven seconds by the KL, and (``swap_auc_prediction``) by what edges gain
    (`CouplingNRI.gain`); baselines: cross-correlation of speeds, and of innovations.
    Of all: ``error_mm@...``, both dancers predicted from one window on, mean over all joints; and
    ``probability_std`` of an edge from window to window, mean over pairs. Chapter: 9.
    """
    models = {"model": model} | ({"untrained": untrained(model, train)} if model.config.correlation else {})
    takes = takes_of(test)
    known = takes[0].coupling is not None and takes[0].coupling.drives
    with eval_mode(model):
        rows = _against_truth(models, takes) if known else _against_pseudo_pairs(models, train, takes)
    batch = test[:: max(len(test) // 100, 1)]
    past, ahead = batch[:, : model.frames], batch[:, model.frames : model.frames + max(HORIZONS)]
    last, step = past[:, -1:], past[:, -1:] - past[:, -2:-1]
    count = torch.arange(1, max(HORIZONS) + 1).view(-1, 1, 1, 1)
    predicted = torch.cat([model.predict(part, max(HORIZONS)) for part in past.split(32)])
    forecasts = {"model": predicted, "repeat": last.expand_as(ahead), "constant velocity": last + count * step}
    for row, forecast in forecasts.items():
        error = 1000 * (forecast - ahead).norm(dim=-1).mean((0, 2, 3))
        errors = {f"error_mm@{1000 * k / model.fps:.0f}ms": float(error[k - 1]) for k in HORIZONS}
        rows[row] = rows.get(row, {}) | errors
    return rows


def _against_truth(models: dict[str, CouplingNRI], takes: list[Duet]) -> Rows:
    rows, model = {row: grade(finder_of(each), takes) for row, each in models.items()}, models["model"]
    seconds = max(model.lags, default=15) / model.fps
    for row, baseline, options in (("cross-correlation", cross_correlation_coupling, {}),
                                   ("cross-correlation of innovations", cross_correlation_coupling, {"whiten": 5}),
                                   ("Granger", granger_coupling, {}), ("ridge", ridge_coupling, {})):  # fmt: skip
        for suffix, local in (("", False), (", local displacements", True)):
            rows[row + suffix] = grade(
                lambda duet: baseline(duet[: model.frames], seconds, local=local, **options), takes)  # noqa: B023
    found = [model.find(duet[: model.frames]) for duet in takes]
    kl = torch.stack([each.kl[0] for each in found])
    edges = torch.from_numpy(np.stack([planted(duet)[0] > 0 for duet in takes]))
    alone = [model.find(synthetic.duet("independent", model.frames, seed=900_000 + k)) for k in range(len(takes))]
    rows["model"] |= {
        "kl_nats_per_edge": float(kl.mean()), "kl_nats_planted": float(kl[edges].mean()),
        "kl_nats_independent": float(torch.stack([each.kl for each in alone]).mean()),
        "confident_independent": float(torch.stack([each.probability > CONFIDENT for each in alone]).float().mean()),
        "probability_std": float(torch.stack([each.probability[0] for each in found]).std(0).mean())}
    return rows


def innovation_correlation(duet: Duet, step: int = 3) -> float:
    """The mean over joints of how well innovations correlate with those of the best sender, of every step-th frame.

    The strongest classical measure of a pair that we found. Chapter: 9.
    """
    return float(cross_correlation_coupling(duet[::step], 0.5, whiten=3).score.max(1).mean())


def _against_pseudo_pairs(models: dict[str, CouplingNRI], train: Windows, takes: list[Duet]) -> Rows:
    others = takes_of(train)

    def swap(measure: Callable[[Duet], float]) -> float:
        """How well a measure tells true partners from pseudo-pairs."""
        return partner_swap(takes, lambda a, b: measure(Duet(a, b)), others=others, seconds=SECONDS, hop=1.0).auc

    rows = {row: {"swap_auc": swap(lambda duet: float(each.find(duet, hop=8).kl.mean())),  # noqa: B023
                  "swap_auc_prediction": swap(lambda duet: float(each.gain(duet, hop=8).mean()))}  # noqa: B023
            for row, each in models.items()}
    rows["cross-correlation"] = {"swap_auc": swap(lambda duet: float(coupling(duet).peak.mean()))}
    rows["cross-correlation of innovations"] = {
        "swap_auc": swap(lambda duet: innovation_correlation(duet, train.step))}
    model = models["model"]
    found = [model.find(take, hop=model.frames // 2) for take in takes]
    rows["model"] |= {"kl_nats_per_edge": float(torch.cat([each.kl for each in found]).mean()),
                      "probability_std": float(torch.cat([each.probability for each in found]).std(0).mean())}
    return rows
