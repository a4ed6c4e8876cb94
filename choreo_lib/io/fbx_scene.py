"""An FBX file held open by ufbx in a process of its own, so that no file can end the reader's.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

from .conventions import MAX_BYTES, MotionFormatError, fail

_PATIENCE = 300.0  # seconds for one file; an hour of dance takes some fifty


class Scene:
    """What ufbx knows of a file: nodes, animation stacks, settings, and where nodes are at a time.

    ``nodes``: name, index of the parent or -1, kind ("bone", "empty", ""); parents first. ``stacks``: name, first and
    last second as the file states them, and of its keys. ``fps``, ``unit`` in metres, ``axes`` right, up, front.
    Errors: MotionFormatError; ImportError where ufbx is not installed, with the line that installs it.
    Chapter: 1.
    """

    def __init__(self, path, data: bytes):
        try:
            import ufbx
        except ImportError as error:
            raise ImportError("FBX files are read through ufbx, which is not installed; "
                              "run: pip install 'choreo-lib[fbx]'") from error
        self.path = path
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(__file__).with_name("fbx_child.py"))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        except OSError as error:
            raise MotionFormatError(f"{Path(path).name}: an FBX is read in a process of its own, and {sys.executable} "
                                    f"could not be started: {error}") from error
        self._timer = threading.Timer(_PATIENCE, self._process.kill)
        self._timer.daemon = True
        self._timer.start()
        try:
            about = self._ask([str(Path(ufbx.__file__).parents[1]), len(data)], data)
            self.nodes, self.stacks = about["nodes"], about["stacks"]
            self.fps, self.unit, self.axes = about["fps"], about["unit"], about["axes"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Let the process go."""
        self._timer.cancel()
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except OSError:  # it is gone, with what it was not told
                pass
        self._process.wait()

    def sample(self, stack: int, nodes: list[int], times: np.ndarray) -> np.ndarray:
        """The nodes' matrices to the world [T, N, 4, 3]: the axes x, y, z, then the place; file units, file axes."""
        times = np.ascontiguousarray(times, np.float64)
        self._ask([stack, nodes, len(times)], times.tobytes())
        shape = (len(times), len(nodes), 4, 3)
        wanted = 8 * math.prod(shape)
        got = self._process.stdout.read(wanted)
        if len(got) != wanted:
            self._gone()
        return np.frombuffer(got, np.float64).reshape(shape)

    def _ask(self, request: list, data: bytes):
        pipe = self._process.stdin
        try:
            pipe.write(json.dumps(request).encode() + b"\n")
            pipe.write(data)
            pipe.flush()
            answer = self._process.stdout.readline(MAX_BYTES)
        except OSError:
            self._gone()
        if not answer.endswith(b"\n"):
            self._gone()
        answer = json.loads(answer)
        if isinstance(answer, str):
            fail(self.path, f"expected an FBX file: {answer}")
        return answer

    def _gone(self):
        code = self._process.wait()
        fail(self.path, f"ufbx, which reads FBX files, broke off at this one (exit {code}); it is damaged or of a kind "
                        "unknown to ufbx. Open it in Blender and export it again")
