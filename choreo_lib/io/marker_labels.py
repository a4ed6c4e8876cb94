"""Markers' labels: whose they are, which of them nobody gave, and which way up the body is that they name.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import re

import numpy as np

_HIGH = re.compile(r"([LR]?[FB]HD|C7|T10|CLAV|STRN|[LR]SHO|HEAD|ARIEL|.*(head|acromi|shoulder|clavicle))", re.I)
_LOW = re.compile(r"([LR](TOE|HEE|ANK|MT[15]|5TH|1ST)|.*(toe|heel|ankle|calc|malleol))", re.I)
_UNNAMED = re.compile(r"(\*\d*|U\d+|uname\*?\d*|unlabel.*|)", re.I)
_SIDES = {"l", "r", "left", "right", "lt", "rt"}


def told(gaps) -> str:
    """Gaps in words: how many, and the first few."""
    some = ", ".join(f"{label} in frame{'s' if last > first else ''} {first}"
                     + (f" to {last}" if last > first else "") for label, first, last in gaps[:4])
    return f"{len(gaps)} gap{'s' if len(gaps) > 1 else ''} ({some}{' ...' if len(gaps) > 4 else ''})"


def subject_of(label: str) -> str:
    """What stands before the last colon."""
    return label.rpartition(":")[0]


def parted(labels) -> list[str]:
    """Labels with a colon behind the subject, also where two subjects have the same labels behind an underscore."""
    if any(":" in label for label in labels):
        return list(labels)
    stems = {}
    for label in labels:
        who, _, stem = label.partition("_")
        stems.setdefault(who, []).append(stem)
    same = len({frozenset(stem) for stem in stems.values()}) == 1 and all(len(stem) > 3 for stem in stems.values())
    if len(stems) > 1 and same and not {who.lower() for who in stems} & _SIDES:
        return [label.replace("_", ":", 1) for label in labels]
    return list(labels)


def tidy(labels: list[str], notes: list) -> tuple[list[str], list[int]]:
    """Labels, each once, and the places they had; trajectories that nobody labelled are left out."""
    kept = [m for m, label in enumerate(labels) if not _UNNAMED.fullmatch(label.rpartition(":")[2])]
    if kept and len(kept) < len(labels):
        notes.append(f"{len(labels) - len(kept)} trajectories without a label were left out")
    kept = kept or list(range(len(labels)))
    fresh, taken = [], set()
    for m in kept:
        label, count = labels[m] or f"point_{m:02d}", 2
        while (name := label if count == 2 and label not in taken else f"{label}_{count}") in taken:
            count += 1
        if name != label:
            notes.append(f"label {label!r} stood twice; the later one is now {name!r}")
        taken.add(name)
        fresh.append(name)
    return fresh, kept


def without_gaps(points: np.ndarray) -> np.ndarray:
    """Straight lines through the gaps: good enough to see an axis by."""
    points, frames = points.copy(), np.arange(len(points))
    for m in range(points.shape[1]):
        seen = ~np.isnan(points[:, m]).any(axis=-1)
        for axis in range(3):
            points[~seen, m, axis] = np.interp(frames[~seen], frames[seen], points[seen, m, axis])
    return points


def up_of(labels: list[str], points: np.ndarray) -> str | None:
    """The axis that leads from markers on the feet to those on head and shoulders in most frames, by their labels."""
    plain = [label.rpartition(":")[2] for label in labels]
    high, low = ([m for m, label in enumerate(plain) if kind.match(label)] for kind in (_HIGH, _LOW))
    if not high or not low:
        return None
    with np.errstate(all="ignore"):
        points = without_gaps(points)
        spine = points[:, high].mean(axis=1) - points[:, low].mean(axis=1)
        along = spine / np.linalg.norm(spine, axis=-1, keepdims=True)
    share = np.stack([(along > 0.8).mean(axis=0), (along < -0.8).mean(axis=0)])
    sign, axis = np.unravel_index(share.argmax(), share.shape)
    return ("-" if sign else "") + "xyz"[axis] if share.max() >= 0.6 else None
