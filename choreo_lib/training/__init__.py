"""The one training loop, what it keeps on disk, and every trained artifact by name. Taught in chapter 4."""

from .checkpoints import TrainingError
from .config import TrainConfig, lr_factor
from .devices import choose_device, choose_precision
from .history import History
from .loop import fit, validate

__all__ = ["History", "TrainConfig", "TrainingError", "choose_device", "choose_precision", "fit", "lr_factor",
           "validate"]
