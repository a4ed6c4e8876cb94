"""Marker files from code, with no library: TRC as text, C3D as bytes after the format's description (Intel floats)."""

from __future__ import annotations

import struct

import numpy as np

LABELS = ("C7", "CLAV", "LFHD", "RFHD", "LSHO", "RSHO", "LWRA", "RWRA", "LASI", "RASI", "LKNE", "RKNE", "LANK", "RANK",
          "LTOE", "RTOE")
_REST = np.array([[0, -.05, 1.45], [0, .1, 1.3], [.08, .1, 1.6], [-.08, .1, 1.6], [.2, 0, 1.4], [-.2, 0, 1.4],
                  [.3, .1, 1.0], [-.3, .1, 1.0], [.12, .1, 1.0], [-.12, .1, 1.0], [.12, .05, .5], [-.12, .05, .5],
                  [.12, 0, .08], [-.12, 0, .08], [.12, .15, .03], [-.12, .15, .03]])


def person(frames=40, shift=(0, 0, 0)) -> np.ndarray:
    """Markers [T, 16, 3] in metres, Z up, of somebody who walks along y and sways."""
    time = np.arange(frames)[:, None] / 100
    path = np.concatenate([0.1 * np.sin(6 * time), time, 0 * time], axis=1)
    return _REST + path[:, None] + np.array(shift)


def trc(points, labels=LABELS, rate=100, unit="mm", up="y", first=1, frames=None, **said) -> str:
    """A TRC of points [T, M, 3] in metres, Z up; NaN becomes an empty field."""
    unit_size = {"mm": 1000, "cm": 100, "m": 1}[unit]
    points = points if up == "z" else points @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]).T
    frames = range(first, first + len(points)) if frames is None else frames
    words = {"NumFrames": len(points), "NumMarkers": len(labels), "DataRate": rate} | said
    lines = ["PathFileType\t4\t(X/Y/Z)\tx.trc",
             "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
             f"{words['DataRate']}\t{rate}\t{words['NumFrames']}\t{words['NumMarkers']}\t{unit}\t{rate}\t1\t{len(points)}",
             "Frame#\tTime\t" + "\t\t\t".join(labels) + "\t\t",
             "\t\t" + "\t".join(f"{axis}{m + 1}" for m in range(len(labels)) for axis in "XYZ"), ""]
    for number, row in zip(frames, points):
        cells = ["" if np.isnan(x) else f"{x * unit_size:.5f}" for x in row.ravel()]
        lines.append(f"{number}\t{(number - 1) / rate:.3f}\t" + "\t".join(cells))
    return "\n".join(lines) + "\n"


def c3d(points, labels=LABELS, rate=100.0, unit="mm", first=1, residual=0.5, **extra) -> bytes:
    """A C3D of points [T, M, 3] in metres, axes as they are; NaN becomes 0, 0, 0 with a residual of -1.

    ``extra``: parameters of POINT, lists of strings, such as ``Y_SCREEN=["+Z"]``.
    """
    frames, count = points.shape[:2]

    def texts(name, words):
        width = max(map(len, words))
        body = "".join(word.ljust(width) for word in words).encode()
        return entry(name, struct.pack("<bBBB", -1, 2, width, len(words)) + body)

    def entry(name, body):
        return struct.pack("<bb", len(name), 1) + name.encode() + struct.pack("<h", 2 + len(body) + 1) + body + b"\0"

    group = struct.pack("<bb", 5, -1) + b"POINT" + struct.pack("<h", 3) + b"\0"
    entries = [entry("USED", struct.pack("<bBh", 2, 0, count)), entry("FRAMES", struct.pack("<bBh", 2, 0, frames)),
               entry("RATE", struct.pack("<bBf", 4, 0, rate)), entry("SCALE", struct.pack("<bBf", 4, 0, -1.0)),
               texts("LABELS", labels), texts("UNITS", [unit]), *(texts(name, words) for name, words in extra.items())]
    size = 4 + len(group) + sum(map(len, entries)) + 2
    blocks = -(-size // 512)
    entries.insert(0, entry("DATA_START", struct.pack("<bBh", 2, 0, 2 + blocks)))
    blocks = -(-(size + len(entries[0])) // 512)
    entries[0] = entry("DATA_START", struct.pack("<bBh", 2, 0, 2 + blocks))
    parameters = struct.pack("<BBBB", 1, 80, blocks, 84) + group + b"".join(entries) + b"\0\0"
    parameters = parameters.ljust(512 * blocks, b"\0")
    header = struct.pack("<BBHHHHHfHHf", 2, 80, count, 0, first, first + frames - 1, 10, -1.0, 2 + blocks, 0, rate)
    seen = ~np.isnan(points).any(axis=-1)
    body = np.zeros((frames, count, 4), "<f4")
    body[..., :3] = np.where(seen[..., None], points * {"mm": 1000, "cm": 100, "m": 1}[unit], 0)
    body[..., 3] = np.where(seen, residual, -1)
    return header.ljust(512, b"\0") + parameters + body.tobytes()
