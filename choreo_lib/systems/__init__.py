"""The published systems, repaired, and nothing else: one a file, each read from top to bottom like its chapter."""

from .dance_nri import DanceNRI
from .duet_vae import DuetVAE
from .nri import NRI
from .solo_vae import SoloVAE
from .vae_rnn import VAERNN

__all__ = ["NRI", "DanceNRI", "DuetVAE", "SoloVAE", "VAERNN"]
