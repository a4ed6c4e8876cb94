"""How a duet model is judged: its forecasts, its rollouts, and what a stranger in the partner's place costs.

Taught in chapter 5, "A partner".
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..body.motion import Duet, Motion
from ..body.reference import reference_frame
from ..extensions import DuetForecaster
from ..sets.windows import Windows, takes_of
from . import baselines, metrics


@torch.no_grad()
def evaluate_duet(model: DuetForecaster, train: Windows, asked: Windows, joints=None, seconds: float = 20.0,
               temperature: float = 0.3) -> dict[str, dict[str, float]]:
    """Forecasts of a duet model beside every baseline of chapter 3, and how its rollouts dance.

    ``error_mm@...``: both roles, the other dancer known up to the target frame, mean over ``joints`` (names, the root
    among them; None: all). Row "stranger": the model, shown another take's dancer in the partner's place.
    ``samples_over_sure``: ten futures drawn at ``temperature``, their mean error a second ahead over that of the
    answer without chance; ``best_of_10_over_mean``: the best one's over their mean. Of rollouts over whole takes,
    ``seconds`` long, shares of what was danced: ``jerk_ratio``, ``speed_ratio``, ``skate_ratio``; ``apart_percent``,
    of how many frames the distance between the pelvises lies inside the real 1st to 99th percentile;
    ``bones_percent``; ``coupling_auc``, how well the made partner is told from one of another take by
    cross-correlation ("danced" has the same for real partners). ``leaders_ratio``: how far apart partners are that are
    made for leaders of several takes after the same second, as a share of how far apart the real followers are.
    Chapter: 5.
    """
    model.eval()
    names = list(asked.skeleton.names) if joints is None else list(joints)
    chosen = [asked.skeleton.names.index(name) for name in names]
    known, narrow = (windows.with_joints(names) for windows in (train, asked))
    rivals = {
        "repeat": baselines.ZeroVelocity(), "constant velocity": baselines.ConstantVelocity(),
        "damped velocity": baselines.DampedVelocity(), "ridge, own past": baselines.Ridge("own"),
        "ridge, both pasts": baselines.Ridge("both"),
        "ridge, and partner at target": baselines.Ridge("both", partner_at_target=True),
        "the same, one a role": baselines.Ridge("both", partner_at_target=True, pooled=False),
    }  # fmt: skip
    scores = baselines.evaluate({row: rival.fit(known) for row, rival in rivals.items()}, narrow)
    own = baselines.evaluate({"model": model, "stranger": ShuffledPartner(model, train)}, asked, joints=chosen)
    rows = own.table() | scores.table()
    rows["model"] |= _samples(model, asked, chosen, temperature)
    made, danced = _rollouts(model, train, asked, seconds)
    rows["model"] |= made | {"leaders_ratio": _leaders(model, train, asked)}
    return rows | {"danced": danced}


class ShuffledPartner:
    """A `choreo_lib.evaluation.baselines.Forecaster` that shows a model a partner from windows of other takes,
    ``others``, who at the last known frame stands and faces as the true one does. What it does worse than the model is
    what the true partner told. Chapter: 5.
    """

    def __init__(self, model: DuetForecaster, others: Windows):
        self.model, self.others = model, others

    def predict(self, past, partner, horizons, who="b"):
        """As the model's own."""
        count, known, other = past.shape[1], past.shape[1] - 1, "ba"["ab".index(who)]
        drawn = torch.randint(len(self.others), (len(past),), generator=torch.Generator().manual_seed(0))
        others = self.others[drawn].to(past)
        there, here = (reference_frame(x, known, self.model.skeleton, of=other) for x in (others[:, :count], past))
        stranger = here.to_world(there.to_local(others[:, :, "ab".index(other)]))  # [B, P + F, J, 3]
        pair = (past[:, :, "ab".index(who)], stranger[:, :count])
        past = torch.stack(pair if who == "a" else pair[::-1], 2)
        return self.model.predict(past, stranger[:, count:], horizons, who)


def _samples(model: DuetForecaster, asked: Windows, joints, temperature: float, count: int = 10) -> dict[str, float]:
    """Ten futures of every eighth window: their mean error one second ahead, and the best one's."""
    some, last = asked.subset(slice(None, None, 8)), model.ahead
    means, bests, sure = [], [], []
    for who, other in ((0, 1), (1, 0)):
        batch = some[:]
        past, partner, true = batch[:, : model.past], batch[:, model.past :, other], batch[:, -1, who]
        drawn = model.sample(past, partner, [last], "ab"[who], temperature, count)[:, :, 0]  # [count, B, J, 3]
        off = (drawn - true)[:, :, joints].norm(dim=-1).mean(-1)  # [count, B]
        means.append(off.mean())
        bests.append(off.amin(0).mean())
        sure.append((model.predict(past, partner, [last], "ab"[who])[:, 0] - true)[:, joints].norm(dim=-1).mean())
    mean, best, sure = (float(torch.stack(each).mean()) for each in (means, bests, sure))
    return {"samples_over_sure": mean / sure, "best_of_10_over_mean": best / mean}


def _rollouts(model: DuetForecaster, train: Windows, asked: Windows, seconds: float) -> tuple[dict, dict]:
    """Rollouts of both roles over every take that was asked about, beside what was danced: mean measures."""
    strangers, told, real = takes_of(train), [], []
    strangers = strangers[:: max(len(strangers) // 8, 1)]
    for take in takes_of(asked):
        low, high = np.percentile(metrics.pelvis_distance(take), [1, 99])
        part = take[: model.past + round(seconds * take.fps)]
        for who in "ab":
            lead, own = (part.a, part.b) if who == "b" else (part.b, part.a)
            made = model.rollout(lead, own[: model.past], who=who)[model.past :]
            lead, own = lead[model.past :], own[model.past :]
            others = [s.a if who == "b" else s.b for s in strangers if len(s) >= len(lead)]
            far = metrics.pelvis_distance(Duet(lead, made))
            told.append({
                "jerk_ratio": _mean(metrics.jerk, made) / _mean(metrics.jerk, own),
                "speed_ratio": _mean(metrics.speed, made) / _mean(metrics.speed, own),
                "skate_ratio": metrics.foot_skate(made) / metrics.foot_skate(own),
                "apart_percent": 100 * float(((far >= low) & (far <= high)).mean()),
                "bones_percent": 100 * float(np.nanmax(metrics.bone_variation(made))),
                "coupling_auc": _told_apart(made, lead, others)})
            real.append({"coupling_auc": _told_apart(own, lead, others)})
    return tuple({name: float(np.mean([each[name] for each in rows])) for name in rows[0]} for rows in (told, real))


def _leaders(model: DuetForecaster, train: Windows, asked: Windows, count: int = 4, seconds: float = 8.0) -> float:
    """Partners b of several leaders, all after the same past: their mean distance, over that of the real followers."""
    ratios, past, frames = [], model.past, model.past + round(seconds * model.fps)
    others = [take for take in takes_of(train) if len(take) >= frames][:: max(len(train.take.unique()) // count, 1)]
    for take in takes_of(asked):
        here = reference_frame(torch.from_numpy(take.positions)[None], past - 1, model.skeleton, of="a")
        made, real = [], []
        for other in [take, *others[: count - 1]]:
            both = torch.from_numpy(other.positions[:frames])[None]  # [1, T, 2, J, 3]
            moved = here.to_world(reference_frame(both, past - 1, model.skeleton, of="a").to_local(both))[0].numpy()
            leader = Motion(moved[:, 0], take.fps, model.skeleton)
            made.append(model.rollout(leader, take.b[:past]).positions[past:])
            real.append(moved[past:, 1])
        ratios.append(_spread(made) / _spread(real))
    return float(np.mean(ratios))


def _spread(dances: list[np.ndarray]) -> float:
    """Mean distance between the joints of every two of several dances [T, J, 3]."""
    return float(np.mean([np.linalg.norm(x - y, axis=-1).mean() for k, x in enumerate(dances) for y in dances[:k]]))


def _mean(measure, motion: Motion) -> float:
    return float(measure(motion.positions, motion.fps).mean())


def _told_apart(own: Motion, lead: Motion, others: list[Motion]) -> float:
    """AUC of the cross-correlation with the true partner against that with partners of other takes."""
    right = metrics.coupling(Duet(lead, own)).peak
    wrong = [metrics.coupling(Duet(replace(other[: len(lead)], source=None), own)).peak for other in others]
    scores = np.concatenate([right, *wrong])
    return metrics.auc(scores, np.arange(len(scores)) < len(right))
