"""The one training loop, what it keeps on disk, and every trained artifact by name. Taught in chapter 4."""

from .checkpoints import TrainingError
from .loop import History, TrainConfig, choose_device, choose_precision, fit, lr_factor, validate

__all__ = ["History", "TrainConfig", "TrainingError", "choose_device", "choose_precision", "fit", "lr_factor",
           "validate"]
