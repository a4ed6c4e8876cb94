"""TRC, the text form of labelled markers that OpenSim and Motion Analysis exchange: five lines, then a row a frame.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import re

import numpy as np

from .conventions import check_counts, fail, guess, load_bytes
from .marker_labels import marker_recording
from .record import Recording

_MOST = 40_000_000  # bytes of text; three million points take less


def read_trc(path) -> tuple[Recording, int]:
    """The markers of a TRC file, NaN where a field is empty, and the number of its first frame.

    Errors: MotionFormatError, naming the line. Chapter: 1.
    """
    data = load_bytes(path)
    if len(data) > 4 * _MOST:
        fail(path, f"{len(data):,} bytes of text are more than this reader takes; cut the take shorter")
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) < 6 or not lines[0].startswith("PathFileType"):
        fail(path, "expected a TRC file: PathFileType, and five lines before the numbers", "line 1")
    tab = "\t" if "\t" in lines[3] else None
    header = dict(zip((word.lower() for word in lines[1].split()), lines[2].split()))
    notes: list[str] = []
    labels = [label for label in (word.strip() for word in lines[3].split(tab)) if label][2:]
    if not labels or not lines[3].lower().startswith("frame"):
        fail(path, "expected Frame#, Time and the markers' labels", "line 4")
    rows = [(number, line) for number, line in enumerate(lines[4:], start=5) if line.strip()]
    if rows and re.match(r"\s*x1?\b", rows[0][1], re.I):
        rows = rows[1:]
    if not rows:
        fail(path, "there are no frames after the labels")
    check_counts(path, len(rows), len(labels))
    table = np.stack([_row(path, number, line.split(tab), labels, sparse=tab is not None) for number, line in rows])
    if (odd := ~(np.abs(table[:, 0]) <= 1e9)).any():
        fail(path, "expected the frame's number", f"line {rows[int(odd.argmax())][0]}")
    if (frames := _positive(header, "numframes")) not in (None, len(rows)):
        guess(path, notes, f"NumFrames says {frames:g} and there are {len(rows)} rows; all were read",
              "export the take again if some are missing")
    if (markers := _positive(header, "nummarkers")) not in (None, len(labels)):
        notes.append(f"NumMarkers says {markers:g} and there are {len(labels)} labels; all were read")
    rate, steps = _positive(header, "datarate"), np.diff(table[:, 1])
    step = float(np.nanmedian(steps)) if len(steps) and not np.isnan(steps).all() else 0.0
    if rate is None and step > 0:
        rate = round(1 / step, 3)
    elif rate and step > 0 and abs(rate * step - 1) > 0.02:
        notes.append(f"DataRate says {rate:g} frames per second and the times {1 / step:.4g}; DataRate was taken")
    points = _on_their_frames(path, table, notes).reshape(-1, len(labels), 3)
    return marker_recording(path, labels, points, rate, header.get("units", ""), notes), int(table[0, 0])


def _row(path, line: int, fields: list[str], labels: list[str], sparse: bool) -> np.ndarray:
    """The numbers of a line: frame, time, and the markers' coordinates; NaN where a field is empty.

    ``sparse``: between tabs fields may be empty, and those at the end missing.
    """
    width = 3 * len(labels) + 2
    while len(fields) > width and not fields[-1].strip():
        fields.pop()
    if len(fields) > width or (not sparse and len(fields) < width):
        fail(path, f"expected a frame, a time and {width - 2} numbers; got {len(fields)} fields", f"line {line}")
    row = np.full(width, np.nan)
    for k, field in enumerate(map(str.strip, fields)):
        try:
            if "_" in field:  # a number in Python, and in no file
                raise ValueError
            row[k] = float(field or "nan")
        except ValueError:
            what = ("frame", "time")[k] if k < 2 else f"marker {labels[(k - 2) // 3]!r}, {'xyz'[(k - 2) % 3]}"
            comma = re.fullmatch(r"-?\d+,\d+", field)
            fail(path, f"{field!r} has a decimal comma; write it with a point" if comma else
                 f"expected a number; got {field[:40]!r}", f"line {line}, {what}")
    return row


def _positive(header: dict[str, str], key: str) -> float | None:
    """A number of the header, above 0; None where it states none."""
    try:
        value = float(header.get(key, ""))
    except ValueError:
        return None
    return value if np.isfinite(value) and value > 0 else None


def _on_their_frames(path, table: np.ndarray, notes: list[str]) -> np.ndarray:
    """The rows where their frame numbers put them: a frame that was not written is a gap in every marker."""
    frames = table[:, 0] - table[0, 0]
    steps = np.diff(frames)
    steady = bool((frames == np.round(frames)).all() and (steps >= 1).all())
    if not steady:
        notes.append("the frame numbers do not count up by whole numbers; the rows were taken as they stand")
    if not steady or (steps == 1).all() or frames[-1] > 4 * len(table) + 1000:
        return table[:, 2:]
    count = int(frames[-1]) + 1
    check_counts(path, count, (table.shape[1] - 2) // 3)
    points = np.full((count, table.shape[1] - 2), np.nan)
    points[frames.astype(int)] = table[:, 2:]
    notes.append(f"{count - len(table)} frames are missing between the first and the last; they are gaps")
    return points
