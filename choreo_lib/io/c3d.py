"""C3D, what optical studios give: labelled markers, read through ezc3d in a process of its own.

Taught in chapter 1, "Seeing a duet". Format: the C3D file format user guide (Motion Lab Systems).
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

from .conventions import MotionFormatError, check_counts, fail, load_bytes

_PATIENCE = 120.0  # seconds
_OUTPUTS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "MODELED_MARKERS")  # what a model put among the points


def read_c3d(path) -> dict:
    """Labels, points [T, M, 3] with NaN where a marker was not seen, rate, first frame, unit, up axis, notes.

    Errors: MotionFormatError; ImportError where ezc3d is not installed, with the line that installs it.
    """
    try:
        import ezc3d
    except ImportError as error:
        raise ImportError("C3D files are read through ezc3d, which is not installed; "
                          "run: pip install 'choreo-lib[c3d]'") from error
    _check_claims(path, load_bytes(path))
    about, points = _ask(path, [Path(module.__file__).parents[1] for module in (ezc3d, np)])
    words, notes = about["point"], []
    texts = lambda key: [str(word).strip() for word in words.get(key, [])]  # noqa: E731
    labels = [label for key in ("LABELS", *(f"LABELS{k}" for k in range(2, 10))) for label in texts(key)]
    labels = [*labels, *(f"point_{m:02d}" for m in range(len(labels), points.shape[1]))][:points.shape[1]]
    outputs = {label for key in _OUTPUTS for label in texts(key)} & set(labels)
    keep = [m for m, label in enumerate(labels) if label not in outputs]
    if outputs:
        notes.append(f"{len(outputs)} of the points are outputs of a model (angles, forces), not markers; left out")
    if not keep:
        fail(path, "there are no markers in this file")
    seen = points[:, keep, :3].copy()
    seen[points[:, keep, 3] < 0] = np.nan  # a residual of -1: no camera saw it
    screen = (texts("Y_SCREEN") or [""])[0].lower()
    sign, axis = ("-" if screen.startswith("-") else ""), screen.lstrip("+-")
    rate = next((float(x) for x in words.get("RATE", []) if isinstance(x, int | float) and x > 0), about["rate"])
    return {"labels": [labels[m] for m in keep], "points": seen, "fps": rate, "first": int(about["first"]),
            "unit": (texts("UNITS") or [""])[0], "up": sign + axis if axis in ("x", "y", "z") else None, "notes": notes}


def _check_claims(path, data: bytes):
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


def _ask(path, folders) -> tuple[dict, np.ndarray]:
    command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("c3d_child.py")), *map(str, folders),
               str(Path(path).absolute())]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=_PATIENCE, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MotionFormatError(f"{Path(path).name}: a C3D is read in a process of its own, and that failed: "
                                f"{str(error)[:200]}") from error
    line, _, numbers = done.stdout.partition(b"\n")
    try:
        about = json.loads(line)
        if isinstance(about, str):
            fail(path, f"expected a C3D file: {about}")
        frames, markers, width = about["shape"]
        check_counts(path, frames, markers)
        return about, np.frombuffer(numbers, np.float64).reshape(frames, markers, width)
    except MotionFormatError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise MotionFormatError(f"{Path(path).name}: ezc3d, which reads C3D files, broke off at this one "
                                f"(exit {done.returncode}); it is damaged. Export it again") from error
