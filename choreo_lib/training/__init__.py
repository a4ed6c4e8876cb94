"""The one training loop, what it keeps on disk, and every trained artifact by name. Taught in chapter 4."""

from importlib import import_module

from .checkpoints import TrainingError
from .devices import choose_device, choose_precision
from .history import History
from .loop import fit, validate
from .train_config import TrainConfig, lr_factor

__all__ = ["History", "TrainConfig", "TrainingError", "choose_device", "choose_precision", "fit", "lr_factor",
           "validate"]


def __getattr__(name: str):
    """A module of this room that needs the rooms above it, loaded when it is first asked for."""
    if name in ("ablations", "artifacts", "cards", "recipes"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
