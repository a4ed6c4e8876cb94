"""Where a dancer will be next, without a network: zero, constant and damped velocity; and the table of errors.

Every forecaster has the same two verbs. It sees the past of both dancers up to the last observed frame and, where it
wants, the partner's frames up to the one it is asked for; it predicts one dancer's joints some frames ahead.
Taught in chapter 3, "Before any network"; the rows that chapters 4 to 8 have to beat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from ...body.motion import dancer_index
from ...core.arguments import Rule, Wrong, a, choice, count, each, need, nothing, shown, takes
from ...core.shapes import chosen, tensor
from ...sets.windows import Windows

HORIZONS = (1, 3, 6, 12, 18, 30)
"""Frames ahead that the book's tables show: 33, 100, 200, 400, 600 and 1,000 ms at 30 frames per second."""
WINDOWS_RULE, HORIZONS_RULE, WHO_RULE = a(Windows), each(count(), least=1), choice("a", "b")
PAST_RULE = tensor("windows", "frames", 2, "joints", 3)
PARTNER_RULE = tensor("windows", "frames ahead", "joints", 3, empty=True) | nothing


def _forecaster(value, axes):
    need(callable(getattr(value, "predict", None)) and not isinstance(value, type))
    return value


def _forecasters(value, axes):
    need(isinstance(value, Mapping))
    need(bool(value), ValueError)
    for name, model in value.items():
        try:
            _forecaster(model, axes)
        except Wrong:
            raise Wrong(TypeError, f"{shown(model)} as {name!r}") from None
    return value


FORECASTER_RULE = Rule("a forecaster (with a method predict)", _forecaster)
MODELS_RULE = Rule("a dictionary of names and forecasters (with a method predict)", _forecasters)


class Forecaster(Protocol):
    """What every baseline is, and what a network has to be so that it can stand in the same table.

    Windows are split into a past and ``max(horizons)`` frames to predict: P = windows.length - max(horizons).
    Units: metres, world coordinates; horizons count the windows' frames. Chapter: 3.
    """

    def fit(self, windows: Windows, horizons: Sequence[int] = HORIZONS) -> Forecaster:
        """Learn what there is to learn from windows [N, P + F, 2, J, 3]; gives itself. Chapter: 3."""

    def predict(self, past, partner, horizons: Sequence[int] = HORIZONS, who: str = "b") -> torch.Tensor:
        """Dancer ``who`` at each horizon, [B, H, J, 3], from ``past`` [B, P, 2, J, 3] and ``partner`` [B, F, J, 3].

        ``partner`` is the other dancer in the frames after the past, or None. For horizon h a forecaster may look at
        its first h frames and no further. Chapter: 3.
        """


class ZeroVelocity:
    """The dancer keeps the last pose: zero velocity. Chapter: 3; Martinez, Black and Romero, CVPR 2017."""

    @takes(windows=WINDOWS_RULE, horizons=HORIZONS_RULE)
    def fit(self, windows: Windows, horizons: Sequence[int] = HORIZONS) -> ZeroVelocity:
        """Nothing to learn; gives itself. Chapter: 3."""
        return self

    @takes(past=PAST_RULE, partner=PARTNER_RULE, horizons=HORIZONS_RULE, who=WHO_RULE)
    def predict(self, past, partner, horizons: Sequence[int] = HORIZONS, who: str = "b") -> torch.Tensor:
        """The last pose, moved on by `steps_ahead` times the last step, [B, H, J, 3]. Chapter: 3."""
        own = past[:, -2:, dancer_index(who)]  # [B, 2, J, 3]
        steps = own.new_tensor([self.steps_ahead(h) for h in horizons]).view(-1, 1, 1)
        return own[:, 1, None] + steps * (own[:, 1] - own[:, 0])[:, None]  # [B, H, J, 3]

    def steps_ahead(self, horizon: int) -> float:
        """How many steps as the last one the dancer still goes until the horizon. Chapter: 3."""
        return 0.0


class ConstantVelocity(ZeroVelocity):
    """Every joint goes on as between the last two frames. Chapter: 3."""

    def steps_ahead(self, horizon: int) -> float:
        """One step a frame. Chapter: 3."""
        return float(horizon)


class DampedVelocity(ZeroVelocity):
    """Every joint goes on, damped: for each horizon, the number of steps that fits the training windows best.

    The least-squares share c of ``true - last = c (last - the one before)``. Chapter: 3.
    """

    @takes(windows=WINDOWS_RULE, horizons=HORIZONS_RULE)
    def fit(self, windows: Windows, horizons: Sequence[int] = HORIZONS) -> DampedVelocity:
        """One number a horizon, from both dancers. Chapter: 3."""
        now = past_frames(windows, horizons) - 1
        products, squares = torch.zeros(len(horizons), dtype=torch.float64), 0.0
        for batch in windows.batches(1024):
            last, step = batch[:, now], batch[:, now] - batch[:, now - 1]
            ahead = batch[:, [now + h for h in horizons]] - last[:, None]  # [B, H, 2, J, 3]
            products += (ahead * step[:, None]).sum((0, 2, 3, 4)).cpu()
            squares += float((step**2).sum())
        self.steps = dict(zip(horizons, (products / max(squares, 1e-12)).tolist()))  # none where nobody moves
        return self

    def steps_ahead(self, horizon: int) -> float:
        """As fitted. Chapter: 3."""
        return self.steps[horizon]


@dataclass(frozen=True)
class Scores:
    """How far each forecaster was off.

    Shapes: ``errors`` holds for each row [N, 2, H]: window, dancer who was predicted (a, b), horizon; the mean over
    joints of the distance to where the joint was. Units: metres; ``fps`` of the windows. Chapter: 3.
    """

    errors: dict[str, torch.Tensor]
    horizons: tuple[int, ...]
    fps: float

    @takes(who=choice("ab", "a", "b"))
    def table(self, who: str = "ab") -> dict[str, dict[str, float]]:
        """Means in millimetres, {row: {"error_mm@33ms": ...}}: of both dancers, or of "a" or "b". Chapter: 3."""
        names = [f"error_mm@{1000 * h / self.fps:.0f}ms" for h in self.horizons]
        roles = [dancer_index(role) for role in who]
        return {row: dict(zip(names, (1000 * errors[:, roles].mean((0, 1))).tolist()))
                for row, errors in self.errors.items()}


@takes(models=MODELS_RULE, windows=WINDOWS_RULE, horizons=HORIZONS_RULE, joints=a(slice) | each(count(0), least=1))
def evaluate(models: Mapping[str, Forecaster], windows: Windows, horizons: Sequence[int] = HORIZONS,
             joints: Sequence[int] | slice = slice(None)) -> Scores:  # noqa: B008 (a slice is not changed)
    """Evaluate every forecaster on the same windows: each dancer predicted from both pasts and the other one's future.

    MPJPE in world coordinates (Ionescu et al., PAMI 2014, without aligning anything), over ``joints``.
    Errors: ValueError for windows of one dancer or too short for the horizons. Chapter: 3.
    """
    past, joints = past_frames(windows, horizons), chosen("joints", joints, len(windows.skeleton))
    errors: dict[str, list[torch.Tensor]] = {row: [] for row in models}
    for batch in windows.batches(1024):
        for row, model in models.items():
            roles = []
            for own, who in enumerate("ab"):
                predicted = model.predict(batch[:, :past], batch[:, past:, 1 - own], horizons, who)
                true = batch[:, [past + h - 1 for h in horizons], own]  # [B, H, J, 3]
                roles.append((predicted - true)[:, :, joints].norm(dim=-1).mean(-1))
            errors[row].append(torch.stack(roles, 1).cpu())  # [B, 2, H]
    return Scores({row: torch.cat(parts) for row, parts in errors.items()}, tuple(horizons), windows.fps)


def past_frames(windows: Windows, horizons: Sequence[int]) -> int:
    """A window's frames before those to predict. Errors: ValueError for one dancer, too short a window. Chapter: 3."""
    past = windows.length - max(horizons)
    if windows.frames.shape[1] != 2 or past < 2 or min(horizons) < 1:
        raise ValueError(f"windows of {windows.length} frames and {windows.frames.shape[1]} dancer(s), horizons "
                         f"{tuple(horizons)}: a forecast needs two dancers, horizons from 1 on, and "
                         f"{max(horizons) + 2} frames or more")
    return past
