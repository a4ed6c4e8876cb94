"""How a duet model is evaluated: its forecasts, its rollouts, what a shuffled partner costs. Taught in chapter 5."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ..body.motion import Duet, Motion, dancer_index, other_dancer
from ..body.reference import placed
from ..extensions import DuetForecaster
from ..sets.windows import Windows, takes_of
from ..systems import DuetVAE
from . import baselines, metrics
from .metrics.movement_ratios import movement_ratios


@torch.no_grad()
def evaluate_duet(model: DuetForecaster, train: Windows, asked: Windows, joints: Sequence[str] | None = None,
                  seconds: float = 20.0, temperature: float = 0.3) -> dict[str, dict[str, float]]:
    """Forecasts of a duet model beside every baseline of chapter 3, and metrics of its rollouts.

    ``error_mm@...``: MPJPE of both roles, the other dancer known up to the target frame, over ``joints`` (names, the
    root among them; None: all). Row "stranger": the model with a pseudo-pair's partner (`ShuffledPartner`). Baselines
    look at ``joints`` alone; row "ridge, own past, every joint" at all, as the model does.
    ``samples_over_sure``: ten futures sampled at ``temperature``, their mean error a second ahead over that of the
    deterministic prediction; ``best_of_10_over_mean``: the best one's over their mean. Of rollouts over whole takes,
    ``seconds`` long, as shares of the ground truth: ``jerk_ratio``, ``speed_ratio``, ``skate_ratio``;
    ``apart_percent``, of how many frames the distance between the pelvises lies inside the real 1st to 99th percentile;
    ``bones_percent``; ``coupling_auc``, how well cross-correlation tells the generated partner from one of another take
    ("danced" has the same for real partners). ``leaders_ratio``: how far apart partners are that are generated for
    leaders of several takes after the same past, as a share of how far apart the real followers are. Chapter: 5.
    """
    rows = evaluate_forecasts(model, train, asked, joints, seconds, "ab")
    chosen = asked.skeleton.indices(asked.skeleton.names if joints is None else joints)
    shuffled = baselines.evaluate({"stranger": ShuffledPartner(model, train)}, asked, joints=chosen).table()
    rows["model"] |= _samples(model, asked, chosen, temperature) | {"leaders_ratio": _leaders(model, train, asked)}
    return {"model": rows.pop("model")} | shuffled | rows


@torch.no_grad()
def evaluate_forecasts(model: DuetForecaster | DuetVAE, train: Windows, asked: Windows,
                       joints: Sequence[str] | None = None, seconds: float = 20.0, roles: str = "b"
                       ) -> dict[str, dict[str, float]]:
    """What any model of duets can be asked, the published one too: forecasts beside every baseline, and rollouts.

    A part of what `evaluate_duet` gives, which describes the metrics and ``joints``. ``roles``: whom rollouts replace;
    the published system makes b. The past is what windows have before the last horizon, of one second. Chapter: 11.
    """
    model.eval()
    names = list(asked.skeleton.names) if joints is None else list(joints)
    chosen = asked.skeleton.indices(names)
    fitted_to, scored_on = (windows.with_joints(names) for windows in (train, asked))
    forecasters = {
        "repeat": baselines.ZeroVelocity(), "constant velocity": baselines.ConstantVelocity(),
        "damped velocity": baselines.DampedVelocity(), "ridge, own past": baselines.Ridge("own"),
        "ridge, both pasts": baselines.Ridge("both"),
        "ridge, and partner at target": baselines.Ridge("both", partner_at_target=True),
        "the same, one a role": baselines.Ridge("both", partner_at_target=True, pooled=False)}
    scores = baselines.evaluate({row: each.fit(fitted_to) for row, each in forecasters.items()}, scored_on)
    # near ahead, ridge regression is nearest if it looks at every joint, as the model does; later, if at those alone
    whole = {} if joints is None else {"ridge, own past, every joint": baselines.Ridge("own").fit(train)}
    rows = baselines.evaluate({"model": model} | whole, asked, joints=chosen).table() | scores.table()
    made, danced = _rollouts(model, train, asked, seconds, roles)
    rows["model"] |= made
    return rows | {"danced": danced}


class ShuffledPartner:
    """A model with a pseudo-pair's partner, from windows of other takes, as a baseline: the partner is shuffled.

    A `choreo_lib.evaluation.baselines.Forecaster`. At the last known frame the shuffled partner stands and faces as the
    true one does. What this does worse than the model is the information in the true partner. Chapter: 5.
    """

    def __init__(self, model: DuetForecaster, others: Windows):
        self.model, self.others = model, others

    def predict(self, past: torch.Tensor, partner: torch.Tensor | None, horizons: Sequence[int],
                who: str = "b") -> torch.Tensor:
        """As the model's own; the true partner is replaced. Shapes: [B, H, J, 3]. Chapter: 5."""
        count, other = past.shape[1], other_dancer(who)
        shuffled = shuffled_partners(self.others, past, count - 1, other)  # [B, P + F, J, 3]
        pair = (past[:, :, dancer_index(who)], shuffled[:, :count])
        past = torch.stack(pair if who == "a" else pair[::-1], 2)
        return self.model.predict(past, shuffled[:, count:], horizons, who)


def shuffled_partners(others: Windows, batch: torch.Tensor, at: int, who: str) -> torch.Tensor:
    """Dancers of other takes, drawn at random, who at frame ``at`` stand and face as ``who`` does.

    Shapes: ``batch`` [B, T, 2, J, 3] -> [B, as long as others, J, 3]. Chapter: 5.
    """
    drawn = others[torch.randint(len(others), (len(batch),), generator=torch.Generator().manual_seed(0))].to(batch)
    return placed(drawn[:, :, dancer_index(who)], drawn, batch, at, others.skeleton, who)


def _samples(model: DuetForecaster, asked: Windows, joints: list[int], temperature: float) -> dict[str, float]:
    """Ten futures of every eighth window: their mean error one second ahead, and the best one's."""
    batch, last = asked[::8], model.ahead
    errors = []
    for who in "ab":
        past, partner = batch[:, : model.past], batch[:, model.past :, dancer_index(other_dancer(who))]
        true = batch[:, -1, dancer_index(who)][:, joints]
        drawn = model.sample(past, partner, [last], who, temperature, count=10)[:, :, 0, joints]  # [10, B, joints, 3]
        predicted = model.predict(past, partner, [last], who)[:, 0, joints]
        sampled = metrics.mpjpe(drawn, true)  # [10, B]
        errors.append([sampled.mean(), sampled.amin(0).mean(), metrics.mpjpe(predicted, true).mean()])
    mean, best, deterministic = torch.tensor(errors).mean(0).tolist()
    return {"samples_over_sure": mean / deterministic, "best_of_10_over_mean": best / mean}


def _rollouts(model: DuetForecaster | DuetVAE, train: Windows, asked: Windows, seconds: float, roles: str
              ) -> tuple[dict, dict]:
    """Rollouts over every take that was asked about, beside the ground truth: mean metrics."""
    generated, real, past = [], [], asked.length - max(baselines.HORIZONS)
    shuffled = takes_of(train)
    shuffled = shuffled[:: max(len(shuffled) // 8, 1)]
    for take in takes_of(asked):
        low, high = np.percentile(metrics.pelvis_distance(take), [1, 99])
        part = take[: past + round(seconds * take.fps)]
        for who in roles:
            lead, own = (part.a, part.b) if who == "b" else (part.b, part.a)
            made = (model.rollout(lead, own[:past]) if isinstance(model, DuetVAE) else
                    model.rollout(lead, own[:past], who=who))[past:]
            lead, own = lead[past:], own[past:]
            others = [each.a if who == "b" else each.b for each in shuffled if len(each) >= len(lead)]
            distance = metrics.pelvis_distance(Duet(lead, made))
            jerk, speed, skate = movement_ratios(made, own)
            generated.append({
                "jerk_ratio": jerk, "speed_ratio": speed, "skate_ratio": skate,
                "apart_percent": 100 * float(((distance >= low) & (distance <= high)).mean()),
                "bones_percent": 100 * float(np.nanmax(metrics.bone_variation(made))),
                "coupling_auc": _coupling_auc(made, lead, others)})
            real.append({"coupling_auc": _coupling_auc(own, lead, others)})
    return mean_of(generated), mean_of(real)


def mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """The mean of several rows of measures, measure by measure. Chapter: 5."""
    return {name: float(np.mean([each[name] for each in rows])) for name in rows[0]}


def _leaders(model: DuetForecaster, train: Windows, asked: Windows, count: int = 4, seconds: float = 8.0) -> float:
    """Partners b of several leaders, all after the same past: their mean distance, over that of the real followers."""
    ratios, past, frames = [], model.past, model.past + round(seconds * model.fps)
    others = [take for take in takes_of(train) if len(take) >= frames][:: max(len(train.take.unique()) // count, 1)]
    for take in takes_of(asked):
        made, real = [], []
        for other in [take, *others[: count - 1]]:
            both, true = (torch.from_numpy(each.positions[:frames])[None] for each in (other, take))  # [1, T, 2, J, 3]
            moved = placed(both, both, true, past - 1, model.skeleton)[0].numpy()
            leader = Motion(moved[:, 0], take.fps, model.skeleton)
            made.append(model.rollout(leader, take.b[:past]).positions[past:])
            real.append(moved[past:, 1])
        ratios.append(metrics.diversity(np.stack(made)) / metrics.diversity(np.stack(real)))
    return float(np.mean(ratios))


def _coupling_auc(own: Motion, lead: Motion, others: list[Motion]) -> float:
    """AUC of the cross-correlation with the true partner against that with partners of other takes."""
    right = metrics.coupling(Duet(lead, own)).peak
    wrong = [metrics.coupling(Duet(replace(other[: len(lead)], source=None), own)).peak for other in others]
    scores = np.concatenate([right, *wrong])
    return metrics.auc(scores, np.arange(len(scores)) < len(right))
