"""Runs and weights on disk: safetensors and JSON, written whole or not at all, and never a pickle.

Taught in chapter 4, "A dancer in 256 numbers".
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file
from torch import nn


class TrainingError(RuntimeError):
    """A run that cannot start, go on or be read: says what is wrong, where, and what to do. Chapter: 4."""


def whole(path: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` write a file beside ``path``, then put it there in one step; a half file is never seen.

    Errors: TrainingError where the disk is full or the folder closed; what stood at ``path`` stays. Chapter: 4.
    """
    half = path.with_name(path.name + ".part")
    try:
        fill(half)
        with half.open("rb+") as file:
            os.fsync(file.fileno())
        half.replace(path)
    except (OSError, safetensors.SafetensorError) as error:
        half.unlink(missing_ok=True)
        raise TrainingError(f"{path} could not be written: {error}. What was there before is untouched; make room or "
                            "choose another folder, and go on with resume") from error


def write_weights(path: Path, model: nn.Module, half: bool = False) -> None:
    """A model's weights as safetensors; ``half``: in float16, at half the size. Errors: as `whole`. Chapter: 4."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    if half:
        tensors = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
    whole(Path(path), lambda beside: save_file(tensors, beside))


def read_weights(path: Path, model: nn.Module) -> None:
    """Weights into a model. Errors: TrainingError for a file that is none, or whose weights are another model's.
    Chapter: 4.
    """
    tensors, _ = _read(Path(path))
    _compare(path, tensors, model)
    model.load_state_dict(tensors)


def save(path: Path, model, optimiser, scaler, identity: str, state: dict, rank: int) -> None:
    """Everything that a run needs to go on as if nothing had happened. Errors: as `whole`. Chapter: 4."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    for number, slots in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{name}": value for name, value in slots.items()}
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    meta = {"kind": "choreo run", "identity": identity, "state": json.dumps(state),
            "scaler": json.dumps(scaler.state_dict()), "rank": str(rank)}
    whole(Path(path), lambda half: save_file(tensors, half, meta))


def load(path: Path, model, optimiser, scaler, identity: str, rank: int) -> dict:
    """The inverse of `save`; gives the state.

    Errors: TrainingError for a truncated or foreign file, another model, plan or number of windows. Chapter: 4.
    """
    tensors, meta = _read(Path(path))
    if meta.get("kind") != "choreo run":
        raise TrainingError(f"{path} is no run of this library (it may be weights alone); choose the last.safetensors "
                            "that training wrote")
    _compare(path, {name[6:]: value for name, value in tensors.items() if name.startswith("model/")}, model)
    if meta["identity"] != identity:
        mine, theirs = json.loads(identity), json.loads(meta["identity"])
        changed = [key for key in mine["plan"] if mine["plan"][key] != theirs["plan"].get(key)]
        changed += [key for key in ("model", "windows") if mine[key] != theirs[key]]
        raise TrainingError(f"{path} was made with another {', '.join(changed)}; go on with the same, or start in "
                            "another folder")
    model.load_state_dict({name[6:]: value for name, value in tensors.items() if name.startswith("model/")})
    slots: dict[int, dict] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser/"):
            _, number, slot = name.split("/")
            slots.setdefault(int(number), {})[slot] = value
    optimiser.load_state_dict({"state": slots, "param_groups": optimiser.state_dict()["param_groups"]})
    if json.loads(meta["scaler"]):
        scaler.load_state_dict(json.loads(meta["scaler"]))
    if rank == int(meta["rank"]):  # the other processes keep noise of their own
        torch.set_rng_state(tensors["random/cpu"])
        if "random/cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["random/cuda"])
    return json.loads(meta["state"])


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    try:
        with safetensors.safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise TrainingError(f"{path} cannot be read as safetensors: {error}. It may be cut short or of another kind; "
                            "use another checkpoint, or train again") from error


def _compare(path, tensors: dict[str, torch.Tensor], model: nn.Module) -> None:
    """Refuse weights that are another model's, naming the first that differs."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    held = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in dict.fromkeys([*wanted, *held]):
        if wanted.get(name) != held.get(name):
            raise TrainingError(f"{path} holds weights of another model: {name} is {held.get(name, 'not there')}, and "
                                f"this model has {wanted.get(name, 'no such weight')}. Do joints, frames and sizes "
                                "agree?")
