"""What a choreographer asks of a partner while it dances. Taught in chapter 5, "A partner"."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..body.skeleton import Skeleton
from ..core.arguments import each, number, share, takes, text


@takes(distance=number(0, 1000), contact=each(each(text, size=2)), pull=share, reach=number(0))
@dataclass(frozen=True)
class Guidance:
    """Soft constraints that a choreographer puts on a partner; laid over what the model dances, which it goes on from.

    A model that has learned to lead back from where it was put would undo them otherwise. A place is held, a posture
    let go and pulled again each frame.
    ``distance`` between the pelvises along the floor, metres; None: as it comes. ``contact``: pairs (own joint, other
    dancer's joint) that should touch, by name. ``pull``: the share of the error that is removed each frame; in 10
    frames 0.05 removes two fifths. Lest joints tear at the body, they attract within ``reach`` metres. Chapter: 5.
    """

    distance: float | None = None
    contact: Sequence[tuple[str, str]] = ()
    pull: float = 0.05
    reach: float = 0.5

    def __call__(self, pose: torch.Tensor, other: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
        """A pose nearer to the constraints, given the other dancer's. Shapes: [..., J, 3] each. Chapter: 5."""
        if self.distance is not None:
            pelvis = [skeleton.pelvis]
            apart = (pose[..., pelvis, :] - other[..., pelvis, :]) * pose.new_tensor([1.0, 1.0, 0.0])  # [..., 1, 3]
            distance = apart.norm(dim=-1, keepdim=True).clamp_min(1e-3)
            pose = pose + self.pull * (self.distance - distance) * apart / distance
        for own, theirs in self.contact:
            gap = other[..., skeleton.index(theirs), :] - pose[..., skeleton.index(own), :]  # [..., 3]
            near = gap.norm(dim=-1, keepdim=True) < self.reach
            pose = pose.clone()
            pose[..., skeleton.index(own), :] += torch.where(near, self.pull * gap, 0.0)
        return pose
