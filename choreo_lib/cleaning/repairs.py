"""Gaps, jitter and bones: what is wrong with a path of points once it is known whose path it is.

A frame in which a dancer was not seen holds NaN. Taught in chapter 2, "From video to a duet".
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

_EASE = 0.1  # chosen on salsa's training takes, where it leaves the jerk of the result nearest to that of the dance
_TENSION = 1.0  # seconds: over a longer absence a path is drawn straight rather than swung wide
_STIFFNESS = 10.0 ** np.arange(-3, 7, 0.5)


def smooth(positions, fps: float, ease: float = _EASE) -> tuple[np.ndarray, np.ndarray]:
    """The calmest path near what was seen: jitter goes, gaps are filled at the pace of both ends, nothing lags.

    Shapes: ``positions`` [T, ..., 3], NaN in the frames where the dancer was not seen; gives the same shape, and the
    estimated noise [..., 3]. Units: metres.
    Each coordinate x of what was seen, y, becomes the path z that minimises
    sum over seen frames (z - y)^2 + stiffness * sum (third difference of z)^2: a Whittaker smoother (Eilers, 2003)
    whose penalty is jerk, the quantity that reaching hands keep small (Flash and Hogan, 1985). It looks forward as
    far as back, so it has no lag. The stiffness of each coordinate is the most likely one times ``ease``, for
    the most likely one rounds off accents. A second, slight penalty on speed keeps long gaps from overshooting.
    Errors: ValueError for fewer than 8 seen frames. Chapter: 2.
    """
    positions = np.asarray(positions, np.float64)
    frames = len(positions)
    y = positions.reshape(frames, -1)
    seen = np.isfinite(y).all(axis=1).astype(float)
    if seen.sum() < 8:
        raise ValueError(f"{int(seen.sum())} frames were seen; a path needs at least 8. Take a longer recording")
    y = np.where(seen[:, None] > 0, y, 0)
    middle = y.sum(axis=0) / seen.sum()
    y = (y - middle) * seen[:, None]
    penalty = _differences(frames, 3) + (_TENSION * fps) ** -4 * _differences(frames, 1)

    def solve(stiffness, columns):
        band = stiffness * penalty
        band[0] += seen
        factor = cholesky_banded(band, lower=True)
        return cho_solve_banded((factor, True), columns), 2 * np.log(factor[0]).sum()

    likely, best, noise = (np.full(y.shape[1], fill) for fill in (_STIFFNESS[0], np.inf, 0.0))
    for stiffness in _STIFFNESS:  # the marginal likelihood of each, as of a Gaussian process
        z, volume = solve(stiffness, y)
        variance = np.maximum((y * (y - z)).sum(axis=0) / seen.sum(), 1e-14)
        surprise = seen.sum() * np.log(variance) + volume - frames * np.log(stiffness)
        better = surprise < best
        best[better], likely[better], noise[better] = surprise[better], stiffness, np.sqrt(variance[better])
    out = np.empty_like(y)
    for stiffness in np.unique(likely):
        columns = likely == stiffness
        out[:, columns] = solve(ease * stiffness, y[:, columns])[0]
    return (out + middle).reshape(positions.shape), noise.reshape(positions.shape[1:])


def fill_gaps(positions, fps: float) -> np.ndarray:
    """Fill the frames that are NaN along the calmest path, and leave those that were seen as they are.

    Shapes: [T, ..., 3]. Before the first and after the last sight the pace fades out.
    Errors: as `smooth`. Chapter: 2.
    """
    positions = np.asarray(positions, np.float64)
    return np.where(np.isfinite(positions), positions, smooth(positions, fps)[0])


def fix_bones(positions, bones, rounds: int = 8) -> np.ndarray:
    """Give every bone one length, its median, with as little moved as possible.

    Shapes: ``positions`` [T, J, 3]; ``bones`` pairs (parent, child), parents first, as ``skeleton.bones``.
    Both ends of a bone give way, again and again (position based dynamics, Müller et al., 2007); a last walk from the
    root outwards makes the lengths exact.
    Chapter: 2.
    """
    x = np.array(positions, np.float64).transpose(1, 2, 0).copy()  # [J, 3, T]: one joint lies together in memory
    lengths = [np.median(np.sqrt(((x[c] - x[p]) ** 2).sum(axis=0))) for p, c in bones]
    for step in range(rounds + 1):
        for (parent, child), length in zip(bones, lengths):
            bone = x[child] - x[parent]
            excess = bone * (1 - length / np.maximum(np.sqrt((bone**2).sum(axis=0)), 1e-9))
            if step < rounds:
                x[child] -= excess / 2
                x[parent] += excess / 2
            else:
                x[child] -= excess
    return x.transpose(2, 0, 1)


def _differences(frames: int, order: int) -> np.ndarray:
    """D'D for the matrix D of differences of one order, as the lower bands [4, T] that SciPy solves with."""
    weights = np.diff(np.eye(order + 1), order, axis=0)[0]
    bands = np.zeros((4, frames))
    for k in range(order + 1):
        for i in range(order + 1 - k):
            bands[k, i : i + frames - order] += weights[i] * weights[i + k]
    return bands
