"""The networks of this book, one system a file, each read from top to bottom like its chapter."""

from .solo_vae import SoloVAE

__all__ = ["SoloVAE"]
