"""What a recipe is: how one trained artifact of the book is made and evaluated. Taught in chapter 4."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import nn

from ..body.motion import Duet
from ..sets.augmentation import Augment
from ..sets.particles import Particles
from ..sets.windows import Windows, cut
from .train_config import TrainConfig

MODES = ("quick", "full")
STATISTICS_BATCH = 512  # windows a batch, while a model measures them
STATISTICS_SIMULATIONS = 1000  # of springs and charges, which are more alike


@dataclass(frozen=True)
class Recipe:
    """How one artifact is made and evaluated.

    ``windows(split, augment, mode)`` gives the windows of "train", "validation" or "test" (a real set's "challenge",
    or, of generated data, an integer seed). ``model`` is a class, ``config[mode]`` its keyword arguments,
    ``training[mode]`` a `TrainConfig`. ``evaluate(model, train, asked)`` gives a table {row: {metric: value}}, with a
    row "model" and one a baseline. ``augmented_epochs``: how many epochs of augmented windows a model's statistics are
    fitted to, beside clean ones. ``long_takes(split, minutes)``, of models of duets: takes for minutes. Chapter: 4.
    """

    what: str
    data: tuple[str, ...]
    windows: Callable[..., Windows | Particles]
    model: type[nn.Module]
    config: dict[str, dict[str, Any]]
    training: dict[str, TrainConfig]
    evaluate: Callable[..., dict[str, dict[str, float]]]
    augmented_epochs: int = 0
    long_takes: Callable[[str | int, float], list[Duet]] | None = None

    def build(self, train: Windows | Particles, mode: str, longer: Windows | Particles | None = None,
              augment: Augment | None = None, **changes: Any) -> Any:
        """A model that is ready to train, its statistics fitted to clean windows and to augmented ``longer`` ones.

        ``changes`` to its settings, as an ablation makes them. Chapter: 4.
        """
        torch.manual_seed(self.training[mode].seed)
        config = self.config[mode] | changes
        if isinstance(train, Particles):
            model: Any = self.model(**config)
            model.fit_statistics(train[:STATISTICS_SIMULATIONS])
            return model
        model = self.model(train.skeleton, fps=train.fps, **config)
        augmented = [longer.batches(STATISTICS_BATCH, seed=epoch, augment=augment)
                     for epoch in range(1, self.augmented_epochs + 1) if longer is not None and augment is not None]
        if hasattr(model, "fit_statistics"):  # rotations have one scale
            model.fit_statistics(chain(train.batches(STATISTICS_BATCH), *augmented))
        return model


def cut_windows(duets: Callable, length: int, strides: tuple[int, int, int], split: str | int,
                augment: Augment | None = None, mode: str = "full", step: int = 1, solo: bool = False,
                rotations: bool = False) -> Windows:
    """Windows of the duets of a split, as long as the augmentation needs them.

    ``duets(split, mode)`` as in `choreo_lib.sets.splits`. ``strides``: of training windows in quick and in full mode,
    and of all others, as neighbours are alike. ``step``: every step-th frame. ``solo``: a's and b's alike. Chapter: 4.
    """
    takes = duets(split, mode)
    takes = [motion for duet in takes for motion in duet] if solo else takes
    stride = strides[MODES.index(mode)] if split == "train" else strides[2]
    return cut(takes, length if augment is None else augment.required_length, stride, step, rotations=rotations)
