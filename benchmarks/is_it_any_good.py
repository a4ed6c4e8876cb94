"""What chapter 11 reads and does not compute: python benchmarks/is_it_any_good.py particles

Writes data/audit.json; on one core of an idle machine it takes about three minutes. Two parts more, "listening" and
"shelf", are larger than the chapter's tables: every duet model and baseline on the windows of its recipe's test (salsa
where CHOREO_DATA has it), and the published system after one epoch.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from choreo_lib import evaluation, load_model, training
from choreo_lib.core.files import atomic_write
from choreo_lib.evaluation import baselines
from choreo_lib.evaluation.isomorphism import class_split, isomorphism_class
from choreo_lib.extensions import ForceNRI
from choreo_lib.sets import synthetic, windows
from choreo_lib.sets.particles import Particles, simulate
from choreo_lib.sets.registry import DATA, DatasetError
from choreo_lib.systems.duet_vae import DuetVAE
from choreo_lib.training import recipes

FILE = DATA / "audit.json"
LAW = recipes.LAW_DECODER
PUBLISHED = LAW | {"relative": False, "supervised": True}
COUNT = 4000  # simulations to learn from


def learned(simulations: Particles, seed: int, **settings) -> ForceNRI:
    torch.manual_seed(seed)
    model = ForceNRI(**settings)
    model.fit_statistics(simulations[:1000])
    config = training.TrainConfig(epochs=1, batch_size=64, lr=5e-3, warmup=20, seed=seed)
    training.fit(model, simulations, config, tempfile.mkdtemp(), progress=False)
    return model.eval()


def found(model: ForceNRI, world: Particles) -> list[float]:
    """Edges found in per cent, and twice the standard error."""
    score = evaluation.metrics.edge_accuracy(model.infer(world.states[:, : model.config.frames]).edges, world.edges)
    return [100 * score.accuracy, 100 * score.two_sigma]


def calibration(model: ForceNRI, world: Particles) -> dict[str, float]:
    """What a model says of springs, after the names of its types are known: edges found, and how sure it is."""
    answer = model.infer(world.states[:, : model.config.frames])
    names = evaluation.metrics.edge_accuracy(answer.edges, world.edges).names
    one, other = torch.triu_indices(5, 5, 1)
    spring = answer.probability[..., list(names).index(1)][:, one, other]
    return {"found": found(model, world)[0], "said_springs": 100 * float((spring > 0.5).float().mean()),
            "mean_probability": float(spring.mean()),
            "unsure": 100 * float(((spring > 0.1) & (spring < 0.9)).float().mean())}


def particles() -> dict:
    """Isomorphism-clean splits, twice as many graphs beside them, and two priors."""
    world, test = simulate("springs", 5 * COUNT, 5, seed=0), simulate("springs", 1000, 5, seed=600)
    classes = isomorphism_class(test.edges)
    told: dict = {"trained_on": COUNT, "tested_on": len(test), "classes": len(classes.unique()),
                  "labelled_graphs": len(torch.unique(world.edges.flatten(1), dim=0)), "splits": []}
    plans = [("published encoder, supervised", PUBLISHED, seed) for seed in (0, 1)]
    plans += [("relative encoder, law decoder", LAW, 0)]
    for name, settings, seed in plans:
        known, _ = class_split(world, 17, seed)
        away = torch.isin(classes, isomorphism_class(world.edges[~known]).unique())
        row = {"model": name, "seed": seed, "held_out_share": float(away.float().mean())}
        for which, rows in (("clean", torch.nonzero(known)[:COUNT, 0]), ("all graphs", torch.arange(COUNT))):
            model = learned(world[rows], seed, **settings)
            row[which] = {"known": found(model, test[~away]), "held_out": found(model, test[away])}
            if settings is LAW and which == "all graphs":
                told["priors"] = {"uniform": calibration(model, test)}
        told["splits"].append(row)
        print(row, flush=True)
    told["priors"]["0.03"] = calibration(learned(world[:COUNT], 0, **LAW, prior=(0.97, 0.03)), test)
    return told


def listening() -> dict:
    """Every duet model and every baseline, on the windows of its recipe's test."""
    told: dict = {}
    for name, split in (("duet-synthetic", "test"), ("duet-salsa", "test"), ("duet-salsa", "validation")):
        recipe = recipes.RECIPES[name]
        try:
            train, asked = recipe.windows("train"), recipe.windows(split)
        except DatasetError as missing:
            print(f"{name}, {split}: left out, {missing}")
            continue
        asked = asked.subset(torch.arange(0, len(asked), 8))
        joints = recipes.SALSA_19 if name == "duet-salsa" else asked.skeleton.names
        narrow_train, narrow = train.with_joints(joints), asked.with_joints(joints)
        narrow_train = narrow_train.subset(torch.arange(0, len(narrow_train), 4))
        rows = {"model": evaluation.listening(load_model(name), asked, train, joints=joints)}
        for row, ridge in (("ridge, own past", baselines.Ridge("own")), ("ridge, both pasts", baselines.Ridge("both")),
                           ("ridge, and partner at target", baselines.Ridge("both", partner_at_target=True))):
            rows[row] = evaluation.listening(ridge.fit(narrow_train, (30,)), narrow, narrow_train)
        rows["repeat"] = evaluation.listening(baselines.ZeroVelocity(), narrow, narrow_train)
        told[f"{name}, {split}"] = {"windows": len(asked), "rows": rows}
        print(name, split, {row: scores["swapped"] for row, scores in rows.items()}, flush=True)
    return told


def shelf() -> dict:
    """The published duet system, trained for one epoch on what the extended one learned from."""
    kinds = recipes.DUET_KINDS
    dances = [synthetic.duet(kind, 600, strength=strength, seed=seed) for seed in range(4) for kind, strength in kinds]
    train = windows.cut(dances, 65, stride=8)  # 1,340 windows
    torch.manual_seed(0)
    model = DuetVAE(train.skeleton)
    model.fit_statistics(train.batches(512))
    config = training.TrainConfig(epochs=1, batch_size=32, lr=1e-3, warmup=20)
    training.fit(model, train, config, tempfile.mkdtemp(), progress=False)
    asked = [synthetic.duet(kind, 600, strength=strength, seed=600) for kind, strength in kinds]
    asked = windows.cut(asked, 54, stride=128)
    rows = {"shelf": evaluation.listening(model.eval(), asked), "extended, the same windows": evaluation.listening(
        load_model("duet-synthetic"), asked)}
    print(rows, flush=True)
    return {"windows": len(asked), "trained_on": len(train), "epochs": 1, "rows": rows}


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(np.round(value, 4)) if isinstance(value, float) else value


if __name__ == "__main__":
    parts = {"particles": particles, "listening": listening, "shelf": shelf}
    torch.set_num_threads(1)
    for part in sys.argv[1:] or ("particles",):
        made = rounded(parts[part]())
        stored = json.loads(Path(FILE).read_text(encoding="utf-8")) if Path(FILE).exists() else {}
        with atomic_write(Path(FILE)) as half:
            half.write_text(json.dumps(stored | {part: made}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
