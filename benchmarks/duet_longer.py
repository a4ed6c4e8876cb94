"""What 20 epochs more are worth to duet-salsa on dances it does not know: python benchmarks/duet_longer.py

Two training takes of salsa are left out, the full recipe learns from the other four, goes on from there with a new
schedule, as the shipped weights did, and is asked about the two. Printed are, before and after, errors in mm over the
joints that forecasts are compared on, and jerk, speed and foot skating of rollouts as shares of the danced. Needs the
set; 35 minutes on one core. Two numbers that follow are other epochs, before and more.
"""

import sys
import tempfile
from dataclasses import replace

import numpy as np
import torch

from choreo_lib import load_duet, splits, training
from choreo_lib.evaluation import baselines
from choreo_lib.evaluation.metrics.movement_ratios import movement_ratios
from choreo_lib.extensions import DuetForecaster
from choreo_lib.sets import windows
from choreo_lib.training import recipes

OUT = ("salsa/Easy_01", "salsa/Medium_01")
PLAN = recipes.DUET_TRAINING_SALSA["full"]


def main(before: int = PLAN.epochs, more: int = 20):
    """Print a line before and a line after."""
    takes = {name: load_duet(name) for name in splits("salsa")["train"]}
    known = [take for name, take in takes.items() if name not in OUT]
    train = windows.cut(known, PLAN.augment.required_length, stride=2)
    asked = windows.cut([takes[name] for name in OUT], 54, stride=8)
    torch.manual_seed(0)
    model = DuetForecaster(train.skeleton, fps=train.fps, **recipes.DUET_SALSA["full"])
    model.fit_statistics(windows.cut(known, 54, stride=2).batches(512))
    print("left out           33 ms   100   200   400   600  1,000    jerk  speed  skating")
    for name, epochs in (("as in the recipe", before), (f"{more} epochs more", more)):
        with tempfile.TemporaryDirectory() as folder:
            training.fit(model, train, replace(PLAN, epochs=epochs), folder, asked, device="cpu", progress=False)
        show(name, model.cpu().eval(), asked, [takes[out] for out in OUT])


def show(name: str, model: DuetForecaster, asked: windows.Windows, takes: list) -> None:
    """One line: errors of both roles, and ratios of rollouts over whole takes."""
    joints = asked.skeleton.indices(recipes.SALSA_19)
    errors = 1000 * baselines.evaluate({"model": model}, asked, joints=joints).errors["model"].mean((0, 1))
    ratios = []
    for take in takes:
        for leader, own, who in ((take.a, take.b, "b"), (take.b, take.a, "a")):
            made = model.rollout(leader, own[: model.past], who=who)
            ratios.append(movement_ratios(made[model.past :], own[model.past :]))
    print(f"{name:18s}" + "".join(f"{error:6.1f}" for error in errors) + " "
          + "".join(f"{ratio:8.2f}" for ratio in np.mean(ratios, 0)), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
