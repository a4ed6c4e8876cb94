"""Displacements of joints, and their innovations: what a joint's own past does not predict.

A hand goes where its forearm swings it; only what is left is the hand's own displacement, and only that can have come
from the partner. Taught in chapter 9, "Invisible strings".
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn.functional import pad

from ..body.rotations import swing
from ..body.skeleton import Skeleton
from ..core.precision import in_full_precision

ORDER = 3
"""Of the autoregression: a joint's next displacement is predicted from its last three."""
ROUNDING = 1e-5
"""Metres: what files and float32 round off a position. No innovation is smaller than this."""
NOISE_FLOOR = 1e-4
"""Metres a frame: what is smaller, no camera sees, and nobody answers to. Without it, correlations of next to nothing
count as much as all others: cross-correlation of innovations finds edges with an AP of 0.51 instead of 0.61."""


class Signals(NamedTuple):
    """Displacements from frame to frame, each [..., D, J, T - 1, 3], metres. Chapter: 9.

    ``root_relative``: to the dancer's root, what a joint sends. ``local``: what it adds to being carried by its parent
    (`local_displacements`), what it receives.
    """

    root_relative: torch.Tensor
    local: torch.Tensor

    def until(self, frames: int) -> Signals:
        """Those of the first so many frames. Chapter: 9."""
        return Signals(*(each[..., : frames - 1, :] for each in self))


def signals(skeleton: Skeleton, positions: torch.Tensor) -> Signals:
    """Displacements of the joints of dancers at positions [..., T, D, J, 3]. Chapter: 9."""
    x = positions.transpose(-4, -3)  # [..., D, T, J, 3]
    to_root = (x - x[..., :1, :]).diff(dim=-3)
    return Signals(to_root.transpose(-3, -2), local_displacements(skeleton, x).transpose(-3, -2))


@in_full_precision
def ar_coefficients(signal: torch.Tensor, shared: int = 0, order: int = ORDER) -> torch.Tensor:
    """Coefficients that predict a displacement from those before it, by least squares: [..., T, 3] -> [..., order].

    The last displacement's first, one for all three coordinates. The first ``shared`` axes have the same coefficients.
    The ridge penalty is the variance that rounding adds. Chapter: 9. Box and Jenkins, "Time Series Analysis", 1970.
    """
    exact = signal.double()  # smooth motion makes nearly singular squares
    past = _last_displacements(exact[..., :-1, :], order).flatten(-3, -2)  # [..., 3 (T - order), order]
    now = exact[..., order:, :].flatten(-2)[..., None]
    square, product = past.mT @ past, past.mT @ now
    square = square + 2 * past.shape[-2] * ROUNDING**2 * torch.eye(order, dtype=past.dtype, device=past.device)
    if shared:
        square, product = (each.flatten(0, shared - 1).sum(0) for each in (square, product))
    return torch.linalg.solve(square, product)[..., 0].to(signal)


def innovations(signal: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Residuals of the autoregression: [..., T, 3], coefficients [..., order] -> [..., T - order, 3]. Chapter: 9."""
    return signal[..., weights.shape[-1] :, :] - ar_prediction(signal[..., :-1, :], weights)


def ar_prediction(signal: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The displacement after each three, the last three included: [..., T, 3] -> [..., T - 2, 3]. Chapter: 9."""
    return (_last_displacements(signal, weights.shape[-1]) * weights[..., None, None, :]).sum(-1)


@in_full_precision
def damped(weights: torch.Tensor) -> torch.Tensor:
    """Stable coefficients [..., 3]: those by which a rollout would grow are damped, and others are left alone.

    A rollout grows by the largest root of their polynomial, frame by frame; that root is brought to 1. Chapter: 9.
    """
    companion = torch.diag_embed(torch.ones_like(weights[..., 1:]), -1)
    companion[..., 0, :] = weights
    root = torch.linalg.eigvals(companion).abs().amax(-1, keepdim=True).clamp_min(1)
    return weights / root ** torch.arange(1, ORDER + 1, device=weights.device)


@in_full_precision
def lagged_correlation(sent: torch.Tensor, received: torch.Tensor, lags: range) -> torch.Tensor:
    """Correlation of senders with receivers some frames later: [..., J, T, 3] each -> [..., J, J, lags], -1 to 1.

    The three coordinates are correlated together, so it is positive where the receiver goes the way that the sender
    went. What is smaller than `NOISE_FLOOR` counts as if it were as large. Chapter: 9.
    """
    sent, received = (each - each.mean(-2, keepdim=True) for each in (sent, received))  # for the digits of what follows
    late = torch.tensor(lags, device=sent.device)
    many = sent.shape[-2] - late  # [L]: frames of the sender that have one of the receiver so much later
    shifted = pad(received, (0, 0, 0, lags[-1])).unfold(-2, sent.shape[-2], 1)[..., late, :, :]  # [..., J, L, 3, T]
    products = sent.mT.flatten(-2) @ shifted.flatten(-2).flatten(-3, -2).mT  # [..., J, J L]

    def moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Sums of so many frames [..., J, L, 3], and by what their products are divided [..., J, L]."""
        total, squares = (each.cumsum(-2)[..., many - 1, :] for each in (x, x * x))
        return total, ((squares.sum(-1) - (total * total).sum(-1) / many).maximum(NOISE_FLOOR**2 * many)).sqrt()

    (sum_sent, size_sent), (sum_received, size_received) = moments(sent), moments(received.flip(-2))
    means = torch.einsum("...ilc,...jlc->...ijl", sum_sent, sum_received) / many
    sizes = size_sent[..., :, None, :] * size_received[..., None, :, :]
    return (products.unflatten(-1, (-1, len(lags))) - means) / sizes


def local_displacements(skeleton: Skeleton, positions: torch.Tensor) -> torch.Tensor:
    """What each joint adds to being carried, from frame to frame: [..., T, J, 3] -> [..., T - 1, J, 3].

    A bone is taken to turn rigidly with its parent's bone, by the shortest rotation that this one made; displacement is
    from where that leaves its end to where it is. Children of the root move relative to it; the root in the world.
    Units: metres. Chapter: 9.
    """
    bones = _bones(skeleton, positions)
    before, after = bones[..., :-1, :, :], bones[..., 1:, :, :]
    parents = [max(parent, 0) for parent in skeleton.parents]
    swung = swing(before, before[..., parents, :], after[..., parents, :])
    displacements = after - swung
    root = positions[..., 1:, :1, :] - positions[..., :-1, :1, :]
    return torch.cat([root, displacements[..., 1:, :]], -2)


def next_pose(skeleton: Skeleton, pose: torch.Tensor, displacements: torch.Tensor) -> torch.Tensor:
    """A pose after local displacements, [..., J, 3] metres each: undoes `local_displacements`. Chapter: 9."""
    bones = _bones(skeleton, pose)
    positions, rotated = [pose[..., 0, :] + displacements[..., 0, :]], [torch.zeros_like(pose[..., 0, :])]
    for j, parent in enumerate(skeleton.parents[1:], start=1):
        rotated.append(swing(bones[..., j, :], bones[..., parent, :], rotated[parent]) + displacements[..., j, :])
        positions.append(positions[parent] + rotated[j])
    return torch.stack(positions, -2)


def _last_displacements(signal: torch.Tensor, order: int) -> torch.Tensor:
    """Every ``order`` displacements in a row, the last one first: [..., T, 3] -> [..., T - order + 1, 3, order]."""
    return signal.unfold(-2, order, 1).flip(-1)


def _bones(skeleton: Skeleton, positions: torch.Tensor) -> torch.Tensor:
    """Each joint seen from its parent, [..., J, 3]; the root has none."""
    parents = torch.tensor([max(parent, 0) for parent in skeleton.parents], device=positions.device)
    return positions - positions[..., parents, :]
