"""Where a dancer will be next, without a network: repeating, going on, and ridge regression.

Every forecaster has the same two verbs. It sees the past of both dancers up to the last observed frame and, where it
wants, the partner's frames up to the one it is asked for; it answers with one dancer's joints some frames ahead.
Taught in chapter 3, "Before any network"; the rows that chapters 4 to 8 have to beat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from ...body.reference import reference_frame
from ...core.arguments import Rule, Wrong, a, choice, count, each, flag, nothing, number, shown, takes, text
from ...core.shapes import chosen, tensor
from ...sets.augmentation import mirrored
from ...sets.windows import Windows

HORIZONS = (1, 3, 6, 12, 18, 30)
"""Frames ahead that the book's tables show: 33, 100, 200, 400, 600 and 1,000 ms at 30 frames per second."""
PENALTIES = tuple(10.0**power for power in range(-9, -2))
FOLDS = 3
_WINDOWS, _HORIZONS, _WHO = a(Windows), each(count(), least=1), choice("a", "b")
_PAST = tensor("windows", "frames", 2, "joints", 3)
_PARTNER = tensor("windows", "frames ahead", "joints", 3, empty=True) | nothing


def _forecasters(value, axes):
    if not isinstance(value, Mapping) or not value:
        raise Wrong(TypeError if not isinstance(value, Mapping) else ValueError)
    for name, model in value.items():
        if not callable(getattr(model, "predict", None)) or isinstance(model, type):
            raise Wrong(TypeError, f"{shown(model)} as {name!r}")
    return value


_MODELS = Rule("a dictionary of names and forecasters (with a method predict)", _forecasters)


class Forecaster(Protocol):
    """What every baseline is, and what a network has to be so that it can stand in the same table.

    Windows are split into a past and ``max(horizons)`` frames to be foretold: P = windows.length - max(horizons).
    Units: metres, world coordinates; horizons count the windows' frames. Chapter: 3.
    """

    def fit(self, windows: Windows, horizons: Sequence[int] = HORIZONS) -> Forecaster:
        """Learn what there is to learn from windows [N, P + F, 2, J, 3]; gives itself."""

    def predict(self, past, partner, horizons: Sequence[int] = HORIZONS, who: str = "b") -> torch.Tensor:
        """Dancer ``who`` at each horizon, [B, H, J, 3], from ``past`` [B, P, 2, J, 3] and ``partner`` [B, F, J, 3].

        ``partner`` is the other dancer in the frames after the past, or None. For horizon h a forecaster may look at
        its first h frames and no further.
        """


class ZeroVelocity:
    """The dancer stands still in the last pose. Chapter: 3; Martinez, Black and Romero, CVPR 2017."""

    @takes(windows=_WINDOWS, horizons=_HORIZONS)
    def fit(self, windows: Windows, horizons: Sequence[int] = HORIZONS) -> ZeroVelocity:
        """Nothing to learn."""
        return self

    @takes(past=_PAST, partner=_PARTNER, horizons=_HORIZONS, who=_WHO)
    def predict(self, past, partner, horizons: Sequence[int] = HORIZONS, who: str = "b") -> torch.Tensor:
        """The last pose, moved on by `reach` times the step from the frame before it."""
        own = past[:, -2:, "ab".index(who)]  # [B, 2, J, 3]
        reach = own.new_tensor([self.reach(h) for h in horizons]).view(-1, 1, 1)
        return own[:, 1, None] + reach * (own[:, 1] - own[:, 0])[:, None]  # [B, H, J, 3]

    def reach(self, horizon: int) -> float:
        """How many of the last steps the dancer still goes until the horizon."""
        return 0.0


class ConstantVelocity(ZeroVelocity):
    """Every joint goes on as between the last two frames. Chapter: 3."""

    def reach(self, horizon: int) -> float:
        """One step a frame."""
        return float(horizon)


class DampedVelocity(ZeroVelocity):
    """Every joint goes on, and tires: for each horizon, the number of steps that fits the training windows best.

    The least-squares share c of ``true - last = c (last - the one before)``. Chapter: 3.
    """

    @takes(windows=_WINDOWS, horizons=_HORIZONS)
    def fit(self, windows: Windows, horizons: Sequence[int] = HORIZONS) -> DampedVelocity:
        """One number a horizon, from both dancers."""
        now, above, below = _past(windows, horizons) - 1, torch.zeros(len(horizons), dtype=torch.float64), 0.0
        for batch in windows.batches(1024):
            last, step = batch[:, now], batch[:, now] - batch[:, now - 1]
            ahead = batch[:, [now + h for h in horizons]] - last[:, None]  # [B, H, 2, J, 3]
            above += (ahead * step[:, None]).sum((0, 2, 3, 4)).cpu()
            below += float((step**2).sum())
        self.steps = dict(zip(horizons, (above / max(below, 1e-12)).tolist()))  # none where nobody moves
        return self

    def reach(self, horizon: int) -> float:
        """As fitted."""
        return self.steps[horizon]


class Ridge:
    """Linear regression with a penalty on large weights, from the last frames to the displacement at each horizon.

    ``past``: "own" frames only, or "both" dancers'; ``partner_at_target`` adds the partner's pose at the horizon.
    ``pooled``: one regression learns from both roles and from the dance in a mirror; otherwise one a role.
    ``frames`` of the past are seen. ``penalty`` p in ``mean |y - x W|^2 + p |W|^2``; None: for each horizon the one of
    `PENALTIES` that foretells held-out takes best, every take being held out once (`FOLDS` groups of takes).
    Everything is seen from the frame of reference of the dancer who is foretold, at the last observed frame; sums are
    kept in float64 on the CPU.
    Errors: ValueError for a past shorter than ``frames``, a horizon that was not fitted, no partner where one is
    needed, or a penalty to be chosen from one take only. Chapter: 3; Hoerl and Kennard, Technometrics 1970.
    """

    @takes(past=text, partner_at_target=flag, pooled=flag, frames=count(1, 10_000), penalty=number())
    def __init__(self, past="both", partner_at_target=False, pooled=True, frames=10, penalty: float | None = None):
        if past not in ("own", "both") or (penalty is not None and penalty <= 0):
            raise ValueError(f'past {past!r} and penalty {penalty}: past is "own" or "both", a penalty is above 0')
        self.past, self.partner_at_target, self.pooled = past, partner_at_target, pooled
        self.frames, self.penalty = frames, penalty

    @takes(windows=_WINDOWS, horizons=_HORIZONS)
    def fit(self, windows: Windows, horizons: Sequence[int] = HORIZONS) -> Ridge:
        """Weights a role and a horizon in ``.weights``, and the penalty that was chosen in ``.penalties``."""
        if _past(windows, horizons) < self.frames:
            raise ValueError(
                f"the past has {_past(windows, horizons)} frames and this ridge looks at {self.frames}; cut windows "
                f"of at least {self.frames + max(horizons)} frames"
            )
        groups = windows.take.unique().tensor_split(min(FOLDS, len(windows.take.unique())))
        if self.penalty is None and len(groups) < 2:
            raise ValueError("a penalty is chosen on takes that are held out, and there is one take; give penalty=")
        self.skeleton, self.weights, self.penalties = windows.skeleton, {}, {}
        for roles in ("ab",) if self.pooled else ("a", "b"):
            sums = [self._sums(windows.subset(torch.isin(windows.take, g)), horizons, roles) for g in groups]
            weights, chosen = {}, {}
            for columns, which in self._blocks(sums[0], len(horizons)):
                parts = [(xx[columns][:, columns], xy[columns][:, which], yy[which], n) for xx, xy, yy, n in sums]
                asked = [horizons[i] for i in which]
                best, answer = regressed(parts, PENALTIES if self.penalty is None else (self.penalty,))
                chosen |= dict(zip(asked, best))
                weights |= dict(zip(asked, answer))
            for role in roles:
                self.weights[role], self.penalties[role] = weights, chosen
        return self

    @takes(past=_PAST, partner=_PARTNER, horizons=_HORIZONS, who=_WHO)
    def predict(self, past, partner, horizons: Sequence[int] = HORIZONS, who: str = "b") -> torch.Tensor:
        """Displacements foretold in the dancer's own frame of reference, added to the last pose."""
        if not set(horizons) <= set(self.weights[who]):
            raise ValueError(f"horizons {tuple(horizons)} asked for; fitted were {tuple(self.weights[who])}")
        if past.shape[1] < self.frames:
            raise ValueError(f"a past of {past.shape[1]} frames, and this ridge looks at {self.frames}")
        if self.partner_at_target and (partner is None or partner.shape[1] < max(horizons)):
            raise ValueError(
                f"this ridge looks at the partner at the target frame; give the partner's {max(horizons)} frames"
            )
        frame, seen, beside = self._seen(past, partner, who)
        shared, answer = self._columns(seen), []
        for h in horizons:
            columns = shared if beside is None else torch.cat([shared, beside[:, h - 1].flatten(1)], 1)
            answer.append((columns @ self.weights[who][h]).unflatten(1, (-1, 3)))  # [B, J, 3]
        return frame.to_world(seen[:, -1:, 0] + torch.stack(answer, 1)).to(past.dtype).to(past.device)

    def _seen(self, past, partner, who: str):
        """The frame of reference; past [B, P, 2, J, 3], own dancer first, and partner, as seen from it."""
        past = (past if who == "a" else past.flip(2)).cpu().double()
        frame = reference_frame(past, -1, self.skeleton, of="a")
        beside = frame.to_local(partner.cpu().double()) if self.partner_at_target else None
        return frame, frame.to_local(past), beside

    def _columns(self, seen) -> torch.Tensor:
        """What is known at every horizon: a constant and the last frames, [B, 1 + frames * (1 or 2) * J * 3]."""
        poses = seen[:, -self.frames :, : 1 if self.past == "own" else 2].flatten(1)
        return torch.cat([poses.new_ones(len(poses), 1), poses], 1)

    def _sums(self, windows: Windows, horizons, roles: str) -> list:
        """X'X, X'Y, Y'Y and the number of rows; X ends with the partner at every horizon, Y is [rows, H, J * 3]."""
        past, sums = _past(windows, horizons), [0.0, 0.0, 0.0, 0]
        later = [h - 1 for h in horizons]
        for batch in windows.batches(1024):
            for view in (batch, mirrored(batch, self.skeleton)) if self.pooled else (batch,):
                for who in roles:
                    own = "ab".index(who)
                    frame, seen, beside = self._seen(view[:, :past], view[:, past:, 1 - own], who)
                    x = self._columns(seen)
                    if beside is not None:
                        x = torch.cat([x, beside[:, later].flatten(1)], 1)  # [B, columns + H * J * 3]
                    y = frame.to_local(view[:, past:, own].cpu().double())[:, later] - seen[:, -1:, 0]
                    y = y.flatten(2)  # [B, H, J * 3]
                    cross = (x.T @ y.flatten(1)).unflatten(1, y.shape[1:])  # [columns, H, J * 3]
                    sums = [s + part for s, part in zip(sums, (x.T @ x, cross, (y**2).sum((0, 2)), len(x)))]
        return sums

    def _blocks(self, sums, horizons: int):
        """Columns of X, and which horizons are regressed on them: all on the same, or each on its partner pose too."""
        columns, _, width = sums[1].shape
        if not self.partner_at_target:
            return [(list(range(columns)), list(range(horizons)))]
        shared = columns - horizons * width
        poses = [range(shared + i * width, shared + (i + 1) * width) for i in range(horizons)]
        return [([*range(shared), *pose], [i]) for i, pose in enumerate(poses)]


def regressed(parts, penalties) -> tuple[list, list]:
    """For each horizon the penalty that leaves the least squared error on parts held out in turn, and the weights.

    A part is (X'X [C, C], X'Y [C, H, K], Y'Y [H], rows): sums are all that either step needs.
    """
    total = [sum(each) for each in zip(*parts)]
    missed = torch.zeros(len(penalties), len(total[2]), dtype=torch.float64)
    for xx, xy, yy, n in parts if len(penalties) > 1 else ():
        for k, penalty in enumerate(penalties):
            w = _solved(total[0] - xx, total[1] - xy, total[3] - n, penalty)
            fit = (xx @ w.flatten(1)).unflatten(1, w.shape[1:])
            missed[k] += yy + ((fit - 2 * xy) * w).sum((0, 2))
    best = [penalties[k] for k in missed.argmin(0)]
    solved = {penalty: _solved(total[0], total[1], total[3], penalty) for penalty in set(best)}
    return best, [solved[penalty][:, i] for i, penalty in enumerate(best)]


def _solved(xx, xy, rows: int, penalty: float) -> torch.Tensor:
    """The weights W [C, H, K] of ``(X'X + rows p I) W = X'Y``; the first column, a constant, is free."""
    ridge = torch.full((len(xx),), penalty * rows, dtype=xx.dtype)
    ridge[0] = 0
    return torch.cholesky_solve(xy.flatten(1), torch.linalg.cholesky(xx + torch.diag(ridge))).unflatten(1, xy.shape[1:])


@dataclass(frozen=True)
class Scores:
    """How far each forecaster was off.

    Shapes: ``errors`` holds for each row [N, 2, H]: window, dancer who was foretold (a, b), horizon; the mean over
    joints of the distance to where the joint was. Units: metres; ``fps`` of the windows. Chapter: 3.
    """

    errors: dict[str, torch.Tensor]
    horizons: tuple[int, ...]
    fps: float

    @takes(who=choice("ab", "a", "b"))
    def table(self, who: str = "ab") -> dict[str, dict[str, float]]:
        """Means in millimetres, {row: {"error_mm@33ms": ...}}: of both dancers, or of "a" or "b". Chapter: 3."""
        names = [f"error_mm@{1000 * h / self.fps:.0f}ms" for h in self.horizons]
        roles = ["ab".index(role) for role in who]
        return {
            row: dict(zip(names, (1000 * errors[:, roles].mean((0, 1))).tolist()))
            for row, errors in self.errors.items()
        }


@takes(models=_MODELS, windows=_WINDOWS, horizons=_HORIZONS, joints=a(slice) | each(count(0), least=1))
def evaluate(models: Mapping[str, Forecaster], windows: Windows, horizons: Sequence[int] = HORIZONS,
             joints: Sequence[int] | slice = slice(None)) -> Scores:  # noqa: B008 (a slice is not changed)
    """Every forecaster on the same windows: each dancer foretold from both pasts and the other one's future.

    Mean joint error in world coordinates (Ionescu et al., PAMI 2014, without aligning anything), over ``joints``.
    Errors: ValueError for windows of one dancer or too short for the horizons. Chapter: 3.
    """
    past, joints = _past(windows, horizons), chosen("joints", joints, len(windows.skeleton))
    errors = {row: [] for row in models}
    for batch in windows.batches(1024):
        for row, model in models.items():
            roles = []
            for own, who in enumerate("ab"):
                answer = model.predict(batch[:, :past], batch[:, past:, 1 - own], horizons, who)
                true = batch[:, [past + h - 1 for h in horizons], own]  # [B, H, J, 3]
                roles.append((answer - true)[:, :, joints].norm(dim=-1).mean(-1))
            errors[row].append(torch.stack(roles, 1).cpu())  # [B, 2, H]
    return Scores({row: torch.cat(parts) for row, parts in errors.items()}, tuple(horizons), windows.fps)


def _past(windows: Windows, horizons: Sequence[int]) -> int:
    """How many frames of a window come before what is to be foretold."""
    past = windows.length - max(horizons)
    if windows.frames.shape[1] != 2 or past < 2 or min(horizons) < 1:
        raise ValueError(
            f"windows of {windows.length} frames and {windows.frames.shape[1]} dancer(s), horizons {tuple(horizons)}: "
            f"a forecast needs two dancers, horizons from 1 on, and {max(horizons) + 2} frames or more"
        )
    return past
