"""Does a generated partner stay a dancer? Minute by minute, beside what was danced. Taught in chapter 5."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ..body.motion import Duet, Motion, dancer_index, other_dancer
from ..body.reference import reference_frame
from ..core.arguments import a, each, number, takes
from ..core.shapes import array
from ..extensions import DuetForecaster
from . import metrics
from .metrics.frechet import seen_poses
from .metrics.movement_ratios import movement_ratios

EVERY = 6  # frames from one pose to the next whose features are compared; neighbours are nearly the same
MINUTE = 60.0


@takes(positions=array("frames", "joints", 3, finite=False), leader=a(Motion), danced=a(Motion),
       seconds=number(1, 3600, what="a number of seconds"))
def endurance(positions, leader: Motion, danced: Motion, seconds: float = MINUTE) -> dict[str, np.ndarray]:
    """A generated dancer in pieces of ``seconds``, the last of them whole: metrics of each, {metric: [pieces]}.

    As shares of what was danced in the same piece: ``height_ratio`` (of the head), ``speed_ratio``, ``jerk_ratio``,
    ``skate_ratio``. ``pose_frechet``: the distance of the distribution of poses (17 joints, root-centred and
    heading-aligned) from what was danced in all other pieces; ``pose_floor``, that of the same piece as it was danced
    (of one piece alone: from it, and the distance of its halves, `split_half_distance`). ``pelvis_distance_m``, and
    ``apart_percent`` as in `evaluate_duet`. ``drift_m``: how far along the floor the mean place, seen from the leader,
    is from where the dancer was in that piece. ``below_floor_mm``: how far the lowest joint is below the lowest of all
    that was danced, on average. ``intersection_percent`` of the frames (`intersection_depth`),
    ``intersection_floor_percent`` as it was danced, and ``intersection_mm``, the mean depth in frames that have one.
    ``not_finite_percent`` of the frames; in such a frame the last good pose stands for it.
    Shapes: ``positions`` [T, J, 3], metres. Errors: ValueError for unequal takes, or less than ``seconds``. Chapter: 5.
    """
    positions = np.array(positions, dtype=np.float32)
    frames = round(seconds * danced.fps)
    if not len(positions) == len(leader) == len(danced) >= frames:
        raise ValueError(f"made {len(positions)}, leader {len(leader)} and danced {len(danced)} frames must be equally "
                         f"many, at least {frames}")
    good = np.isfinite(positions).all((1, 2))
    last = np.maximum.accumulate(np.where(good, np.arange(len(good)), 0))
    positions = np.where(good[last, None, None], positions[last], danced.positions[:1])
    made = replace(danced, positions=positions, rotations=None)
    pieces = [slice(k, k + frames) for k in range(0, len(good) - frames + 1, frames)]
    whole = slice(0, pieces[-1].stop)
    low, high = np.percentile(metrics.pelvis_distance(Duet(leader, danced)), [1, 99])
    ground = danced.positions[..., 2].min()
    features = [seen_poses(each.positions[:, None], each.skeleton) for each in (made, danced)]  # [T, 51] each
    places = [_place(each, leader) for each in (made, danced)]  # [T, 2] each
    head = danced.skeleton.index("head")
    rows = []
    for at in pieces:
        own, real, lead = made[at], danced[at], leader[at]
        distance = metrics.pelvis_distance(Duet(lead, own))
        depth = metrics.intersection_depth(Duet(lead, own))
        below = ground - own.positions[..., 2].min(1)
        rest = np.ones(len(good), bool)
        rest[at] = False
        own_poses, real_poses, others = (each[::EVERY] for each in (features[0][at], features[1][at],
                                                                    features[1][whole][rest[whole]]))
        floor = (metrics.frechet_distance(real_poses, others) if len(others) else
                 metrics.split_half_distance(real_poses, np.arange(len(real_poses)) * 10 // len(real_poses))[0])
        jerk, speed, skate = movement_ratios(own, real)
        rows.append({
            "height_ratio": own.positions[:, head, 2].mean() / real.positions[:, head, 2].mean(),
            "speed_ratio": speed, "jerk_ratio": jerk, "skate_ratio": skate,
            "pose_frechet": metrics.frechet_distance(own_poses, others if len(others) else real_poses),
            "pose_floor": floor,
            "pelvis_distance_m": distance.mean(),
            "apart_percent": 100 * ((distance >= low) & (distance <= high)).mean(),
            "drift_m": np.linalg.norm(places[0][at].mean(0) - places[1][at].mean(0)),
            "below_floor_mm": 1000 * below.clip(0).mean(),
            "intersection_percent": 100 * (depth > 0).mean(),
            "intersection_floor_percent": 100 * (metrics.intersection_depth(Duet(lead, real)) > 0).mean(),
            "intersection_mm": 1000 * depth[depth > 0].mean() if depth.any() else 0.0,
            "not_finite_percent": 100 * (1 - good[at].mean())})
    return {name: np.array([row[name] for row in rows], dtype=float) for name in rows[0]}


@torch.no_grad()
@takes(model=a(DuetForecaster), takes=each(a(Duet), least=1), seconds=number(1, 3600, what="a number of seconds"),
       temperature=number(0, 100))
def evaluate_endurance(model: DuetForecaster, takes: Sequence[Duet], seconds: float = MINUTE,
                       temperature: float = 0.0) -> dict[str, dict[str, float]]:
    """Rollouts of both roles over long takes of equal length: `endurance` a piece, their mean over takes and roles.

    Gives a row a piece, "minute 1" and on; beside the means, ``lowest_height_ratio`` and ``highest_height_ratio`` of
    any rollout. All rollouts of a role are one batch. Errors: as `endurance`. Chapter: 5.
    """
    model.eval()
    pairs = torch.from_numpy(np.stack([take.positions for take in takes]))  # [B, T, 2, J, 3]
    found = []
    for who in "ba":
        lead = pairs[:, model.past :, dancer_index(other_dancer(who))]
        stream = model.stream(pairs[:, : model.past], who, temperature=temperature)
        made = torch.cat([stream.rollout(lead[:, k : k + stream.every])
                          for k in range(0, lead.shape[1], stream.every)], 1).cpu().numpy()  # [B, T, J, 3]
        for take, positions in zip(takes, made):
            leader, danced = (take.a, take.b) if who == "b" else (take.b, take.a)
            found.append(endurance(positions, leader[model.past :], danced[model.past :], seconds))
    rows = {}
    for k in range(len(found[0]["height_ratio"])):
        rows[f"minute {k + 1}" if seconds == MINUTE else f"piece {k + 1}"] = {
            name: float(np.mean([each[name][k] for each in found])) for name in found[0]
        } | {"lowest_height_ratio": float(min(each["height_ratio"][k] for each in found)),
             "highest_height_ratio": float(max(each["height_ratio"][k] for each in found))}
    return rows


def _place(motion: Motion, leader: Motion) -> np.ndarray:
    """Where the pelvis is along the floor, seen from the leader, [T, 2]."""
    seen_from = reference_frame(torch.from_numpy(leader.positions)[:, None, None], 0, leader.skeleton, of="a")
    pelvis = torch.from_numpy(motion.positions[:, motion.skeleton.pelvis])  # [T, 3]
    return seen_from.to_local(pelvis[:, None])[:, 0, :2].numpy()
