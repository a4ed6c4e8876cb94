"""What this book adds to the published systems, each an option; `stream` is how a duet model dances on."""

from .dance_nri import CouplingNRI
from .duet_vae import DuetForecaster
from .guidance import Guidance
from .motion_translator import MotionTranslator
from .nri import ForceNRI
from .solo_vae import LinearVAE
from .style_transport import StyleTransport

__all__ = ["CouplingNRI", "DuetForecaster", "ForceNRI", "Guidance", "LinearVAE", "MotionTranslator", "StyleTransport"]
