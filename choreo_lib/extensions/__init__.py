"""What this book adds to the published systems, each an option; `rollout` is how a duet model dances on."""

from .coupling_nri import CouplingNRI
from .duet_forecaster import DuetForecaster
from .force_nri import ForceNRI
from .guidance import Guidance
from .linear_vae import LinearVAE
from .motion_translator import MotionTranslator
from .style_transport import StyleTransport

__all__ = ["CouplingNRI", "DuetForecaster", "ForceNRI", "Guidance", "LinearVAE", "MotionTranslator", "StyleTransport"]
