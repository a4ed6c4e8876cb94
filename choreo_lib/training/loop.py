"""One loop that trains every network of this book, and survives what happens to laptops and to Colab.

A model is a `torch.nn.Module` with one more verb: ``model.loss(batch, step)`` gives a dict of numbers, the one
called "loss" to be made small. Everything else is here. Taught in chapter 4, "A dancer in 256 numbers".
"""

import math
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.optim.swa_utils import AveragedModel
from tqdm.auto import tqdm

from ..core import arguments, files
from ..core.arguments import a, count, flag, path, takes
from ..core.precision import tensor_cores
from ..sets.particles import Particles
from ..sets.windows import Windows
from . import checkpoints
from .checkpoints import TrainingError
from .devices import choose_device, choose_precision, processes
from .fingerprints import identity
from .history import History
from .train_config import TrainConfig, lr_factor

READ_EVERY = {"cpu": 1}  # steps between two readings of the losses; 20 on a GPU, which each reading waits for


_DATA = a(Windows, Particles)


@takes(model=a(nn.Module), train=_DATA, config=a(TrainConfig), out=path, valid=_DATA, resume=flag, progress=flag,
       keep_every=count(0), device=arguments.device)
def fit(model: nn.Module, train: Windows | Particles, config: TrainConfig, out: str | Path,
        valid: Windows | Particles | None = None, device: str | None = None, resume: bool = False,
        progress: bool = True, keep_every: int = 0) -> History:
    """Train a model, and leave the best weights in it.

    ``out`` is a folder: ``last.safetensors`` is the run as it stands, ``best.safetensors`` the weights with the lowest
    validation loss (without ``valid``: the last ones), ``history.csv`` a row an epoch. ``resume`` goes on from
    ``last.safetensors`` if there is one; a run that was killed and resumed ends, on a CPU, with the same bits as one
    that was left alone. Under torchrun each process takes its share of every batch. ``progress``: a bar, and a line
    an epoch. ``keep_every``: so many epochs apart, weights are kept as ``epoch-0050.safetensors`` (0: none). With a
    config of no epochs nothing is trained or written.
    Errors: TrainingError for a loss that is not finite (with the step, the batch and the last checkpoint), for a
    checkpoint of another model, config or data, for a folder that holds a run while ``resume`` is False, and for one
    that another process trains in. Chapter: 4.
    """
    if not config.epochs:
        return History()
    on = choose_device(device)
    dtype = choose_precision(config.precision, on)  # before there is a folder
    with one_run(out):
        return _Run(model, train, config, Path(out), valid, on, dtype, resume, progress).fit(keep_every)


def one_run(out: str | Path) -> AbstractContextManager:
    """Hold a folder for one run, which may be several processes of torchrun: the first holds it for all. Chapter: 4."""
    return nullcontext() if processes()[0] else files.folder_lock(out, TrainingError)


class _Run:
    """A run: a model, what moves its weights, and where it stands."""

    def __init__(self, model: nn.Module, train: Any, config: TrainConfig, out: Path, valid: Any, device: torch.device,
                 dtype: torch.dtype, resume: bool, progress: bool):
        self.rank, self.world = processes()
        self.last = out / "last.safetensors"
        if self.last.exists() and not resume:
            raise TrainingError(f"{out} holds a run already; go on with resume=True (--resume), or choose another "
                                "folder")
        if config.batch_size % self.world:
            raise TrainingError(f"a batch of {config.batch_size} cannot be shared by {self.world} processes; "
                                "choose a multiple")
        torch.manual_seed(config.seed)
        self.config, self.out, self.device, self.dtype = config, out, device, dtype
        self.model = self.averaged = self.stored = model.to(device)
        self.average = None
        if config.ema_decay:
            self.average = AveragedModel(model, multi_avg_fn=lambda old, new, k: torch._foreach_lerp_(
                old, new, 1 - min(config.ema_decay, float(k / (k + 9)))))
            self.averaged = self.average.module
            self.stored = nn.ModuleDict({"now": model, "mean": self.average})
        self.optimiser = torch.optim.AdamW(model.parameters(), config.lr, weight_decay=config.weight_decay,
                                           fused=device.type == "cuda" or None)  # one kernel for all weights
        self.scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
        self.steps = max(len(train) // config.batch_size, 1)  # an epoch's last batch is left out where it is smaller
        self.state: dict[str, Any] = {"epoch": 0, "step": 0, "best": math.inf, "stale_epochs": 0, "sums": {},
                                      "seconds": 0.0, "rows": []}
        torch.manual_seed(config.seed + 1 + self.rank)  # every process draws its own noise
        self.identity = identity(model, train, config)  # before the windows go to another device
        if resume and self.last.exists():
            self.state = checkpoints.load(self.last, self.stored, self.optimiser, self.scaler, self.identity, self.rank)
        self.losses: nn.Module = _Losses(model)
        if self.world > 1:
            # a step may reach some of the weights only: one dancer's, or those of a reconstruction
            self.losses = nn.parallel.DistributedDataParallel(self.losses, find_unused_parameters=True)
        self.history = History(self.state["rows"])
        self.train, self.valid = train.to(device), valid
        self.progress = progress and not self.rank
        self.started, self.saved = time.monotonic() - self.state["seconds"], time.monotonic()
        self.unread: list[dict[str, torch.Tensor]] = []
        self.read_every = READ_EVERY.get(device.type, 20)
        self.shown = math.nan

    def fit(self, keep_every: int) -> History:
        """All epochs that are left; the best weights end up in the model."""
        state, config = self.state, self.config
        if self.progress:
            print(f"training on {self.device}{'' if self.world == 1 else f' x {self.world}'}, "
                  f"{str(self.dtype).removeprefix('torch.')}; {sum(p.numel() for p in self.model.parameters()):,} "
                  f"weights, {len(self.train):,} windows, {self.steps} steps an epoch")
        bar = tqdm(total=config.epochs * self.steps, initial=state["epoch"] * self.steps + state["step"], unit="step",
                   disable=not self.progress)
        while state["epoch"] < config.epochs and state["stale_epochs"] < (config.patience or math.inf):
            self.model.train()
            for batch in self.train.batches(config.batch_size, config.seed, state["epoch"], begin=state["step"],
                                            drop_last=True, augment=config.augment):
                self.step(batch)
                bar.update()
                bar.set_postfix(epoch=state["epoch"] + 1, loss=f"{self.shown:.4g}", refresh=False)
                if time.monotonic() - self.saved > config.save_every:
                    self.save()
            row = self.end_epoch(keep_every)
            if self.progress:
                bar.write("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
        bar.close()
        if self.world > 1:
            dist.barrier()
        if (self.out / "best.safetensors").exists():
            checkpoints.read_weights(self.out / "best.safetensors", self.model)
        return self.history

    def step(self, batch: Any) -> None:
        """One step of the optimiser. On a CPU its loss is read before it is taken."""
        config, state = self.config, self.state
        number = state["epoch"] * self.steps + state["step"]
        for group in self.optimiser.param_groups:
            group["lr"] = config.lr * lr_factor(number, config.warmup, config.epochs * self.steps)
        autocast = torch.autocast(self.device.type, self.dtype) if self.dtype != torch.float32 else nullcontext()
        with tensor_cores(self.device):
            with autocast:
                losses = self.losses(batch[self.rank :: self.world], number)
            self.optimiser.zero_grad(set_to_none=True)
            self.scaler.scale(losses["loss"]).backward()
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.unread.append({name: torch.as_tensor(value).detach() for name, value in losses.items()} | {
            "gradient": norm.detach()})
        state["step"] += 1
        if len(self.unread) >= self.read_every:
            self.read()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.model)

    def read(self) -> None:
        """Read the losses of the last steps from the device, all at once, since each reading waits for it.

        Errors: TrainingError for a loss that is not finite, naming the first such step.
        """
        if not self.unread:
            return
        names = list(self.unread[0])
        table = torch.stack([torch.stack([each[name].to(self.device, torch.float64) for name in names])
                             for each in self.unread]).tolist()
        state, self.unread = self.state, []
        for step, row in enumerate(table, start=state["step"] - len(table)):
            values = dict(zip(names, row))
            if not math.isfinite(values["loss"]):
                parts = ", ".join(f"{name} {value:.4g}" for name, value in values.items() if name != "gradient")
                raise TrainingError(
                    f"the loss is not finite at step {state['epoch'] * self.steps + step} (epoch {state['epoch']}, "
                    f"batch {step}, seed {self.config.seed}): {parts}. The last good checkpoint is "
                    f"{self.last if self.last.exists() else 'none'}; a lower rate, or a look at that batch, may help")
            for name, value in values.items():
                state["sums"][name] = state["sums"].get(name, 0.0) + value
            self.shown = values["loss"]

    def end_epoch(self, keep_every: int) -> dict[str, float]:
        """Validate, keep what is best, write all that a resumed run needs; gives the epoch's row of the history."""
        self.read()
        state, valid = self.state, self.valid
        row = {"epoch": state["epoch"] + 1, "lr": self.optimiser.param_groups[0]["lr"]}
        row |= {f"train_{name}": total / state["step"] for name, total in state["sums"].items()}
        if valid is not None:
            losses = validate(self.averaged, valid, self.config.batch_size, self.device)
            row |= {f"valid_{name}": value for name, value in losses.items()}
        valid_loss = row.get("valid_loss", -math.inf if valid is None else math.nan)
        better = valid is None or valid_loss < state["best"]
        row["seconds"] = round(time.monotonic() - self.started, 3)
        self.history.rows.append(row)
        state |= {"epoch": state["epoch"] + 1, "step": 0, "sums": {}, "best": min(state["best"], valid_loss),
                  "stale_epochs": 0 if better else state["stale_epochs"] + 1}
        if not self.rank:
            if better:
                checkpoints.write_weights(self.out / "best.safetensors", self.averaged)
            if keep_every and state["epoch"] % keep_every == 0:
                checkpoints.write_weights(self.out / f"epoch-{state['epoch']:04d}.safetensors", self.averaged)
            self.history.write(self.out / "history.csv")
        self.save()
        return row

    def save(self) -> None:
        """Write the run as it stands; the first of several processes does it for all."""
        self.read()
        self.saved = time.monotonic()
        self.state |= {"seconds": self.saved - self.started, "rows": self.history.rows}
        if not self.rank:
            checkpoints.save(self.last, self.stored, self.optimiser, self.scaler, self.identity, self.state)


@torch.no_grad()
def validate(model: Any, windows: Any, batch_size: int, device: torch.device) -> dict[str, float]:
    """Mean losses over windows, clean and in order, with the model in evaluation mode. Chapter: 4."""
    model.eval()
    sums: dict[str, float] = {}
    for part in windows.batches(batch_size, device=device):
        for name, value in model.loss(part, None).items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(part)
    return {name: total / len(windows) for name, total in sums.items()}


class _Losses(nn.Module):
    """A model whose ``forward`` is its ``loss``: DistributedDataParallel listens to ``forward`` only."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, batch, step):
        return self.model.loss(batch, step)
