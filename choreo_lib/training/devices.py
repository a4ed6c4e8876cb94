"""On what a run trains, in which precision, and which of several processes it is. Taught in chapter 4."""

import os
import platform
from pathlib import Path

import torch
import torch.distributed as dist

from .checkpoints import TrainingError

DRIVE = Path("/content/drive/MyDrive")
"""Where Colab mounts a reader's Google Drive."""


def runs_folder(name: str) -> Path:
    """Where a run is kept that is told no folder: in CHOREO_RUNS, else on a mounted Google Drive, else in ``runs``.

    What Colab computes on is taken away after a disconnect, and ``runs`` with it; a Drive stays. Chapter: 4.
    """
    told = os.environ.get("CHOREO_RUNS")
    return (Path(told).expanduser() if told else DRIVE / "choreo_runs" if DRIVE.is_dir() else Path("runs")) / name


def machine(device: str | torch.device | None = None) -> str:
    """The name of what a run would be on: of its GPU, or of the CPU with its threads. Chapter: 4."""
    if device != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} threads, {platform.machine()}"


def processes() -> tuple[int, int]:
    """This process's number and how many train together: (0, 1), but under torchrun. Chapter: 4."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """As asked, else a GPU (each process its own), else the CPU. Errors: RuntimeError if not there. Chapter: 4."""
    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name is None else name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("no GPU is to be had here; leave device out, or choose a GPU runtime")
    if device.type == "cuda" and device.index is None and dist.is_initialized():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return device


def choose_precision(precision: str, device: torch.device) -> torch.dtype:
    """What a `TrainConfig`'s ``precision`` means on a device.

    Errors: TrainingError for a name that is none, for float16 on anything but CUDA, which has no loss scaling there,
    and for bfloat16 on a GPU that would have to emulate it. Chapter: 4.
    """
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
