"""How one body moves: how fast, how smoothly, on which beats; and how its bones vary. Taught in chapter 3."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from ...body.motion import Motion
from ...core.arguments import a, count, each, number, rate, takes, text
from ...core.shapes import array


@takes(positions=array("frames", ...), fps=rate)
def velocity(positions, fps: float):
    """First differences: [T, ..., 3] -> [T - 1, ..., 3], m/s; tensors for tensors, else float64. Chapter: 3."""
    positions = positions if torch.is_tensor(positions) else np.asarray(positions, dtype=np.float64)
    return (positions[1:] - positions[:-1]) * fps


@takes(positions=array("frames", ...), fps=rate)
def speed(positions, fps: float):
    """The norm of the velocity. Shapes: [T, ..., 3] -> [T - 1, ...]. Units: m/s. Chapter: 3."""
    return _length(velocity(positions, fps))


@takes(positions=array("frames", ...), fps=rate)
def jerk(positions, fps: float):
    """The norm of the jerk, by third differences.

    Shapes: [T, ..., 3] -> [T - 3, ...]. Units: m/s^3. Chapter: 3. Flash and Hogan, Journal of Neuroscience 1985.
    """
    return _length(velocity(velocity(velocity(positions, fps), fps), fps))


def _length(vectors):
    return torch.linalg.vector_norm(vectors, dim=-1) if torch.is_tensor(vectors) else np.linalg.norm(vectors, axis=-1)


@takes(motion=a(Motion), joints=each(text | count(0), least=1))
def mean_speed(motion: Motion, joints=None) -> np.ndarray:
    """How fast a dancer moves at each frame: the mean speed over joints, in the world.

    By central differences, so that the value at frame t belongs to frame t. ``joints``: names as in
    `joint_names`, or indices (default: all). Shapes: [T], m/s. Errors: ValueError for one frame, no joint. Chapter: 3.
    """
    if len(motion) < 2:
        raise ValueError("one frame has no speed; a motion needs at least two")
    index = lambda j: motion.skeleton.index(j, "joints") if isinstance(j, str) else j  # noqa: E731
    chosen = slice(None) if joints is None else list(map(index, joints))
    moved = np.gradient(motion.positions[:, chosen].astype(np.float64), axis=0) * motion.fps  # [T, joints, 3]
    return np.linalg.norm(moved, axis=-1).mean(-1)


@takes(motion=a(Motion), smooth=number(0.001, 60, what="a number of seconds"))
def beats(motion: Motion, smooth: float = 1 / 6) -> np.ndarray:
    """Kinematic beats: frames at which a dancer nearly stops, local minima of the smoothed `mean_speed`.

    A pause is one beat, at its middle. Shapes: [beats] frame numbers; the first and the last frame are never beats.
    Units: ``smooth`` seconds, the width of a Gaussian (5 frames at 30 a second, as in Duolando's code).
    Chapter: 3. Kinematic beats: Li et al., "AI Choreographer", ICCV 2021.
    """
    return find_peaks(-gaussian_filter1d(mean_speed(motion), smooth * motion.fps))[0]


@takes(motion=a(Motion))
def bone_variation(motion: Motion) -> np.ndarray:
    """How much each bone's length varies: standard deviation over mean; zero for a body, more for video estimates.

    Shapes: [bones], in the order of ``motion.skeleton.bones``; nan for bones shorter than 2 cm. Chapter: 3.
    """
    parents, children = np.array(motion.skeleton.bones, dtype=int).reshape(-1, 2).T
    positions = motion.positions.astype(np.float64)
    length = np.linalg.norm(positions[:, children] - positions[:, parents], axis=-1)  # [T, bones]
    mean = length.mean(0)
    return np.where(mean < 0.02, np.nan, length.std(0) / np.maximum(mean, 0.02))
