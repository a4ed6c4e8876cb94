"""The networks of this book, one system a file, each read from top to bottom like its chapter.

`stream` is how a duet model dances on.
"""

from .dance_nri import CouplingNRI
from .duet_vae import DuetVAE
from .nri import ForceNRI
from .solo_vae import SoloVAE
from .stream import Guidance
from .vae_rnn import VAERNN

__all__ = ["ForceNRI", "CouplingNRI", "DuetVAE", "VAERNN", "SoloVAE", "Guidance"]
