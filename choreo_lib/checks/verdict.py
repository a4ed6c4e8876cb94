"""What a check answers, and what it makes of an answer that raises. Every chapter's exercises use it."""

from __future__ import annotations

import functools
import inspect
import linecache
import sysconfig
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.arguments import printable, shown
from ..sets.registry import DatasetError
from ..training.checkpoints import TrainingError

_OURS = str(Path(__file__).parents[1])
_NOT_THEIRS = (_OURS, *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}, "<frozen")


@dataclass(frozen=True)
class Verdict:
    """The answer of a check: `bool(verdict)` says whether it passed, its text says why."""

    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return textwrap.fill(("That is right. " if self.passed else "Not yet. ") + self.message, 76)


def trouble(error: BaseException) -> str:
    """What was raised and on which line of the learner's code, in one sentence; "" for ours. Chapters: all."""
    said = f"{type(error).__name__}: {_words(error)}".rstrip(": ")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_NOT_THEIRS):
            line = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
            return said + f", on line {frame.lineno}" + (f" (`{line[:80]}`)" if line else "")
    return said


def forgiving(check: Callable[..., Verdict]) -> Callable[..., Verdict]:
    """A check that gives a hint whatever it is handed: an answer that raises is neither a traceback nor right.

    Errors: DatasetError for a missing set and TrainingError for missing weights, which are no answer's fault.
    Chapters: all.
    """

    @functools.wraps(check)
    def checked(*given, **named) -> Verdict:
        (answer,) = inspect.signature(check).bind(*given, **named).args  # one too many is no answer, but a mistake
        try:
            return check(answer)
        except (DatasetError, TrainingError):
            raise
        except (Exception, SystemExit) as error:  # whatever a learner's function, or a strange object, may raise
            if callable(answer) or any(not frame.filename.startswith(_NOT_THEIRS)
                                       for frame in traceback.extract_tb(error.__traceback__)):
                return Verdict(False, f"It could not answer: {printable(trouble(error))}")
            return Verdict(False, f"The check cannot read {shown(answer)} ({printable(trouble(error))}). "
                                  f"{(check.__doc__ or '').partition(chr(10))[0]}")

    return checked


def _words(error: BaseException) -> str:
    """An exception's own words, if it has any that can be had."""
    try:
        return " ".join(str(error).split())[:200]
    except Exception:
        return ""
