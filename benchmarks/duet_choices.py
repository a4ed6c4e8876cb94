"""What each choice of the duet recipe is worth on dances it does not know: python benchmarks/duet_choices.py

Every training take of salsa is left out in turn, a small model (the published sizes, a minute of training) learns from
the other five, and is asked about the one left out; so is the pooled ridge of chapter 3. One choice is taken back at a
time. Printed are means over takes and roles: error in mm, and how rough a second of answers is (third differences,
danced: 1); then, of rollouts over the whole take, the highest jerk of any (danced: 1) and the mean speed. Needs the
set; an hour on one core, a row at a time; names of rows as arguments run those only.
"""

import sys
import tempfile
from dataclasses import replace

import torch

from choreo_lib import load_duet, splits, training
from choreo_lib.evaluation import baselines
from choreo_lib.evaluation.metrics.movement_ratios import movement_ratios
from choreo_lib.extensions import DuetForecaster
from choreo_lib.sets import windows
from choreo_lib.training import recipes

AHEAD, STEPS = 30, 250
ROWS = {  # sizes, augmentation
    "as in the recipe": ({}, {}),
    "a past of 34 frames": ({"past": 34}, {}),
    "a past of 16 frames": ({"past": 16}, {}),
    "without lag experts": ({"lag_experts": 0}, {}),
    "squares": ({"mse": 0.5, "distance": 0.0}, {}),
    "velocity loss 0.05": ({"velocity": 0.05}, {}),
    "dropout 0.1": ({"dropout": 0.1}, {}),
    "tempo 15 %": ({}, {"tempo": 0.15}),
    "noise of 2 mm": ({}, {"noise": 0.002}),
    "turning": ({"turning": True}, {}),
    "turning, distances between joints": ({"turning": True, "distance_matrix": 4.0}, {}),
    "and motion attention": ({"turning": True, "distance_matrix": 4.0, "motion_attention": True}, {}),
}


def learned(known, sizes: dict, change: dict) -> DuetForecaster:
    """A small model of some takes."""
    sizes = recipes.DUET_BASE | sizes
    augment = replace(recipes.DUET_AUGMENT, length=sizes["past"] + AHEAD, **change)
    train = windows.cut(known, augment.required_length, stride=2)
    torch.manual_seed(0)
    model = DuetForecaster(train.skeleton, fps=train.fps, **sizes)
    model.fit_statistics(windows.cut(known, augment.length, stride=2).batches(512))
    epochs = round(STEPS * 64 / len(train))
    plan = training.TrainConfig(epochs=epochs, batch_size=64, lr=2e-3, warmup=50, weight_decay=0.01, augment=augment)
    with tempfile.TemporaryDirectory() as folder:
        training.fit(model, train, plan, folder, device="cpu", progress=False)
    return model.eval()


def rough(model: DuetForecaster, cut) -> float:
    """Third differences of a second of answers, as a share of the danced ones."""
    batch = cut[::8]
    made = model.predict(batch[:, :34], batch[:, 34:, 0], range(1, AHEAD + 1)).diff(n=3, dim=1).abs().mean()
    return float(made / batch[:, 34:, 1].diff(n=3, dim=1).abs().mean())


def rolled(model: DuetForecaster, take) -> list[tuple[float, float]]:
    """Jerk and speed of a rollout of either role, as shares of the danced."""
    found = []
    for leader, own, who in ((take.a, take.b, "b"), (take.b, take.a, "a")):
        made = model.rollout(leader, own[: model.past], who=who)
        found.append(movement_ratios(made[model.past :], own[model.past :])[:2])
    return found


def main(names):
    """Print a line a row: as soon as it is known."""
    takes = {name: load_duet(name) for name in splits("salsa")["train"]}
    print(f"{'mean over six takes left out':34s}100 ms  200 ms  400 ms  600 ms     1 s   rough    jerk   speed")
    for name in names or ["pooled ridge", *ROWS]:
        found, roughness, rollouts = [], [], []
        for out, take in takes.items():
            known = [other for key, other in takes.items() if key != out]
            asked = windows.cut(take, 34 + AHEAD, stride=2)
            chosen = [asked.skeleton.index(joint) for joint in recipes.SALSA_19]
            if name == "pooled ridge":
                train = windows.cut(known, 34 + AHEAD, stride=2).with_joints(recipes.SALSA_19)
                model, asked, chosen = baselines.Ridge("both", partner_at_target=True).fit(train), asked.with_joints(
                    recipes.SALSA_19), slice(None)
            else:
                model = learned(known, *ROWS[name])
                roughness.append(rough(model, asked))
                rollouts += rolled(model, take)
            found.append(baselines.evaluate({name: model}, asked, joints=chosen).errors[name].mean((0, 1)))
        told = 1000 * torch.stack(found).mean(0)[1:]
        shown = [sum(roughness) / len(roughness), max(jerk for jerk, _ in rollouts),
                 sum(speed for _, speed in rollouts) / len(rollouts)] if rollouts else []
        print(f"{name:33s}" + "".join(f"{error:8.1f}" for error in told) + "".join(f"{x:8.2f}" for x in shown),
              flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
