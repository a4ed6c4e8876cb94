"""Frames of reference, a place and a heading of a dancer or of the pair; and velocities. Taught in chapter 3."""

from typing import NamedTuple

import torch

from ..core.arguments import MAX_FRAMES, a, count, rate, takes, text
from ..core.shapes import tensor
from .motion import dancer_index
from .rotations import rotate_points_z
from .skeleton import Skeleton


class ReferenceFrame(NamedTuple):
    """A point on the floor and a direction to look in; one for every window of a batch.

    Shapes: ``origin`` [B, 3] with z 0; ``heading`` [B]. Both methods take positions [B, ..., 3].
    Units: metres; radians counter-clockwise from the world's X axis, seen from above.
    Seen from there, X is ahead, Y to the left, and Z still up. Chapter: 3.
    """

    origin: torch.Tensor
    heading: torch.Tensor

    @takes(x=tensor(..., 3))
    def to_local(self, x: torch.Tensor) -> torch.Tensor:
        """World positions as seen from the frame. Chapter: 3."""
        origin, heading = self._broadcast(x)
        return rotate_points_z(-heading, x - origin)

    @takes(x=tensor(..., 3))
    def to_world(self, x: torch.Tensor) -> torch.Tensor:
        """The inverse of `to_local`. Chapter: 3."""
        origin, heading = self._broadcast(x)
        return rotate_points_z(heading, x) + origin

    def _broadcast(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ones = [1] * (x.ndim - 1 - self.heading.ndim)
        shape = (*self.heading.shape, *ones)
        return self.origin.reshape(*shape, 3), self.heading.reshape(shape)  # [B, 1, ..., 3], [B, 1, ...]


@takes(batch=tensor("windows", "frames", "dancers", "joints", 3), at=count(-MAX_FRAMES),
       skeleton=a(Skeleton, axis="joints"), of=text)
def reference_frame(batch: torch.Tensor, at: int, skeleton: Skeleton, of: str = "duet") -> ReferenceFrame:
    """The frame of reference of each window at frame ``at``, which is as a rule the last one that was observed.

    ``of``: "duet" stands midway between the two pelvises and looks from a's to b's (where they are within 1 cm of
    each other above the floor: where a faces); "a" or "b" stands at that dancer's pelvis and looks where the
    dancer faces, at right angles to the line from the right hip and shoulder to the left ones.
    Shapes: ``batch`` [B, T, D, J, 3]; gives origin [B, 3] and heading [B]. Moving or turning the world moves and
    turns the frame with it, so what is seen from it stays the same.
    Errors: ValueError for another ``of``, one dancer for two, or joints without left and right. Chapter: 3.
    """
    if of not in ("duet", "a", "b") or (of != "a" and batch.shape[2] < 2):
        raise ValueError(f'there is no frame of {of!r} for {batch.shape[2]} dancer(s): use "a", or "b", "duet" for two')
    pose = batch[:, at]  # [B, D, J, 3]
    if of != "duet":
        who = dancer_index(of)
        middle, ahead = pose[:, who, skeleton.pelvis], facing(pose[:, who], skeleton)
    else:
        pelvis = pose[:, :, skeleton.pelvis]  # [B, D, 3]
        middle, ahead = pelvis.mean(1), (pelvis[:, 1] - pelvis[:, 0])[:, :2]
        close = ahead.norm(dim=-1, keepdim=True) < 0.01
        if close.any():
            ahead = torch.where(close, facing(pose[:, 0], skeleton), ahead)
    return ReferenceFrame(middle * middle.new_tensor([1.0, 1.0, 0.0]), torch.atan2(ahead[:, 1], ahead[:, 0]))


def placed(x: torch.Tensor, like: torch.Tensor, true: torch.Tensor, at: int, skeleton: Skeleton,
           of: str = "a") -> torch.Tensor:
    """Positions moved and turned as a whole, so that ``like`` would stand and face at frame ``at`` as ``true`` does.

    Shapes: ``x`` [B, ..., 3]; ``like`` and ``true`` [B, T, D, J, 3], and ``of``, as of `reference_frame`. Chapter: 5.
    """
    there, here = (reference_frame(each, at, skeleton, of) for each in (like, true))
    return here.to_world(there.to_local(x))


def facing(pose: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
    """The horizontal direction in which a body faces, from hips and shoulders, as long as these are apart.

    Shapes: [B, J, 3] -> [B, 2]. Units: metres. Errors: ValueError for joints without left and right. Chapter: 3.
    """
    found = [skeleton.find(f"{side}_{part}") for part in ("hip", "shoulder") for side in ("left", "right")]
    if None in found:
        raise ValueError("no left and right hip and shoulder among the joints, so nobody knows where this body faces")
    left_hip, right_hip, left_shoulder, right_shoulder = found
    across = (pose[:, [left_hip, left_shoulder]] - pose[:, [right_hip, right_shoulder]]).sum(1)  # [B, 3], to the left
    return torch.stack([across[:, 1], -across[:, 0]], -1)


@takes(batch=tensor("windows", "frames", ...), fps=rate, gap=count())
def velocities(batch: torch.Tensor, fps: float, gap: int = 1) -> torch.Tensor:
    """How fast each joint moves, from the frame ``gap`` frames before; the first ``gap`` frames repeat the next one.

    Those first frames thus know a later one: what is scored on predicting that one may not see them.
    Shapes: [B, T, ...] in and out. Units: metres in, metres per second out.
    Errors: ValueError where a window is not longer than the gap. Chapter: 3.
    """
    if not 1 <= gap < batch.shape[1]:
        raise ValueError(f"gap {gap} in windows of {batch.shape[1]} frames: it must be at least 1 and below that")
    change = (batch[:, gap:] - batch[:, :-gap]) * (fps / gap)
    return torch.cat([change[:, :1].expand(-1, gap, *batch.shape[2:]), change], 1)
