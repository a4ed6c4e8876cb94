"""How to train: the hyper-parameters that do not depend on the model. Taught in chapter 4."""

import math
from dataclasses import dataclass

from ..core.arguments import a, count, number, seed, share, takes, text
from ..sets.augmentation import Augment


@takes(epochs=count(0), batch_size=count(), lr=number(above=0), warmup=count(0), weight_decay=number(0),
       ema_decay=share, clip=number(above=0), patience=count(), seed=seed, augment=a(Augment), precision=text,
       save_every=number(0))
@dataclass(frozen=True)
class TrainConfig:
    """How to train: what does not depend on the model.

    ``epochs`` at most (0: the model is fitted by its statistics and not trained); ``patience`` epochs without a lower
    validation loss end it (None: never). ``batch_size`` windows a step, over all processes. ``lr`` is reached after
    ``warmup`` steps and falls along a cosine to a hundredth; ``clip`` bounds the gradient's norm; ``weight_decay`` is
    AdamW's. ``ema_decay``: what is validated and kept is an exponential moving average of the weights with this decay
    (0: the weights themselves; early in a run, when all are new, with less). ``precision``: "float32", "bfloat16",
    "float16"; "auto" is float32 on every device, with TF32 products on CUDA while a step is taken. In the others, which
    are slower at these sizes, autocast computes linear layers, convolutions and attention in half precision; recurrent
    layers and all that measures stay in float32 (`choreo_lib.core.precision`).
    ``save_every`` seconds a checkpoint is written, and at the end of every epoch. Chapter: 4.
    """

    epochs: int = 100
    batch_size: int = 256
    lr: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.0
    ema_decay: float = 0.0
    clip: float = 1.0
    patience: int | None = None
    seed: int = 0
    augment: Augment | None = None
    precision: str = "auto"
    save_every: float = 60.0


def lr_factor(step: int, warmup: int, total: int) -> float:
    """The share of the full learning rate at a step: linear warm-up, then a cosine down to a hundredth. Chapter: 4."""
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(total - warmup, 1)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
