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


@torch.no_grad()
def judge_solo(model: SoloVAE, train: Windows, asked: Windows, samples: int = 1000) -> dict[str, dict[str, float]]:
    """Reconstruction and samples of a solo VAE, beside PCA of as many numbers, the mean phrase, and real dancers.

    ``error_mm``: mean joint error of reconstructed windows. Of ``samples`` phrases drawn by chance: ``jerk_ratio``,
    ``range_ratio`` (mean over joints of how far each strays from its mean place) and ``kinetic_fd``, all against the
    asked windows; the same with ``_training`` against what the model has learned to draw from; ``bones_percent``, how
    much a bone's length varies within a phrase.
    Rows: "pca" are principal components of the bare training windows, and no more; ", bones kept" ends them as the
    model ends. It and "model" draw alike, by `SoloVAE.draw` and `SoloVAE.with_detail`; ", as points" leaves out that
    bones are kept, and with ", N(0, 1)" codes are plain normal besides and the decoder's mean is taken.
    "components" is the model without its LSTMs: its own components, of augmented windows too, and bones kept.
    "training phrases" are real ones: what a perfect sampler would get, since other takes are danced otherwise.
    Chapter: 4.
    """
    model.eval()
    device = model.middle.device
    real = torch.cat([model.seen(batch)[0] for batch in asked.batches(512)])  # [N, T, J * 3]
    samples = min(samples, len(real), len(train))  # a Frechet distance compares as many with as many
    linear = {**model.config(), "hidden": 1, "layers": 1, "shortcut": True}  # until trained its LSTMs add nothing
    pca, bare = (SoloVAE.from_config({**linear, "whole": whole}).to(device).eval() for whole in (False, model.whole))
    pca.prepare(train.batches(1024))
    pca.finish(train.batches(1024))
    chance = torch.Generator().manual_seed(0)
    codes = torch.randn(samples, model.latent, generator=chance).to(device)
    rulers = {"": real[torch.randperm(len(real), generator=chance)[:samples]],
              "_training": model.seen(train[torch.randperm(len(train), generator=chance)[:samples]])[0]}
    rulers = {name: _moves(x, asked) for name, x in rulers.items()}
    rows = {}
    for row, vae in (("model", model), ("pca", pca)):
        drawn = {row: vae.with_detail(vae.decode(vae.draw(samples)))}
        if vae.whole:
            drawn[f"{row}, as points"] = vae.with_detail(vae.decode(vae.draw(samples), whole=False))
        drawn[f"{row}, N(0, 1)"] = vae.decode(codes, whole=False)
        rows |= {name: _beside(_moves(x, asked), rulers) for name, x in drawn.items()}
        rows[row]["error_mm"] = _error(vae, real)
    if model.shortcut:
        bare.load_state_dict(pca.state_dict())
        rows["pca, bones kept"] = {"error_mm": _error(bare, real)}
        for name in ("middle", "scale", "axes", "spread"):
            getattr(bare, name).copy_(getattr(model, name))
        rows["components"] = {"error_mm": _error(bare, real)}
    rows["mean phrase"] = {"error_mm": _millimetres(pca.middle.expand_as(real), real)}
    others = train[torch.randperm(len(train), generator=chance)[:samples]]
    rows["training phrases"] = _beside(_moves(model.seen(others)[0], asked), rulers)
    means, log_variances = (torch.cat(x) for x in zip(*(model.encode(part) for part in real.split(512))))
    rows["model"] |= {"active_units": active_units(means),
                      "kl_nats_per_unit": float(kl_per_unit(means, log_variances).mean())}
    return rows


def _error(vae: SoloVAE, real: torch.Tensor) -> float:
    return _millimetres(torch.cat([vae.decode(vae.encode(part)[0]) for part in real.split(512)]), real)


def _millimetres(x: torch.Tensor, y: torch.Tensor) -> float:
    return 1000 * float((x - y).unflatten(2, (-1, 3)).norm(dim=-1).mean())


def _moves(x: torch.Tensor, windows: Windows) -> tuple[float, float, np.ndarray, float]:
    """How phrases [N, T, J * 3] move: mean jerk, mean range of motion, kinetic features [N, K], bones' variation."""
    x = x.unflatten(2, (-1, 3)).cpu().double().numpy()
    motions = [Motion(each, windows.fps, windows.skeleton) for each in x]
    return (float(metrics.jerk(x.swapaxes(0, 1), windows.fps).mean()),
            float(np.linalg.norm(x - x.mean(1, keepdims=True), axis=-1).mean()),
            np.stack([metrics.kinetic_features(motion) for motion in motions]),
            100 * float(np.nanmean([metrics.bone_variation(motion) for motion in motions])))


def _beside(made: tuple, rulers: dict[str, tuple]) -> dict[str, float]:
    told = {"bones_percent": made[3]}
    for name, real in rulers.items():
        told |= {f"jerk_ratio{name}": made[0] / real[0], f"range_ratio{name}": made[1] / real[1],
                 f"kinetic_fd{name}": metrics.frechet_distance(made[2], real[2])}
    return told


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
