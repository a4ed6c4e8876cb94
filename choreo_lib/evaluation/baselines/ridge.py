"""Ridge regression from the last frames to the next ones. Taught in chapter 3, "Before any network"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ...body.motion import dancer_index
from ...body.reference import reference_frame
from ...core.arguments import count, flag, number, takes, text
from ...sets.augmentation import mirrored
from ...sets.windows import Windows
from .forecast import HORIZONS, HORIZONS_RULE, PARTNER_RULE, PAST_RULE, WHO_RULE, WINDOWS_RULE, past_frames

PENALTIES = tuple(10.0 ** (power / 2) for power in range(-24, -5, 3))  # 1e-12 ... 1e-3; below, float64 is too coarse
FOLDS = 3
SAMPLED = 1000  # windows of those held out together, or up to twice as many, on which penalties are compared


class Ridge:
    """Linear regression with a penalty on large weights, from the last frames to the displacement at each horizon.

    ``past``: "own" frames only, or "both" dancers'; ``partner_at_target`` adds the partner's pose at the horizon.
    ``pooled``: one regression learns from both roles and from the dance in a mirror; otherwise one a role.
    ``frames`` of the past are used. ``penalty`` p in ``mean |y - x W|^2 + p |W|^2``; None: for each horizon and joint
    the one of `PENALTIES` with the least mean distance on held-out takes, every take being held out once (`FOLDS`
    groups of them). Not the least square, and not one for all: a few glitches, or one trembling joint, would choose.
    Everything is in the reference frame of the dancer who is predicted, at the last observed frame; sums are kept in
    float64 on the CPU.
    Errors: ValueError for a past shorter than ``frames``, a horizon that was not fitted, no partner where one is
    needed, or a penalty to be chosen from one take only. Chapter: 3; Hoerl and Kennard, Technometrics 1970.
    """

    @takes(past=text, partner_at_target=flag, pooled=flag, frames=count(1, 10_000), penalty=number())
    def __init__(self, past="both", partner_at_target=False, pooled=True, frames=10, penalty: float | None = None):
        if past not in ("own", "both") or (penalty is not None and penalty <= 0):
            raise ValueError(f'past {past!r} and penalty {penalty}: past is "own" or "both", a penalty is above 0')
        self.past, self.partner_at_target, self.pooled = past, partner_at_target, pooled
        self.frames, self.penalty = frames, penalty

    @takes(windows=WINDOWS_RULE, horizons=HORIZONS_RULE)
    def fit(self, windows: Windows, horizons: Sequence[int] = HORIZONS) -> Ridge:
        """Weights a role and a horizon in ``.weights``, and each joint's penalty in ``.penalties``. Chapter: 3."""
        if past_frames(windows, horizons) < self.frames:
            raise ValueError(f"the past has {past_frames(windows, horizons)} frames and this ridge looks at "
                             f"{self.frames}; cut windows of at least {self.frames + max(horizons)} frames")
        folds = folds_of_takes(windows)
        if self.penalty is None and len(folds) < 2:
            raise ValueError("a penalty is chosen on takes that are held out, and there is one take; give penalty=")
        self.skeleton, self.weights, self.penalties = windows.skeleton, {}, {}
        for roles in ("ab",) if self.pooled else ("a", "b"):
            sums = [self._sums(fold, horizons, roles) for fold in folds]
            own = sums[0][1].shape[2] if self.partner_at_target else 0
            rows = None if self.penalty is not None else [self._sample(fold, horizons, roles) for fold in folds]
            chosen, weights = fit_ridge(sums, PENALTIES if self.penalty is None else (self.penalty,), own, rows)
            for role in roles:
                self.weights[role], self.penalties[role] = dict(zip(horizons, weights)), dict(zip(horizons, chosen))
        return self

    @takes(past=PAST_RULE, partner=PARTNER_RULE, horizons=HORIZONS_RULE, who=WHO_RULE)
    def predict(self, past, partner, horizons: Sequence[int] = HORIZONS, who: str = "b") -> torch.Tensor:
        """The last pose and displacements predicted in the dancer's own reference frame, [B, H, J, 3]. Chapter: 3."""
        if not set(horizons) <= set(self.weights[who]):
            raise ValueError(f"horizons {tuple(horizons)} asked for; fitted were {tuple(self.weights[who])}")
        if past.shape[1] < self.frames:
            raise ValueError(f"a past of {past.shape[1]} frames, and this ridge looks at {self.frames}")
        if self.partner_at_target and (partner is None or partner.shape[1] < max(horizons)):
            raise ValueError("this ridge looks at the partner at the target frame; give the partner's "
                             f"{max(horizons)} frames")
        frame, local, beside = self._to_local(past, partner, who)
        shared, steps = self._columns(local), []
        for h in horizons:
            columns = shared if beside is None else torch.cat([shared, beside[:, h - 1].flatten(1)], 1)
            steps.append((columns @ self.weights[who][h]).unflatten(1, (-1, 3)))  # [B, J, 3]
        return frame.to_world(local[:, -1:, 0] + torch.stack(steps, 1)).to(past.dtype).to(past.device)

    def _to_local(self, past, partner, who: str):
        """The reference frame; in it past [B, P, 2, J, 3], own dancer first, and partner."""
        past = (past if who == "a" else past.flip(2)).cpu().double()
        frame = reference_frame(past, -1, self.skeleton, of="a")
        beside = frame.to_local(partner.cpu().double()) if self.partner_at_target else None
        return frame, frame.to_local(past), beside

    def _columns(self, local: torch.Tensor) -> torch.Tensor:
        """What is known at every horizon: a constant and the last frames, [B, 1 + frames * (1 or 2) * J * 3]."""
        poses = local[:, -self.frames :, : 1 if self.past == "own" else 2].flatten(1)
        return torch.cat([poses.new_ones(len(poses), 1), poses], 1)

    def _sums(self, windows: Windows, horizons, roles: str) -> list:
        """X'X, X'Y, Y'Y and the number of rows; X ends with the partner at every horizon, Y is [rows, H, J * 3]."""
        sums = [0.0, 0.0, 0.0, 0]
        for batch in windows.batches(1024):
            for view in (batch, mirrored(batch, self.skeleton)) if self.pooled else (batch,):
                for who in roles:
                    x, y = self._rows(view, horizons, who)
                    cross = (x.T @ y.flatten(1)).unflatten(1, y.shape[1:])  # [columns, H, J * 3]
                    sums = [s + part for s, part in zip(sums, (x.T @ x, cross, (y**2).sum((0, 2)), len(x)))]
        return sums

    def _sample(self, windows: Windows, horizons, roles: str) -> list[torch.Tensor]:
        """X [rows, C] and Y [rows, H, J * 3] of windows evenly through these, as danced."""
        batch = windows[:: max(len(windows) // SAMPLED, 1)]
        return [torch.cat(each) for each in zip(*(self._rows(batch, horizons, who) for who in roles))]

    def _rows(self, batch: torch.Tensor, horizons, who: str) -> tuple[torch.Tensor, torch.Tensor]:
        """X [B, C], which ends with the partner at every horizon, and Y [B, H, J * 3] of windows [B, T, 2, J, 3]."""
        past, own, later = batch.shape[1] - max(horizons), dancer_index(who), [h - 1 for h in horizons]
        frame, local, beside = self._to_local(batch[:, :past], batch[:, past:, 1 - own], who)
        x = self._columns(local)
        if beside is not None:
            x = torch.cat([x, beside[:, later].flatten(1)], 1)  # [B, columns + H * J * 3]
        y = frame.to_local(batch[:, past:, own].cpu().double())[:, later] - local[:, -1:, 0]
        return x, y.flatten(2)


def folds_of_takes(windows: Windows) -> list[Windows]:
    """The windows in `FOLDS` groups of whole takes, or as many as there are takes. Chapter: 3."""
    takes = windows.take.unique()
    return [windows.subset(torch.isin(windows.take, group)) for group in takes.tensor_split(min(FOLDS, len(takes)))]


def fit_ridge(parts: Sequence[Sequence[Any]], penalties: Sequence[float], own: int = 0,
              rows: Sequence[Sequence[torch.Tensor]] | None = None) -> tuple[list[list[float]], list[torch.Tensor]]:
    """For each horizon the penalties that leave the least error on parts held out in turn, and the weights.

    A part is (X'X [C, C], X'Y [C, H, K], Y'Y [H], rows): sums are all that fitting needs. (scikit-learn's `RidgeCV`
    would make them anew for every penalty, horizon and part.) X ends with ``own`` columns for each horizon, of which no
    other horizon is told. With each part's ``rows``, (X [N, C], Y [N, H, K]), every one of K / 3 points has a penalty
    of its own, by distance; without, all targets of the one horizon share one, by squares, which sums tell. Chapter: 3.
    """
    total = [sum(each) for each in zip(*parts)]
    targets, missed = total[1].shape[2], torch.zeros(len(penalties), len(total[2]), 1, dtype=torch.float64)
    for k, held_out in enumerate(parts if len(penalties) > 1 else ()):
        rest = [whole - part for whole, part in zip(total, held_out)]
        missed = missed + (_held_out_squares(held_out, rest, penalties) if rows is None else
                           _held_out_distances(rows[k], rest, penalties, own))
    best = missed.argmin(0)  # [H, points] or [H, 1]
    whose, weights = best.repeat_interleave(targets // best.shape[1], 1), torch.zeros_like(total[1])  # [H, K] of W
    for k in best.unique().tolist():
        weights = torch.where(whose == k, _solve(total, penalties[k], own), weights)
    shared = len(weights) - own * len(best)
    return [[penalties[k] for k in each] for each in best.tolist()], [
        torch.cat([each[:shared], each[shared + i * own :][:own]]) for i, each in enumerate(weights.unbind(1))]


def _held_out_distances(held_out: Sequence[torch.Tensor], rest: Sequence[Any], penalties: Sequence[float],
                        own: int) -> torch.Tensor:
    """Summed distances [penalties, H, K / 3] of points on rows held out, of regressions on the rest."""
    x, y = held_out
    made = (torch.einsum("nc,chk->nhk", x, _solve(rest, penalty, own)) for penalty in penalties)
    return torch.stack([(each - y).unflatten(2, (-1, 3)).norm(dim=-1).sum(0) for each in made])


def _held_out_squares(held_out: Sequence[Any], rest: Sequence[Any], penalties: Sequence[float]) -> torch.Tensor:
    """Squared errors [penalties, 1, 1] on a part held out, of regressions on the rest: |Y - X W|^2, from sums alone.

    For one horizon: one eigendecomposition for all penalties.
    About the rest's means, where no constant is needed: W = Q D M, with X'X = Q L Q', D = (L + rows p)^-1, M = Q'X'Y.
    """
    (xx, xy, _, rows), (held_xx, held_xy, held_yy, held_rows) = rest, held_out
    x, y = xx[1:, 0] / rows, xy[0, 0] / rows  # means [C - 1], [K]
    values, axes = torch.linalg.eigh(xx[1:, 1:] - rows * torch.outer(x, x))
    onto = axes.T @ (xy[1:, 0] - rows * torch.outer(x, y))  # M [C - 1, K]
    sums, held_y = held_xx[1:, 0], held_xy[0, 0]
    crossed = torch.outer(sums, x)
    inside = held_xx[1:, 1:] - crossed - crossed.T + held_rows * torch.outer(x, x)
    beside = held_xy[1:, 0] - torch.outer(sums, y) - torch.outer(x, held_y) + held_rows * torch.outer(x, y)
    left = held_yy - 2 * held_y @ y + held_rows * y @ y  # |Y|^2 [1]
    across = (onto * (axes.T @ beside)).sum(1)  # [C - 1]
    within = (onto @ onto.T) * (axes.T @ inside @ axes)  # [C - 1, C - 1]
    shrunk = [1 / (values.clamp_min(0) + penalty * rows) for penalty in penalties]  # D
    return torch.stack([left - 2 * d @ across + d @ within @ d for d in shrunk])[:, None]


def _solve(sums: Sequence[Any], penalty: float, own: int) -> torch.Tensor:
    """The weights W [C, H, K] of ``(X'X + rows p I) W = X'Y``; the first column, a constant, is free.

    Columns that are another horizon's own have no weight. Those that are shared are decomposed once for all horizons;
    what a horizon's own columns add is its Schur complement.
    """
    xx, xy, yy, rows = sums
    ridge = torch.full((len(xx),), penalty * rows, dtype=xx.dtype)
    ridge[0] = 0
    system, shared = xx + torch.diag(ridge), len(xx) - own * len(yy)
    factor = torch.linalg.cholesky(system[:shared, :shared])
    weights = torch.zeros_like(xy)
    weights[:shared] = torch.cholesky_solve(xy[:shared].flatten(1), factor).view_as(xy[:shared])
    if own:
        beside = torch.cholesky_solve(system[:shared, shared:], factor)  # [shared, H * own]
        for i, (border, solved) in enumerate(zip(system[:shared, shared:].split(own, 1), beside.split(own, 1))):
            mine = slice(shared + i * own, shared + (i + 1) * own)
            weights[mine, i] = torch.linalg.solve(system[mine, mine] - border.T @ solved,
                                                  xy[mine, i] - border.T @ weights[:shared, i])
            weights[:shared, i] -= solved @ weights[mine, i]
    return weights
