"""One loop that trains every network of this book, and survives what happens to laptops and to Colab.

A model is a `torch.nn.Module` with one more verb: ``model.losses(batch, step)`` gives a dict of numbers, the one
called "loss" to be made small. Everything else is here. Taught in chapter 4, "A dancer in 256 numbers".
"""

from __future__ import annotations

import csv
import math
import os
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.optim.swa_utils import AveragedModel
from tqdm.auto import tqdm

from ..core import files
from ..core.arguments import a, count, device, flag, number, path, seed, share, shown, takes, text
from ..core.precision import tensor_cores
from ..sets.augmentation import Augment
from ..sets.windows import Windows
from ..show.drawable import AXES, label
from . import checkpoints
from .checkpoints import TrainingError
from .fingerprints import identity

__all__ = ["History", "TrainConfig", "TrainingError", "choose_device", "fit"]


@takes(epochs=count(), batch_size=count(), lr=number(above=0), warmup=count(0), weight_decay=number(0), ema_decay=share,
       clip=number(above=0), patience=count(), seed=seed, augment=a(Augment), precision=text, save_every=number(0))
@dataclass(frozen=True)
class TrainConfig:
    """How to train: what does not depend on the model.

    ``epochs`` at most; ``patience`` epochs without a better validation loss end it (None: never). ``batch`` windows a
    step, over all processes. ``rate`` is reached after ``warmup`` steps and falls along a cosine to a hundredth;
    ``clip`` bounds the gradient's norm; ``decay`` is AdamW's. ``average``: what is validated and kept is a running mean
    of the weights, in which those of the step before count for so much (0: the weights themselves; early in a run, when
    all are new, for less). ``precision``: "float32", "bfloat16", "float16"; "auto" is float32 on every device, with
    TF32 products on CUDA while a step is taken. In the others linear layers, convolutions and attention are in half
    precision, by autocast; what remembers and what measures stays in float32 (`choreo_lib.core.precision`). At these
    sizes a GPU spends its time on starting kernels, of which autocast has more: bfloat16 is slower there (an H200: 193
    ms a step of translation against 148; ``python tools/gpu_check.py --bench`` says it of yours).
    ``save_every`` seconds a checkpoint is written, and at the end of every epoch. Chapter: 4.
    """

    epochs: int = 100
    batch_size: int = 256
    lr: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.0
    ema_decay: float = 0.0
    clip: float = 1.0
    patience: int | None = None
    seed: int = 0
    augment: Augment | None = None
    precision: str = "auto"
    save_every: float = 60.0


class History:
    """One row an epoch: losses, learning rate, seconds. Written as CSV, read by people and by ``plot``. Chapter: 4."""

    def __init__(self, rows: list[dict] | None = None):
        self.rows = rows or []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> list[float]:
        return [row.get(name, math.nan) for row in self.rows]

    def write(self, path: Path) -> None:
        """As CSV; the file appears whole or not at all."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with checkpoints.atomic_write(path) as half, half.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, names)
            table.writeheader()
            table.writerows(self.rows)

    @takes(names=text, ax=AXES)
    def plot(self, *names: str, ax=None):
        """Curves over epochs, by default the training and validation loss; on a logarithmic scale if all are above 0.

        Chapter: 4.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(7, 3), layout="constrained")
        for name, dash in zip(names or ("train_loss", "valid_loss"), ("-", "--", "-.", ":") * 9):
            if any(name in row for row in self.rows):
                ax.plot(self["epoch"], self[name], dash, label=label(name.replace("_", " ")))
        ax.set(xlabel="epoch")
        if ax.dataLim.y0 > 0:
            ax.set_yscale("log")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize=8)
        if len(ax.figure.axes) == 1:
            plt.close(ax.figure)
        return ax.figure


def choose_device(device: str | None = None) -> torch.device:
    """The device to train on: as asked, else a GPU, else the CPU. Errors: RuntimeError for one that is not there."""
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("no GPU is to be had here; leave device out, or choose a GPU runtime")
    if device.type == "cuda" and device.index is None and dist.is_initialized():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return device


def choose_precision(precision: str, device: torch.device) -> torch.dtype:
    """What a plan's ``precision`` means on a device. Errors: TrainingError for a name that is none, for float16 on
    anything but CUDA, which has no loss scaling there, and for bfloat16 on a GPU that would have to emulate it."""
    names = {"auto": torch.float32, "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision not in names:
        raise TrainingError(f"precision is {precision!r}; choose from {', '.join(names)}")
    if precision == "float16" and device.type != "cuda":
        raise TrainingError(f"float16 is for CUDA GPUs, and this would train on {device.type}: choose float32 (the "
                            "default) or bfloat16, or --device cuda where there is a GPU")
    if precision == "bfloat16" and device.type == "cuda" and torch.cuda.get_device_capability(device)[0] < 8:
        raise TrainingError(f"{torch.cuda.get_device_name(device)} has no bfloat16 (it came with compute capability "
                            "8.0: A100, L4, RTX 30 and later): choose float32 (the default) or float16")
    return names[precision]


@takes(
    model=a(nn.Module), plan=a(TrainConfig), out=path, resume=flag, progress=flag, keep_every=count(0), device=device
)
def fit(
    model: nn.Module,
    train: Windows,
    plan: TrainConfig,
    out,
    valid: Windows | None = None,
    device: str | None = None,
    resume: bool = False,
    progress: bool = True,
    keep_every: int = 0,
) -> History:
    """Train a model, and leave the best weights in it.

    ``out`` is a folder: ``last.safetensors`` is the run as it stands, ``best.safetensors`` the weights with the lowest
    validation loss (without ``valid``: the last ones), ``history.csv`` a row an epoch. ``resume`` goes on from
    ``last.safetensors`` if there is one; a run that was killed and resumed ends, on a CPU, with the same bits as one
    that was left alone. Under torchrun each process takes its share of every batch. ``progress``: a bar, and a line
    an epoch. ``keep_every``: so many epochs apart, weights are kept as ``epoch-0050.safetensors`` (0: none).
    Errors: TrainingError for a loss that is not finite (with the step, the batch and the last checkpoint), for a
    checkpoint of another model, plan or data, for a folder that holds a run while ``resume`` is False, and for one that
    another process trains in. Chapter: 4.
    """
    device = choose_device(device)
    dtype = choose_precision(plan.precision, device)  # before there is a folder
    with one_run(out):
        return _fit(model, train, plan, Path(out), valid, device, dtype, resume, progress, keep_every)


def one_run(out):
    """Hold a folder for one run, which may be several processes of torchrun: the first holds it for all."""
    first = not dist.is_initialized() or dist.get_rank() == 0
    return files.folder_lock(out, TrainingError) if first else nullcontext()


def _fit(model, train, plan: TrainConfig, out: Path, valid, device: torch.device, dtype: torch.dtype, resume: bool,
         progress: bool, keep_every: int) -> History:
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    last = out / "last.safetensors"
    for name, each in (("train", train), ("valid", valid)):
        if not callable(getattr(each, "batches", None)) and (each is not None or name == "train"):
            raise TypeError(f"{name} must be windows, or Particles; got {shown(each)}")
    if last.exists() and not resume:
        raise TrainingError(f"{out} holds a run already; go on with resume=True (--resume), or choose another folder")
    if plan.batch_size % world:
        raise TrainingError(f"a batch of {plan.batch} cannot be shared by {world} processes; choose a multiple")
    torch.manual_seed(plan.seed)
    model.to(device)
    kept = running = model
    if plan.ema_decay:
        mean = AveragedModel(
            model, avg_fn=lambda old, new, k: old.lerp(new, 1 - min(plan.ema_decay, float(k / (k + 9))))
        )
        kept, running = mean.module, nn.ModuleDict({"now": model, "mean": mean})
    optimiser = torch.optim.AdamW(model.parameters(), plan.lr, weight_decay=plan.weight_decay)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    steps = max(len(train) // plan.batch_size, 1)  # an epoch's last batch is left out where it is smaller
    state = {"epoch": 0, "step": 0, "best": math.inf, "waited": 0, "sums": {}, "seconds": 0.0, "rows": []}
    torch.manual_seed(plan.seed + 1 + rank)  # every process draws its own noise
    made_of = identity(model, train, plan)  # before the windows go to another device
    if resume and last.exists():
        state = checkpoints.load(last, running, optimiser, scaler, made_of, rank)
    parallel = nn.parallel.DistributedDataParallel(_Losses(model)) if world > 1 else _Losses(model)
    history = History(state["rows"])
    train = train.to(device)
    if rank == 0 and progress:
        print(f"training on {device}{'' if world == 1 else f' x {world}'}, {str(dtype).removeprefix('torch.')}; "
              f"{sum(p.numel() for p in model.parameters()):,} weights, {len(train):,} windows, {steps} steps an epoch")
    started = time.monotonic() - state["seconds"]
    saved = time.monotonic()

    def save() -> None:
        state["seconds"] = time.monotonic() - started
        checkpoints.save(last, running, optimiser, scaler, made_of, {**state, "rows": history.rows}, rank)

    bar = tqdm(total=plan.epochs * steps, initial=state["epoch"] * steps + state["step"], unit="step",
               disable=not progress or rank > 0)
    while state["epoch"] < plan.epochs and not should_stop(state, plan):
        model.train()
        batches = train.batches(plan.batch_size, plan.seed, state["epoch"], begin=state["step"], drop_last=True,
                                augment=plan.augment)
        for batch in batches:
            number = state["epoch"] * steps + state["step"]
            for group in optimiser.param_groups:
                group["lr"] = plan.lr * lr_factor(number, plan.warmup, plan.epochs * steps)
            share = batch[rank::world]
            with tensor_cores(device):
                with torch.autocast(device.type, dtype) if dtype != torch.float32 else nullcontext():
                    losses = parallel(share, number)
                optimiser.zero_grad(set_to_none=True)
                scaler.scale(losses["loss"]).backward()
            told = {name: float(torch.as_tensor(value).detach()) for name, value in losses.items()}
            if not math.isfinite(told["loss"]):
                said = ", ".join(f"{name} {value:.4g}" for name, value in told.items())
                raise TrainingError(
                    f"the loss is not finite at step {number} (epoch {state['epoch']}, batch {state['step']}, seed "
                    f"{plan.seed}): {said}. The last good checkpoint is {last if last.exists() else 'none'}; a lower "
                    "rate, or a look at that batch, may help")
            scaler.unscale_(optimiser)
            norm = nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
            scaler.step(optimiser)
            scaler.update()
            if plan.ema_decay:
                mean.update_parameters(model)
            for name, value in {**told, "gradient": float(norm)}.items():
                state["sums"][name] = state["sums"].get(name, 0.0) + value
            state["step"] += 1
            bar.update()
            bar.set_postfix(epoch=state["epoch"] + 1, loss=f"{told['loss']:.4g}", refresh=False)
            if rank == 0 and time.monotonic() - saved > plan.save_every:
                save()
                saved = time.monotonic()
        row = {"epoch": state["epoch"] + 1, "rate": optimiser.param_groups[0]["lr"]}
        row |= {f"train_{name}": total / state["step"] for name, total in state["sums"].items()}
        if valid is not None:
            row |= {f"valid_{name}": value for name, value in validate(kept, valid, plan.batch_size, device).items()}
        judged = row.get("valid_loss", -math.inf if valid is None else math.nan)
        state["waited"] = 0 if judged < state["best"] or valid is None else state["waited"] + 1
        row["seconds"] = round(time.monotonic() - started, 3)
        history.rows.append(row)
        state |= {"epoch": state["epoch"] + 1, "step": 0, "sums": {}}
        if rank == 0:
            if state["waited"] == 0:
                checkpoints.write_weights(out / "best.safetensors", kept)
            if keep_every and state["epoch"] % keep_every == 0:
                checkpoints.write_weights(out / f"epoch-{state['epoch']:04d}.safetensors", kept)
            history.write(out / "history.csv")
        state["best"] = min(state["best"], judged)
        if rank == 0:
            save()
        if rank == 0 and progress:
            bar.write("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
    bar.close()
    if world > 1:
        dist.barrier()
    if (out / "best.safetensors").exists():
        checkpoints.read_weights(out / "best.safetensors", model)
    return history


@torch.no_grad()
def validate(model: nn.Module, windows: Windows, batch: int, device) -> dict[str, float]:
    """Mean losses over windows, clean and in order, with the model at rest (``model.eval()``). Chapter: 4."""
    model.eval()
    sums: dict[str, float] = {}
    for part in windows.batches(batch, device=device):
        for name, value in model.loss(part, None).items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(part)
    return {name: total / len(windows) for name, total in sums.items()}


class _Losses(nn.Module):
    """DistributedDataParallel listens to ``forward`` only."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, batch, step):
        return self.model.loss(batch, step)


def lr_factor(step: int, warmup: int, total: int) -> float:
    """The share of the full learning rate at a step: a straight line up, then a cosine down to a hundredth."""
    if step < warmup:
        return (step + 1) / warmup
    share = (step - warmup) / max(total - warmup, 1)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def should_stop(state: dict, plan: TrainConfig) -> bool:
    return plan.patience is not None and state["waited"] >= plan.patience
