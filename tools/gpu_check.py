"""Does every recipe train on this machine's GPU? make gpu-check, or python tools/gpu_check.py --help

Every recipe of the book that is trained, with the model and the batches of its full mode, on few and short dances:

1. ten steps on the CPU and ten on the device, from the same weights, with the same batches and the same noise, TF32
   off and dropout off (cuDNN draws its own): how far apart are the losses? Some difference there must be: sums are
   taken in another order, and each Adam step amplifies what is left. TOLERANCE says how much is allowed;
2. twenty steps by `choreo_lib.training.loop.fit`, as `python -m choreo_lib train` takes them; then `fit_residuals`, and
   the model is asked for what it is for: a partner, a translation, strings;
3. four steps each in bfloat16 and (on CUDA) in float16 with a scaler.

Then one run is killed with SIGKILL, resumed, and compared with one that was left alone. One recipe that fails does not
stop the others; the exit status is 1 if anything failed or was not reached within --seconds.
"""

from __future__ import annotations

import argparse
import copy
import math
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from choreo_lib import extensions, training
from choreo_lib.core import precision
from choreo_lib.sets import registry, splits, synthetic
from choreo_lib.training import recipes  # noqa: E402

TOLERANCE = {"DuetForecaster": 1e-3, "MotionTranslator": 1e-3, "ForceNRI": 1e-3, "CouplingNRI": 1e-3}
"""By how much a loss may differ between CPU and device, of its size, in the worst of ten steps. On one CPU, models
whose weights were shaken by 3e-7 of themselves, about what another order of sums does, came 2e-5 apart at most."""
TRAINED = tuple(name for name, recipe in recipes.RECIPES.items() if recipe.training["full"].epochs)
"""The recipes of models that are trained; a linear one is fitted in closed form."""
BENCHED = ("duet-synthetic", "translate-salsa", "strings-synthetic", "springs5", "springs5-recurrent")


class SameNoise(TorchDispatchMode):
    """Normal and Gumbel noise drawn on the CPU, whatever the device: the same for the same seed."""

    def __init__(self, seed: int):
        super().__init__()
        self.chance = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.randn_like.default:
            return torch.randn(args[0].shape, generator=self.chance).to(args[0])
        if func is torch.ops.aten.exponential_.default:  # of which Gumbel noise is made
            return args[0].copy_(torch.empty(args[0].shape).exponential_(generator=self.chance))
        return func(*args, **(kwargs or {}))


@cache
def takes(salsa: bool) -> tuple:
    """Two short dances for every recipe of dancers: real salsa where it is asked for, else synthetic ones."""
    if salsa:
        return tuple(registry.load_duet(name)[:260] for name in splits.splits("salsa")["train"][:2])
    return tuple(synthetic.duet("drives", 260, drives=6, seed=900 + k) for k in range(2))


def windows(name: str, augment, count: int = 0):
    """Few windows of a recipe's kind; ``count`` of them, some of them twice if need be (0: as many as there are)."""
    recipe = recipes.RECIPES[name]
    first, *others = recipe.windows.args
    if recipe.windows.func is splits.simulations:
        found = partial(recipe.windows.func, first, others[0], 128)("train", augment)
        pick = found.__getitem__
    else:
        made = takes("salsa" in recipe.data and not stand_in(name))
        given = [lambda *_: list(made), *others]
        found = recipe.windows.func(*given, "train", augment, "full", **recipe.windows.keywords)
        pick = found.subset
    return pick(torch.arange(count) % len(found)) if count else found


def stand_in(name: str) -> bool:
    """Whether a recipe's set is not here, so that synthetic dances have to do."""
    return any(registry.missing(each) for each in recipes.RECIPES[name].data if each != "synthetic")


def prepared(name: str, mode: str = "full") -> tuple[torch.nn.Module, training.TrainConfig]:
    """A recipe's model, ready to train, on the CPU; and its config."""
    recipe = recipes.RECIPES[name]
    config = recipe.training[mode]
    return recipe.build(windows(name, None), mode, windows(name, config.augment), config.augment), config


@contextmanager
def exact():
    """No TF32 anywhere, cuDNN included."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        with precision.matmul_precision("highest"):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def without_dropout(model):
    """The same model, whose layers leave nothing out."""
    for part in model.modules():
        if isinstance(part, torch.nn.modules.dropout._DropoutNd):
            part.p = 0.0
        if isinstance(part, torch.nn.RNNBase | torch.nn.MultiheadAttention):
            part.dropout = 0.0
    return model


def stepper(model, config, dtype=torch.float32, pace=True):
    """A function that takes a training step on a batch and gives its loss, a float: what `fit` does, bare."""
    device = next(model.parameters()).device
    optimiser = torch.optim.AdamW(model.parameters(), config.lr, weight_decay=config.weight_decay)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    model.train()

    def step(batch, number):
        if pace:
            optimiser.param_groups[0]["lr"] = config.lr * training.lr_factor(number, config.warmup, 10_000)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss = model.loss(batch, number)["loss"]
        optimiser.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(optimiser)
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        scaler.step(optimiser)
        scaler.update()
        return float(loss.detach())

    return step


def batches_of(name: str, config, size: int, count: int) -> list:
    """So many batches, augmented as the config says."""
    return list(windows(name, config.augment, size * count).batches(size, seed=0, augment=config.augment))


def compare(name: str, model, config, device, steps: int, size: int) -> float:
    """The largest relative difference of losses between the CPU and the device."""
    batches, worst = batches_of(name, config, size, steps), 0.0
    pair = [without_dropout(copy.deepcopy(model)).to(each) for each in ("cpu", device)]
    takers = [stepper(each, config) for each in pair]
    for k, batch in enumerate(batches):
        told = []
        for take, where in zip(takers, ("cpu", device)):
            torch.manual_seed(k)  # which branch of the losses
            with exact(), SameNoise(k):
                told.append(take(batch.to(where), k))
        worst = max(worst, abs(told[0] - told[1]) / max(abs(told[0]), 1e-6))
    return worst


def train(name: str, model, config, device, steps: int, size: int) -> dict:
    """So many steps by `fit`: losses, the median time of a step in ms, memory at its highest in MB."""
    told, losses = [], model.loss

    def watched(batch, step):
        given = losses(batch, step)
        if step is not None:
            told.append((time.perf_counter(), given["loss"].detach()))
        return given

    model.loss = watched
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with tempfile.TemporaryDirectory() as out:
        config = replace(config, epochs=1, batch_size=size)
        training.fit(model, windows(name, config.augment, steps * size), config, out, windows(name, None, size),
                     str(device), progress=False)
    del model.loss
    gone = [1000 * (b[0] - a[0]) for a, b in zip(told, told[1:])]
    memory = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else math.nan
    values = [float(loss) for _, loss in told]
    if len(values) != steps or not all(map(math.isfinite, values)):
        raise ArithmeticError(f"{len(values)} steps, losses {values}")
    return {"first": values[0], "last": values[-1], "ms": statistics.median(gone[len(gone) // 3:] or [math.nan]),
            "memory": memory}


def halves(name: str, model, config, device, steps: int, size: int) -> None:
    """Steps in bfloat16, and on CUDA in float16 with a scaler: every loss is a number."""
    for kind in ("bfloat16", "float16") if device.type == "cuda" else ("bfloat16",):
        try:
            dtype = training.choose_precision(kind, device)
        except training.TrainingError as error:
            print(f"  {name}: {error}", flush=True)
            continue
        take = stepper(copy.deepcopy(model).to(device), config, dtype)
        for k, batch in enumerate(batches_of(name, config, size, steps)):
            loss = take(batch.to(device), k)
            if not math.isfinite(loss):
                raise ArithmeticError(f"{kind}: the loss of step {k} is {loss}")


@torch.no_grad()
def ask(name: str, model) -> None:
    """What the model is for, where it is: every number that comes of it is one."""
    few = windows(name, None, 4)
    device = next(model.parameters()).device
    if hasattr(model, "fit_residuals"):
        model.fit_residuals(few.batches(4))
    if isinstance(model, extensions.DuetForecaster):
        batch, ahead = few[:], min(10, model.ahead)
        past, partner = batch[:, : model.past], batch[:, model.past :, 0]
        leader = takes("salsa" in recipes.RECIPES[name].data and not stand_in(name))[0].a[:40]
        made = [model.predict(past, partner, [1, ahead]), model.sample(past, partner, [1, ahead], count=2),
                torch.from_numpy(model.rollout(leader, temperature=1.0).positions)]
    elif isinstance(model, extensions.MotionTranslator):
        take = takes(not stand_in(name))[0].a[:96]
        made = [torch.from_numpy(model.translate(take, "ab").positions)]
    elif isinstance(model, extensions.ForceNRI):
        worlds = few.to(device)
        refine = 3 if model.decoder.refines else 0
        guess = model.infer(worlds.states, refine)
        made = [guess.probability, model.predict(worlds.states, guess.edges, 3)]
    else:
        batch = few[:][:, : model.frames]
        duet = takes("salsa" in recipes.RECIPES[name].data and not stand_in(name))[0]
        made = [model.predict(batch, 3), model.find(duet).probability]
    if not all(each.isfinite().all() for each in made):
        raise ArithmeticError("what the trained model answers is not finite")


def check(name: str, device, asked) -> dict:
    """One recipe, all of it: a row of the table."""
    model, config = prepared(name)
    size = asked.batch or config.batch_size
    row = {"recipe": name, "steps": asked.steps, "verdict": "ok", "note": "stand-in" if stand_in(name) else ""}
    row["off"] = compare(name, model, config, device, min(10, asked.steps), min(8, size))
    halves(name, model, config, device, min(4, asked.steps), min(32, size))
    row |= train(name, model, config, device, asked.steps, size)
    ask(name, model)
    if device.type != "cpu" and row["off"] > TOLERANCE[type(model).__name__]:
        row["verdict"] = f"FAILED: losses {row['off']:.1e} apart, {TOLERANCE[type(model).__name__]:.0e} are allowed"
    return row


VICTIM = "duet-synthetic"


def victim(out: str, device) -> torch.nn.Module:
    """A run that may be killed: it goes on from what it finds, and saves after every step."""
    model, config = prepared(VICTIM, "quick")
    config = replace(config, epochs=6, batch_size=16, save_every=0.0, augment=None)
    training.fit(model, windows(VICTIM, None, 128), config, out, None, str(device), resume=True, progress=False)
    return model


def killed_and_resumed(device) -> str:
    """Killed once after some steps and resumed: how far its weights are from those of a run that was left alone."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--device", str(device), "--victim", f"{folder}/killed"]
        last = Path(folder, "killed", "last.safetensors")
        run = subprocess.Popen(command)
        began = time.monotonic()
        while not last.exists() and run.poll() is None and time.monotonic() - began < 90:
            time.sleep(0.005)
        if run.poll() is not None:
            return f"FAILED: the run to be killed ended by itself, with status {run.returncode}"
        run.send_signal(signal.SIGKILL)
        run.wait()
        if not last.exists():
            return "FAILED: no checkpoint within 90 s"
        victim(f"{folder}/killed", device)
        victim(f"{folder}/alone", device)
        start = prepared(VICTIM, "quick")[0].state_dict()
        weights = [load_file(Path(folder, each, "best.safetensors")) for each in ("killed", "alone")]
        off, gone = (math.sqrt(sum(float((one[key].float() - other[key].float()).square().sum()) for key in one))
                     for one, other in (weights, (weights[1], start)))
        far = off / gone
        same = far == 0.0 if device.type == "cpu" else far < 0.02
        return f"{'ok' if same else 'FAILED'}: {far:.1e} of the way from where they began lies between their weights"


def profile(name: str, device, asked) -> str:
    """How many kernels a step starts, and for which share of the time the GPU is busy."""
    from side_by_side import gpu_work

    model, config = prepared(name)
    size = asked.batch or config.batch_size
    take = stepper(model.to(device), config)
    batch = batches_of(name, config, size, 1)[0].to(device)
    for k in range(3):
        take(batch, k)
    began = time.perf_counter()
    for k in range(4):
        take(batch, k)
    wall = (time.perf_counter() - began) / 4
    kernels, busy = gpu_work(lambda: take(batch, 0))
    return f"{kernels:6d} kernels a step, {1000 * wall:7.1f} ms, GPU busy {1000 * busy:6.1f} ms " \
           f"({100 * busy / wall:.0f} %)"


def bench(name: str, device, asked) -> str:
    """A step in float32, in float32 with TF32 products and in bfloat16, in turn: medians, ms."""
    model, config = prepared(name)
    size = asked.batch or config.batch_size
    batch = batches_of(name, config, size, 1)[0].to(device)
    arms = {"float32": torch.float32, "float32 + TF32": torch.float32, "bfloat16": torch.bfloat16}
    takers = {arm: stepper(copy.deepcopy(model).to(device), config, dtype) for arm, dtype in arms.items()}
    told = {arm: [] for arm in arms}
    for _ in range(asked.rounds + 2):
        for arm, take in takers.items():
            torch.manual_seed(7)  # the same branch of the losses for all, and every time
            began = time.perf_counter()
            with precision.tensor_cores(device if arm != "float32" else "cpu"):
                take(batch, 2 * config.warmup)
            told[arm].append(1000 * (time.perf_counter() - began))
    return "".join(f"{arm} {statistics.median(each[2:]):7.1f} ms   " for arm, each in told.items())


def table(rows: list[dict]) -> None:
    """Everything that was found, a line a recipe."""
    print(f"\n{'recipe':22s} {'steps':>5s} {'ms/step':>8s} {'loss, first':>12s} {'last':>10s} {'CPU-GPU':>8s} "
          f"{'MB':>7s}  verdict")
    for row in rows:
        if "ms" in row:
            print(f"{row['recipe']:22s} {row['steps']:5d} {row['ms']:8.1f} {row['first']:12.4g} {row['last']:10.4g} "
                  f"{row['off']:8.1e} {row['memory']:7.0f}  {row['verdict']}"
                  f"{' (synthetic stand-in for ' + row['recipe'].split('-')[1] + ')' if row['note'] else ''}")
        else:
            print(f"{row['recipe']:22s} {'':55s}  {row['verdict']}")


def machine(device) -> str:
    """Versions and the device, a line."""
    named = f"{platform.python_implementation()} {platform.python_version()}, torch {torch.__version__}"
    if device.type != "cuda":
        return f"{named}, {device}, {torch.get_num_threads()} threads"
    return (f"{named}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, "
            f"{torch.cuda.get_device_name(device)}, {torch.get_num_threads()} CPU threads")


def main(words: list[str] | None = None) -> int:
    """Check what is asked for; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", help="cuda, cuda:1, cpu (default: a GPU, and without one nothing is checked)")
    parser.add_argument("--steps", type=int, default=20, help="training steps a recipe (default 20)")
    parser.add_argument("--batch", type=int, default=0, help="windows a step (default: the recipe's own)")
    parser.add_argument("--recipes", help="only these, with commas between")
    parser.add_argument("--seconds", type=float, default=225, help="no recipe is begun later than this (default 225)")
    parser.add_argument("--no-kill", action="store_true", help="leave out the run that is killed and resumed")
    parser.add_argument("--bench", action="store_true", help="instead: time a step in three precisions")
    parser.add_argument("--rounds", type=int, default=7, help="steps a precision in --bench (default 7)")
    parser.add_argument("--profile", action="store_true", help="instead: kernels a step, and how busy the GPU is")
    parser.add_argument("--victim", help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    began = time.monotonic()
    if asked.device is None and not torch.cuda.is_available():
        print("There is no CUDA GPU here. On a machine with one, run this again; --device cpu --steps 2 --batch 4 "
              "takes the same way on the CPU", file=sys.stderr)
        return 1
    device = training.choose_device(asked.device)
    if asked.victim:
        victim(asked.victim, device)
        return 0
    names = asked.recipes.split(",") if asked.recipes else list(TRAINED)
    if unknown := [name for name in names if name not in TRAINED]:
        parser.error(f"no recipe {', '.join(unknown)}; there are {', '.join(TRAINED)}")
    print(machine(device), flush=True)
    if asked.bench or asked.profile:
        for name in names if asked.recipes else BENCHED:
            print(f"{name:20s} {(bench if asked.bench else profile)(name, device, asked)}", flush=True)
        return 0
    print("salsa: " + ("the real set" if not stand_in("solo-salsa") else "NOT HERE (CHOREO_DATA); its recipes run on a "
                       "synthetic stand-in"), flush=True)
    rows = []
    for name in names:
        if time.monotonic() - began > asked.seconds:
            rows.append({"recipe": name, "verdict": f"FAILED: not reached within {asked.seconds:.0f} s"})
            continue
        try:
            rows.append(check(name, device, asked))
        except Exception as error:
            traceback.print_exc()
            rows.append({"recipe": name, "verdict": f"FAILED: {type(error).__name__}: {str(error).splitlines()[0]}"
                         if str(error) else f"FAILED: {type(error).__name__}"})
        print(f"  {time.monotonic() - began:5.0f} s  {name}: {rows[-1]['verdict']}", flush=True)
    table(rows)
    verdicts = [row["verdict"] for row in rows]
    if not asked.no_kill:
        verdicts.append(killed_and_resumed(device))
        print(f"killed and resumed: {verdicts[-1]}")
    failed = sum(verdict.startswith("FAILED") for verdict in verdicts)
    print(f"{len(verdicts) - failed} of {len(verdicts)} ok, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
