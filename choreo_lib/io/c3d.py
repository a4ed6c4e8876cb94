"""C3D, what optical studios give: labelled markers, read through ezc3d in a process of its own.

Taught in chapter 1, "Seeing a duet". Format: the C3D file format user guide (Motion Lab Systems).
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from .child import Child
from .conventions import TO_Z_UP, check_counts, fail, load_bytes
from .marker_labels import marker_recording
from .record import Recording

_PATIENCE = 120.0  # seconds
_OUTPUTS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "MODELED_MARKERS")  # what a model put among the points


def read_c3d(path) -> tuple[Recording, int]:
    """The markers of a C3D file, and the number of its first frame; what a model computed (an angle) is no marker.

    Errors: MotionFormatError; ImportError where ezc3d is not installed, with the line that installs it. Chapter: 1.
    """
    try:
        import ezc3d
    except ImportError as error:
        raise ImportError("C3D files are read through ezc3d, which is not installed; "
                          "run: pip install 'choreo-lib[c3d]'") from error
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
    positions = points[:, chosen, :3].copy()
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
    check_counts(path, max(frames, 1), max(points, 1), "the header")
    if frames < 1 or points < 1:
        fail(path, f"the header claims {max(frames, 0)} frames of {points} markers; there is nothing to read")
    sign = data[{84: 15, 85: 13, 86: 12}.get(data[where + 3], 15)]  # of the scale: negative where numbers are floats
    claimed, there = frames * (4 * points + analog) * (4 if sign & 0x80 else 2), len(data) - (start - 1) * 512
    if claimed > max(there, 0):
        fail(path, f"{frames:,} frames of {points} markers take {claimed:,} bytes, and the file has "
                   f"{max(there, 0):,}; it is cut short")


def _ask(path, folders: list[str]) -> tuple[dict, np.ndarray]:
    """What ezc3d says of a file, and its points [T, M, 4]: x, y, z, residual."""
    with Child(path, Path(__file__).with_name("c3d_child.py"), "a C3D", "ezc3d", _PATIENCE) as child:
        about = child.ask([*folders, str(Path(path).absolute())])
        frames, markers, width = about["shape"]
        check_counts(path, frames, markers)
        return about, child.array(frames, markers, width)
