"""What a check answers."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """The answer of a check: `bool(verdict)` says whether it passed, its text says why."""

    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return textwrap.fill(("That is right. " if self.passed else "Not yet. ") + self.message, 76)
