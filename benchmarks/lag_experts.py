"""What lag experts are worth where a leader tells everything: python benchmarks/lag_experts.py [steps]

Duets of two kinds, mirror and canon, whose follower the leader determines. Printed are errors of b on validation duets,
mm, of the duet model trained on both kinds for the same number of steps: with lag experts, without them, and with a
past of 16 frames. Over both kinds, 800 steps: 14, 34 and 73 mm at 200, 400 and 1000 ms with lag experts, 16, 45 and 102
without. Fifteen minutes on one core; 40 steps, in a minute, say the same.
"""

import sys
import tempfile
from dataclasses import replace

import torch

from choreo_lib import training
from choreo_lib.evaluation import baselines
from choreo_lib.extensions import DuetForecaster
from choreo_lib.sets import splits
from choreo_lib.sets.windows import Windows, cut
from choreo_lib.training import recipes

AHEAD, HORIZONS = 30, (6, 12, 30)
KINDS = (("mirror", 1.0), ("canon", 1.0))
STEPS = 800
ECHO = {"turning": True, "motion_attention": True}
ROWS = {"lag experts": {}, "without lag experts": {"lag_experts": 0}, "a past of 16 frames": {"past": 16},
        "and motion attention": ECHO, "motion attention alone": ECHO | {"lag_experts": 0}}


def dances(kinds, split: str, past: int, stride: int) -> Windows:
    """Windows of synthetic duets of some kinds."""
    return cut(splits.synthetic_duets(kinds, split, "full", seeds=24), past + AHEAD, stride)


def errors(forecaster, kind) -> str:
    """Of b at each horizon, mm."""
    asked = dances((kind,), "validation", 24, 8)
    found = baselines.evaluate({"it": forecaster}, asked, HORIZONS).errors["it"]
    return "".join(f"{1000 * float(found[:, 1, k].mean()):8.1f}" for k in range(len(HORIZONS)))


def learned(changes: dict, steps: int) -> DuetForecaster:
    """The recipe's model of b, of both kinds."""
    settings = recipes.DUET["full"] | {"noise_injection": 0.0, "speed": 0.0, "no_input_prob": 0.0} | changes
    train = dances(KINDS, "train", settings["past"], 4)
    torch.manual_seed(0)
    model = DuetForecaster(train.skeleton, fps=train.fps, **settings)
    model.fit_statistics(train.batches(512))
    epochs = max(1, round(steps * 32 / len(train)))
    config = replace(recipes.DUET_TRAINING["full"], epochs=epochs, augment=None, warmup=30)
    with tempfile.TemporaryDirectory() as folder:
        training.fit(model, train, config, folder, device="cpu")
    return model.eval()


if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    print(f"{'':24s}{'':10s}  200 ms  400 ms 1000 ms")
    for name, changes in ROWS.items():
        model = learned(changes, steps)
        for kind in KINDS:
            print(f"{name:24s}{kind[0]:10s}{errors(model, kind)}", flush=True)
