"""How models of joint rotations are judged: a translated partner, and a deepfake of a dancer.

Taught in chapter 6, "Translating a dancer", and chapter 7, "A deepfake of dancers".
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from ..body.motion import Motion
from ..body.reference import reference_frame
from ..body.skeleton import forward_kinematics, positions_of
from ..extensions import VAERNN
from ..extensions.latent_sequence import blend
from ..sets.augmentation import Augment
from ..sets.windows import Windows, takes_of
from ..systems.losses import active_units, kl_per_unit, rotation_difference
from . import metrics
from .baselines import MeanPartner, RidgeTranslation


@torch.no_grad()
def evaluate_translation(model: VAERNN, train: Windows, asked: Windows) -> dict[str, dict[str, float]]:
    """Windows of unseen takes, one dancer read and the other written, beside ridge regression and the usual partner.

    ``error_mm``: mean joint error over whole windows, the root's place included, mean over the model's routes (each
    also by itself, as in ``error_mm_ab``); ``root_mm`` the root's; ``aligned_mm`` with both roots in one place.
    ``pair_auc``: how well its error tells the true partner from one of a training take who in the middle of the window
    stands and faces as the true one does. Of the model: ``degrees`` between joint rotations; ``kl_nats``,
    ``active_units``. Of whole takes it has written, shares of what was danced: ``jerk_ratio``, ``speed_ratio``,
    ``skate_ratio``; ``beyond_percent``, how many joint rotations lie outside those of the training takes ("danced" has
    the same for real ones); ``seam_ratio``, the largest turn of a joint from frame to frame where windows are blended,
    over the largest inside the windows. Chapter: 6.
    """
    model.eval()
    rows: dict[str, dict[str, float]] = {}
    plain_train, plain = (replace(each, frames=positions_of(each.skeleton, each.frames)) for each in (train, asked))
    batch, moves = plain[:], asked[:]
    for route in model.routes:
        who = "ab".index(route[1])
        answers = {"model": written(model, moves, route)}
        for name, rival in (("ridge", RidgeTranslation()), ("usual partner", MeanPartner())):
            answers[name] = rival.fit(plain_train, route).predict(batch)
        true, wrong = batch[:, :, who], _strangers(plain_train, batch, route[1])
        for name, made in answers.items():
            off = (made - true).norm(dim=-1)
            errors = torch.cat([off.mean((1, 2)), (made - wrong).norm(dim=-1).mean((1, 2))])
            told = {"error_mm": 1000 * float(off.mean()), "root_mm": 1000 * float(off[:, :, 0].mean()),
                    "aligned_mm": 1000 * _aligned(made, true),
                    "pair_auc": metrics.auc(-errors, torch.arange(len(errors)) < len(off))}
            _add(rows, name, route, told, len(model.routes))
        parts = [model.told(part, route) for part in moves.split(256)]
        codes = [model.encode(heard, route[0]) for heard, *_ in parts]
        means, log_variances = (torch.cat(x).flatten(1) for x in zip(*codes))
        turned = torch.cat([rotation_difference(model.decode(mean, route[1], heard[..., -3:])[1], model.rotations(said))
                            for (heard, said, *_), (mean, _) in zip(parts, codes)])
        angle = 2 * torch.asin((turned.clamp(0, 4) / 4).sqrt())
        _add(rows, "model", route, {"degrees": float(torch.rad2deg(angle).mean()),
                                    "kl_nats": float(kl_per_unit(means, log_variances).sum()),
                                    "active_units": active_units(means), **_danced(model, train, asked, route)},
             len(model.routes))
        real = [_beyond(train, tuple(take)[who], route[1]) for take in takes_of(asked)]
        _add(rows, "danced", route, {"beyond_percent": float(np.mean(real))}, len(model.routes))
    return rows


@torch.no_grad()
def evaluate_deepfake(model: VAERNN, train: Windows, asked: Windows) -> dict[str, dict[str, float]]:
    """What a deepfake keeps of a dance and what it makes the other dancer's, both ways.

    ``rebuilt_mm``: own windows through their own writer, both roots in one place; ``root_mm`` how far the root is off.
    ``taken_percent``: how many windows a `Manner`, which knows real training windows only and sees every body with the
    same bones, takes for the other dancer's after the swap; ``speed_correlation``: between how fast the joints move on
    the whole before and after, over whole takes. ``kl_nats``, ``active_units``; ``beyond_percent``, ``skate_ratio``,
    ``jerk_ratio`` and ``seam_ratio`` of swapped takes as in `judge_translation`. Row "danced": ``right_percent``, how
    many real windows `IdentityClassifier` calls by their dancer; "components": the model without its networks; "own":
    what the model's own writer makes, called by its dancer (``right_percent``). Chapter: 7.
    """
    model.eval()
    rows: dict[str, dict[str, float]] = {}
    manner = IdentityClassifier(train)
    moves = asked[:]
    takes = takes_of(asked)
    bare = VAERNN.from_config(model.config()).eval()  # until it is trained, its networks add nothing
    for name, measured in model.named_buffers():
        getattr(bare, name).copy_(measured)
    for who, other in ("ab", "ba"):
        owns = [tuple(take)["ab".index(who)] for take in takes]
        true = positions_of(asked.skeleton, moves[:, :, "ab".index(who)])
        for name, each in (("model", model), ("components", bare)):
            made = written(each, moves, who + who)
            swapped = _swapped(each, moves, who + other)
            _add(rows, name, who + other, {
                "rebuilt_mm": 1000 * _aligned(made, true),
                "root_mm": 1000 * float((made - true)[:, :, 0].norm(dim=-1).mean()),
                "taken_percent": 100 * float((manner(swapped) == "ab".index(other)).float().mean()),
                "speed_correlation": float(np.mean([_together(own, each.translate(own, who + other)) for own in owns])),
            }, 2)
        for name, batch in (("danced", moves[:, :, "ab".index(who)]), ("own", _swapped(model, moves, who + who))):
            right = 100 * float((manner(batch) == "ab".index(who)).float().mean())
            _add(rows, name, who + other, {"right_percent": right}, 2)
        codes = [model.encode(model.told(part, who + who)[0], who) for part in moves.split(256)]
        means, log_variances = (torch.cat(x).flatten(1) for x in zip(*codes))
        _add(rows, "model", who + other, {"kl_nats": float(kl_per_unit(means, log_variances).sum()),
                                          "active_units": active_units(means),
                                          **_danced(model, train, asked, who + other)}, 2)
        real = float(np.mean([_beyond(train, own, who) for own in owns]))
        _add(rows, "danced", who + other, {"beyond_percent": real}, 2)
    return rows


class IdentityClassifier(nn.Module):
    """Tells the two dancers apart by how they hold themselves and move, and not by their bones.

    Every window is danced again by one body, the mean one; each frame is seen from its own pelvis and heading, beside
    how it changes from frame to frame. Convolutions along time, and their mean. Learns training windows when it is
    made, pairs of bodies as often as each other, with other tempi and in the mirror; the same every time.
    Called with transforms [B, T, J, 7] it gives 0 for dancer a and 1 for b, [B]. Chapter: 7.
    """

    def __init__(self, train: Windows, steps: int = 200, batch: int = 64):
        super().__init__()
        self.skeleton = train.skeleton
        length = round(train.length / 1.2)
        augment = Augment(length, turn=False, exchange=0.0, noise=0.0, tempo=0.2 if train.length > length else 0.0)
        bodies = train.frames[train.first][:, :, :, :3]  # [N, 2, J, 3]
        self.register_buffer("body", bodies.mean((0, 1)))
        legs = bodies[:, :, 1:].norm(dim=-1).sum((1, 2))  # the same pair of bodies has the same sum
        _, pair, count = legs.mul(1000).round().unique(return_inverse=True, return_counts=True)
        chance = torch.Generator().manual_seed(0)
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(0)
            self.net = nn.Sequential(
                nn.Dropout(0.3), nn.Conv1d(6 * len(self.skeleton), 48, 5, stride=2), nn.GELU(), nn.Dropout(0.3),
                nn.Conv1d(48, 48, 5, stride=2), nn.GELU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(48, 1))
            optimiser = torch.optim.AdamW(self.net.parameters(), 1e-3, weight_decay=0.05)
            for _ in range(steps):
                drawn = torch.multinomial(1 / count[pair], batch, replacement=True, generator=chance)
                some = augment(train[drawn], self.skeleton, chance)
                said = self.net(self.seen(some.transpose(1, 2).flatten(0, 1)))[:, 0]
                loss = binary_cross_entropy_with_logits(said, torch.tensor([0.0, 1.0]).repeat(batch))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        self.eval()

    def forward(self, transforms: torch.Tensor) -> torch.Tensor:
        """Who dances each window."""
        return (torch.cat([self.net(self.seen(part))[:, 0] for part in transforms.split(256)]) > 0).long()

    def seen(self, transforms: torch.Tensor) -> torch.Tensor:
        """What it looks at: [B, T, J, 7] to [B, 6 * J, T]."""
        turns = transforms[..., 3:]
        pose = forward_kinematics(self.skeleton, turns, torch.zeros_like(turns[..., 0, :3]), self.body)[0]
        each = pose.flatten(0, 1)[:, None, None]  # [B * T, 1, 1, J, 3]
        frame = reference_frame(each, 0, self.skeleton, of="a")
        pose = frame.to_local(each)[:, 0, 0].view_as(pose).flatten(2)
        return torch.cat([3 * pose, 20 * pose.diff(dim=1, prepend=pose[:, :1])], 2).transpose(1, 2)


@torch.no_grad()
def written(model: VAERNN, moves: torch.Tensor, route: str) -> torch.Tensor:
    """Windows [N, T, 2, J, 7], one dancer written from the other: the joints' places [N, T, J, 3].

    With the bones of who was danced there. Units: metres, world coordinates. Chapter: 6.
    """
    model.eval()
    moves = moves.to(model.bones.device)
    return torch.cat([positions_of(model.skeleton, _swapped(model, part, route)) for part in moves.split(256)])


def _swapped(model: VAERNN, moves: torch.Tensor, route: str) -> torch.Tensor:
    """As `written`, but transforms [N, T, J, 7], with the bones of who is written."""
    made = []
    for part in moves.split(256):
        heard, _, frame, _ = model.told(part, route)
        _, turns, root = model.decode(model.encode(heard, route[0])[0], route[1], heard[..., -3:])
        turns = model.in_world(turns, frame)
        places = part[:, :, "ab".index(route[1]), :, :3].clone()
        places[:, :, 0] = frame.to_world(root)
        made.append(torch.cat([places, turns], -1))
    return torch.cat(made)


def _strangers(train: Windows, batch: torch.Tensor, who: str) -> torch.Tensor:
    """For windows [N, T, 2, J, 3] dancers of other takes, who in the middle stand and face as ``who`` does."""
    drawn = torch.randint(len(train), (len(batch),), generator=torch.Generator().manual_seed(0))
    others, middle = train[drawn][:, : batch.shape[1]], batch.shape[1] // 2
    there, here = (reference_frame(x, middle, train.skeleton, of=who) for x in (others, batch))
    return here.to_world(there.to_local(others[:, :, "ab".index(who)]))


def _danced(model: VAERNN, train: Windows, asked: Windows, route: str) -> dict[str, float]:
    """Whole takes as the model writes them, beside what was danced by who is written: mean measures."""
    told = []
    for take in map(tuple, takes_of(asked)):
        read, real = (take["ab".index(who)] for who in route)
        phrases = model.read(read, route)
        made = model.write(phrases, real.skeleton)
        told.append({"jerk_ratio": _mean(metrics.jerk, made) / _mean(metrics.jerk, real),
                     "speed_ratio": _mean(metrics.speed, made) / _mean(metrics.speed, real),
                     "skate_ratio": metrics.foot_skate(made) / metrics.foot_skate(real),
                     "beyond_percent": _beyond(train, made, route[1]), "seam_ratio": _seams(model, phrases)})
    return {name: float(np.mean([each[name] for each in told])) for name in told[0]}


def _mean(measure, motion: Motion) -> float:
    return float(measure(motion.positions, motion.fps).mean())


def _seams(model: VAERNN, phrases) -> float:
    """The largest turn of a joint from one frame to the next where windows are blended, over that inside of windows."""
    turns, root = model.windows_of(phrases)
    whole, _ = blend(turns, root)
    step = lambda q: float(rotation_difference(q[..., 1:, :, :], q[..., :-1, :, :]).max())  # noqa: E731
    return (step(whole) / step(turns)) ** 0.5


def _beyond(train: Windows, motion: Motion, who: str) -> float:
    """How many percent of joint rotations are beyond every one of the training takes: farther from the joint's mean
    rotation there than any was."""
    seen = train.frames[:, "ab".index(who), 1:, 3:]  # [F, J - 1, 4]; the root has no limit
    middle = normalize((seen * torch.sign(seen[..., 3:])).mean(0), dim=-1)
    limit = rotation_difference(seen, middle).amax(0)
    turns = torch.from_numpy(motion.rotations[:, 1:])
    return 100 * float((rotation_difference(turns, middle) > limit + 1e-6).float().mean())


def _aligned(made: torch.Tensor, true: torch.Tensor) -> float:
    """Mean joint error of windows [N, T, J, 3], metres, with both roots in one place."""
    return float(((made - made[:, :, :1]) - (true - true[:, :, :1])).norm(dim=-1).mean())


def _together(one: Motion, other: Motion) -> float:
    """Correlation over time of how fast the joints of two dancers move, on the whole."""
    return float(np.corrcoef(*(metrics.speed(m.positions, m.fps).mean(-1) for m in (one, other)))[0, 1])


def _add(rows: dict, name: str, route: str, told: dict[str, float], share: int) -> None:
    """Measures of one route into a row: by themselves, and their share of the mean over routes."""
    row = rows.setdefault(name, {})
    for key, value in told.items():
        row[key] = row.get(key, 0.0) + value / share
        row[f"{key}_{route}"] = value
