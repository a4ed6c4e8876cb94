"""How models of joint rotations are evaluated: a translated partner, and a deepfake. Taught in chapters 6 and 7."""

from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import normalize

from ..body.blending import overlap_add
from ..body.kinematics import positions_of
from ..body.motion import Motion, dancer_index
from ..extensions import MotionTranslator, StyleTransport
from ..extensions.motion_translator import LatentSequence
from ..sets.windows import Windows, cut, takes_of
from ..systems.layers import eval_mode
from ..systems.losses import active_units, kl_per_unit, rotation_difference
from ..systems.vae_rnn import VAERNN
from . import metrics
from .baselines import MeanPartner, RidgeTranslation
from .duet import mean_of, shuffled_partners
from .metrics.movement_ratios import movement_ratios
from .style_classifier import IdentityClassifier

Rows = dict[str, dict[str, float]]
STRIDE = 8  # frames from one window of a take that was made to the next


@torch.no_grad()
def evaluate_translation(model: MotionTranslator | VAERNN, train: Windows, asked: Windows) -> Rows:
    """Evaluate a translation on windows of unseen takes, beside ridge regression and the mean partner.

    ``error_mm``: mean joint error over whole windows, the root's place included, mean over the model's routes (each
    also by itself, as in ``error_mm_ab``); ``root_error_mm`` the root's; ``aligned_error_mm`` with both roots in one
    place. ``pair_auc``: how well the error tells the true partner from a shuffled one, who in the middle of the window
    stands and faces as the true one does. Of the model: ``rotation_error_deg`` of joint rotations; ``kl_nats``,
    ``active_units``. Of whole takes, as ratios to the ground truth: ``jerk_ratio``, ``speed_ratio``,
    ``foot_skate_ratio``; ``out_of_range_percent``, how many joint rotations lie outside those of the training takes
    (row "ground truth": the same for real ones); ``seam_ratio``, the largest rotation of a joint from frame to frame
    where windows are blended, over the largest inside the windows (not of the published system). Chapter: 6.
    """
    rows: Rows = {}
    plain_train, plain = (replace(each, frames=positions_of(each.skeleton, each.frames)) for each in (train, asked))
    batch, moves = plain[:], asked[:]
    routes = model.config.routes
    for route in routes:
        target = dancer_index(route[1])
        predictions = {"model": predicted_positions(model, moves, route)}
        for name, baseline in (("ridge", RidgeTranslation()), ("mean partner", MeanPartner())):
            predictions[name] = baseline.fit(plain_train, route).predict(batch)
        frames = batch.shape[1]
        true, wrong = batch[:, :, target], shuffled_partners(plain_train, batch, frames // 2, route[1])[:, :frames]
        for name, made in predictions.items():
            error = (made - true).norm(dim=-1)  # [N, T, J]
            errors = torch.cat([error.mean((1, 2)), (made - wrong).norm(dim=-1).mean((1, 2))])  # [2 N]
            measured = {"error_mm": 1000 * float(error.mean()), "root_error_mm": 1000 * float(error[:, :, 0].mean()),
                        "aligned_error_mm": 1000 * float(metrics.mpjpe(made, true, "root").mean()),
                        "pair_auc": metrics.auc(-errors, torch.arange(len(errors)) < len(error))}
            _add(rows, name, route, measured, len(routes))
        real = [_out_of_range(train, tuple(take)[target], route[1]) for take in takes_of(asked)]
        _add(rows, "model", route, {"rotation_error_deg": _rotation_error(model, moves, route),
                                    **_latent_use(model, moves, route), **_takes_made(model, train, asked, route)},
             len(routes))
        _add(rows, "ground truth", route, {"out_of_range_percent": float(np.mean(real))}, len(routes))
    return rows


@torch.no_grad()
def evaluate_deepfake(model: StyleTransport | VAERNN, train: Windows, asked: Windows) -> Rows:
    """Evaluate what a deepfake keeps of a dance and how much of the other dancer's style it takes on, both ways.

    Whole takes are given the other dancer's style and bones. ``style_transfer_accuracy_percent``: how many windows of
    them an `IdentityClassifier`, which knows real training windows only and sees every body with the same bones, takes
    for the other dancer's, before foot skating is fixed. ``speed_correlation``: between the joints' mean speed before
    and after; ``jerk_ratio``, ``speed_ratio``, ``foot_skate_ratio`` and ``out_of_range_percent`` as in
    `evaluate_translation`. Row "mean matching": `StyleTransport` without its optimal transport. Row "ground truth":
    ``classifier_accuracy_percent``, of real windows, and how much of real takes is out of range. Chapter: 7.
    """
    rows: Rows = {}
    classifier, takes = IdentityClassifier(train), list(map(tuple, takes_of(asked)))
    matching = StyleTransport(train.skeleton, fps=train.fps, transport=False)
    matching.fit_statistics(train.batches(512))
    for route in ("ab", "ba"):
        source, target = map(dancer_index, route)
        for name, each in (("model", model), ("mean matching", matching)):
            made = [each.translate(take[source], route, take[target].skeleton) for take in takes]
            as_moved = {"feet": False} if isinstance(each, StyleTransport) else {}  # no system of the shelf fixes feet
            unfixed = [each.translate(take[source], route, take[source].skeleton, **as_moved) for take in takes]
            taken = classifier(cut(unfixed, train.length, STRIDE, rotations=True)[:][:, :, 0]) == target
            moved = [_movement(train, one, take[target], route[1]) for one, take in zip(made, takes)]
            correlation = [_speed_correlation(one, take[source]) for one, take in zip(made, takes)]
            _add(rows, name, route, {
                "style_transfer_accuracy_percent": 100 * float(taken.float().mean()),
                "speed_correlation": float(np.mean(correlation)), **mean_of(moved)}, 2)
        right = 100 * float((classifier(asked[:][:, :, source]) == source).float().mean())
        real = float(np.mean([_out_of_range(train, take[source], route[0]) for take in takes]))
        _add(rows, "ground truth", route, {"classifier_accuracy_percent": right, "out_of_range_percent": real}, 2)
    return rows


@torch.no_grad()
def predicted_positions(model: VAERNN, moves: torch.Tensor, route: str) -> torch.Tensor:
    """The target's joints [N, T, J, 3], metres in the world, from windows [N, T, 2, J, 7]. Chapter: 6."""
    made = []
    with eval_mode(model):
        for part in moves.to(model.joint_weights.device).split(256):
            source, _, frame, _ = model.source_and_target(part, route)
            rotations, root = model.to_world(model(source, route, sample=False)[0], frame)
            places = part[:, :, dancer_index(route[1]), :, :3].clone()
            places[:, :, 0] = root
            made.append(torch.cat([places, rotations], -1))
    return positions_of(model.skeleton, torch.cat(made))


def _rotation_error(model: VAERNN, moves: torch.Tensor, route: str) -> float:
    """Mean angle between predicted and true joint rotations, degrees."""
    difference = []
    with eval_mode(model):
        for part in moves.split(256):
            source, target, *_ = model.source_and_target(part, route)
            predicted = model(source, route, sample=False)[0]
            difference.append(rotation_difference(predicted.rotations, model.decoded(target).rotations))
    angle = 2 * torch.asin((torch.cat(difference).clamp(0, 4) / 4).sqrt())
    return float(torch.rad2deg(angle).mean())


def _latent_use(model: VAERNN, moves: torch.Tensor, route: str) -> dict[str, float]:
    """How much the latents say: their KL, and how many units are active."""
    with eval_mode(model):
        latents = [model.encode(model.source_and_target(part, route)[0], route[0]) for part in moves.split(256)]
    mean, log_variance = (torch.cat(x).flatten(1) for x in zip(*latents))
    return {"kl_nats": float(kl_per_unit(mean, log_variance).sum()), "active_units": active_units(mean)}


def _takes_made(model: VAERNN, train: Windows, asked: Windows, route: str) -> dict[str, float]:
    """Whole takes as a translation makes them, beside the target's ground truth: mean measures."""
    found = []
    for take in map(tuple, takes_of(asked)):
        source, real = (take[dancer_index(who)] for who in route)
        if isinstance(model, MotionTranslator):
            sequence = model.encode_motion(source, route)
            made, seams = model.decode_motion(sequence, real.skeleton), {"seam_ratio": _seam_ratio(model, sequence)}
        else:
            made, seams = model.translate(source, route, real.skeleton), {}
        found.append(_movement(train, made, real, route[1]) | seams)
    return mean_of(found)


def _movement(train: Windows, made: Motion, real: Motion, who: str) -> dict[str, float]:
    """How a take that was made moves, beside a real one of dancer ``who``."""
    jerk, speed, skate = movement_ratios(made, real)
    return {"jerk_ratio": jerk, "speed_ratio": speed, "foot_skate_ratio": skate,
            "out_of_range_percent": _out_of_range(train, made, who)}


def _seam_ratio(model: MotionTranslator, sequence: LatentSequence) -> float:
    """The largest rotation of a joint from one frame to the next in blended windows, over that inside of windows."""
    rotations, root = model.decode_windows(sequence)
    blended, inside = (float(rotation_difference(q[..., 1:, :, :], q[..., :-1, :, :]).max())
                       for q in (overlap_add(rotations, root)[0], rotations))
    return (blended / inside) ** 0.5


def _out_of_range(train: Windows, motion: Motion, who: str) -> float:
    """Percent of joint rotations that are farther from the joint's mean in the training takes than any was there."""
    known = train.frames[:, dancer_index(who), 1:, 3:]  # [F, J - 1, 4]; the root has no limit
    mean = normalize((known * torch.sign(known[..., 3:])).mean(0), dim=-1)
    limit = rotation_difference(known, mean).amax(0)
    rotations = torch.from_numpy(np.asarray(motion.rotations)[:, 1:])
    return 100 * float((rotation_difference(rotations, mean) > limit + 1e-6).float().mean())


def _speed_correlation(one: Motion, other: Motion) -> float:
    """Correlation over time between the mean speeds of two dancers' joints."""
    return float(np.corrcoef(*(metrics.speed(m.positions, m.fps).mean(-1) for m in (one, other)))[0, 1])


def _add(rows: Rows, name: str, route: str, measured: dict[str, float], routes: int) -> None:
    """Put the measures of one route into a row: by themselves, and into the mean over routes."""
    row = rows.setdefault(name, {})
    for key, value in measured.items():
        row[key] = row.get(key, 0.0) + value / routes
        row[f"{key}_{route}"] = value
