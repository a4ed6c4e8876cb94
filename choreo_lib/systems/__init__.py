"""The published systems, repaired, and nothing else."""

from .solo_vae import SoloVAE

__all__ = ["SoloVAE"]
