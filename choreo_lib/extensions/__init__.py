"""The networks of this book, one system a file, each read from top to bottom like its chapter.

`stream` is how a duet model dances on.
"""

from .dance_nri import DanceNRI
from .duet_vae import DuetVAE
from .nri import NRI
from .solo_vae import PhraseVAE
from .stream import Guidance
from .vae_rnn import VAERNN

__all__ = ["NRI", "DanceNRI", "DuetVAE", "VAERNN", "PhraseVAE", "Guidance"]
