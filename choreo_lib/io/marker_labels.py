"""Markers' labels: whose they are, which of them nobody gave, which way up a body is by them. Taught in chapter 1."""

import re

import numpy as np

from .conventions import first_few, unique_names
from .up_axis import usual_axis

_HIGH = re.compile(r"([LR]?[FB]HD|C7|T10|CLAV|STRN|[LR]SHO|HEAD|ARIEL|.*(head|acromi|shoulder|clavicle))", re.I)
_LOW = re.compile(r"([LR](TOE|HEE|ANK|MT[15]|5TH|1ST)|.*(toe|heel|ankle|calc|malleol))", re.I)
_UNNAMED = re.compile(r"(\*\d*|U\d+|uname\*?\d*|unlabel.*|)", re.I)
_SIDES = {"l", "r", "left", "right", "lt", "rt"}


def describe_gaps(gaps) -> str:
    """Gaps in words: how many, and the first few. Chapter: 1."""
    words = (f"{label} in frames {first} to {last}" if last > first else f"{label} in frame {first}"
             for label, first, last in gaps)
    return f"{len(gaps)} gap{'s' if len(gaps) > 1 else ''} ({first_few(words, 4)})"


def subject_of(label: str) -> str:
    """What stands before the last colon."""
    return label.rpartition(":")[0]


def with_subjects(labels) -> list[str]:
    """Labels with a colon behind the subject, also where two subjects have the same labels behind an underscore."""
    if any(":" in label for label in labels):
        return list(labels)
    markers_of: dict[str, list[str]] = {}
    for label in labels:
        subject, _, marker = label.partition("_")
        markers_of.setdefault(subject, []).append(marker)
    alike = len({frozenset(markers) for markers in markers_of.values()}) == 1
    if (len(markers_of) > 1 and alike and all(len(markers) > 3 for markers in markers_of.values())
            and not {subject.lower() for subject in markers_of} & _SIDES):
        return [label.replace("_", ":", 1) for label in labels]
    return list(labels)


def tidy(labels: list[str], notes: list[str]) -> tuple[list[str], list[int]]:
    """Labels, each once, and the places they had; trajectories that nobody labelled are left out."""
    chosen = [m for m, label in enumerate(labels) if not _UNNAMED.fullmatch(label.rpartition(":")[2])]
    if chosen and len(chosen) < len(labels):
        notes.append(f"{len(labels) - len(chosen)} trajectories without a label were left out")
    chosen = chosen or list(range(len(labels)))
    return unique_names([labels[m] or f"point_{m:02d}" for m in chosen], notes, "label"), chosen


def without_gaps(points: np.ndarray) -> np.ndarray:
    """Straight lines through the gaps of points [T, M, 3]: good enough to see an axis by."""
    points, frames = points.copy(), np.arange(len(points))
    for track in points.transpose(1, 0, 2):  # [T, 3], a view
        known = ~np.isnan(track).any(axis=-1)
        for axis in range(3):
            track[~known, axis] = np.interp(frames[~known], frames[known], track[known, axis])
    return points


def up_of(labels: list[str], points: np.ndarray) -> str | None:
    """The axis from markers [T, M, 3] on the feet to those on head and shoulders in most frames, by labels; or None."""
    plain = [label.rpartition(":")[2] for label in labels]
    high, low = ([m for m, label in enumerate(plain) if kind.match(label)] for kind in (_HIGH, _LOW))
    if not high or not low:
        return None
    axis, share = usual_axis(points[:, high].mean(axis=1) - points[:, low].mean(axis=1), 0.8)
    return axis if share >= 0.6 else None
