"""Every trained artifact of the book: its data, its model, its plan in quick and full, and how it is judged.

Taught in chapter 4, "A dancer in 256 numbers".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
import torch

from . import metrics, synthetic
from .augmentation import Augment
from .datasets import load_duet, splits
from .losses import Schedule, active_units, kl_per_unit
from .models import SoloVAE
from .motion import Motion
from .training import Plan
from .windows import Windows, cut

MODES = ("quick", "full")


@dataclass(frozen=True)
class Recipe:
    """How one artifact is made and judged.

    ``windows(split, augment, mode)`` gives the windows of "train", "validation" or "test" (a real set's "challenge",
    or, of generated data, an integer seed); ``model(train, mode, longer, augment)`` a model ready to train, from clean
    windows and, where there is augmentation, from longer ones; ``plans`` a `Plan` a mode; ``judge(model, train,
    asked)`` a table {row: {metric: value}} with a row "model" and one a baseline. Chapter: 4.
    """

    what: str
    data: tuple[str, ...]
    windows: Callable[..., Windows]
    model: Callable[..., torch.nn.Module]
    plans: dict[str, Plan]
    judge: Callable[..., dict[str, dict[str, float]]]


def solo_windows(takes: Callable, length: int, split, augment: Augment | None = None, mode: str = "full") -> Windows:
    """Windows of single dancers, a's and b's alike; cut longer where augmentation will use frames up."""
    reach = length if augment is None else augment.reach
    dancers = [motion for duet in takes(split, mode) for motion in duet]
    return cut(dancers, reach, stride={"quick": 8, "full": 1}[mode] if split == "train" else 4)


def synthetic_takes(kinds: tuple[str, ...], split, mode: str = "full"):
    """Duets made anew: a split is a range of seeds that no other split has; an integer is a seed of its own."""
    first, count = {"train": (0, 24), "validation": (500, 4), "test": (600, 4)}.get(split, (split, 1))
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
    model = SoloVAE(train.skeleton, frames=train.length, **sizes[mode])
    augmented = [] if augment is None else [longer.batches(1024, seed=k, augment=augment) for k in (1, 2)]
    model.prepare(chain(train.batches(1024), *augmented))
    return model


@torch.no_grad()
def judge_solo(model: SoloVAE, train: Windows, asked: Windows, samples: int = 256) -> dict[str, dict[str, float]]:
    """Reconstruction and samples of a solo VAE, beside PCA of as many numbers, the mean phrase, and real dancers.

    ``error_mm``: mean joint error of reconstructed windows. Of ``samples`` phrases from the prior: ``jerk_ratio`` and
    ``range_ratio`` (mean over joints of how far each strays from its mean place), both against the asked windows,
    and ``kinetic_fd`` to as many of them. The row "training phrases" says the same of real phrases that were trained
    on: what a perfect sampler would get, for other takes are danced otherwise. Chapter: 4.
    """
    model.eval()
    cpu = next(model.parameters()).device
    real = torch.cat([model.seen(batch.to(cpu))[0] for batch in asked.batches(512)])  # [N, T, J * 3]
    basis = SoloVAE(model.skeleton, model.frames, model.latent, hidden=1, layers=1).to(cpu)
    basis.prepare(train.batches(1024))  # before any training its LSTMs add nothing: principal component analysis
    chance = torch.Generator().manual_seed(0)
    codes = torch.randn(samples, model.latent, generator=chance).to(cpu)
    picked = real[torch.randperm(len(real), generator=chance)[:samples]]
    rows = {}
    means = torch.cat([model.encode(part)[0] for part in real.split(512)])
    for row, vae in (("model", model), ("pca", basis)):
        again = torch.cat([vae.decode(vae.encode(part)[0]) for part in real.split(512)])
        made = vae.decode(codes)
        rows[row] = {"error_mm": _error(again, real), **_looks(made, picked, asked)}
    rows["mean phrase"] = {"error_mm": _error(model.middle.expand_as(real), real)}
    some = train[torch.randperm(len(train), generator=chance)[:samples]].to(cpu)
    rows["training phrases"] = _looks(model.seen(some)[0], picked, asked)
    units = kl_per_unit(*model.encode(real))
    rows["model"] |= {"active_units": active_units(means), "kl_nats_per_unit": float(units.mean())}
    return rows


def _error(x: torch.Tensor, y: torch.Tensor) -> float:
    return 1000 * float((x - y).unflatten(2, (-1, 3)).norm(dim=-1).mean())


def _looks(made: torch.Tensor, real: torch.Tensor, windows: Windows) -> dict[str, float]:
    """How phrases [N, T, J * 3] move, beside as many real ones."""
    made, real = (x.unflatten(2, (-1, 3)).cpu().double().numpy() for x in (made[: len(real)], real))
    stray = [np.linalg.norm(x - x.mean(1, keepdims=True), axis=-1).mean() for x in (made, real)]
    jerk = [metrics.jerk(x.swapaxes(0, 1), windows.fps).mean() for x in (made, real)]
    features = [np.stack([metrics.kinetic_features(Motion(each, windows.fps, windows.skeleton)) for each in x])
                for x in (made, real)]
    return {"jerk_ratio": float(jerk[0] / jerk[1]), "range_ratio": float(stray[0] / stray[1]),
            "kinetic_fd": metrics.frechet_distance(*features)}


SIZES = {"quick": {"latent": 64, "hidden": 64, "kl": Schedule(2e-6)},
         "full": {"latent": 256, "hidden": 256, "kl": Schedule(2e-6)}}  # fmt: skip
SOLO = Augment(length=64, turn=False, exchange=0.0)  # the frame of reference undoes a turn; one dancer has no partner
PLANS = {"quick": Plan(epochs=5, batch=128, rate=1e-3, warmup=10),
         "full": Plan(epochs=300, batch=256, rate=1e-3, warmup=200, augment=SOLO, patience=60)}  # fmt: skip

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
