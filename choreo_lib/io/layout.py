"""Whose row is whose: two dancers in one array [2T, J, 3], taking turns or one after the other, found by continuity.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import numpy as np

from ..core.arguments import shown
from .conventions import fail

LAYOUTS = {"interleaved": "row 0 a, row 1 b, row 2 a, ...", "stacked": "all rows of a, then all rows of b"}


def layout_of(points: np.ndarray) -> str | None:
    """Either "interleaved", "stacked", or None where the rows [N, J, 3] move as one dancer does, or it is not clear.

    Bodies do not jump. Where two take turns, a row is far from the next and near the one after it; where one comes
    after the other, there is one jump, and it is in the middle. Chapter: 1.
    """
    if len(points) < 8 or len(points) % 2:
        return None
    step, double = (np.linalg.norm(points[k:] - points[:-k], axis=-1).mean(axis=-1) for k in (1, 2))
    if np.median(step) > 4 * np.median(double):
        return "interleaved"
    middle = len(points) // 2 - 1
    others = np.delete(step, middle)
    if step[middle] > 3 * others.max() and step[middle] > 8 * np.median(others):
        return "stacked"
    return None


def two_dancers(path, points: np.ndarray, layout: str | None) -> np.ndarray:
    """Rows [2T, J, 3] as [T, 2, J, 3]. ``layout`` "interleaved" or "stacked"; None: what continuity shows.

    Errors: MotionFormatError where it shows one dancer, or nothing. Chapter: 1.
    """
    if len(points) % 2:
        fail(path, f"expected an even number of rows, two a frame; got {len(points)}. One dancer is read by "
                   "read_motion")
    found = layout or layout_of(points)
    if found is None:
        fail(path, f"{len(points)} rows that move as one dancer does, or as two who nearly coincide. One dancer is "
                   "read by read_motion; if these are two, say how their rows lie: " + ", ".join(
                       f"layout={name!r} ({rows})" for name, rows in LAYOUTS.items()))
    if found == "interleaved":
        return points.reshape(-1, 2, *points.shape[1:])
    return points.reshape(2, -1, *points.shape[1:]).swapaxes(0, 1)


def check_layout(path, layout) -> None:
    """Refuse a layout that is none. Errors: MotionFormatError. Chapter: 1."""
    if layout is not None and (not isinstance(layout, str) or layout not in LAYOUTS):
        fail(path, f"expected {' or '.join(map(repr, LAYOUTS))}; got {shown(layout)}", "layout=")
