"""What chapter 11 needs and does not train: python benchmarks/is_it_any_good.py

The weights with which the chapter measures isomorphism-clean splits, priors, and what a seed of training changes:
data/audit.safetensors, in some ten minutes of one core.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace

import torch
from safetensors.torch import save_file

from choreo_lib import training
from choreo_lib.core.files import atomic_write
from choreo_lib.evaluation.isomorphism import class_split
from choreo_lib.extensions import ForceNRI
from choreo_lib.sets.particles import Particles, simulate
from choreo_lib.sets.registry import DATA
from choreo_lib.training import recipes

LAW = recipes.LAW_DECODER
PUBLISHED = LAW | {"relative": False, "supervised": True}
COUNT = 4000  # simulations to learn from
HELD_OUT = 17  # of 34 classes of graphs
EPOCHS = 12  # of the small duet models


def learned(simulations: Particles, seed: int, **settings) -> ForceNRI:
    torch.manual_seed(seed)
    model = ForceNRI(**settings)
    model.fit_statistics(simulations[:1000])
    config = training.TrainConfig(epochs=1, batch_size=64, lr=5e-3, warmup=20, seed=seed)
    training.fit(model, simulations, config, tempfile.mkdtemp(), progress=False)
    return model.eval()


def particles() -> dict[str, torch.nn.Module]:
    """Weights learned from isomorphism-clean splits, from as many graphs of all classes, and with another prior."""
    world, kept = simulate("springs", 5 * COUNT, 5, seed=0), {}
    plans = [("supervised", PUBLISHED, seed) for seed in (0, 1)] + [("law", LAW, 0)]
    for name, settings, seed in plans:
        known, _ = class_split(world, HELD_OUT, seed)
        for which, rows in (("clean", torch.nonzero(known)[:COUNT, 0]), ("all", torch.arange(COUNT))):
            kept[f"{name} {seed} {which}"] = learned(world[rows], seed, **settings)
            print(name, seed, which, flush=True)
    kept["sparse prior"] = learned(world[:COUNT], 0, **LAW, prior=(0.97, 0.03))
    return kept


def duets() -> dict[str, torch.nn.Module]:
    """One small duet model three times, all alike but for the seed of training."""
    recipe, kept = recipes.RECIPES["duet-synthetic"], {}
    for seed in range(3):
        config = replace(recipes.DUET_TRAINING["quick"], epochs=EPOCHS, seed=seed)
        small = replace(recipe, training={"quick": config})
        windows, clean = (recipe.windows("train", augment, "quick") for augment in (config.augment, None))
        model = small.build(clean, "quick", windows, config.augment, **recipes.DUET_SMALL)
        training.fit(model, windows, config, tempfile.mkdtemp(), progress=False)
        kept[f"duet {seed}"] = model.half()  # half the size beside the book
        print("duet", seed, flush=True)
    return kept


if __name__ == "__main__":
    torch.set_num_threads(1)
    with atomic_write(DATA / "audit.safetensors") as half:
        save_file({f"{name}/{key}": value.contiguous() for name, model in (particles() | duets()).items()
                   for key, value in model.state_dict().items()}, half)
