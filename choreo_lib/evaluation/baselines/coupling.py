"""Which joint of one dancer moves which joint of the other? Three classical answers, and a test with pseudo-pairs.

What chapter 9's network has to beat. Each method has the same two signals: a sender's displacements relative to the
root, and a receiver's relative to its parent (a hand that goes where its elbow goes has received nothing). With
``local``, a receiver's are local displacements, without what the bone above swings along
(`choreo_lib.extensions.coupling_signals.local_displacements`), and correlation has a noise floor, as in chapter 9's
network. Taught in chapter 3.
"""

from typing import NamedTuple

import numpy as np
import torch

from ...body.compatibility import same_rate
from ...body.motion import Duet, Motion
from ...core.arguments import a, count, each, flag, function, number, seconds, seed, takes
from ...extensions.coupling_signals import NOISE_FLOOR, ROUNDING, ar_coefficients, innovations, local_displacements
from ..metrics.errors import auc


class CouplingScores(NamedTuple):
    """How strongly the joints of two dancers are coupled, in both directions.

    Shapes: ``score`` [2, J, J]: score[0][i, j] says how much joint i of a drives joint j of b, score[1][i, j] how much
    joint i of b drives joint j of a; ``lag`` [2, J, J], after how many frames, at least one. The root neither sends nor
    receives here (it has no parent to move against), so its row and column are 0; but with ``local`` it receives by its
    displacements in the room. Chapter: 3.
    """

    score: np.ndarray
    lag: np.ndarray


@takes(duet=a(Duet), max_lag=seconds, whiten=count(0, 1000), local=flag)
def cross_correlation_coupling(duet: Duet, max_lag: float = 1.0, whiten: int = 0,
                               local: bool = False) -> CouplingScores:
    """Lagged correlation of every joint's velocity with every joint of the partner; the best lag counts.

    The three coordinates are correlated together, so a receiver goes the way the sender went. ``whiten``: of so many
    frames, with 5, say, both signals are first replaced by the residuals of their own autoregressions (prewhitening).
    Movement is slow compared with a frame, so pseudo-pairs correlate by chance; their innovations do not, and this is
    the strongest baseline here.
    Shapes: `CouplingScores`, score -1 to 1. Units: ``max_lag`` seconds. Errors: ValueError for a duet shorter than
    twice the lag. Chapter: 3. Whitening: Box and Jenkins, "Time Series Analysis", 1970.
    """
    lags, sent, received = _signals(duet, max_lag, local, whiten)
    correlations = []
    for lag in range(1, lags + 1):
        x, y = _centred(sent[:, :, :-lag]), _centred(received[:, :, lag:])
        products = np.einsum("ditc,djtc->dij", x, y, optimize=True)
        norms = [np.sqrt(np.maximum((each**2).sum((2, 3)), local * NOISE_FLOOR**2 * each.shape[2])) for each in (x, y)]
        correlations.append(_ratio(products, norms[0][:, :, None] * norms[1][:, None]))
    correlation = np.stack(correlations)  # [lags, 2, J, J]
    return CouplingScores(correlation.max(0), correlation.argmax(0) + 1)


@takes(duet=a(Duet), max_lag=seconds, order=count(1, 1000), ridge=number(0), local=flag)
def granger_coupling(duet: Duet, max_lag: float = 1.0, order: int = 5, ridge: float = 0.1,
                     local: bool = False) -> CouplingScores:
    """Granger causality: how much a sender's past helps to predict a receiver whose own past is known.

    score = log(S_own / S_both): the squared residuals of the receiver's autoregression of ``order`` frames, without and
    with the sender's last ``max_lag`` seconds (monotone in the F statistic). One weight a lag is shared by the three
    coordinates. The sender enters as innovations (see `cross_correlation_coupling`): the same past in another basis, in
    which the weight of a lag is not smeared over its neighbours, so that ``lag`` can be read off.
    ``ridge`` is a share of the mean variance of the sender's lags.
    Shapes: `CouplingScores`. Errors: as `cross_correlation_coupling`. Chapter: 3. Granger, "Investigating causal
    relations by econometric models and cross-spectral methods", Econometrica 1969.
    """
    lags, sent, received = _signals(duet, max_lag, local)
    start = lags + order  # the first frame for which all of these are known
    theirs = _lagged(_centred(_prewhitened(sent, order)), lags, lags)  # [2, J, 3N, lags]
    received = _centred(received)
    mine = _lagged(received, order, start)  # [2, J, 3N, order]
    now = received[:, :, start:].reshape(*received.shape[:2], -1)  # [2, J, 3N]
    found = []
    for direction in (0, 1):
        # rows that ask for small weights make a least squares problem a ridge regression, or they amplify rounding
        small = np.sqrt(2 * mine.shape[2] * ROUNDING**2) * np.eye(order)
        small = np.broadcast_to(small, (len(now[0]), order, order))
        basis = np.linalg.qr(np.concatenate([mine[direction], small], axis=1))[0][:, : mine.shape[2]]  # [J, 3N, order]
        left = now[direction] - (basis @ (basis.swapaxes(1, 2) @ now[direction][..., None]))[..., 0]  # [J, 3N]
        past = theirs[direction]
        # Frisch and Waugh (1933): take the receiver's own past out of the sender's lags as well, pair by pair
        explained = np.einsum("jnp,inl->ijpl", basis, past, optimize=True)
        square = (past.swapaxes(1, 2) @ past)[:, None] - explained.swapaxes(2, 3) @ explained  # [J, J, lags, lags]
        shared = np.einsum("inl,jn->ijl", past, left, optimize=True)
        weight = ridge * np.trace(square, axis1=-2, axis2=-1)[..., None, None] / lags + 1e-12
        weights = np.linalg.solve(square + weight * np.eye(lags), shared[..., None])[..., 0]  # [J, J, lags]
        before = (now[direction] * left).sum(-1)  # [J]
        after = before - 2 * (weights * shared).sum(-1) + (weights * (square @ weights[..., None])[..., 0]).sum(-1)
        share = np.where(_moves(before), after / np.where(_moves(before), before, 1.0), 1.0)  # [J, J]
        gain = -np.log(np.clip(share, 1e-12, 1.0))
        found.append((gain, np.abs(weights).argmax(-1) + 1))
    return CouplingScores(*(np.stack(part) for part in zip(*found)))


@takes(duet=a(Duet), max_lag=seconds, whiten=count(0, 1000), ridge=number(0), local=flag)
def ridge_coupling(duet: Duet, max_lag: float = 1.0, whiten: int = 5, ridge: float = 1.0,
                   local: bool = False) -> CouplingScores:
    """Predict each joint from all of the partner's joints at once; the norm of a sender's weights is its score.

    Neighbouring joints move alike, and here they compete: the elbow gets no weight for what the wrist explains better.
    One weight a sender and lag is shared by the three coordinates; signals are whitened (see
    `cross_correlation_coupling`) and scaled to unit variance; score is the norm of the weights over lags.
    ``ridge`` is a share of the mean diagonal of the frames' products.
    Shapes: `CouplingScores`. Errors: as `cross_correlation_coupling`.
    Chapter: 3. Hoerl and Kennard, "Ridge regression", Technometrics 1970.
    """
    from sklearn.linear_model import Ridge as RidgeRegression

    lags, sent, received = _signals(duet, max_lag, local, whiten)
    sent, received = (_ratio(x, np.sqrt((x**2).mean((2, 3), keepdims=True))) for x in map(_centred, (sent, received)))
    past = _lagged(sent, lags, lags)  # [2, J, 3N, lags]
    now = received[:, :, lags:].reshape(*received.shape[:2], -1)  # [2, J, 3N]
    found = []
    for direction in (0, 1):
        x = past[direction].swapaxes(0, 1).reshape(now.shape[-1], -1)  # [3N, J * lags]
        penalty = ridge * (x**2).sum() / len(x) + 1e-12
        weights = RidgeRegression(penalty, fit_intercept=False, solver="cholesky").fit(x, now[direction].T).coef_
        weights = weights.reshape(-1, past.shape[1], lags).transpose(1, 2, 0)  # [J, lags, J]
        found.append((np.linalg.norm(weights, axis=1), np.abs(weights).argmax(1) + 1))
    return CouplingScores(*(np.stack(part) for part in zip(*found)))


class Swap(NamedTuple):
    """What `partner_swap` finds: the measure of true and of pseudo-pairs, a number a window; the AUC. Chapter: 3."""

    true: np.ndarray
    swapped: np.ndarray
    auc: float


@takes(duets=each(a(Duet)), measure=function, seconds=seconds, seed=seed, others=each(a(Duet)), hop=seconds)
def partner_swap(duets: list[Duet], measure, seconds: float = 6.0, seed: int = 0, others: list[Duet] | None = None,
                 hop: float | None = None) -> Swap:
    """Can a measure tell true pairs from pseudo-pairs? Each window of a is measured with b, and with another duet's b.

    The other b is from another duet of the list, at a random time; so hand in different takes, or parts of one take
    that do not overlap; or ``others``, from which all of them are taken. They keep the style, the tempo and the role,
    and lose only each other.
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
    true: list[float] = []
    swapped: list[float] = []
    width = max(round(seconds * duets[0].fps), 1)
    for k, duet in enumerate(duets):
        candidates = others or duets[:k] + duets[k + 1 :]
        for start in range(0, len(duet) - width + 1, max(round((hop or seconds) * duet.fps), 1)):
            a: Motion = duet.a[start : start + width]
            other = candidates[rng.integers(len(candidates))]
            when = rng.integers(len(other) - width + 1)
            for found, b in ((true, duet.b[start : start + width]), (swapped, other.b[when : when + width])):
                found.append(float((number() | flag)("what measure gives", measure(a, b))))
    return Swap(np.array(true), np.array(swapped), auc(true + swapped, [True] * len(true) + [False] * len(swapped)))


def _signals(duet: Duet, max_lag: float, local: bool, whiten: int = 0) -> tuple[int, np.ndarray, np.ndarray]:
    """Lags in frames; for both directions, displacements of senders and receivers [2, J, T - 1, 3], metres a frame.

    Prewhitened where ``whiten`` is not 0, which takes as many frames away.
    """
    lags = max(round(max_lag * duet.fps), 1)
    if len(duet) < 2 * lags + 10:
        raise ValueError(f"{len(duet)} frames are too few for lags of up to {lags}: give {2 * lags + 10} or more, or a "
                         "smaller max_lag")
    positions = duet.positions.transpose(1, 2, 0, 3).astype(np.float64)  # [2, J, T, 3]
    parents = np.maximum(duet.a.skeleton.parents, 0)
    sent, received = (np.diff(positions - x, axis=2) for x in (positions[:, :1], positions[:, parents]))
    if local:
        x = torch.from_numpy(positions).transpose(1, 2)  # [2, T, J, 3]
        received = local_displacements(duet.a.skeleton, x).transpose(1, 2).numpy()
    sent, received = (_prewhitened(x, whiten) if whiten else x for x in (sent, received))
    return lags, sent, received[::-1]  # in direction 0, a sends and b receives


def _prewhitened(signal: np.ndarray, order: int) -> np.ndarray:
    """Residuals of each joint's autoregression on its own last frames, [2, J, T, 3] -> T - order."""
    if 4 * order > signal.shape[2]:
        raise ValueError(f"order (whiten) must be at most a quarter of the {signal.shape[2]} steps there are; got "
                         f"{order}")
    centred = torch.from_numpy(_centred(signal))
    return innovations(centred, ar_coefficients(centred, order=order)).numpy()


def _lagged(signal: np.ndarray, lags: int, start: int) -> np.ndarray:
    """The past of each frame from `start` on, coordinates as rows: [2, J, T, 3] -> [2, J, 3 (T - start), lags]."""
    length = signal.shape[2]
    past = np.stack([signal[:, :, start - lag : length - lag] for lag in range(1, lags + 1)], axis=-1)
    return past.reshape(*signal.shape[:2], -1, lags)


def _centred(signal: np.ndarray) -> np.ndarray:
    return signal - signal.mean(2, keepdims=True)


def _moves(size: np.ndarray) -> np.ndarray:
    """Where there is movement at all: not at the root, nor in a bone that never turns."""
    return size > 1e-12


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """A quotient that is 0 where nothing moves."""
    moves = _moves(below)
    return np.where(moves, above / np.where(moves, below, 1.0), 0.0)
