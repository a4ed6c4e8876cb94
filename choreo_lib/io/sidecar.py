"""The side-car ``NAME.bvh.json``: what a BVH has no place for, in a file of its own beside it.

BVH knows no comments: three.js names a bone after one, assimp and bvhio refuse the file. So the BVH is plain, and its
up axis, unit, exact rate, joint names and their order, the dancer's name, notes, source and terms lie beside it. A
side-car is believed for the very bytes it was written for, and for no others. Taught in chapter 1, "Seeing a duet".
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from ..body.motion import Motion
from .conventions import TO_Z_UP, fail, load_bytes, source_from_dict, source_to_dict

FORMAT, MAX_SIDECAR = "choreo_lib/bvh-sidecar", 4_000_000


def sidecar_path(path) -> Path:
    """Where the side-car of a BVH lies: ``dance.bvh.json`` beside ``dance.bvh``. Chapter: 1."""
    path = Path(path)
    return path.with_name(path.name + ".json")


def fingerprint(data: bytes) -> str:
    """SHA-256 of a BVH, the same whatever ends its lines: git and mail may change those. Chapter: 1."""
    return hashlib.sha256(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).hexdigest()


def sidecar_text(path, motion: Motion, sha256: str, **stated) -> str:
    """The side-car's JSON for a BVH of this fingerprint; ``stated`` is up, unit, names, order as it was written.

    Errors: MotionFormatError where it grows beyond what is read back. Chapter: 1.
    """
    text = json.dumps({"format": FORMAT, "sha256": sha256, "fps": motion.fps, "name": motion.name, **stated,
                       "source": source_to_dict(motion.source), "notes": list(motion.notes)}, indent=1) + "\n"
    if len(text) > MAX_SIDECAR:
        fail(path, f"its names, notes and source fill {len(text):,} bytes, more than the {MAX_SIDECAR:,} that are read "
                   "back from a side-car; shorten them")
    return text


def check_free(path) -> Path:
    """The side-car's path. Errors: MotionFormatError where another file stands there, which is left. Chapter: 1."""
    beside = sidecar_path(path)
    if beside.exists() and _load(beside) is None:
        fail(path, f"{beside.name} stands beside it, is no side-car of this library, and would be overwritten; "
                   "move it, or write the BVH under another name")
    return beside


def read_sidecar(path, data: bytes, notes: list[str]) -> dict[str, Any]:
    """What the side-car states of these bytes, or {}; one that is not believed is noted. Chapter: 1."""
    beside = sidecar_path(path)
    if not beside.is_file():
        return {}
    stated = _load(beside)
    if stated is None:
        notes.append(f"side-car not believed: {beside.name} is none, or is cut short")
    elif stated.get("sha256") != fingerprint(data):
        notes.append(f"side-car not believed: {beside.name} was written for other bytes; the BVH has changed since")
        return {}
    return stated or {}


def checked(stated: dict[str, Any], joints: int) -> dict[str, Any]:
    """What a side-car states, each part only where it makes sense. Chapter: 1."""
    number = lambda low, high: lambda x: type(x) in (int, float) and low <= x <= high  # noqa: E731 (a bool is none)
    texts = lambda x: isinstance(x, list) and all(isinstance(name, str) for name in x)  # noqa: E731
    places = lambda x: isinstance(x, list) and all(type(j) is int for j in x)  # noqa: E731
    rules = {"up": lambda x: isinstance(x, str) and x in TO_Z_UP, "unit": number(1e-6, 1e6),
             "fps": number(0.01, 10_000), "name": lambda x: isinstance(x, str), "notes": texts,
             "names": lambda x: texts(x) and len(x) == len(set(x)) == joints,
             "order": lambda x: places(x) and sorted(x) == list(range(joints))}
    sound = {key: stated[key] for key, rule in rules.items() if key in stated and rule(stated[key])}
    source = source_from_dict(stated.get("source"))
    return sound if source is None else sound | {"source": source}


def _load(beside: Path) -> dict[str, Any] | None:
    try:
        stated = json.loads(load_bytes(beside, MAX_SIDECAR))
    except (ValueError, RecursionError):  # a MotionFormatError is a ValueError
        return None
    return stated if isinstance(stated, dict) and stated.get("format") == FORMAT else None
