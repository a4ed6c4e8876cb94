"""What each choice of the translation recipe is worth on dances it does not know: python benchmarks/turning_choices.py

Training takes of salsa are left out in turn, a model of the recipe's size learns from the other five for a third of the
recipe's time, and is asked about the one left out; so is ridge regression. One choice is taken back at a time. Printed
are, a take, how far joints are from where they were danced, whole windows, root included; and of their mean how far
with both roots in one place. Needs the set; four minutes a number on one core; words that follow run those rows only.
"""

import sys
import tempfile
from dataclasses import replace

import torch

from choreo_lib import load_duet, splits, training
from choreo_lib.evaluation import evaluate_translation
from choreo_lib.sets import windows
from choreo_lib.systems.losses import Schedule
from choreo_lib.training import recipes

TAKES = ("salsa/Medium_01", "salsa/Hard_04", "salsa/move_02_02")  # of each kind of dance one
ROWS = {
    "as in the recipe": {},
    "quaternions": {"rotation_format": "quaternion"},
    "one latent vector": {"segments": 1},
    "rotations alone": {"position": 0.0, "velocity": 0.0},
    "no dropout": {"dropout": 0.0},
    "KL weight ten times as high": {"kl": Schedule(1e-3)},
}
PLAN = replace(recipes.TRANSLATION_TRAINING["full"], epochs=10)


def learned(known, sizes: dict):
    """A model of some takes."""
    train, longer = (
        windows.cut(known, length, stride=4, rotations=True) for length in (64, PLAN.augment.required_length)
    )
    model = recipes.RECIPES["translate-salsa"].build(train, "full", longer, PLAN.augment, **sizes)
    with tempfile.TemporaryDirectory() as folder:
        training.fit(model, longer, PLAN, folder, device="cpu", progress=False)
    return model.eval(), train


def main(names):
    """Print a line a row: as soon as it is known."""
    takes = {name: load_duet(name) for name in splits("salsa")["train"]}
    heads = "".join(f"{name.split('/')[1]:>12s}" for name in TAKES)
    print(f"{'left out, mm':26s}{heads}{'mean':>8s}{'aligned':>10s}")
    shown = False
    for name in names or ROWS:
        found, rivals = [], []
        for out in TAKES:
            model, train = learned([take for key, take in takes.items() if key != out], ROWS[name])
            table = evaluate_translation(model, train, windows.cut(takes[out], 64, stride=8, rotations=True))
            found.append([table["model"][key] for key in ("error_mm", "aligned_error_mm")])
            rivals.append([table["ridge"][key] for key in ("error_mm", "aligned_error_mm")])
        if not shown:
            shown = show("ridge", rivals)
        show(name, found)


def show(name: str, found: list) -> bool:
    """One line of the table."""
    found = torch.tensor(found)
    mean, aligned = found.mean(0).tolist()
    each = "".join(f"{error:12.0f}" for error in found[:, 0])
    print(f"{name:26s}{each}{mean:8.0f}{aligned:10.0f}", flush=True)
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
