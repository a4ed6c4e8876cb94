"""What this book adds to the published systems, one file a system: each addition is an option.

`stream` is how a duet model dances on.
"""

from .dance_nri import DanceNRI
from .duet_vae import DuetForecaster
from .motion_translator import MotionTranslator
from .nri import NRI
from .solo_vae import PhraseVAE
from .stream import Guidance

__all__ = ["NRI", "DanceNRI", "DuetForecaster", "MotionTranslator", "PhraseVAE", "Guidance"]
