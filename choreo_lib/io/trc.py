"""TRC, the text form of labelled markers that OpenSim and Motion Analysis exchange: five lines, then a row a frame.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import re

import numpy as np

from .conventions import check_counts, fail, guess, load_bytes

_MOST = 40_000_000  # bytes of text; three million points take less


def read_trc(path) -> dict:
    """Labels, points [T, M, 3] with NaN where a field is empty, rate, first frame, unit, notes.

    Errors: MotionFormatError, naming the line.
    """
    data = load_bytes(path)
    if len(data) > 4 * _MOST:
        fail(path, f"{len(data):,} bytes of text are more than this reader takes; cut the take shorter")
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) < 6 or not lines[0].startswith("PathFileType"):
        fail(path, "expected a TRC file: PathFileType, and five lines before the numbers", "line 1")
    tab = "\t" if "\t" in lines[3] else None
    stated = dict(zip((word.lower() for word in lines[1].split()), lines[2].split()))
    labels = [label for label in (word.strip() for word in lines[3].split(tab)) if label][2:]
    if not labels or not lines[3].lower().startswith("frame"):
        fail(path, "expected Frame#, Time and the markers' labels", "line 4")
    rows = [(number, line) for number, line in enumerate(lines[4:], start=5) if line.strip()]
    if rows and re.match(r"\s*x1?\b", rows[0][1], re.I):
        rows = rows[1:]
    if not rows:
        fail(path, "there are no frames after the labels")
    check_counts(path, len(rows), len(labels))
    width, notes = 3 * len(labels), []
    table = np.full((len(rows), width + 2), np.nan)
    for row, (number, line) in enumerate(rows):
        fields = [field.strip() for field in line.split(tab)]
        while len(fields) > width + 2 and not fields[-1]:
            fields.pop()
        if len(fields) > width + 2 or (tab is None and len(fields) < width + 2):
            fail(path, f"expected a frame, a time and {width} numbers; got {len(fields)} fields", f"line {number}")
        for place, field in enumerate(fields):
            if field:
                table[row, place] = _number(path, field, number, place, labels)
    if (odd := ~(np.abs(table[:, 0]) <= 1e9)).any():
        fail(path, "expected the frame's number", f"line {rows[int(odd.argmax())][0]}")
    said = _stated(stated, "numframes")
    if said is not None and said != len(rows):
        guess(path, notes, f"NumFrames says {said:g} and there are {len(rows)} rows; all were read",
              "export the take again if some are missing")
    said = _stated(stated, "nummarkers")
    if said is not None and said != len(labels):
        notes.append(f"NumMarkers says {said:g} and there are {len(labels)} labels; all were read")
    rate = _stated(stated, "datarate")
    steps = np.diff(table[:, 1])
    step = float(np.nanmedian(steps)) if len(steps) and not np.isnan(steps).all() else 0.0
    if rate is None and step > 0:
        rate = round(1 / step, 3)
    elif rate and step > 0 and abs(rate * step - 1) > 0.02:
        notes.append(f"DataRate says {rate:g} frames per second and the times {1 / step:.4g}; DataRate was taken")
    points = _on_their_frames(path, table, notes).reshape(-1, len(labels), 3)
    return {"labels": labels, "points": points, "fps": rate, "first": int(table[0, 0]),
            "unit": stated.get("units", ""), "up": None, "notes": notes}


def _number(path, field: str, line: int, place: int, labels: list) -> float:
    where = f"line {line}, " + (("frame", "time")[place] if place < 2 else
                                f"marker {labels[(place - 2) // 3]!r}, {'xyz'[(place - 2) % 3]}")
    try:
        if "_" in field:
            raise ValueError
        return float(field)
    except ValueError:
        if re.fullmatch(r"-?\d+,\d+", field):
            fail(path, f"{field!r} has a decimal comma; write it with a point", where)
        fail(path, f"expected a number; got {field[:40]!r}", where)


def _stated(stated: dict, key: str) -> float | None:
    try:
        value = float(stated.get(key, ""))
    except ValueError:
        return None
    return value if np.isfinite(value) and value > 0 else None


def _on_their_frames(path, table: np.ndarray, notes: list) -> np.ndarray:
    """The rows where their frame numbers put them: a frame that was not written is a gap in every marker."""
    with np.errstate(all="ignore"):
        at = table[:, 0] - table[0, 0]
        steps = np.diff(at)
        steady = bool((np.abs(table[:, 0]) < 1e9).all() and (at == np.round(at)).all() and (steps >= 1).all())
    if not steady:
        notes.append("the frame numbers do not count up by whole numbers; the rows were taken as they stand")
    if not steady or (steps == 1).all() or at[-1] > 4 * len(table) + 1000:
        return table[:, 2:]
    check_counts(path, int(at[-1]) + 1, (table.shape[1] - 2) // 3)
    points = np.full((int(at[-1]) + 1, table.shape[1] - 2), np.nan)
    points[at.astype(int)] = table[:, 2:]
    notes.append(f"{len(points) - len(table)} frames are missing between the first and the last; they are gaps")
    return points
