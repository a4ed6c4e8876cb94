"""The networks of this book, one system a file, each read from top to bottom like its chapter."""

from .duet_vae import DuetVAE
from .solo_vae import SoloVAE

__all__ = ["DuetVAE", "SoloVAE"]
