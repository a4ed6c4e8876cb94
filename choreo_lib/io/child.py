"""A foreign reader in a process of its own, so that no file can end ours: asked in lines of JSON, answered in numbers.

Taught in chapter 1, "Seeing a duet".
"""

import contextlib
import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import numpy as np

from .conventions import MAX_BYTES, fail


class Child:
    """A Python script that reads one file: ``ask`` it, take an ``array``, and leave it by ``with``.

    ``kind`` is what it reads ("an FBX"), ``reader`` the package it reads with, ``patience`` the seconds it may take.
    Errors: MotionFormatError where the script cannot be started, breaks off, or answers that the file is spoiled.
    Chapter: 1.
    """

    def __init__(self, path, script: Path, kind: str, reader: str, patience: float):
        self.path, self._kind, self._reader = path, kind, reader
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
        except OSError as error:
            fail(path, f"{kind} is read in a process of its own, and {sys.executable} could not be started: {error}")
        self._in, self._out = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._timer = threading.Timer(patience, self._process.kill)
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Let the process go."""
        self._timer.cancel()
        self._process.kill()
        with contextlib.suppress(OSError), self._process:  # closes its pipes and waits; what it had not read is gone
            pass

    def ask(self, request: list, data: bytes = b"") -> Any:
        """The answer to a request, as JSON; where there is none, the process is let go."""
        try:
            self._in.write(json.dumps(request).encode() + b"\n")
            self._in.write(data)
            self._in.flush()
            answer = json.loads(self._out.readline(MAX_BYTES))
        except (OSError, ValueError):
            self._broke_off()
        except BaseException:
            self.close()
            raise
        if isinstance(answer, str):
            self.close()
            fail(self.path, f"expected {self._kind} file: {answer}")
        return answer

    def array(self, *shape: int) -> np.ndarray:
        """The doubles that follow an answer, float64 [*shape]."""
        size = 8 * math.prod(shape)
        data = self._out.read(size)
        if len(data) != size:
            self._broke_off()
        return np.frombuffer(data, np.float64).reshape(shape)

    def _broke_off(self) -> NoReturn:
        try:
            code: int | None = self._process.wait(timeout=5)  # seconds; what breaks off is gone at once
        except subprocess.TimeoutExpired:
            code = None
        self.close()
        fail(self.path, f"{self._reader}, which reads {self._kind.split()[-1]} files, broke off at this one "
                        f"(exit {code}); it is damaged or of a kind unknown to {self._reader}. Export it again")
