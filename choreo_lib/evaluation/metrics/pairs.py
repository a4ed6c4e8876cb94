"""How two bodies belong together: how near, in touch or not, one an echo of the other or not. Taught in chapter 3."""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import fftconvolve

from ...body.motion import Duet, Motion
from ...core.arguments import a, count, each, number, rate, seconds, takes, text
from ...core.shapes import array
from .movement import beats, mean_speed


@takes(duet=a(Duet))
def pelvis_distance(duet: Duet) -> np.ndarray:
    """Distance from pelvis to pelvis, where the legs meet. Shapes: [T]. Units: metres. Chapter: 3."""
    a, b = (m.positions[:, m.skeleton.pelvis].astype(np.float64) for m in duet)
    return np.linalg.norm(a - b, axis=-1)


@takes(duet=a(Duet))
def nearest(duet: Duet) -> np.ndarray:
    """Distance between the two closest joints of a and b. Shapes: [T]. Units: metres. Chapter: 3."""
    return joint_distances(duet, slice(None), slice(None)).min((1, 2))


@takes(duet=a(Duet), joints=each(text, least=1), within=number(0))
def contact(duet: Duet, joints=None, within: float = 0.1) -> float:
    """Share of the frames in which one of a's joints is near one of b's: by default, hand in hand.

    ``joints``: names that both bodies know, as `Skeleton.index` takes them; None: wrists and what hangs from them.
    Units: ``within`` metres, between joint centres; the answer 0 to 1. Chapter: 3.
    """
    chosen = [m.skeleton.hands if joints is None else m.skeleton.indices(joints) for m in duet]
    return float((joint_distances(duet, *chosen).min((1, 2)) < within).mean())


def joint_distances(duet: Duet, mine, yours) -> np.ndarray:
    """Distances between some joints of a and some of b, [T, joints of a, joints of b], metres. Chapter: 3."""
    a, b = duet.a.positions[:, mine].astype(np.float64), duet.b.positions[:, yours].astype(np.float64)
    return np.linalg.norm(a[:, :, None] - b[:, None], axis=-1)


class CrossCorrelation(NamedTuple):
    """What `cross_correlation` finds in each window: the best correlation, its lag, and when.

    Shapes: all [W]. Units: ``peak`` -1 to 1; ``lag`` seconds, positive where y follows x, nan where nothing
    moves; ``time`` seconds, the middle of x's window. Chapter: 3.
    """

    peak: np.ndarray
    lag: np.ndarray
    time: np.ndarray


@takes(x=array(plain=True), y=array(plain=True), fps=rate, window=seconds, max_lag=number(0, 3600), step=seconds)
def cross_correlation(x, y, fps: float, window: float = 4.0, max_lag: float = 1.0, step: float = 1.0):
    """Windowed cross-correlation: slide y against x, window by window, and find the best lag.

    x's window stays, and y's slides over it, earlier and later by up to ``max_lag``; both have the same number of
    frames at every lag, each with its own mean and deviation. Channels are correlated one by one and averaged; one that
    does not move counts as 0. The peak is positive for pseudo-pairs too: compare it with theirs
    (`baselines.coupling.partner_swap`).
    Shapes: [T] or [T, K] each. Units: ``window``, ``max_lag``, ``step`` seconds -> `CrossCorrelation`.
    Errors: ValueError where the signals differ in shape, are not finite, or are shorter than a window and both lags.
    Chapter: 3. Boker et al., "Windowed cross-correlation and peak picking", Psychological Methods 2002.
    """
    x, y = (np.asarray(signal, dtype=np.float64) for signal in (x, y))
    width, furthest, hop = round(window * fps), round(max_lag * fps), max(round(step * fps), 1)
    if x.shape != y.shape or x.ndim not in (1, 2) or not (np.isfinite(x) & np.isfinite(y)).all():
        raise ValueError(f"x {x.shape} and y {y.shape} must be finite and have one shape, [T] or [T, K]")
    if width < 2 or len(x) < width + 2 * furthest:
        raise ValueError(f"{len(x)} frames are too few: windows of {width} frames and lags of {furthest} to both sides "
                         f"need {max(width, 2) + 2 * furthest}; take a shorter window or max_lag")
    x, y = (s.reshape(len(s), -1) for s in (x, y))  # [T, K]
    still = [1e-9 * np.abs(s).max(0) for s in (x, y)]  # what is left of a constant after rounding
    y = y - y.mean(0)
    starts = np.arange(furthest, len(x) - width - furthest + 1, hop)
    stay = sliding_window_view(x, width, axis=0)[starts]  # [W, K, width]
    stay = stay - stay.mean(-1, keepdims=True)
    around = sliding_window_view(y, width + 2 * furthest, axis=0)[starts - furthest]  # [W, K, width + 2 lags]
    products = fftconvolve(around, stay[..., ::-1], mode="valid", axes=-1)  # [W, K, 2 lags + 1]
    spread = sliding_window_view(y, width, axis=0).std(-1)[starts[:, None] + np.arange(-furthest, furthest + 1)]
    mine, yours = stay.std(-1)[..., None], spread.swapaxes(1, 2)
    moves = (mine > still[0][:, None]) & (yours > still[1][:, None])
    correlation = np.where(moves, products / np.where(moves, width * mine * yours, 1.0), 0.0).mean(1)  # [W, 2 lags + 1]
    best = correlation.argmax(-1)
    lag = np.where(moves.any((1, 2)), (best - furthest) / fps, np.nan)
    return CrossCorrelation(correlation[np.arange(len(best)), best], lag, (starts + width / 2) / fps)


@takes(duet=a(Duet), joints=each(text | count(0), least=1), window=seconds, max_lag=number(0, 3600), step=seconds)
def coupling(duet: Duet, joints=None, window: float = 4.0, max_lag: float = 1.0, step: float = 1.0):
    """When one of them moves fast, does the other, and how much later? `cross_correlation` of both `mean_speed`.

    ``joints``: whose speed, as in `mean_speed` (default: all joints). The value to meet is that of real dancers.
    Shapes: `CrossCorrelation`, each [W]; a positive lag says that b follows a. Units: seconds. Chapter: 3.
    """
    a, b = (mean_speed(motion, joints) for motion in duet)
    return cross_correlation(a, b, duet.fps, window, max_lag, step)


@takes(a=a(Motion), b=a(Motion), sigma=seconds)
def beat_echo(a: Motion, b: Motion, sigma: float = 0.1) -> float:
    """Beat echo degree: the mean over a's beats of exp(-(seconds to b's nearest beat)^2 / 2 sigma^2).

    Not symmetric: beats that b has besides cost nothing. Shapes: one number, 0 to 1; nan where a has no beats, 0 where
    b has none. Units: ``sigma`` seconds (3 frames at 30 a second). Chapter: 3. Siyao et al., "Duolando", ICLR 2024.
    """
    mine, yours = beats(a) / a.fps, beats(b) / b.fps
    if not len(mine) or not len(yours):
        return 0.0 if len(mine) else float("nan")
    gap = np.abs(mine[:, None] - yours).min(1)
    return float(np.exp(-(gap**2) / (2 * sigma**2)).mean())
