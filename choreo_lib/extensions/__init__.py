"""The networks of this book, one system a file, each read from top to bottom like its chapter.

`stream` is how a duet model dances on.
"""

from .dance_nri import DanceNRI
from .duet_vae import DuetVAE
from .motion_translator import MotionTranslator
from .nri import NRI
from .solo_vae import SoloVAE
from .stream import Guidance

__all__ = ["NRI", "DanceNRI", "DuetVAE", "MotionTranslator", "SoloVAE", "Guidance"]
