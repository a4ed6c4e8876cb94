"""Augmentation: the same dance turned, mirrored, exchanged, blurred or at another tempo, and still a dance.

Every function takes a batch [B, T, D, J, 3] and gives a new one, and all but `noisy` take one of transforms
[B, T, D, J, 7] as well; random numbers come from a generator on the CPU. Taught in chapter 3, "Before any network".
"""

import math
from dataclasses import dataclass

import torch
from torch.nn.functional import normalize

from ..body.reference import ReferenceFrame
from ..body.rotations import rotate_z
from ..body.skeleton import Skeleton
from ..core.arguments import a, count, flag, number, share, takes
from ..core.precision import product
from ..core.shapes import tensor


@takes(batch=tensor("windows", "frames", "dancers", "joints", (3, 7)), angle=tensor("windows"))
def turned(batch: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Each window turned about the vertical midway between the dancers' roots at its first frame.

    Shapes: ``angle`` [B]. Units: radians, counter-clockwise seen from above. Chapter: 3.
    """
    middle = batch[:, 0, :, 0, :3].mean(1)  # [B, 3]
    to, of = ReferenceFrame(middle, angle), ReferenceFrame(middle, torch.zeros_like(angle))
    if batch.shape[-1] == 3:
        return to.to_world(of.to_local(batch))
    batch = batch.clone()  # transforms: the root carries everything else along
    batch[..., 0, :3] = to.to_world(of.to_local(batch[..., 0, :3]))
    batch[..., 0, 3:] = rotate_z(angle[:, None, None], batch[..., 0, 3:])
    return batch


@takes(batch=tensor(..., "joints", (3, 7)), skeleton=a(Skeleton, axis="joints"))
def mirrored(batch: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
    """The dance in a mirror: x changes its sign, and left and right joints change places.

    Of a rotation, what turns about y and z is turned the other way.
    Errors: ValueError for a skeleton whose joint names know no left and right. Chapter: 3.
    """
    if not skeleton.left_right_pairs:
        raise ValueError("these joints have no left and right, so a mirror cannot exchange them")
    swapped = list(range(len(skeleton)))
    for left, right in skeleton.left_right_pairs:
        swapped[left], swapped[right] = right, left
    return batch[..., swapped, :] * batch.new_tensor([-1.0, 1.0, 1.0, 1.0, -1.0, -1.0, 1.0][: batch.shape[-1]])


@takes(batch=tensor("windows", "frames", "dancers", "joints", (3, 7)))
def swap_dancers(batch: torch.Tensor) -> torch.Tensor:
    """Dancer a dances b's part and b dances a's. Chapter: 3."""
    return batch.flip(2)


@takes(batch=tensor(), sigma=number(0), generator=a(torch.Generator))
def noisy(batch: torch.Tensor, sigma: float, generator: torch.Generator) -> torch.Tensor:
    """Gaussian noise of ``sigma`` metres on every coordinate. Chapter: 3."""
    return batch + sigma * torch.randn(batch.shape, generator=generator).to(batch)


@takes(batch=tensor("windows", "frames", ...), factor=tensor("windows"), length=count())
def time_warp(batch: torch.Tensor, factor: torch.Tensor, length: int) -> torch.Tensor:
    """The first ``length`` frames of each window danced ``factor`` times as fast, by cubic interpolation in time.

    Source: Catmull and Rom, 1974. Shapes: ``factor`` [B]; [B, T, ...] in, [B, length, ...] out.
    Errors: ValueError where a window is too short to be danced so fast. Chapter: 3.
    """
    last = batch.shape[1] - 1
    fastest = float(factor.max())  # before it goes to a GPU, which would have to be waited for
    if fastest * (length - 1) > last + 1e-3:
        raise ValueError(f"{length} frames at {fastest:.3g} times the tempo need windows of "
                         f"{math.ceil(fastest * (length - 1) - 1e-3) + 1} frames; these have {last + 1}")
    times = factor.to(batch.device)[:, None] * torch.arange(length, device=batch.device)  # [B, length], in old frames
    near = batch[:, [min(1, last), max(last - 1, 0)]]
    batch = torch.cat([2 * batch[:, :1] - near[:, :1], batch, 2 * batch[:, -1:] - near[:, 1:]], 1)  # both ends go on
    # how far each frame is from each time: a product with weights takes a sixth of the time of gathering four frames
    away = (times[..., None] + 1 - torch.arange(last + 3, device=batch.device)).abs().to(batch.dtype)
    inner, outer = 1 + away**2 * (1.5 * away - 2.5), 0.5 * (1 - away) * (2 - away).clamp_min(0) ** 2
    weights = torch.where(away < 1, inner, outer)  # [B, length, last + 3], four of each row are not 0
    return product(weights, batch.reshape(*batch.shape[:2], -1)).reshape(-1, length, *batch.shape[2:])


@takes(length=count(), turn=flag, mirror=share, exchange=share, noise=number(0), tempo=number(0, 0.99))
@dataclass(frozen=True)
class Augment:
    """Every augmentation in one: what `Windows.batches` applies to each batch.

    ``length`` frames come out of windows of ``required_length``, which a faster tempo uses up. ``turn``: by any angle;
    ``mirror``, ``exchange``: shares of windows; ``noise`` metres; ``tempo`` 0.15: 0.85 to 1.15 times. Chapter: 3.
    """

    length: int = 64
    turn: bool = True
    mirror: float = 0.5
    exchange: float = 0.5
    noise: float = 0.002
    tempo: float = 0.15

    @property
    def required_length(self) -> int:
        """How many frames a window must have so that ``length`` are left at the fastest tempo. Chapter: 3."""
        return math.ceil((self.length - 1) * (1 + self.tempo) - 1e-9) + 1

    def __call__(self, batch: torch.Tensor, skeleton: Skeleton, generator: torch.Generator) -> torch.Tensor:
        """A batch [B, required_length, D, J, 3] augmented, [B, length, D, J, 3]. Chapter: 3."""
        # drawn whether used or not, so that switching one augmentation off leaves the others as they were
        drawn = torch.rand(4, len(batch), generator=generator)
        mirror, exchange, _, angle = drawn.to(batch)
        if self.noise and batch.shape[-1] != 3:
            raise ValueError("noise in metres is for positions; with rotations, use Augment(noise=0)")
        if self.tempo:
            batch = time_warp(batch, 1 + self.tempo * (2 * drawn[2] - 1).to(batch.dtype), self.length)
            if batch.shape[-1] == 7:  # between two quaternions whose signs agree lies a shorter one
                batch = torch.cat([batch[..., :3], normalize(batch[..., 3:], dim=-1)], -1)
        per_window = lambda mask: mask.view(-1, 1, 1, 1, 1)  # noqa: E731
        if self.mirror:
            batch = torch.where(per_window(mirror < self.mirror), mirrored(batch, skeleton), batch)
        if self.exchange and batch.shape[2] == 2:
            batch = torch.where(per_window(exchange < self.exchange), swap_dancers(batch), batch)
        if self.turn:
            batch = turned(batch, 2 * math.pi * angle)
        return noisy(batch, self.noise, generator) if self.noise else batch
