"""What a run was made of: its plan, its model and its data, so that it goes on with the same or not at all.

Taught in chapter 4, "A dancer in 256 numbers".
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

import numpy as np
import torch

WHOLE = 256_000_000
"""Bytes of one tensor that are hashed whole; of a larger one 4,096 blocks, evenly spread, which takes a second too."""
_BLOCK = 65_536


def fingerprint(data) -> dict:
    """Windows or simulations in a few words, the same for the same bytes: SHA-256, joints in their order, fps.

    Of more than 256 MB in one tensor, 4,096 blocks are hashed, the same each time. JSON takes the answer. Chapter: 4.
    """
    digest, told = hashlib.sha256(), {}
    for name, value in sorted(vars(data).items()):
        if isinstance(value, torch.Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            raw = value.detach().cpu().contiguous().numpy().reshape(-1).view(np.uint8)
            starts = range(0, len(raw), _BLOCK)
            if len(raw) > WHOLE:
                starts = np.linspace(0, len(raw) - _BLOCK, 4096).astype(np.int64).tolist()
            for start in starts:
                digest.update(raw[start : start + _BLOCK])
        elif name == "fps":
            told["fps"] = float(value)
        elif isinstance(value, int | float | str):
            digest.update(f"{name} {value!r}".encode())
    body = getattr(data, "skeleton", None)
    if body is not None:
        told |= {"joints": list(body.names), "parents": list(body.parents)}
    return told | {"sha256": digest.hexdigest()}


def identity(model, train, plan) -> str:
    """What must be the same for a run to go on, as JSON: the plan, the model's configuration, the training data."""
    config = model.config() if hasattr(model, "config") else None
    return json.dumps({"plan": asdict(plan), "model": config, "windows": len(train), "data": fingerprint(train)},
                      sort_keys=True)


def changes(mine: dict, theirs: dict) -> list[str]:
    """In what two identities differ, in words: nothing where a run may go on."""
    plan, other = mine["plan"], theirs["plan"] if isinstance(theirs.get("plan"), dict) else {}
    found = sorted(key for key in {*plan, *other} if key not in plan or key not in other or plan[key] != other[key])
    found += [key for key in ("model", "windows") if mine[key] != theirs.get(key)]
    data, before = mine["data"], theirs.get("data")
    if not isinstance(before, dict):
        return [*found, "data"]
    for key, value in data.items():
        if value == before.get(key):
            continue
        names = before.get(key)
        if key == "joints" and isinstance(names, list) and all(isinstance(each, str) for each in names) \
                and sorted(value) == sorted(names):
            found.append("order of joints")
        else:
            found.append({"sha256": "data (the windows' content)", "parents": "skeleton"}.get(key, key))
    return found
