"""The side-car ``NAME.bvh.json``: what a BVH has no place for, in a file of its own beside it.

BVH knows no comments: three.js names a bone after one, assimp and bvhio refuse the file. So the BVH is plain, and its
up axis, unit, exact rate, joint names and their order, the dancer's name, source and terms lie beside it. A side-car is
believed for the very bytes it was written for, and for no others. Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ..body.motion import Motion
from . import conventions

FORMAT, MAX_SIDECAR = "choreo_lib/bvh-sidecar", 4_000_000


def sidecar_path(path) -> Path:
    """Where the side-car of a BVH lies: ``dance.bvh.json`` beside ``dance.bvh``."""
    path = Path(path)
    return path.with_name(path.name + ".json")


def fingerprint(data: bytes) -> str:
    """SHA-256 of a BVH, the same whatever ends its lines: git and mail may change those."""
    return hashlib.sha256(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).hexdigest()


def sidecar_text(path, motion: Motion, sha256: str, **stated) -> str:
    """The side-car's JSON for a BVH of this fingerprint; ``stated`` is up, unit, names, order as it was written.

    Errors: MotionFormatError where it grows beyond what is read back.
    """
    words = {"format": FORMAT, "sha256": sha256, "fps": motion.fps, "name": motion.name, **stated,
             "source": conventions.source_to_dict(motion.source)}
    text = json.dumps(words, indent=1) + "\n"
    if len(text) > MAX_SIDECAR:
        conventions.fail(
            path,
            f"its names and source fill {len(text):,} bytes, more than the {MAX_SIDECAR:,} that are read "
            "back from a side-car; shorten them",
        )
    return text


def check_free(path) -> Path:
    """The side-car's path, unless somebody else's file stands there: then a MotionFormatError, and it is left alone."""
    beside = sidecar_path(path)
    if beside.exists() and _words(beside) is None:
        conventions.fail(
            path,
            f"{beside.name} stands beside it, is no side-car of this library, and would be overwritten; "
            "move it, or write the BVH under another name",
        )
    return beside


def read_sidecar(path, data: bytes, notes: list) -> dict:
    """What the side-car states of these bytes, or {} where there is none; one that is not believed is noted."""
    beside = sidecar_path(path)
    if not beside.is_file():
        return {}
    words = _words(beside)
    if words is None:
        notes.append(f"side-car not believed: {beside.name} is none, or is cut short")
    elif words.get("sha256") != fingerprint(data):
        notes.append(f"side-car not believed: {beside.name} was written for other bytes; the BVH has changed since")
        words = None
    return words or {}


def checked(words: dict, joints: int) -> dict:
    """What a side-car (or the comment that older files carry) states, each part only where it can be meant."""
    texts = lambda x: isinstance(x, list) and len(x) == joints and all(isinstance(n, str) for n in x)  # noqa: E731
    number = lambda x: type(x) in (int, float)  # noqa: E731 (a bool is no number)
    fits = {"up": lambda x: isinstance(x, str) and x in conventions.TO_Z_UP,
            "unit": lambda x: number(x) and 1e-6 <= x <= 1e6, "fps": lambda x: number(x) and 0.01 <= x <= 10_000,
            "name": lambda x: isinstance(x, str), "names": lambda x: texts(x) and len(set(x)) == joints,
            "order": lambda x: isinstance(x, list) and all(type(j) is int for j in x)
            and sorted(x) == list(range(joints))}
    found = {key: words[key] for key, fit in fits.items() if key in words and fit(words[key])}
    source = conventions.source_from_dict(words.get("source"))
    return found if source is None else found | {"source": source}


def _words(beside: Path) -> dict | None:
    try:
        words = json.loads(conventions.load_bytes(beside, MAX_SIDECAR))
    except (ValueError, RecursionError):  # a MotionFormatError is a ValueError
        return None
    return words if isinstance(words, dict) and words.get("format") == FORMAT else None
