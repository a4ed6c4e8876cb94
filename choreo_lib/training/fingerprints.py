"""What a run was made of: config, model, data; so that it goes on with the same or not at all. Taught in chapter 4."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from ..sets.particles import Particles
from ..sets.windows import Windows
from .train_config import TrainConfig

BLOCKS, TOLERANCE = 4096, 5e-5
"""Sums that are kept of a tensor of measured numbers, and by how much one may differ. Another processor's sine differs
in the last bit, and a run that began on one machine goes on on another; a joint that is elsewhere by 0.1 mm in one
frame does not pass."""


def fingerprint(data: Windows | Particles) -> dict[str, Any]:
    """Windows or simulations in a few values that JSON takes; `changes` compares two.

    Joints in order, fps, SHA-256 of whole numbers and shapes, and weighted sums of the measured ones. Chapter: 4.
    """
    digest = hashlib.sha256()
    summary: dict[str, Any] = {"sums": []}
    for name, value in sorted(vars(data).items()):
        if isinstance(value, torch.Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            if value.is_floating_point():
                summary["sums"] += _sums(value)
            else:
                digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        elif name == "fps":
            summary["fps"] = float(value)
        elif isinstance(value, int | float | str):
            digest.update(f"{name} {value!r}".encode())
    body = getattr(data, "skeleton", None)
    if body is not None:
        summary |= {"joints": list(body.names), "parents": list(body.parents)}
    return summary | {"sha256": digest.hexdigest()}


def _sums(x: torch.Tensor) -> list[float]:
    """At most `BLOCKS` sums over neighbouring numbers, each with a weight from 1 to 2 of its own: order counts too."""
    flat = x.detach().cpu().reshape(-1)
    size = max(-(-len(flat) // BLOCKS), 16)
    weights = 1 + torch.arange(size, dtype=torch.float64) * 0.6180339887498949 % 1
    found = []
    for part in flat.split(256 * size):  # some megabytes at a time, for all in double precision might not fit
        part = torch.nn.functional.pad(part.double(), (0, -len(part) % size)).view(-1, size)
        found += (part @ weights).round(decimals=7).tolist()
    return found


def identity(model: nn.Module, train: Windows | Particles, config: TrainConfig) -> str:
    """What must stay the same for a run to go on, as JSON: `TrainConfig`, the model's settings, data. Chapter: 4."""
    parts = {"training": asdict(config), "model": configuration(model), "windows": len(train),
             "data": fingerprint(train)}
    return json.dumps(parts, sort_keys=True)


def configuration(model: Any) -> dict[str, Any] | None:
    """A model's own configuration, as a card has it; None for a model that has none. Chapter: 4."""
    return model.config_dict() if hasattr(model, "config_dict") else None


def changes(mine: dict, theirs: dict) -> list[str]:
    """In what two identities differ, in words: nothing where a run may go on. Chapter: 4."""
    ours, other = mine["training"], theirs["training"] if isinstance(theirs.get("training"), dict) else {}
    found = sorted(key for key in {*ours, *other} if key not in ours or key not in other or ours[key] != other[key])
    found += [key for key in ("model", "windows") if mine[key] != theirs.get(key)]
    data, before = mine["data"], theirs.get("data")
    if not isinstance(before, dict):
        return [*found, "data"]
    for key, value in data.items():
        names = before.get(key)
        if value == names or key == "sums" and _alike(value, names):
            continue
        if key == "joints" and isinstance(names, list) and all(isinstance(each, str) for each in names) \
                and sorted(value) == sorted(names):
            found.append("order of joints")
        else:
            content = "data (the windows' content)"
            found.append({"sha256": content, "sums": content, "parents": "skeleton"}.get(key, key))
    return list(dict.fromkeys(found))


def _alike(sums: list[float], others) -> bool:
    fits = isinstance(others, list) and len(others) == len(sums) and all(type(each) is float for each in others)
    return fits and all(abs(one - other) <= TOLERANCE for one, other in zip(sums, others))
