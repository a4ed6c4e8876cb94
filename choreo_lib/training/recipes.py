"""Every trained artifact of the book: its data, its model, its plan in quick and full, and how it is judged.

Taught in chapter 4, "A dancer in 256 numbers"; those of duets in chapter 5, "A partner"; those of rotations in chapters
6 and 7, "Translating a dancer" and "A deepfake of dancers".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
import torch

from ..body.motion import Duet
from ..evaluation import (
    evaluate_deepfake,
    evaluate_duet,
    evaluate_particles,
    evaluate_solo,
    evaluate_strings,
    evaluate_translation,
)
from ..extensions import VAERNN, CouplingNRI, DuetVAE, ForceNRI, SoloVAE
from ..sets import synthetic
from ..sets.augmentation import Augment
from ..sets.particles import Particles, simulate
from ..sets.registry import load_duet, splits
from ..sets.windows import Windows, cut
from ..systems.losses import Schedule
from .loop import TrainConfig

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
    plans: dict[str, TrainConfig]
    judge: Callable[..., dict[str, dict[str, float]]]


def solo_windows(takes: Callable, length: int, split, augment: Augment | None = None, mode: str = "full") -> Windows:
    """Windows of single dancers, a's and b's alike; cut longer where augmentation will use frames up.

    One in two (in quick mode one in eight) of the training windows: neighbours are nearly the same.
    """
    reach = length if augment is None else augment.required_length
    dancers = [motion for duet in takes(split, mode) for motion in duet]
    return cut(dancers, reach, stride={"quick": 8, "full": 2}[mode] if split == "train" else 4)


def duet_windows(takes: Callable, length: int, split, augment: Augment | None = None, mode: str = "full",
                 stride: int = 2) -> Windows:
    """Windows of both dancers; one in ``stride`` of the training windows (in quick mode one in eight)."""
    reach = length if augment is None else augment.required_length
    return cut(takes(split, mode), reach, stride={"quick": 8, "full": stride}[mode] if split == "train" else 2 * stride)


def turning_windows(takes: Callable, length: int, split, augment: Augment | None = None, mode: str = "full") -> Windows:
    """Windows of both dancers' joint rotations; one in four of the training windows (in quick mode one in sixteen)."""
    reach = length if augment is None else augment.required_length
    stride = {"quick": 16, "full": 4}[mode] if split == "train" else 8
    return cut(takes(split, mode), reach, stride, rotations=True)


def synthetic_takes(kinds: tuple[tuple[str, float], ...], split, mode: str = "full", seeds: int = 8):
    """Duets made anew, of kinds and strengths: a split is a range of seeds that no other split has; an integer is a
    seed of its own. Training has ``seeds``, from 0 on.

    Errors: ValueError for a split that there is not, or a seed that was trained on.
    """
    named = ("train", "validation", "test")
    if split not in named and (not isinstance(split, int) or 0 <= split < seeds):
        raise ValueError(f"split {split!r}: choose from {', '.join(named)}, or a seed from {seeds} on")
    first, count = {"train": (0, seeds), "validation": (500, 4), "test": (600, 4)}.get(split, (split, 1))
    count = max(count // 4, 1) if mode == "quick" else count
    return [synthetic.duet(kind, 600, strength=strength, seed=first + k)
            for k in range(count) for kind, strength in kinds]


def set_takes(name: str, split, mode: str = "full"):
    """The takes of a real set that belong to a split, as the registry says. Errors: ValueError for another split."""
    known = splits(name)
    if not isinstance(split, str) or split not in known:
        raise ValueError(f"split {split!r}: choose from {', '.join(known)}; {name} is recorded, so no seed makes more")
    return [load_duet(take) for take in known[split]]


def solo_model(sizes: dict, train: Windows, mode: str, longer: Windows | None = None,
               augment: Augment | None = None) -> SoloVAE:
    """A solo VAE whose shortcut is prepared from the training windows, and from two epochs of augmented ones.

    Left out in turn, the training takes of salsa are rebuilt from such components to 10.3 mm on average, from those of
    the bare windows to 10.5 mm: about the same where a dance is known, and 3 to 6 % better where it is not.
    """
    torch.manual_seed(0)
    model = SoloVAE(train.skeleton, frames=train.length, fps=train.fps, **sizes[mode])
    augmented = [] if augment is None else [longer.batches(1024, seed=k, augment=augment) for k in (1, 2)]
    model.fit_statistics(chain(train.batches(1024), *augmented))
    return model


def duet_model(sizes: dict, train: Windows, mode: str, longer: Windows | None = None,
               augment: Augment | None = None) -> DuetVAE:
    """A duet model that has measured the training windows."""
    torch.manual_seed(0)
    model = DuetVAE(train.skeleton, fps=train.fps, **sizes[mode])
    model.fit_statistics(train.batches(512))
    return model


def turning_model(sizes: dict, train: Windows, mode: str, longer: Windows | None = None,
                  augment: Augment | None = None) -> VAERNN:
    """A model of rotations that has measured the training windows, the augmented ones too."""
    torch.manual_seed(0)
    model = VAERNN(train.skeleton, fps=train.fps, **sizes[mode])
    augmented = [] if augment is None else [longer.batches(256, seed=1, augment=augment)]
    model.fit_statistics(chain(train.batches(256), *augmented))
    return model


def particle_worlds(kind: str, bodies: int, count: int, split, augment=None, mode: str = "full") -> Particles:
    """Springs or charges: ``count`` simulations of 49 frames to learn from; to validate 200, of any other split 1,000,
    of 69 frames, so that there is something to foretell. In quick mode a tenth of each, or a thousand to learn from.

    A split is a seed that no other split has; an integer is itself the seed (500 and 600 are taken by splits).

    Errors: ValueError for a split that there is not, or the seed that was trained on.
    """
    seeds = {"train": 0, "validation": 500, "test": 600}
    if split not in seeds and (not isinstance(split, int) or split == seeds["train"]):
        raise ValueError(f"split {split!r}: choose from {', '.join(seeds)}, or a seed other than {seeds['train']}")
    if split == "train":
        return simulate(kind, count if mode == "full" else 1000, bodies, frames=49, seed=seeds[split])
    count = (200 if split == "validation" else 1000) // (1 if mode == "full" else 10)
    return simulate(kind, count, bodies, frames=69, seed=seeds.get(split, split))


def particle_model(sizes: dict, train: Particles, mode: str, longer=None, augment=None) -> ForceNRI:
    """Neural relational inference that has measured some of the training simulations."""
    torch.manual_seed(0)
    model = ForceNRI(**sizes)
    model.fit_statistics(train[:1000])
    return model


def string_takes(split, mode: str = "full", length: int = 128, fixed: bool = False) -> list[Duet]:
    """Duets in which single joints move single joints: six drives each, others in every duet, and one duet in five
    without any. 2,000 of ``length`` frames to learn from; 100 to validate, 100 of any other split, all with drives.

    A split is a number that no other split has, and an integer is itself one; duet k of number n has seed 10,000 n + k.
    ``fixed``: all have the same six drives. In quick mode a tenth of each.
    Errors: ValueError for a split that there is not, or the number that was trained on.
    """
    numbers = {"train": 0, "validation": 500, "test": 600}
    if split not in numbers and (not isinstance(split, int) or split < 1):
        raise ValueError(f"split {split!r}: choose from {', '.join(numbers)}, or a number from 1 on")
    count = (2000 if split == "train" else 100) // (1 if mode == "full" else 10)
    drives = synthetic.draw_drives(np.random.default_rng(9), 6) if fixed else 6
    return [synthetic.duet("independent" if split == "train" and k % 5 == 4 else "drives", length, drives=drives,
                           seed=10_000 * numbers.get(split, split) + k) for k in range(count)]


def string_windows(takes: Callable, length: int, step: int, stride: int, split, augment=None,
                   mode: str = "full") -> Windows:
    """Windows of every ``step``-th frame to read strings from and to foretell by them; of generated duets one each."""
    return cut(takes(split, mode), length if augment is None else augment.required_length, stride, step)


def string_model(sizes: dict, seed: int, train: Windows, mode: str, longer=None, augment=None) -> CouplingNRI:
    """Neural relational inference for dancers that has measured the training windows."""
    torch.manual_seed(seed)
    model = CouplingNRI(train.skeleton, fps=train.fps, **sizes)
    model.fit_statistics(train.batches(256))
    return model


SIZES = {"quick": {"latent": 64, "hidden": 64, "detail": 64, "kl": Schedule(2e-6)},
         "full": {"latent": 256, "hidden": 192, "dropout": 0.2, "detail": 256, "kl": Schedule(2e-6)}}  # fmt: skip
SOLO = Augment(length=64, turn=False, exchange=0.0)  # the frame of reference undoes a turn; one dancer has no partner
PLANS = {"quick": TrainConfig(epochs=5, batch_size=128, lr=1e-3, warmup=10),
         "full": TrainConfig(epochs=20, batch_size=128, lr=1e-3, warmup=100, weight_decay=0.01,
                             augment=SOLO)}  # fmt: skip

# The published best sizes (features, units 64, heads 8, dropout 0.1, a window of 64) are what `DuetVAE` has by itself.
# With training takes of salsa left out in turn (`benchmarks/duet_choices.py`), distances are as good as their squares,
# and are what is measured; a velocity loss of 4 instead of 0.05 takes the jitter away (2.2 times the danced third
# differences to 1.0), and 3 % of the error at one second. Half a second of past is sooner read than a whole one, and
# half the heads cost a third less; dropout costs a quarter, and takes left out did not say clearly that it helps.
LEAN = {"past": 16, "heads": 4, "dropout": 0.0, "mse": 0.0, "distance": 0.5, "velocity": 4.0}
DUET_SIZES = {"quick": LEAN | {"detail": 32}, "full": LEAN | {"features": 128, "units": 128, "chained": 0.5}}
# 16 frames of past, 30 ahead, and 40 to be danced before them. Noise of 2 mm would drown how smooth movement is, of
# which the next tenth of a second is made: straight lines from it are off by 15.8 mm then, instead of 9.3.
DUET = Augment(length=86, turn=False, noise=0.0002, tempo=0.3)
DUET_PLANS = {"quick": TrainConfig(epochs=6, batch_size=64, lr=2e-3, warmup=20, augment=replace(DUET, length=46)),
              "full": TrainConfig(epochs=50, batch_size=64, lr=2e-3, warmup=100, weight_decay=0.01,
                                  augment=DUET)}  # fmt: skip
SOLOS = (("canon", 1.0), ("mirror", 1.0), ("independent", 1.0))
DUETS = (("mirror", 1.0), ("counterbalance", 1.0), *(("canon", k / 2) for k in range(3)))
SALSA_19 = ("Hips", "Spine", "Spine3", "Neck", "Head",
            *(side + part for side in ("Left", "Right")
              for part in ("Arm", "ForeArm", "Hand", "UpLeg", "Leg", "Foot", "ToeBase")))  # fmt: skip
"""The joints over which forecasts on salsa are compared: no collar bones, no ends of the head, hands and feet."""

# The published sizes (latent 32 for the whole window, hidden 256, dense 512, quaternions) are what `VAERNN` has by
# itself; so are its weights of the losses. A code for each eighth of the window instead of one for the whole takes 26 %
# of the error on a take left out, dropout and twice the size another 6.
TURNING = {"form": "6d", "hidden": 128, "dense": 256, "dropout": 0.5, "position": 5.0, "velocity": 5.0}
TRANSLATION = TURNING | {"codes": 8, "kl": Schedule(1e-4)}
DEEPFAKE = TURNING | {"routes": ("aa", "bb"), "codes": 4, "latent": 128, "hidden": 64, "dense": 128,
                      "shortcut": True, "dropout": 0.3, "velocity": 10.0, "kl": Schedule(1e-5)}
TURNS = Augment(length=64, turn=False, exchange=0.0, noise=0.0, tempo=0.2)
TURNING_PLANS = {"quick": TrainConfig(epochs=3, batch_size=32, lr=2e-3, warmup=20, ema_decay=0.99),
                 "full": TrainConfig(epochs=30, batch_size=32, lr=2e-3, warmup=100, weight_decay=0.01, ema_decay=0.995,
                              augment=TURNS)}  # fmt: skip

SPRINGS = {"decoder": "law", "steps": 1, "decoder_hidden": 16}
CHARGES = SPRINGS | {"no_edge": False}
PUBLISHED = {"decoder": "mlp", "steps": 10}
SPRING_PLAN = TrainConfig(epochs=8, batch_size=64, lr=5e-3, warmup=100)


def _particles(what: str, kind: str, bodies: int, count: int, sizes: dict, **plan) -> Recipe:
    return Recipe(
        f"neural relational inference, {bodies} bodies, {what}", ("synthetic",),
        partial(particle_worlds, kind, bodies, count), partial(particle_model, sizes),
        {"quick": replace(SPRING_PLAN, epochs=2), "full": replace(SPRING_PLAN, **plan)},
        evaluate_particles)  # fmt: skip


DESCRIBED = {"max_lag": 0.0, "correlation": False, "next_window": False, "types": 4,
             "prior": (0.35, 0.25, 0.15, 0.25), "hidden": 64}  # fmt: skip
TEMPI = Augment(length=64, turn=False, exchange=0.0, noise=0.0, tempo=0.2)
# After ten epochs the network also ties knees to knees, by the beat that both step on: that foretells, but nobody
# planted it. Of what it holds for 80 % or more, 72 % are planted then, in validation clips; after five, 95 % are.
STRING_PLAN = TrainConfig(epochs=5, batch_size=32, lr=8e-3, warmup=50)
DOUBTED = {"dropout": 0.5}  # of edges; with a tenth, an earlier form of the encoder learned its 2,000 clips by heart


def _strings(what: str, sizes: dict, fixed: bool = False, seed: int = 0, **plan) -> Recipe:
    return Recipe(
        f"neural relational inference for dancers, {what}", ("synthetic",),
        partial(string_windows, partial(string_takes, fixed=fixed), 128, 1, 1),
        partial(string_model, sizes, seed),
        {"quick": replace(STRING_PLAN, epochs=2), "full": replace(STRING_PLAN, seed=seed, **plan)},
        evaluate_strings)  # fmt: skip


RECIPES = {
    "solo-synthetic": Recipe(
        "solo VAE of 64-frame phrases, synthetic dancers", ("synthetic",),
        partial(solo_windows, partial(synthetic_takes, SOLOS), 64),
        partial(solo_model, SIZES), PLANS, evaluate_solo),
    "solo-salsa": Recipe(
        "solo VAE of 64-frame phrases, salsa dancers", ("salsa",),
        partial(solo_windows, partial(set_takes, "salsa"), 64), partial(solo_model, SIZES), PLANS, evaluate_solo),
    "duet-synthetic": Recipe(
        "duet VAE, synthetic dancers, canons of three strengths among them", ("synthetic",),
        partial(duet_windows, partial(synthetic_takes, DUETS, seeds=24), 46, stride=16),
        partial(duet_model, DUET_SIZES), DUET_PLANS, evaluate_duet),
    "duet-salsa": Recipe(
        "duet VAE, salsa dancers", ("salsa",),
        partial(duet_windows, partial(set_takes, "salsa"), 46), partial(duet_model, DUET_SIZES), DUET_PLANS,
        partial(evaluate_duet, joints=SALSA_19)),
    "translate-salsa": Recipe(
        "VAE-RNN on rotations, the one dancer of salsa into the other", ("salsa",),
        partial(turning_windows, partial(set_takes, "salsa"), 64),
        partial(turning_model, {"quick": TRANSLATION | {"hidden": 32, "dense": 64}, "full": TRANSLATION}),
        TURNING_PLANS, evaluate_translation),
    "deepfake-salsa": Recipe(
        "VAE-RNN on rotations with one reader and two writers, salsa dancers", ("salsa",),
        partial(turning_windows, partial(set_takes, "salsa"), 64),
        partial(turning_model, {"quick": DEEPFAKE | {"hidden": 32, "dense": 64, "latent": 32}, "full": DEEPFAKE}),
        TURNING_PLANS | {"full": replace(TURNING_PLANS["full"], epochs=20)}, evaluate_deepfake),
    "springs5": _particles("springs, a law of forces", "springs", 5, 50_000, SPRINGS),
    "springs10": _particles("springs, a law of forces", "springs", 10, 12_000, SPRINGS, lr=2e-3),
    "charged5": _particles("charges, a law of forces", "charged", 5, 50_000, CHARGES, epochs=10),
    "charged10": _particles("charges, a law of forces", "charged", 10, 12_000, CHARGES, lr=2e-3),
    "springs5-mlp": _particles("springs, the published decoder", "springs", 5, 20_000, PUBLISHED, epochs=6, lr=2e-3),
    "springs5-recurrent": _particles("springs, the published decoder that remembers", "springs", 5, 10_000,
                                     PUBLISHED | {"decoder": "recurrent", "refine": 0}, epochs=6, lr=2e-3),
    "charged5-mlp": _particles("charges, the published decoder", "charged", 5, 20_000,
                               PUBLISHED | {"no_edge": False, "refine": 0}, epochs=4, lr=2e-3),
    **{f"{kind}{bodies}-supervised": _particles(
        "the encoder supervised", kind, bodies, 25_000 if bodies == 5 else 8_000,
        sizes | {"supervised": True, "refine": 0}, epochs=2, lr=2e-3)
       for kind, sizes in (("springs", SPRINGS), ("charged", CHARGES)) for bodies in (5, 10)},
    "strings-salsa": Recipe(
        "neural relational inference for dancers, salsa", ("salsa",),
        partial(string_windows, partial(set_takes, "salsa"), 64, 3, 4),
        partial(string_model, {"frames": 32, "zero_lag": True, "prior": (0.95, 0.05)}, 0),
        {"quick": replace(STRING_PLAN, epochs=1), "full": replace(STRING_PLAN, lr=3e-3, epochs=12, augment=TEMPI)},
        evaluate_strings),
    "strings-synthetic": _strings("couplings different in every clip", DOUBTED),
    **{f"strings-synthetic-{seed}": _strings("couplings different in every clip, other chance", DOUBTED, seed=seed)
       for seed in (1, 2)},
    "strings-longer": _strings("couplings different in every clip, trained twice as long", DOUBTED, epochs=10),
    "strings-fixed": _strings("couplings the same in every clip", DOUBTED, fixed=True),
    "strings-described": _strings("as its author describes it", DESCRIBED, lr=3e-3, epochs=8),
    "strings-lags": _strings("as described, with lags", DOUBTED | {"correlation": False, "next_window": False}),
    "strings-correlated": _strings("begun from correlation, one window only", DOUBTED | {"next_window": False}),
}  # fmt: skip
"""Every artifact by name."""
