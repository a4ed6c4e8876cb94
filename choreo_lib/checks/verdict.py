"""The engine of the checks: it looks an answer up in an exercise's table and says a `Verdict`. Chapters: all."""

import functools
import inspect
import linecache
import sysconfig
import textwrap
import traceback
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.arguments import MAX_FRAMES, Rule, Wrong, count, printable, shown
from ..sets.registry import DatasetError
from ..training.checkpoints import TrainingError

_OURS = str(Path(__file__).parents[1])
_NOT_THEIRS = (_OURS, *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}, "<frozen")

whole = count(-MAX_FRAMES)


@dataclass(frozen=True)
class Verdict:
    """The answer of a check: `bool(verdict)` says whether it passed, its text says why."""

    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return textwrap.fill(("That is right. " if self.passed else "Not yet. ") + self.message, 76)


class Hint(Exception):
    """What a learner is told of an answer that is not right yet."""


def check(exercise: Callable[..., str]) -> Callable[..., Verdict]:
    """An exercise that always gives a Verdict. Errors: DatasetError, TrainingError, which are no answer's fault."""

    @functools.wraps(exercise)
    def checked(*given, **named) -> Verdict:
        (answer,) = signature.bind(*given, **named).args  # one too many is no answer, but a mistake
        try:
            return Verdict(True, exercise(answer))
        except Hint as hint:
            return Verdict(False, str(hint))
        except (DatasetError, TrainingError):
            raise
        except (Exception, SystemExit) as error:  # whatever a learner's function, or a strange object, may raise
            if callable(answer) or any(not frame.filename.startswith(_NOT_THEIRS)
                                       for frame in traceback.extract_tb(error.__traceback__)):
                return Verdict(False, f"It could not answer: {printable(trouble(error))}")
            return Verdict(False, f"The check cannot read {shown(answer)} ({printable(trouble(error))}). "
                                  f"{(exercise.__doc__ or '').partition(chr(10))[0]}")

    signature = inspect.signature(exercise)
    checked.__signature__ = signature.replace(return_annotation=Verdict)  # type: ignore[attr-defined]
    return checked


def function_check(exercise: Callable[..., str]) -> Callable[..., Verdict]:
    """A `check` of a function, called on copies. Errors: as `check`; a Hint where it is none or gives nothing back."""
    (name,) = inspect.signature(exercise).parameters

    @functools.wraps(exercise)
    def guarded(function) -> str:
        def called(*given) -> Any:
            got = function(*(each.clone() if torch.is_tensor(each) else copy(each) for each in given))
            if got is None:
                raise Hint("It gives nothing back. Is `return` missing?")
            return got

        if not callable(function):
            call = f"cl.checks.{exercise.__name__}({name})"
            raise Hint(f"Hand over the function itself, without calling it: {call}.")
        return exercise(called)

    return check(guarded)


def given(answer, rule: Rule, hint: str) -> Any:
    """The answer as the rule reads it. Errors: Hint, in which {} is what was given instead."""
    try:
        return rule.look(answer, {})
    except Wrong:
        raise Hint(hint.format(shown(answer))) from None


def values(got, shape: tuple[int, ...], hint: str) -> torch.Tensor:
    """What a function gave, as numbers [*shape]. Errors: Hint, in which {} is the shape that it has."""
    try:
        got = torch.as_tensor(got, dtype=torch.float64).detach()
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise Hint(f"It gives {shown(got)}, and should give numbers.") from None
    refuse((got.shape != shape, hint.format(list(got.shape))))
    return got


def refuse(*rows: tuple[Any, str]) -> None:
    """A table of faults, each with its hint. Errors: the Hint of the first that is there."""
    for fault, hint in rows:
        if fault:
            raise Hint(hint)


def compare(got, right, *wrong: tuple[Any, str], otherwise: str, rtol: float = 1e-5, atol: float = 1e-8) -> None:
    """A table of wrong answers (or tests) beside the right one. Errors: the Hint of the first, or ``otherwise``."""

    def near(answer) -> bool:
        return np.allclose(got, answer, rtol, atol)

    if not near(right):
        refuse(*((answer if isinstance(answer, bool) else near(answer), hint) for answer, hint in wrong),
               (True, otherwise))


def trouble(error: BaseException) -> str:
    """What was raised and on which line of the learner's code, in one sentence."""
    try:
        words = " ".join(str(error).split())[:200]
    except Exception:  # it has none that can be had
        words = ""
    said = f"{type(error).__name__}: {words}".rstrip(": ")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_NOT_THEIRS):
            line = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
            return said + f", on line {frame.lineno}" + (f" (`{line[:80]}`)" if line else "")
    return said
