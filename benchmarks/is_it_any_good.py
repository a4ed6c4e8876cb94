"""What chapter 11 needs and does not train: python benchmarks/is_it_any_good.py [particles] [seeds]

"particles": the weights with which the chapter measures isomorphism-clean splits and priors, data/audit.safetensors, in
a minute or two of one core. "seeds": the salsa model trained anew with another seed, in forty minutes of one core; its
measures beside the shipped model's are data/audit.json, which the chapter reads.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from choreo_lib import evaluation, load_model, training
from choreo_lib.core.files import atomic_write
from choreo_lib.evaluation.isomorphism import class_split
from choreo_lib.extensions import ForceNRI
from choreo_lib.sets.particles import Particles, simulate
from choreo_lib.sets.registry import DATA
from choreo_lib.training import artifacts, recipes

FILE, WEIGHTS = DATA / "audit.json", DATA / "audit.safetensors"
LAW = recipes.LAW_DECODER
PUBLISHED = LAW | {"relative": False, "supervised": True}
COUNT = 4000  # simulations to learn from
HELD_OUT = 17  # of 34 classes of graphs


def learned(simulations: Particles, seed: int, **settings) -> ForceNRI:
    torch.manual_seed(seed)
    model = ForceNRI(**settings)
    model.fit_statistics(simulations[:1000])
    config = training.TrainConfig(epochs=1, batch_size=64, lr=5e-3, warmup=20, seed=seed)
    training.fit(model, simulations, config, tempfile.mkdtemp(), progress=False)
    return model.eval()


def particles() -> None:
    """Weights learned from isomorphism-clean splits, from as many graphs of all classes, and with another prior."""
    world, kept = simulate("springs", 5 * COUNT, 5, seed=0), {}
    plans = [("supervised", PUBLISHED, seed) for seed in (0, 1)] + [("law", LAW, 0)]
    for name, settings, seed in plans:
        known, _ = class_split(world, HELD_OUT, seed)
        for which, rows in (("clean", torch.nonzero(known)[:COUNT, 0]), ("all", torch.arange(COUNT))):
            kept[f"{name} {seed} {which}"] = learned(world[rows], seed, **settings)
            print(name, seed, which, flush=True)
    kept["sparse prior"] = learned(world[:COUNT], 0, **LAW, prior=(0.97, 0.03))
    with atomic_write(WEIGHTS) as half:
        save_file({f"{name}/{key}": value.contiguous() for name, model in kept.items()
                   for key, value in model.state_dict().items()}, half)


def seeds() -> None:
    """What another seed of training changes in the salsa model, all else the same: forecasts, rollouts, listening."""
    base = recipes.RECIPES["duet-salsa"]
    recipes.RECIPES["duet-salsa"] = replace(base, training={"full": replace(base.training["full"], seed=1)})
    folder = Path("runs", "duet-salsa-seed-1")  # kept: a run that is there goes on, or is used as it is
    if not (folder / "duet-salsa.json").exists():
        artifacts.train("duet-salsa", "full", out=folder, resume=True, device="cpu")
    told, (train, asked) = {}, (base.windows("train"), base.windows("test"))
    few = train.subset(torch.arange(0, len(train), 4))
    for seed, where in ((0, None), (1, folder)):
        model = load_model("duet-salsa", where)
        rows = base.evaluate(model, train, asked)
        told[f"{seed}"] = rows.pop("model")
        told["best baseline"] = {name: min(row[name] for key, row in rows.items() if key != "stranger" and name in row)
                                 for name in told["0"] if name.startswith("error")}
        heard = evaluation.listening(model, asked, few, joints=recipes.SALSA_19)
        told[f"{seed}"] |= {name: heard["swapped"][name] for name in ("cost_mm", "cost_low", "cost_high")}
        print(seed, told[f"{seed}"], flush=True)
    with atomic_write(FILE) as half:
        half.write_text(json.dumps({"seeds": rounded(told)}, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return float(np.round(value, 4)) if isinstance(value, float) else value


if __name__ == "__main__":
    parts = {"particles": particles, "seeds": seeds}
    torch.set_num_threads(1)
    for part in sys.argv[1:] or parts:
        parts[part]()
