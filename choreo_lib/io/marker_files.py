"""Labelled markers as files: C3D, and TRC, the text form that OpenSim exchanges. Taught in chapter 1.

C3D is read through ezc3d; its format: the C3D file format user guide (Motion Lab Systems).
"""

import re
import struct
from pathlib import Path

import numpy as np

from .child import Child
from .conventions import TO_Z_UP, check_counts, fail, guess, load_bytes, optional
from .record import Recording

UNITS = {"mm": 0.001, "cm": 0.01, "m": 1.0, "in": 0.0254, "ft": 0.3048, "millimeters": 0.001, "millimetres": 0.001,
         "centimeters": 0.01, "centimetres": 0.01, "meters": 1.0, "metres": 1.0, "meter": 1.0, "metre": 1.0,
         "inches": 0.0254}
_PATIENCE = 120.0  # seconds
_OUTPUTS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "MODELED_MARKERS")  # what a model put among the points
_MOST = 40_000_000  # bytes of text; three million points take less


def marker_recording(path, labels: list[str], points: np.ndarray, fps: float | None, unit: str,
                     notes: list[str]) -> Recording:
    """The recording of markers [T, M, 3], which hang from nothing: all but the first from the first. Chapter: 1."""
    parents = [-1] + [0] * (len(labels) - 1)
    return Recording(path, labels, parents, points, fps, unit=UNITS.get(unit.lower()), notes=notes)


def read_c3d(path) -> tuple[Recording, int]:
    """The markers of a C3D and the number of its first frame. Errors: MotionFormatError, ImportError. Chapter: 1."""
    ezc3d = optional("ezc3d", "C3D files are read", "c3d")
    _check_claims(path, load_bytes(path))
    about, points = _ask(path, [str(Path(str(module.__file__)).parents[1]) for module in (ezc3d, np)])
    parameters, notes = about["point"], []

    def texts(key: str) -> list[str]:
        return [str(text).strip() for text in parameters.get(key, [])]

    labels = [label for key in ("LABELS", *(f"LABELS{k}" for k in range(2, 10))) for label in texts(key)]
    labels = [*labels, *(f"point_{m:02d}" for m in range(len(labels), points.shape[1]))][:points.shape[1]]
    outputs = {label for key in _OUTPUTS for label in texts(key)} & set(labels)
    chosen = [m for m, label in enumerate(labels) if label not in outputs]
    if outputs:
        notes.append(f"{len(outputs)} of the points are outputs of a model (angles, forces), not markers; left out")
    if not chosen:
        fail(path, "there are no markers in this file")
    positions = points[:, chosen, :3]
    positions[points[:, chosen, 3] < 0] = np.nan  # a residual of -1: no camera saw it
    screen = (texts("Y_SCREEN") or [""])[0].lower().lstrip("+")
    rate = next((float(x) for x in parameters.get("RATE", []) if isinstance(x, int | float) and x > 0), about["rate"])
    record = marker_recording(path, [labels[m] for m in chosen], positions, rate, (texts("UNITS") or [""])[0], notes)
    record.up = screen if screen in TO_Z_UP else None
    return record, int(about["first"])


def _check_claims(path, data: bytes) -> None:
    """Weigh what the header claims against the file's size, before ezc3d asks for memory."""
    if len(data) < 1024 or data[1] != 0x50:
        fail(path, "expected a C3D file, whose second byte is 80")
    where = (data[0] - 1) * 512
    if not 512 <= where <= len(data) - 4:
        fail(path, "the header points to parameters outside of the file; it is cut short or no C3D")
    order = ">" if data[where + 3] == 86 else "<"  # MIPS; Intel and DEC keep the low byte first
    points, analog, first, last = struct.unpack_from(order + "4H", data, 2)
    start, _ = struct.unpack_from(order + "2H", data, 16)
    frames = last - first + 1
    check_counts(path, frames, points, "the header")
    sign = data[{84: 15, 85: 13, 86: 12}.get(data[where + 3], 15)]  # of the scale: negative where numbers are floats
    claimed, there = frames * (4 * points + analog) * (4 if sign & 0x80 else 2), max(len(data) - (start - 1) * 512, 0)
    if claimed > there:
        fail(path, f"{frames:,} frames of {points} markers take {claimed:,} bytes, and the file has {there:,}; it is "
                   "cut short")


def _ask(path, folders: list[str]) -> tuple[dict, np.ndarray]:
    """What ezc3d says of a file, and its points [T, M, 4]: x, y, z, residual."""
    with Child(path, Path(__file__).with_name("c3d_child.py"), "a C3D", "ezc3d", _PATIENCE) as child:
        about = child.ask([*folders, str(Path(path).absolute())])
        check_counts(path, *about["shape"][:2])
        return about, child.array(*about["shape"])


def read_trc(path) -> tuple[Recording, int]:
    """The markers of a TRC file and the number of its first frame. Errors: MotionFormatError (line). Chapter: 1."""
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
    """The numbers of a line, NaN where a field is empty; ``sparse``: those at the end may be missing."""
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
    if not (frames == np.round(frames)).all() or not (steps >= 1).all():
        notes.append("the frame numbers do not count up by whole numbers; the rows were taken as they stand")
        return table[:, 2:]
    if (steps == 1).all() or frames[-1] > 4 * len(table) + 1000:
        return table[:, 2:]
    count = int(frames[-1]) + 1
    check_counts(path, count, (table.shape[1] - 2) // 3)
    points = np.full((count, table.shape[1] - 2), np.nan)
    points[frames.astype(int)] = table[:, 2:]
    notes.append(f"{count - len(table)} frames are missing between the first and the last; they are gaps")
    return points
