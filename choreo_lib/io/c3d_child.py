"""Reads one C3D with ezc3d, in a process of its own: its C++ may end it, or ask for more memory than there is.

`c3d.read_c3d` starts it with a folder of ezc3d, one of NumPy, and the file; nothing of the library is imported. Out: a
line of JSON, and the points [T, M, 4] as doubles: x, y, z, residual. A line that holds a string is an error.
"""

from __future__ import annotations

import json
import sys

MEMORY = 1_500_000_000


def main(folders, path, sink) -> None:
    """Read ``path`` and tell about it."""
    sys.path += folders
    try:
        import resource
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    except (ImportError, ValueError, OSError):  # no such thing on Windows
        pass
    import ezc3d
    import numpy as np
    try:
        file = ezc3d.c3d(path)
        words = {key: np.ravel(entry["value"]).tolist() for key, entry in file["parameters"]["POINT"].items()
                 if isinstance(entry, dict) and "value" in entry}
        places, residuals = file["data"]["points"][:3], file["data"]["meta_points"]["residuals"]
        numbers = np.concatenate([places, residuals], dtype=np.float64).transpose(2, 1, 0)  # [T, M, 4]
        about = {"point": words, "first": file["header"]["points"]["first_frame"] + 1, "shape": numbers.shape,
                 "rate": float(file["header"]["points"]["frame_rate"])}
        answer = json.dumps(about)
    except Exception as error:  # whatever it is, the file is none that ezc3d reads
        sink.write(json.dumps(str(error)[:160] or type(error).__name__).encode() + b"\n")
        return
    sink.write(answer.encode() + b"\n")
    sink.write(np.ascontiguousarray(numbers).tobytes())


if __name__ == "__main__":
    main(sys.argv[1:3], sys.argv[3], sys.stdout.buffer)
