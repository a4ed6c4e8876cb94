"""Which joint of one dancer moves which joint of the other? Three classical answers, and a test with strangers.

What chapter 9's network has to beat. Each method listens to the same two signals: how a joint moves relative to its
root (what a sender does), and how a joint moves relative to its parent (what a receiver does: a hand that goes where
its elbow goes has received nothing). With ``own``, a receiver is also freed of what its bone is swung along by the
bone above (`choreo_lib.extensions.signals.local_displacements`), and correlation takes what no camera sees for nothing,
as in chapter 9's network. Taught in chapter 3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ...body.compatibility import same_rate
from ...body.motion import Duet, Motion
from ...core.arguments import a, count, each, flag, function, number, seconds, seed, takes
from ...extensions.signals import NOISE_FLOOR, ROUNDING, local_displacements
from ..metrics.errors import auc


class Strings(NamedTuple):
    """What ties the joints of two dancers, in both directions.

    Shapes: ``score`` [2, J, J]: score[0][i, j] says how much joint i of a drives joint j of b, score[1][i, j] how much
    joint i of b drives joint j of a; ``lag`` [2, J, J], after how many frames, at least one. The root neither
    sends nor receives here (it has no parent to move against), so its row and column are 0; but with ``own``, where it
    receives by its steps in the room.
    Chapter: 3.
    """

    score: np.ndarray
    lag: np.ndarray


@takes(duet=a(Duet), max_lag=seconds, whiten=count(0, 1000), own=flag)
def cross_correlation_strings(duet: Duet, max_lag: float = 1.0, whiten: int = 0, own: bool = False) -> Strings:
    """Lagged correlation of every joint's velocity with every joint of the partner; the best lag counts.

    The three coordinates are correlated together, so a string pulls the receiver the way the sender went. ``whiten``:
    with 5, say, both signals first lose what their own last five frames foretell. Movement is slow compared with
    a frame, so strangers correlate by chance; their surprises do not, and this is the strongest rival here.
    Shapes: `Strings`, score -1 to 1. Units: ``max_lag`` seconds. Errors: ValueError for a duet shorter than twice
    the lag. Chapter: 3. Whitening: Box and Jenkins, "Time Series Analysis", 1970.
    """
    lags, (sent, received) = _signals(duet, max_lag, own)
    if whiten:
        sent, received = _surprise(sent, whiten), _surprise(received, whiten)
    likeness = []
    for lag in range(1, lags + 1):
        x, y = _centred(sent[:, :, :-lag]), _centred(received[:, :, lag:])
        products = np.einsum("ditc,djtc->dij", x, y, optimize=True)
        loud = [np.sqrt(np.maximum((each**2).sum((2, 3)), own * NOISE_FLOOR**2 * each.shape[2])) for each in (x, y)]
        size = loud[0][:, :, None] * loud[1][:, None]
        likeness.append(_ratio(products, size))
    likeness = np.stack(likeness)  # [lags, 2, J, J]
    return Strings(likeness.max(0), likeness.argmax(0) + 1)


@takes(duet=a(Duet), max_lag=seconds, order=count(1, 1000), ridge=number(0), own=flag)
def granger_strings(duet: Duet, max_lag: float = 1.0, order: int = 5, ridge: float = 0.1, own: bool = False) -> Strings:
    """Does knowing the sender's past help to foretell the receiver, who already knows her own?

    score = log(S_own / S_both): the squared residuals of the receiver's autoregression of ``order`` frames, without
    and with the sender's last ``max_lag`` seconds (monotone in the F statistic). One weight a lag is shared by the
    three coordinates. The sender enters as surprises (see `cross_correlation_strings`): the same past in other words,
    in which the weight of a lag is not smeared over its neighbours, so that ``lag`` can be read off.
    ``ridge`` is a share of the mean variance of the sender's lags.
    Shapes: `Strings`. Errors: as `cross_correlation_strings`.
    Chapter: 3. Granger, "Investigating causal relations by econometric models and cross-spectral methods",
    Econometrica 1969.
    """
    lags, (sent, received) = _signals(duet, max_lag, own)
    start = lags + order  # the first frame for which all of these are known
    theirs = _lagged(_centred(_surprise(sent, order)), lags, lags)  # [2, J, 3N, lags]
    received = _centred(received)
    mine = _lagged(received, order, start)  # [2, J, 3N, order]
    now = received[:, :, start:].reshape(*received.shape[:2], -1)  # [2, J, 3N]
    found = []
    for direction in (0, 1):
        # rows that ask for small weights make a least squares problem a ridge regression
        small = np.broadcast_to(np.sqrt(_penalty(mine[direction])) * np.eye(order), (len(now[0]), order, order))
        basis = np.linalg.qr(np.concatenate([mine[direction], small], axis=1))[0][:, : mine.shape[2]]  # [J, 3N, order]
        left = now[direction] - (basis @ (_turned(basis) @ now[direction][..., None]))[..., 0]  # [J, 3N]
        past = theirs[direction]
        # Frisch and Waugh (1933): take the receiver's own past out of the sender's lags as well, pair by pair
        told = np.einsum("jnp,inl->ijpl", basis, past, optimize=True)
        square = (_turned(past) @ past)[:, None] - _turned(told) @ told  # [J, J, lags, lags]
        shared = np.einsum("inl,jn->ijl", past, left, optimize=True)
        weight = ridge * np.trace(square, axis1=-2, axis2=-1)[..., None, None] / lags + 1e-12
        weights = np.linalg.solve(square + weight * np.eye(lags), shared[..., None])[..., 0]  # [J, J, lags]
        before = (now[direction] * left).sum(-1)  # [J]
        after = before - 2 * (weights * shared).sum(-1) + (weights * (square @ weights[..., None])[..., 0]).sum(-1)
        share = np.where(_moves(before), after / np.where(_moves(before), before, 1.0), 1.0)  # [J, J]
        gain = -np.log(np.clip(share, 1e-12, 1.0))
        found.append((gain, np.abs(weights).argmax(-1) + 1))
    return Strings(*(np.stack(part) for part in zip(*found)))


@takes(duet=a(Duet), max_lag=seconds, whiten=count(0, 1000), ridge=number(0), own=flag)
def ridge_strings(duet: Duet, max_lag: float = 1.0, whiten: int = 5, ridge: float = 1.0, own: bool = False) -> Strings:
    """Foretell each joint from all of the partner's joints at once; the weights that a sender gets are its score.

    Neighbouring joints move alike, and here they compete: the elbow gets no weight for what the wrist explains better.
    One weight a sender and lag is shared by the three coordinates; signals are whitened (see
    `cross_correlation_strings`) and scaled to unit variance; score is the norm of the weights over lags.
    ``ridge`` is a share of the mean diagonal of the frames' products.
    Shapes: `Strings`. Errors: as `cross_correlation_strings`.
    Chapter: 3. Hoerl and Kennard, "Ridge regression", Technometrics 1970.
    """
    lags, (sent, received) = _signals(duet, max_lag, own)
    if whiten:
        sent, received = _surprise(sent, whiten), _surprise(received, whiten)
    sent, received = (_unit(_centred(x)) for x in (sent, received))
    past = _lagged(sent, lags, lags)  # [2, J, 3N, lags]
    now = received[:, :, lags:].reshape(*received.shape[:2], -1)  # [2, J, 3N]
    found = []
    for direction in (0, 1):
        x = past[direction].swapaxes(0, 1).reshape(now.shape[-1], -1)  # [3N, J * lags]
        square = x @ x.T  # as many rows as frames: fewer than weights, mostly
        weight = ridge * np.trace(square) / len(x) + 1e-12
        weights = x.T @ np.linalg.solve(square + weight * np.eye(len(x)), now[direction].T)  # [J * lags, J]
        weights = weights.reshape(past.shape[1], lags, -1)  # [J, lags, J]
        found.append((np.linalg.norm(weights, axis=1), np.abs(weights).argmax(1) + 1))
    return Strings(*(np.stack(part) for part in zip(*found)))


class Swap(NamedTuple):
    """What `partner_swap` finds: the measure of true pairs and of strangers, a number a window, and the AUC."""

    true: np.ndarray
    swapped: np.ndarray
    auc: float


@takes(duets=each(a(Duet)), measure=function, seconds=seconds, seed=seed, others=each(a(Duet)), hop=seconds)
def partner_swap(duets: list[Duet], measure, seconds: float = 6.0, seed: int = 0, others: list[Duet] | None = None,
                 hop: float | None = None) -> Swap:
    """Can a measure tell partners from strangers? Each window of a is measured with her partner, and with another's.

    The stranger is dancer b of another duet of the list, at a random time; so hand in different takes, or parts of one
    take that do not overlap; or ``others``, from which all strangers are taken. Strangers keep the style, the tempo and
    the role, and lose only each other.
    An AUC of 0.5 says that the measure sees no more than two people dancing. ``measure(a, b)`` takes two
    Motions of equal length and gives a number, such as ``lambda a, b: coupling(Duet(a, b)).peak.mean()``.
    Units: ``seconds``, the length of a window (`metrics.coupling` needs 4 + 2 of lags), and ``hop``, from one to the
    next (None: windows of a do not overlap).
    Errors: ValueError for fewer than two duets, no others, or one shorter than a window.
    Chapter: 3; used in chapters 5 and 9. Surrogate pairs: Bernieri, Reznick and Rosenthal, "Synchrony, pseudosynchrony,
    and dissynchrony", Journal of Personality and Social Psychology 1988.
    """
    rng = np.random.default_rng(seed)
    if not duets:
        raise ValueError("no duets: at least two are needed, or one and others")
    for duet in (*duets, *(others or ())):
        if (len(duets) < 2 and not others) or len(duet) < round(seconds * duet.fps) or not same_rate(
                duet.fps, duets[0].fps):
            raise ValueError(f"{len(duets)} duets, one of {duet.duration:.1f} s at {duet.fps:g} frames per second: at "
                             f"least two are needed, each {seconds:g} s long or more, all with one clock")
    true, swapped, width = [], [], max(round(seconds * duets[0].fps), 1)
    for k, duet in enumerate(duets):
        strangers = others or duets[:k] + duets[k + 1 :]
        for start in range(0, len(duet) - width + 1, max(round((hop or seconds) * duet.fps), 1)):
            a: Motion = duet.a[start : start + width]
            other = strangers[rng.integers(len(strangers))]
            when = rng.integers(len(other) - width + 1)
            for found, b in ((true, duet.b[start : start + width]), (swapped, other.b[when : when + width])):
                found.append(float((number() | flag)("what measure gives", measure(a, b))))
    return Swap(np.array(true), np.array(swapped), auc(true + swapped, [True] * len(true) + [False] * len(swapped)))


def _signals(duet: Duet, max_lag: float, own: bool):
    """The lags in frames; and for both directions, senders' and receivers' steps [2, J, T - 1, 3], metres a frame."""
    lags = max(round(max_lag * duet.fps), 1)
    if len(duet) < 2 * lags + 10:
        raise ValueError(f"{len(duet)} frames are too few for lags of up to {lags}: give {2 * lags + 10} or more, or a "
                         "smaller max_lag")
    places = duet.positions.transpose(1, 2, 0, 3).astype(np.float64)  # [2, J, T, 3]
    parents = np.maximum(duet.a.skeleton.parents, 0)
    sent, received = (np.diff(places - x, axis=2) for x in (places[:, :1], places[:, parents]))
    if own:
        x = torch.from_numpy(places).transpose(1, 2)  # [2, T, J, 3]
        received = local_displacements(duet.a.skeleton, x).transpose(1, 2).numpy()
    return lags, (sent, received[::-1])  # in direction 0, a sends and b receives


def _surprise(signal: np.ndarray, order: int) -> np.ndarray:
    """What a joint's own last frames do not foretell: residuals of an autoregression, [2, J, T, 3] -> T - order."""
    if 4 * order > signal.shape[2]:
        raise ValueError(f"order (whiten) must be at most a quarter of the {signal.shape[2]} steps there are; got "
                         f"{order}")
    signal = _centred(signal)
    past, now = _lagged(signal, order, order), signal[:, :, order:].reshape(*signal.shape[:2], -1, 1)
    square = _turned(past) @ past + _penalty(past) * np.eye(order)  # [2, J, order, order]
    weights = np.linalg.solve(square, _turned(past) @ now)
    return (now - past @ weights).reshape(*signal.shape[:2], -1, 3)


def _penalty(past: np.ndarray) -> float:
    """The variance that rounding adds to each column of steps; without it, weights amplify rounding into "surprise"."""
    return 2 * past.shape[-2] * ROUNDING**2


def _lagged(signal: np.ndarray, lags: int, start: int) -> np.ndarray:
    """The past of each frame from `start` on, coordinates as rows: [2, J, T, 3] -> [2, J, 3 (T - start), lags]."""
    length = signal.shape[2]
    past = np.stack([signal[:, :, start - lag : length - lag] for lag in range(1, lags + 1)], axis=-1)
    return past.reshape(*signal.shape[:2], -1, lags)


def _centred(signal: np.ndarray) -> np.ndarray:
    return signal - signal.mean(2, keepdims=True)


def _unit(signal: np.ndarray) -> np.ndarray:
    return _ratio(signal, np.broadcast_to(np.sqrt((signal**2).mean((2, 3), keepdims=True)), signal.shape))


def _turned(matrices: np.ndarray) -> np.ndarray:
    return np.swapaxes(matrices, -1, -2)


def _moves(size: np.ndarray) -> np.ndarray:
    return size > 1e-12  # else the root, or a bone that never turns


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """A quotient that is 0 where nothing moves."""
    moves = _moves(below)
    return np.where(moves, above / np.where(moves, below, 1.0), 0.0)
