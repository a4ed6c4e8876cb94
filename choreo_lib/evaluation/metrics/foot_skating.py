"""When a foot is on the floor, and how far it slides there. Taught in chapter 3, "Before any network"."""

import numpy as np

from ...body.motion import Motion
from ...core.arguments import a, number, takes
from .movement import speed

FLOOR_PERCENTILE = 5.0


@takes(motion=a(Motion), height=number(0, 10))
def foot_skate(motion: Motion, height: float = 0.01) -> float:
    """Foot skating: the mean horizontal speed of both toe joints while they are on the floor.

    A toe is on the floor from one frame to the next if in both it is within ``height`` of that foot's own floor, the
    5th percentile of its height over the motion: give a whole take. Definitions vary (Zhang et al., SIGGRAPH 2018;
    Karunratanakul et al., ICCV 2023); compare numbers of one only. Salsa skims the floor: 0.04 m/s, not zero, is the
    value to meet. Units: m/s, ``height`` metres; nan where no toe is on the floor twice in a row.
    Errors: ValueError where the skeleton has no feet by name. Chapter: 3.
    """
    toes = motion.positions[:, motion.skeleton.indices(("left_toe", "right_toe"))].astype(np.float64)
    down = toes[..., 2] < np.percentile(toes[..., 2], FLOOR_PERCENTILE, axis=0) + height
    slides = speed(toes[..., :2], motion.fps)[down[1:] & down[:-1]]
    return float(slides.mean()) if len(slides) else float("nan")
