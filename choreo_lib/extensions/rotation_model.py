"""What models of rotations share: whose takes they read, how a made one stands. Taught in chapters 6 and 7."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..body.compatibility import (
    body_size,
    require_dancer,
    require_fit,
    require_rotations,
    rest_mismatch,
    skeleton_mismatch,
)
from ..body.motion import Motion, dancer_index
from ..body.skeleton import Skeleton
from ..body.source import OURS, Source
from .foot_contact import fix_foot_skate


class RotationModel:
    """What a model of joint rotations knows of the two dancers of its training set: their mean ``bones`` [2, J, 3].

    A mixin of `MotionTranslator` and `StyleTransport`. Units: metres. Chapter: 6; 7.
    """

    rotations_matter = True  # so `choreo_lib.conform` brings rotations to this model's rest bones
    skeleton: Skeleton
    config: Any
    bones: torch.Tensor

    @property
    def fps(self) -> float:
        """Frames a second of the takes that this model knows."""
        return float(self.config.fps)

    def usual_body(self, who: str = "a") -> Skeleton | None:
        """The skeleton with a dancer's mean bones in the training set; None before `fit_statistics`."""
        bones = self.bones[dancer_index(who)].cpu().double().numpy().copy()
        bones[0] = 0.0  # where the root was is no bone
        return Skeleton(self.skeleton.names, self.skeleton.parents, bones) if bones.any() else None

    def possible_routes(self) -> tuple[str, ...]:
        """Sources and targets that this model can be asked for, the usual one first."""
        return tuple(self.config.routes)

    def require_source(self, motion: Motion, route: str) -> None:
        """Refuse a route that this model does not have, and a take that is not one of its source dancer's kind.

        Errors: ValueError for other joints, rest bones or frames a second, no rotations, or a body of another size.
        """
        if route not in self.possible_routes():
            raise ValueError(f"route {route!r}: this model has {', '.join(self.possible_routes())}")
        body = self.usual_body(route[0])
        require_fit("this motion", motion, body or self.skeleton, self.config.fps, rotations=True)
        require_rotations(motion)
        require_dancer("this motion", self.skeleton, motion.positions, body_size(body) if body else None)

    def target_body(self, body: Skeleton | None, who: str) -> Skeleton:
        """The body to write on: the one asked for, or a dancer's mean one. Errors: ValueError for other joints."""
        usual = self.usual_body(who) or replace(self.skeleton, offsets=np.zeros((len(self.skeleton), 3)))
        if body is None:
            return usual
        differs = skeleton_mismatch(body, usual) or rest_mismatch(body, usual)
        if differs or body.offsets is None:
            raise ValueError(f"these joints do not fit the model: {differs or 'they have no bones'}. Leave body= "
                             "away, and bring what was made onto it with choreo_lib.conform(made, body)")
        return body

    def made_motion(self, rotations: torch.Tensor, root: torch.Tensor, body: Skeleton, who: str, danced: Motion,
                    feet: bool) -> Motion:
        """A take made of ``danced`` as dancer ``who``: rotations [F, J, 4] and root [F, 3], cut to its length.

        ``feet``: foot skating is fixed (`choreo_lib.extensions.foot_contact`).
        """
        last = len(danced)
        made = Motion.from_rotations(rotations[:last].cpu(), root[:last].cpu(), self.config.fps, body,
                                     source=Source.join(OURS, danced.source), name=f"made, {who}")
        return fix_foot_skate(made) if feet else made


def leg_length(skeleton: Skeleton | None) -> float:
    """Metres along the bones from the root to an ankle; 1 for a body without bones or ankles by name. Chapter: 6."""
    if skeleton is None or skeleton.offsets is None:
        return 1.0
    ankle = skeleton.find("left_ankle")
    if ankle is None:
        return 1.0
    return float(np.linalg.norm(skeleton.offsets[skeleton.chain(ankle)[:-1]], axis=-1).sum()) or 1.0
