"""How a trained model is judged: measures of its own and every baseline's, on the same windows.

Taught in chapters 4 to 7, one kind of model each.
"""

from .duet import Stranger, judge_duet
from .particles import judge_particles
from .rotations import Manner, judge_deepfake, judge_translation, written
from .solo import judge_solo
from .strings import judge_strings

__all__ = [
    "Manner", "Stranger", "judge_deepfake", "judge_duet", "judge_particles", "judge_solo", "judge_strings",
    "judge_translation", "written",
]  # fmt: skip
