"""From which side bodies are looked at, and how they then lie on a page. Taught in chapter 1, "Seeing a duet"."""

import numpy as np

from ..body.motion import Duet, Motion
from ..core.arguments import a, each, takes


def dancers_of(motion: Motion | Duet) -> tuple[Motion, ...]:
    """One dancer or two, as a tuple. Chapter: 1."""
    return tuple(motion) if isinstance(motion, Duet) else (motion,)


@takes(dancers=each(a(Motion), least=1))
def best_side(dancers: tuple[Motion, ...]) -> float:
    """The azimuth, degrees, at which two stand side by side (a left), or one half from the front. Chapter: 1."""
    middle = len(dancers[0]) // 2
    facing = np.zeros(2)
    for m in dancers:
        if m.skeleton.left_right_pairs:
            left, right = np.array(m.skeleton.left_right_pairs).T
            x, y = (m.positions[middle, left] - m.positions[middle, right]).mean(0)[:2]
            facing += np.array([y, -x]) / max(np.hypot(x, y), 1e-6)
    if len(dancers) == 1:
        return float(np.round(np.rad2deg(np.arctan2(facing[1], facing[0]) + 0.6))) if facing.any() else -60.0
    one, other = (m.positions[middle, m.skeleton.pelvis] for m in dancers)
    apart = other - one
    azimuth = np.arctan2(apart[1], apart[0]) - np.pi / 2
    if facing @ (np.cos(azimuth), np.sin(azimuth)) < -0.7:
        azimuth += np.pi
    return float(np.round(np.rad2deg(azimuth + 0.2)))  # a little aside, so that the depth is seen


def project(points: np.ndarray, view: tuple[float, float]) -> np.ndarray:
    """Points [..., 3] as seen by a camera at (azimuth, elevation) degrees: [..., 2], the vertical kept upright."""
    azimuth, elevation = np.deg2rad(view)
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    up = np.array([-np.cos(azimuth) * np.sin(elevation), -np.sin(azimuth) * np.sin(elevation), np.cos(elevation)])
    return np.stack([points @ right, points @ up], axis=-1)
