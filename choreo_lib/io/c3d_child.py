"""Reads one C3D with ezc3d, in a process of its own: its C++ may end it, or ask for more memory than there is.

`marker_files.read_c3d` starts it; nothing of the library is imported. In: a line of JSON, [folder of ezc3d, folder of
NumPy, path]. Out: a line of JSON, and the points [T, M, 4] as doubles: x, y, z, residual. A line that holds a string is
an error. Taught in chapter 1, "Seeing a duet".
"""

import contextlib
import json
import sys

MEMORY = 1_500_000_000


def main(source, sink) -> None:
    """Read the file, describe it, and give its points."""
    *folders, path = json.loads(source.readline())
    sys.path += folders
    with contextlib.suppress(ImportError, ValueError, OSError):  # no such thing on Windows
        import resource
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    import ezc3d
    import numpy as np
    points = np.empty(0)
    try:
        file = ezc3d.c3d(path)
        parameters = {key: np.ravel(entry["value"]).tolist() for key, entry in file["parameters"]["POINT"].items()
                      if isinstance(entry, dict) and "value" in entry}
        places, residuals = file["data"]["points"][:3], file["data"]["meta_points"]["residuals"]
        points = np.concatenate([places, residuals], dtype=np.float64).transpose(2, 1, 0)  # [T, M, 4]
        header = file["header"]["points"]
        answer = json.dumps({"point": parameters, "first": header["first_frame"] + 1, "shape": points.shape,
                             "rate": float(header["frame_rate"])})
    except Exception as error:  # whatever it is, the file is none that ezc3d reads
        answer = json.dumps(str(error)[:160] or type(error).__name__)
    sink.write(answer.encode() + b"\n")
    sink.write(np.ascontiguousarray(points).tobytes())


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
