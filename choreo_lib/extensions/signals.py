"""What a joint sends, what it receives, and what of it is news.

A hand goes where its forearm swings it; only what is left is the hand's own doing, and only that can have come from
the partner. And what a joint's own last steps foretell is no news of anybody. Taught in chapter 9, "Invisible strings".
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..body.rotations import swing
from ..body.skeleton import Skeleton
from ..core.precision import in_full_precision

ORDER = 3
"""From so many of its own last steps a joint's next one is foretold, wherever surprises are asked for."""
ROUNDING = 1e-5
"""Metres: what files and float32 round off a position. No surprise is smaller than this."""
NOISE_FLOOR = 1e-4
"""Metres a frame: what is smaller, no camera sees, and nobody answers to. Two spines that bob to one beat by a
hundredth of a millimetre would be the likeliest string of all."""


class Signals(NamedTuple):
    """What joints send and what they receive, each [..., D, J, T - 1, 3], metres a frame.

    ``sent``: steps relative to the dancer's root. ``own``: what a joint does of its own (`own_steps`). ``seen``: steps
    relative to the joint above, carried along by it or not.
    """

    sent: torch.Tensor
    own: torch.Tensor
    seen: torch.Tensor


def signals(skeleton: Skeleton, positions: torch.Tensor) -> Signals:
    """Positions [..., T, D, J, 3] of dancers to what their joints send and receive. Chapter: 9."""
    x = positions.transpose(-4, -3)  # [..., D, T, J, 3]
    above = [max(parent, 0) for parent in skeleton.parents]
    steps = ((x - x[..., who, :]).diff(dim=-3) for who in ([0], above))
    sent, seen = (each.transpose(-3, -2) for each in steps)
    return Signals(sent, local_displacements(skeleton, x).transpose(-3, -2), seen)


@in_full_precision
def ar_coefficients(signal: torch.Tensor, shared: int = 0, order: int = ORDER) -> torch.Tensor:
    """With which weights a joint's last steps predict its next, by least squares: [..., T, 3] -> [..., order].

    One weight a step, the last one first, for all three coordinates. The first ``shared`` axes have the same weights.
    The penalty is the variance that rounding adds. Chapter: 9. Box and Jenkins, "Time Series Analysis", 1970.
    """
    exact = signal.double()  # smooth movement makes nearly singular squares
    past = _last_steps(exact[..., :-1, :], order).flatten(-3, -2)  # [..., 3 (T - order), order]
    now = exact[..., order:, :].flatten(-2)[..., None]
    square, product = past.mT @ past, past.mT @ now
    square = square + 2 * past.shape[-2] * ROUNDING**2 * torch.eye(order, dtype=past.dtype, device=past.device)
    if shared:
        square, product = (each.flatten(0, shared - 1).sum(0) for each in (square, product))
    return torch.linalg.solve(square, product)[..., 0].to(signal)


def innovations(signal: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """What those weights do not predict: [..., T, 3] and [..., order] -> [..., T - order, 3]. Chapter: 9."""
    return signal[..., weights.shape[-1] :, :] - foretold(signal[..., :-1, :], weights)


def foretold(signal: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The step after each of three by those weights, the last of all included: [..., T, 3] -> [..., T - 2, 3].

    Chapter: 9.
    """
    return (_last_steps(signal, weights.shape[-1]) * weights[..., None, None, :]).sum(-1)


@in_full_precision
def damped(weights: torch.Tensor) -> torch.Tensor:
    """The same habits [..., 3], damped where a joint that goes on by them would go on ever faster.

    What they make of their own past grows by the largest root of their polynomial, frame by frame; it is brought to 1.
    Chapter: 9.
    """
    companion = torch.diag_embed(torch.ones_like(weights[..., 1:]), -1)
    companion[..., 0, :] = weights
    root = torch.linalg.eigvals(companion).abs().amax(-1, keepdim=True).clamp_min(1)
    return weights / root ** torch.arange(1, ORDER + 1, device=weights.device)


@in_full_precision
def lagged_correlation(sent: torch.Tensor, received: torch.Tensor, lags: range) -> torch.Tensor:
    """How alike senders and receivers are, so many frames later: [..., J, T, 3] each -> [..., J, J, lags], -1 to 1.

    The three coordinates are correlated together, so a string pulls the receiver the way that the sender went. What is
    quieter than `NOISE_FLOOR` counts as if it were as loud. Chapter: 9.
    """
    found = []
    for lag in lags:
        pair = []
        for part in (sent[..., : sent.shape[-2] - lag, :], received[..., lag:, :]):
            part = (part - part.mean(-2, keepdim=True)).flatten(-2)
            pair.append(part / part.norm(dim=-1, keepdim=True).clamp_min(NOISE_FLOOR * (part.shape[-1] / 3) ** 0.5))
        found.append(pair[0] @ pair[1].mT)
    return torch.stack(found, -1)


def local_displacements(skeleton: Skeleton, positions: torch.Tensor) -> torch.Tensor:
    """What each joint adds to being carried, from frame to frame: [..., T, J, 3] -> [..., T - 1, J, 3].

    A bone is taken to swing rigidly with the bone above it, by the shortest turn that this one made; the step is from
    where that leaves its end to where it is. Joints that hang from the root step relative to it; the root in the world.
    Units: metres. Chapter: 9.
    """
    bones = _bones(skeleton, positions)
    before, after = bones[..., :-1, :, :], bones[..., 1:, :, :]
    above = torch.tensor([max(parent, 0) for parent in skeleton.parents], device=positions.device)
    steps = after - swing(before, before[..., above, :], after[..., above, :])
    root = positions[..., 1:, :1, :] - positions[..., :-1, :1, :]
    return torch.cat([root, steps[..., 1:, :]], -2)


def next_pose(skeleton: Skeleton, pose: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """The next pose, from a pose [..., J, 3] and its joints' own steps [..., J, 3]: the inverse of
    `local_displacements`.

    Units: metres. Chapter: 9.
    """
    bones = _bones(skeleton, pose)
    placed, turned = [pose[..., 0, :] + steps[..., 0, :]], [torch.zeros_like(pose[..., 0, :])]
    for j, parent in enumerate(skeleton.parents[1:], start=1):
        turned.append(swing(bones[..., j, :], bones[..., parent, :], turned[parent]) + steps[..., j, :])
        placed.append(placed[parent] + turned[j])
    return torch.stack(placed, -2)


def _last_steps(signal: torch.Tensor, order: int) -> torch.Tensor:
    """Every ``order`` steps in a row, the last one first: [..., T, 3] -> [..., T - order + 1, 3, order]."""
    return signal.unfold(-2, order, 1).flip(-1)


def _bones(skeleton: Skeleton, positions: torch.Tensor) -> torch.Tensor:
    """Each joint seen from its parent, [..., J, 3]; the root has none."""
    parents = torch.tensor([max(parent, 0) for parent in skeleton.parents], device=positions.device)
    return positions - positions[..., parents, :]
