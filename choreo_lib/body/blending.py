"""How one movement becomes another: windows joined, turns held back, a way eased, a gap closed. Taught in chapter 6."""

import math

import numpy as np
import torch

from ..core.arguments import a, count, takes
from ..core.shapes import tensor
from .motion import Motion
from .rotations import Numbers, arrays_too, slerp, turn_angle


@takes(motion=a(Motion), frames=count(2))
def overlapping_windows(motion: Motion, frames: int) -> torch.Tensor:
    """Cut a take into windows of ``frames`` that overlap by half; the last is filled by going back in time.

    Shapes: float32 [N, frames, J, 7], as `Motion.transforms`. Units: metres.
    Errors: ValueError for an odd number of frames, a shorter take, or one without rotations and bones. Chapter: 6.
    """
    take = torch.from_numpy(motion.transforms())  # [F, J, 7]
    if frames % 2 or len(motion) < frames:
        raise ValueError(f"this motion has {len(motion)} frames, and a window {frames}, which must be even")
    hop = frames // 2
    at = torch.arange(-(-(len(motion) - frames) // hop) * hop + frames)  # frames of whole windows
    at = torch.where(at < len(motion), at, 2 * (len(motion) - 1) - at)
    return take[at].unfold(0, frames, hop).movedim(-1, 1)  # [N, frames, J, 7]


@takes(rotations=tensor("windows", "frames", "joints", 4), root=tensor("windows", "frames", 3))
def overlap_add(rotations: torch.Tensor, root: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Join windows that overlap by half: each fades into the next along a Hann window, rotations by slerp.

    Shapes: unit quaternions [N, T, J, 4] and paths [N, T, 3] -> [(N + 1) * T / 2, J, 4] and [(N + 1) * T / 2, 3].
    Chapter: 6. Allen and Rabiner, "A unified approach to short-time Fourier analysis", Proceedings of the IEEE 1977.
    """
    hop = rotations.shape[1] // 2
    share = torch.sin(torch.pi / 2 * (torch.arange(hop).to(rotations) + 0.5) / hop)[:, None] ** 2  # [T / 2, 1], rising
    seams = slerp(rotations[:-1, hop:], rotations[1:, :hop], share)  # [N - 1, T / 2, J, 4]
    paths = torch.lerp(root[:-1, hop:], root[1:, :hop], share.to(root))  # [N - 1, T / 2, 3]
    return (torch.cat([rotations[0, :hop], seams.flatten(0, 1), rotations[-1, hop:]]),  # [(N + 1) * T / 2, J, 4]
            torch.cat([root[0, :hop], paths.flatten(0, 1), root[-1, hop:]]))


SLOWEST_LIMIT = math.radians(3.0)  # a frame: below it no jump shows, and a joint that never turned has no limit of 0


@takes(rotations=tensor("frames", "joints", 4), largest=tensor("joints"))
def limit_turns(rotations: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
    """Spread what a joint turns from one frame to the next over more frames, where it turns farther than ``largest``.

    Two windows may disagree by half a turn about where a dancer faces, and one window with itself from frame to frame.
    The turn keeps its middle; about it so many frames are interpolated anew as it takes to make it in steps within the
    limit. A take too short for that keeps an even turn. Everything else comes back as it is.
    Shapes: unit quaternions [F, J, 4], ``largest`` [J] -> [F, J, 4]. Units: radians a frame. Chapter: 6.
    """
    limits = largest.clamp_min(SLOWEST_LIMIT)
    too_far = turn_angle(rotations[:-1], rotations[1:]) > 1.05 * limits  # [F - 1, J]; what is about the limit may stay
    limited, last = rotations.clone(), len(rotations) - 1
    for at, joint in too_far.nonzero().tolist():
        turns = limited[:, joint]  # [F, 4], a view
        begin, end = at, at + 1
        if turn_angle(turns[begin], turns[end]) <= 1.05 * limits[joint]:
            continue  # one before has spread this one too
        while end - begin < last and turn_angle(turns[begin], turns[end]) > (end - begin) * limits[joint]:
            begin, end = max(begin - 1, 0), min(end + 1, last)
        share = torch.linspace(0, 1, end - begin + 1).to(turns)
        turns[begin : end + 1] = slerp(turns[begin].expand(len(share), 4), turns[end].expand(len(share), 4), share)
    return limited


def minimum_jerk(share: np.ndarray) -> np.ndarray:
    """From 0 to 1 with the least jerk, at rest at both ends; [...] in and out. Chapter: 1. Flash and Hogan 1985."""
    x = np.clip(share, 0, 1)
    return x**3 * (10 - 15 * x + 6 * x**2)


@arrays_too
def inertialise(value: Numbers, velocity: Numbers, frames: int) -> Numbers:
    """A gap led to nothing: the cubic that begins with its value and velocity, and after ``frames`` ends with neither.

    Shapes: ``value`` and ``velocity`` [..., J, 3] -> [..., frames, J, 3], the frames after the one with the gap.
    Units: metres, and metres per frame. Chapter: 5. Bollo, "Inertialization", GDC 2018.
    """
    t = torch.arange(1, frames + 1).to(value)[:, None, None] / frames  # [frames, 1, 1]
    return ((2 * t + 1) * (1 - t) ** 2 * value[..., None, :, :]
            + frames * t * (1 - t) ** 2 * velocity[..., None, :, :])
