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

PENALTIES = tuple(10.0**power for power in range(-9, -2))
FOLDS = 3


class Ridge:
    """Linear regression with a penalty on large weights, from the last frames to the displacement at each horizon.

    ``past``: "own" frames only, or "both" dancers'; ``partner_at_target`` adds the partner's pose at the horizon.
    ``pooled``: one regression learns from both roles and from the dance in a mirror; otherwise one a role.
    ``frames`` of the past are used. ``penalty`` p in ``mean |y - x W|^2 + p |W|^2``; None: for each horizon the one of
    `PENALTIES` that predicts held-out takes best, every take being held out once (`FOLDS` groups of takes).
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
        """Weights a role and a horizon in ``.weights``, and the penalty that was chosen in ``.penalties``.

        Chapter: 3.
        """
        if past_frames(windows, horizons) < self.frames:
            raise ValueError(f"the past has {past_frames(windows, horizons)} frames and this ridge looks at "
                             f"{self.frames}; cut windows of at least {self.frames + max(horizons)} frames")
        folds = folds_of_takes(windows)
        if self.penalty is None and len(folds) < 2:
            raise ValueError("a penalty is chosen on takes that are held out, and there is one take; give penalty=")
        self.skeleton, self.weights, self.penalties = windows.skeleton, {}, {}
        for roles in ("ab",) if self.pooled else ("a", "b"):
            sums = [self._sums(fold, horizons, roles) for fold in folds]
            weights: dict[int, torch.Tensor] = {}
            chosen: dict[int, float] = {}
            for columns, which in self._blocks(sums[0], len(horizons)):
                parts = [(xx[columns][:, columns], xy[columns][:, which], yy[which], n) for xx, xy, yy, n in sums]
                asked = [horizons[i] for i in which]
                best, solved = fit_ridge(parts, PENALTIES if self.penalty is None else (self.penalty,))
                chosen |= dict(zip(asked, best))
                weights |= dict(zip(asked, solved))
            for role in roles:
                self.weights[role], self.penalties[role] = weights, chosen
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
        past, sums = past_frames(windows, horizons), [0.0, 0.0, 0.0, 0]
        later = [h - 1 for h in horizons]
        for batch in windows.batches(1024):
            for view in (batch, mirrored(batch, self.skeleton)) if self.pooled else (batch,):
                for who in roles:
                    own = dancer_index(who)
                    frame, local, beside = self._to_local(view[:, :past], view[:, past:, 1 - own], who)
                    x = self._columns(local)
                    if beside is not None:
                        x = torch.cat([x, beside[:, later].flatten(1)], 1)  # [B, columns + H * J * 3]
                    y = frame.to_local(view[:, past:, own].cpu().double())[:, later] - local[:, -1:, 0]
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


def folds_of_takes(windows: Windows) -> list[Windows]:
    """The windows in `FOLDS` groups of whole takes, or as many as there are takes. Chapter: 3."""
    takes = windows.take.unique()
    return [windows.subset(torch.isin(windows.take, group)) for group in takes.tensor_split(min(FOLDS, len(takes)))]


def fit_ridge(parts: Sequence[Sequence[Any]], penalties: Sequence[float]) -> tuple[list[float], list[torch.Tensor]]:
    """For each horizon the penalty that leaves the least squared error on parts held out in turn, and the weights.

    A part is (X'X [C, C], X'Y [C, H, K], Y'Y [H], rows): sums are all that either step needs. (scikit-learn's
    `RidgeCV` would make them anew for every penalty, horizon and part.) Chapter: 3.
    """
    total = [sum(each) for each in zip(*parts)]
    squares = torch.zeros(len(penalties), len(total[2]), dtype=torch.float64)
    for held_out in parts if len(penalties) > 1 else ():
        squares += _held_out_squares(held_out, [whole - part for whole, part in zip(total, held_out)], penalties)
    best = [penalties[k] for k in squares.argmin(0)]
    solved = {penalty: _solve(total[0], total[1], total[3], penalty) for penalty in set(best)}
    return best, [solved[penalty][:, i] for i, penalty in enumerate(best)]


def _held_out_squares(held_out: Sequence[Any], rest: Sequence[Any], penalties: Sequence[float]) -> torch.Tensor:
    """Squared errors [penalties, H] on a part held out, of regressions on the rest.

    Seven Cholesky factors take half the time of the one eigendecomposition that would serve all penalties.
    The constant, which is free, is left out by centring.
    """
    xx, xy, yy, n = held_out
    rest_xx, rest_xy, _, rest_n = rest
    x_mean, y_mean = rest_xx[0, 1:] / rest_n, rest_xy[0] / rest_n  # [C], [H, K]
    x_sum, y_sum = xx[0, 1:], xy[0]
    seen_xx = rest_xx[1:, 1:] - rest_n * x_mean.outer(x_mean)
    seen_xy = rest_xy[1:] - rest_n * x_mean[:, None, None] * y_mean  # [C, H, K]
    off_xx = xx[1:, 1:] - x_sum.outer(x_mean) - x_mean.outer(x_sum - n * x_mean)
    off_xy = xy[1:] - x_sum[:, None, None] * y_mean - x_mean[:, None, None] * (y_sum - n * y_mean)
    off_yy = yy - (y_mean * (2 * y_sum - n * y_mean)).sum(1)  # [H]
    seen_xy, off_xy, diagonal, found = seen_xy.flatten(1), off_xy.flatten(1), seen_xx.diagonal().clone(), []
    for penalty in penalties:
        seen_xx.diagonal().copy_(diagonal + rest_n * penalty)  # in place: a new C x C costs half of its factor
        weights = torch.cholesky_solve(seen_xy, torch.linalg.cholesky(seen_xx))
        error = weights * (off_xx @ weights - 2 * off_xy)  # [C, H * K]
        found.append(off_yy + error.unflatten(1, y_mean.shape).sum((0, 2)))
    return torch.stack(found)


def _solve(xx, xy, rows: int, penalty: float) -> torch.Tensor:
    """The weights W [C, H, K] of ``(X'X + rows p I) W = X'Y``; the first column, a constant, is free."""
    ridge = torch.full((len(xx),), penalty * rows, dtype=xx.dtype)
    ridge[0] = 0
    return torch.cholesky_solve(xy.flatten(1), torch.linalg.cholesky(xx + torch.diag(ridge))).unflatten(1, xy.shape[1:])
