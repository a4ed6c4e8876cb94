"""How the strings between two dancers are judged: by what was planted, by strangers, and by what they foretell.

Taught in chapter 9, "Invisible strings".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..body.motion import Duet
from ..extensions import DanceNRI
from ..sets import synthetic
from ..sets.windows import Windows, takes_of
from .baselines import cross_correlation_coupling, granger_coupling, partner_swap, ridge_coupling
from .metrics import auc, average_precision, coupling

AHEAD = (1, 10)
SURE = 0.8
"""A string is drawn from this probability on, as the variant's author draws it."""
SECONDS = 7.0


def planted(duet: Duet) -> tuple[np.ndarray, np.ndarray]:
    """What was planted from joint to joint: strength and lag in frames, [2, J, J] each, 0 where nothing was.

    Direction 0 is a to b; sender first, then receiver. Chapter: 9.
    """
    strength, lag = np.zeros((2, 2, len(duet.a.skeleton), len(duet.a.skeleton)))
    for drive in duet.coupling.drives:
        (who, sender), (_, receiver) = drive.source, drive.target
        at = "ab".index(who), duet.a.skeleton.index(sender), duet.a.skeleton.index(receiver)
        strength[at], lag[at] = drive.strength, drive.lag
    return strength, lag


def grade(find: Callable, duets: list[Duet]) -> dict[str, float]:
    """How well what a method finds agrees with what was planted, on average over duets.

    ``find(duet)`` gives scores and lags, [2, J, J] each. ``edge_auc`` and ``average_precision`` of all pairs;
    ``direction_accuracy``, how many planted ties score higher than the same two joints the other way round;
    ``lag_accuracy``, how many are found within one frame of the planted lag; ``average_precision_2sigma``, twice the
    standard error. Chapter: 9.
    """
    areas, precisions, ways, lags = [], [], [], []
    for duet in duets:
        (score, late), (strength, lag) = find(duet), planted(duet)
        tied = strength > 0
        areas.append(auc(score, tied))
        precisions.append(average_precision(score, tied))
        ways.append((score > score[::-1].swapaxes(1, 2))[tied].mean())
        lags.append((np.abs(late - lag) <= 1)[tied].mean())
    error = np.std(precisions, ddof=1) / len(duets) ** 0.5 if len(duets) > 1 else np.nan
    return {"edge_auc": float(np.mean(areas)), "average_precision": float(np.mean(precisions)),
            "average_precision_2sigma": float(2 * error), "direction_accuracy": float(np.mean(ways)),
            "lag_accuracy": float(np.mean(lags))}  # fmt: skip


def reading_of(model: DanceNRI) -> Callable:
    """A model as `grade` asks: scores and lags of a duet's first window. Chapter: 9."""

    def find(duet: Duet):
        step = max(round(duet.fps / model.fps), 1)
        found = model.find(duet[: step * model.frames])
        return found.probability[0].numpy(), step * found.lag[0].numpy()

    return find


def untrained(model: DanceNRI, train: Windows) -> DanceNRI:
    """A model of the same settings that has only measured the training windows. Chapter: 9."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fresh = DanceNRI.from_config(model.config())
    fresh.fit_statistics(train.batches(256))
    return fresh.eval()


def evaluate_strings(model: DanceNRI, train: Windows, asked: Windows) -> dict[str, dict[str, float]]:
    """Strings beside those of every rival, and forecasts beside those that need none.

    Where drives were planted: `grade` of the first window of each take; ``kl_nats_per_edge``, of posterior and prior,
    and of the planted ones ``kl_nats_planted``; of as many independent duets ``kl_nats_independent`` and
    ``sure_independent``, the share of pairs above 80 %. Rows: "untrained", and chapter 3's rivals, as they are there
    and (", own steps") on what a joint does of its own. Where nothing was planted: ``swap_auc``, how well true partners
    are told from strangers in seven seconds, by how much strings say beyond the prior, and
    (``swap_auc_foretelling``) by what they are worth (`DanceNRI.gain`); rivals: cross-correlation of pace, and of
    surprises.
    Of all: ``error_mm@...``, both dancers foretold from one window on, mean over all joints; and
    ``strings_std``, how much the probability of a string varies from window to window, mean over pairs. Chapter: 9.
    """
    model.eval()
    rows = {"model": {}, "untrained": {}} if model.correlated else {"model": {}}
    takes = takes_of(asked)
    if takes[0].coupling is not None and takes[0].coupling.drives:
        _grade(model, train, takes, rows)
    else:
        _swap(model, train, takes, rows)
    batch = asked[:: max(len(asked) // 100, 1)]
    past, ahead = batch[:, : model.frames], batch[:, model.frames : model.frames + max(AHEAD)]
    last, pace = past[:, -1:], past[:, -1:] - past[:, -2:-1]
    many = torch.arange(1, max(AHEAD) + 1).view(-1, 1, 1, 1)
    made = torch.cat([model.predict(part, max(AHEAD)) for part in past.split(32)])
    for row, guess in {"model": made, "repeat": last.expand_as(ahead), "constant velocity": last + many * pace}.items():
        off = 1000 * (guess - ahead).norm(dim=-1).mean((0, 2, 3))
        errors = {f"error_mm@{1000 * k / model.fps:.0f}ms": float(off[k - 1]) for k in AHEAD}
        rows[row] = rows.get(row, {}) | errors
    return rows


def _grade(model: DanceNRI, train: Windows, takes: list[Duet], rows: dict) -> None:
    seconds = max(model.lags, default=15) / model.fps
    for row, each in (("model", model), ("untrained", untrained(model, train) if "untrained" in rows else None)):
        if each is not None:
            rows[row] |= grade(reading_of(each), takes)
    for row, rival, more in (("cross-correlation", cross_correlation_coupling, {}),
                             ("cross-correlation of surprises", cross_correlation_coupling, {"whiten": 5}),
                             ("Granger", granger_coupling, {}), ("ridge", ridge_coupling, {})):  # fmt: skip
        for what, own in (("", False), (", own steps", True)):
            rows[row + what] = grade(lambda duet: rival(duet[: model.frames], seconds, own=own, **more), takes)  # noqa: B023
    found = [model.find(duet[: model.frames]) for duet in takes]
    kl = torch.stack([each.kl[0] for each in found])
    tied = torch.from_numpy(np.stack([planted(duet)[0] > 0 for duet in takes]))
    alone = [model.find(synthetic.duet("independent", model.frames, seed=900_000 + k)) for k in range(len(takes))]
    rows["model"] |= {
        "kl_nats_per_edge": float(kl.mean()), "kl_nats_planted": float(kl[tied].mean()),
        "kl_nats_independent": float(torch.stack([each.kl for each in alone]).mean()),
        "sure_independent": float(torch.stack([each.probability > SURE for each in alone]).float().mean()),
        "strings_std": float(torch.stack([each.probability[0] for each in found]).std(0).mean()),
    }  # fmt: skip


def likeness(duet: Duet, step: int = 3) -> float:
    """How well, on average, a joint's surprises correlate with those of its likeliest sender, of every step-th frame.

    The strongest classical measure of a pair that we found. Chapter: 9.
    """
    return float(cross_correlation_coupling(duet[::step], 0.5, whiten=3).score.max(1).mean())


def _swap(model: DanceNRI, train: Windows, takes: list[Duet], rows: dict) -> None:
    others, options = takes_of(train), {"seconds": SECONDS, "hop": 1.0}
    for row, each in (("model", model), ("untrained", untrained(model, train) if "untrained" in rows else None)):
        if each is not None:
            sure = lambda a, b: float(each.find(Duet(a, b), hop=8).kl.mean())  # noqa: B023, E731
            worth = lambda a, b: float(each.gain(Duet(a, b), hop=8).mean())  # noqa: B023, E731
            rows[row] |= {"swap_auc": partner_swap(takes, sure, others=others, **options).auc,
                          "swap_auc_foretelling": partner_swap(takes, worth, others=others, **options).auc}
    paces = lambda a, b: float(coupling(Duet(a, b)).peak.mean())  # noqa: E731
    news = lambda a, b: likeness(Duet(a, b), train.step)  # noqa: E731
    for row, rival in (("cross-correlation", paces), ("cross-correlation of surprises", news)):
        rows[row] = {"swap_auc": partner_swap(takes, rival, others=others, **options).auc}
    found = [model.find(take, hop=model.frames // 2) for take in takes]
    rows["model"] |= {"kl_nats_per_edge": float(torch.cat([each.kl for each in found]).mean()),
                      "strings_std": float(torch.cat([each.probability for each in found]).std(0).mean())}  # fmt: skip
