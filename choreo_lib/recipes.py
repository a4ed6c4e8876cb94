"""Every trained artifact of the book: its data, its model, its plan in quick and full, and how it is judged.

Taught in chapter 4, "A dancer in 256 numbers".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain

import torch

from . import synthetic
from .augmentation import Augment
from .datasets import load_duet, splits
from .judges import judge_solo
from .losses import Schedule
from .models import SoloVAE
from .training import Plan
from .windows import Windows, cut

MODES = ("quick", "full")


@dataclass(frozen=True)
class Recipe:
    """How one artifact is made and judged.

    ``windows(split, augment, mode)`` gives the windows of "train", "validation" or "test" (a real set's "challenge",
    or, of generated data, an integer seed); ``model(train, mode, longer, augment)`` a model ready to train, from clean
    windows and, where there is augmentation, from longer ones (one that has ``finish`` is handed the clean ones again
    once it is trained); ``plans`` a `Plan` a mode; ``judge(model, train,
    asked)`` a table {row: {metric: value}} with a row "model" and one a baseline. Chapter: 4.
    """

    what: str
    data: tuple[str, ...]
    windows: Callable[..., Windows]
    model: Callable[..., torch.nn.Module]
    plans: dict[str, Plan]
    judge: Callable[..., dict[str, dict[str, float]]]


def solo_windows(takes: Callable, length: int, split, augment: Augment | None = None, mode: str = "full") -> Windows:
    """Windows of single dancers, a's and b's alike; cut longer where augmentation will use frames up.

    One in two (in quick mode one in eight) of the training windows: neighbours are nearly the same.
    """
    reach = length if augment is None else augment.reach
    dancers = [motion for duet in takes(split, mode) for motion in duet]
    return cut(dancers, reach, stride={"quick": 8, "full": 2}[mode] if split == "train" else 4)


def synthetic_takes(kinds: tuple[str, ...], split, mode: str = "full"):
    """Duets made anew: a split is a range of seeds that no other split has; an integer is a seed of its own.

    Errors: ValueError for a split that there is not, or a seed that was trained on.
    """
    named = ("train", "validation", "test")
    if split not in named and (not isinstance(split, int) or 0 <= split < 8):
        raise ValueError(f"split {split!r}: choose from {', '.join(named)}, or a seed from 8 on")
    first, count = {"train": (0, 8), "validation": (500, 4), "test": (600, 4)}.get(split, (split, 1))
    count = max(count // 4, 1) if mode == "quick" else count
    return [synthetic.duet(kind, 600, seed=first + k) for k in range(count) for kind in kinds]


def set_takes(name: str, split, mode: str = "full"):
    """The takes of a real set that belong to a split, as the registry says."""
    return [load_duet(take) for take in splits(name)[split]]


def solo_model(sizes: dict, train: Windows, mode: str, longer: Windows | None = None,
               augment: Augment | None = None) -> SoloVAE:
    """A solo VAE whose shortcut is prepared from the training windows, and from two epochs of augmented ones.

    Left out in turn, the training takes of salsa are rebuilt from such components to 10.3 mm on average, from those of
    the bare windows to 10.5 mm: about the same where a dance is known, and 3 to 6 % better where it is not.
    """
    torch.manual_seed(0)
    model = SoloVAE(train.skeleton, frames=train.length, fps=train.fps, **sizes[mode])
    augmented = [] if augment is None else [longer.batches(1024, seed=k, augment=augment) for k in (1, 2)]
    model.prepare(chain(train.batches(1024), *augmented))
    return model


SIZES = {"quick": {"latent": 64, "hidden": 64, "detail": 64, "kl": Schedule(2e-6)},
         "full": {"latent": 256, "hidden": 192, "dropout": 0.2, "detail": 256, "kl": Schedule(2e-6)}}  # fmt: skip
SOLO = Augment(length=64, turn=False, exchange=0.0)  # the frame of reference undoes a turn; one dancer has no partner
PLANS = {"quick": Plan(epochs=5, batch=128, rate=1e-3, warmup=10),
         "full": Plan(epochs=20, batch=128, rate=1e-3, warmup=100, decay=0.01, augment=SOLO)}  # fmt: skip

RECIPES = {
    "solo-synthetic": Recipe(
        "solo VAE of 64-frame phrases, synthetic dancers", ("synthetic",),
        partial(solo_windows, partial(synthetic_takes, ("canon", "mirror", "independent")), 64),
        partial(solo_model, SIZES), PLANS, judge_solo),
    "solo-salsa": Recipe(
        "solo VAE of 64-frame phrases, salsa dancers", ("salsa",),
        partial(solo_windows, partial(set_takes, "salsa"), 64), partial(solo_model, SIZES), PLANS, judge_solo),
}  # fmt: skip
"""Every artifact by name."""
