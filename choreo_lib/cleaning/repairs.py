"""Gaps (NaN where a dancer was not seen), jitter and bones of a path whose dancer is known. Taught in chapter 2."""

import numpy as np
from scipy.linalg import LinAlgError, cho_solve_banded, cholesky_banded

from ..core.arguments import count, each, number, shown, takes
from ..core.shapes import array
from ..io.conventions import MAX_DISTANCE, check_fps, fail
from ..io.steadiness import differences

SMOOTHING = 0.1  # chosen on salsa's training takes, where it leaves the jerk of the result nearest to that of the dance
_TENSION = 1.0  # seconds: over a longer stretch a path would be drawn straight rather than swung wide
_LONG, _TAUT = 0.6, 0.1  # seconds: an absence beyond the first is drawn with the second as its tension
_STIFFNESS = 10.0 ** np.arange(-3, 7, 0.5)


@takes(smoothing=number(0, 1e9))
def smooth(positions, fps: float, smoothing: float = SMOOTHING) -> tuple[np.ndarray, np.ndarray]:
    """The calmest path near what was seen: jitter goes, gaps are filled at the pace of both ends, nothing lags.

    Shapes: ``positions`` [T, ..., 3], NaN in the frames where the dancer was not seen; gives the same shape, and the
    estimated noise [..., 3]. Units: metres.
    Each coordinate x of what was seen, y, becomes the path z that minimises
    sum over seen frames (z - y)^2 + stiffness * sum (third difference of z)^2: a Whittaker smoother (Eilers, 2003)
    whose penalty is jerk (Flash and Hogan, 1985). The stiffness of each coordinate is the most likely one times
    ``smoothing``. A second, slight penalty on speed keeps gaps from overshooting; it is strong where nothing was seen
    for over 0.6 s.
    Errors: MotionFormatError (a ValueError) for fewer than 8 seen frames, infinite or huge numbers. Chapter: 2.
    """
    fps = check_fps("positions", fps)
    positions = _numbers(positions)
    frames = len(positions)
    y = positions.reshape(frames, -1)
    seen = np.isfinite(y).all(axis=1).astype(float)
    if seen.sum() < 8:
        fail("positions", f"{int(seen.sum())} frames were seen; a path needs at least 8. Take a longer recording")
    check_smoothing(smoothing)
    y = np.where(seen[:, None] > 0, y, 0)
    middle = y.sum(axis=0) / seen.sum()
    y = (y - middle) * seen[:, None]
    tension = np.full(frames - 1, loose := (_TENSION * fps) ** -4)
    edges = np.flatnonzero(np.diff(seen, prepend=1, append=1))
    for start, stop in zip(edges[::2], edges[1::2]):
        if stop - start > _LONG * fps:
            tension[max(start - 1, 0) : stop] = max(loose, max(_TAUT * fps, 1) ** -4)
    penalty = differences(frames, 3)
    penalty[:2] += differences(frames, 1, tension)

    def solve(stiffness, columns):
        band = stiffness * penalty
        band[0] += seen
        try:
            factor = cholesky_banded(band, lower=True)
        except LinAlgError:  # the absence has as many frames as a float has digits to spare
            fail("positions", f"nobody can say what happens in an absence of {np.diff(edges)[::2].max():,} frames at "
                              f"{fps:g} frames per second; cut the take there")
        return cho_solve_banded((factor, True), columns), 2 * np.log(factor[0]).sum()

    likely, best, noise = (np.full(y.shape[1], fill) for fill in (_STIFFNESS[0], np.inf, 0.0))
    for stiffness in _STIFFNESS:  # the marginal likelihood of each, as of a Gaussian process
        z, volume = solve(stiffness, y)
        variance = np.maximum((y * (y - z)).sum(axis=0) / seen.sum(), 1e-14)
        nll = seen.sum() * np.log(variance) + volume - frames * np.log(stiffness)
        better = nll < best
        best[better], likely[better], noise[better] = nll[better], stiffness, np.sqrt(variance[better])
    out = np.empty_like(y)
    for stiffness in np.unique(likely):
        columns = likely == stiffness
        out[:, columns] = solve(smoothing * stiffness, y[:, columns])[0]
    return (out + middle).reshape(positions.shape), noise.reshape(positions.shape[1:])


def check_smoothing(smoothing) -> None:
    """Refuse a smoothing that is no positive number."""
    try:
        number(above=0)("smoothing", smoothing)
    except (TypeError, ValueError):
        fail("positions", f"expected a positive number; got {shown(smoothing)}", "smoothing")


def fill_gaps(positions, fps: float) -> np.ndarray:
    """Fill the frames that are NaN along the calmest path, and leave those that were seen as they are.

    Shapes: [T, ..., 3]. Errors: as `smooth`. Chapter: 2.
    """
    positions = _numbers(positions)
    return np.where(np.isfinite(positions), positions, smooth(positions, fps)[0])


@takes(bones=each(each(count(0), size=2)), iterations=count(0, 1000), seen=array(None, plain=True))
def fix_bones(positions, bones, iterations: int = 8, seen=None) -> np.ndarray:
    """Give every bone one length, its median, with as little moved as possible.

    Shapes: ``positions`` [T, J, 3]; ``bones`` pairs (parent, child), parents first, as ``skeleton.bones``; ``seen``
    bool [T], the frames whose lengths count (None: all), for those that were filled say nothing of a body.
    Position based dynamics (Müller et al., 2007); a last walk from the root outwards makes the lengths exact.
    Errors: MotionFormatError (a ValueError) for frames with gaps, bones that are no tree of these joints. Chapter: 2.
    """
    positions = _numbers(positions)
    if positions.ndim != 3 or np.isnan(positions).any():
        fail("positions", f"expected numbers [frames, joints, 3] without gaps; got shape {positions.shape}, "
                          f"{np.isnan(positions).sum()} of them missing. Fill them with fill_gaps or smooth")
    met = set()
    for parent, child in bones:
        if child in met or not (0 <= parent < positions.shape[1] and 0 <= child < positions.shape[1]):
            fail("positions", f"expected bones as pairs (parent, child) of {positions.shape[1]} joints, parents first",
                 f"bone ({parent}, {child})")
        met |= {parent, child}
    x = positions.transpose(1, 2, 0).copy()  # [J, 3, T]: one joint lies together in memory
    seen = np.ones(len(positions), bool) if seen is None else np.asarray(seen, bool)
    if seen.shape != (len(positions),) or not seen.any():
        fail("seen", f"expected True or False for each of {len(positions)} frames, and some True; got shape "
                     f"{seen.shape}")
    lengths = [np.median(np.sqrt(((x[c] - x[p]) ** 2).sum(axis=0))[seen]) for p, c in bones]
    for share in [*[0.5] * iterations, 1.0]:  # of what a bone is too long by, what its far end gives way
        for (parent, child), length in zip(bones, lengths):
            bone = x[child] - x[parent]
            bone[:, np.abs(bone).max(axis=0) < 1e-9] = [[0], [0], [1e-9]]  # both ends in one place: any way will do
            excess = bone * (1 - length / np.sqrt((bone**2).sum(axis=0)))
            x[child] -= share * excess
            x[parent] += (1 - share) * excess
    return x.transpose(2, 0, 1)


def _numbers(positions) -> np.ndarray:
    """Positions as floats, NaN or within reach."""
    try:
        positions = np.asarray(array(finite=False, empty=True, plain=True)("positions", positions), np.float64)
    except (TypeError, ValueError):
        fail("positions", "expected an array [frames, ..., 3] of numbers")
    if positions.ndim == 0 or not positions.size:
        fail("positions", f"expected an array [frames, ..., 3]; got shape {positions.shape}")
    if (np.abs(positions) > MAX_DISTANCE).any():
        place = np.argwhere(np.abs(positions) > MAX_DISTANCE)[0]
        fail("positions", f"expected metres, and NaN where nobody was seen; got {positions[tuple(place)]:g}",
             f"frame {place[0]}")
    return positions
