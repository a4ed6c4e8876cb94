"""What a function may be given: a rule an argument, stated above the function, and one kind of message.

    @takes(motion=a(Motion, Duet), fps=number(above=0), count=count(1, 100), frame=array("frames", "joints", 3))
    def function(motion, fps=30.0, count=8, frame=None): ...

An argument whose default is None may be None. What is wrong is refused before anything is computed, by the argument's
name: TypeError for another kind of thing, ValueError for a value out of bounds. Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike, fspath
from typing import Any

import numpy as np
import torch

MAX_FRAMES, MAX_CELLS = 1_000_000, 3_000_000
"""As many frames, and frames x joints, as anything here holds: an hour of 29 joints at 30 frames per second."""


class Wrong(Exception):
    """What a rule raises inside; `Rule.__call__` makes of it an error with the argument's name."""

    def __init__(self, kind: type[Exception], got: str = ""):
        super().__init__(got)
        self.kind, self.got = kind, got


def need(right: bool, kind: type[Exception] = TypeError) -> None:
    """Refuse, inside a rule, what is not right."""
    if not right:
        raise Wrong(kind)


@dataclass(frozen=True)
class Rule:
    """What an argument must be, in words and as a test. ``rule_a | rule_b``: one of them suffices.

    ``test(value, axes)`` gives the value or raises; ``axes``: lengths of named axes that other arguments have.
    """

    wanted: str
    test: Callable

    def __call__(self, name: str, value, axes: dict | None = None):
        """The value, if it is right. Errors: TypeError or ValueError that begins with the argument's name."""
        try:
            return self.look(value, {} if axes is None else axes)
        except Wrong as wrong:
            kind, got = wrong.kind, wrong.got or shown(value)
        raise kind(f"{name} must be {self.wanted}; got {got}")

    def look(self, value, axes):
        """As ``test``; whatever else a foreign thing raises when it is looked at, it is not what is wanted."""
        try:
            return self.test(value, axes)
        except (Wrong, MemoryError):
            raise
        except OverflowError:  # a number that no float can hold
            raise Wrong(ValueError) from None
        except Exception:
            raise Wrong(TypeError) from None

    def __or__(self, other: Rule) -> Rule:
        def either(value, axes):
            try:
                return self.look(value, axes)
            except Wrong as wrong:
                first = wrong
            try:
                return other.look(value, axes)
            except Wrong as second:  # out of bounds says more than another kind of thing
                raise (first if first.kind is ValueError else second) from None

        return Rule(f"{self.wanted}, or {other.wanted}", either)


def takes(**rules: Rule) -> Callable:
    """Decorate a function, or a class and so its making, with a rule an argument; its name and signature stay.

    Errors: TypeError for a rule whose argument the function does not have. Chapter: 1.
    """
    def decorate(function: Any) -> Any:
        if isinstance(function, type):
            function.__init__ = decorate(function.__init__)  # type: ignore[misc]
            return function
        signature = inspect.signature(function)
        if unknown := set(rules) - set(signature.parameters):
            raise TypeError(f"{function.__qualname__} has no argument {', '.join(sorted(unknown))}")

        @functools.wraps(function)
        def checked(*given, **named):
            try:
                call = signature.bind(*given, **named)
            except TypeError:
                return function(*given, **named)  # Python says in its own words what is missing or too much
            axes = {}
            for name, value in call.arguments.items():
                argument = signature.parameters[name]
                if name not in rules or value is None is argument.default:
                    continue
                if argument.kind is argument.VAR_POSITIONAL:
                    call.arguments[name] = tuple(rules[name](name, one, axes) for one in value)
                else:
                    call.arguments[name] = rules[name](name, value, axes)
            return function(*call.args, **call.kwargs)

        return checked

    return decorate


def shown(value) -> str:
    """A value in a message: short, on one line, with its kind; harmless whatever it is. Chapter: 1."""
    kind = type(value).__name__
    if value is None or kind == "bool":
        return str(value)
    try:
        if isinstance(value, np.ndarray | torch.Tensor):
            what = "an array" if isinstance(value, np.ndarray) else "a tensor"
            return f"{what} of shape {tuple(value.shape)}, {value.dtype}"
        words = "a huge one" if isinstance(value, int) and abs(value) > 10**60 else " ".join(repr(value)[:200].split())
    except Exception:  # whatever a foreign object does when it is asked what it is
        words = "something that cannot be printed"
    words = printable(words)
    return f"{words if len(words) <= 60 else words[:57] + '...'} ({kind})"


def printable(text: str) -> str:
    """Text that every terminal, page and file can take: half a character (a lone surrogate) becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def number(low: float = -math.inf, high: float = math.inf, above: float = -math.inf, what: str = "a number",
           whole: bool = False) -> Rule:
    """A finite real number, not True or False, from ``low`` to ``high``, or above ``above``. Chapter: 1."""
    bounds = [f"{word} {bound:,.10g}" for word, bound in (("above", above), ("at least", low), ("at most", high))
              if math.isfinite(bound)]

    def test(value, axes):
        if isinstance(value, np.ndarray | torch.Tensor) and value.ndim == 0:
            value = value.item()
        need(isinstance(value, Real) and not isinstance(value, bool | np.bool_))
        size = float(value)
        need(math.isfinite(size), ValueError)
        need(not whole or value == int(value))
        need(low <= value <= high and value > above, ValueError)
        # plain: a Fraction, a NumPy scalar or an int of 65 bits is no number to every torch operation or JSON file
        return int(value) if whole or (isinstance(value, Integral) and abs(size) < 2**53) else size

    return Rule(f"{what} of {' and '.join(bounds)}".replace("of above", "above").removesuffix(" of "), test)


def count(low: int = 1, high: int = MAX_FRAMES) -> Rule:
    """A whole number, not True or False, from ``low`` to ``high``; 64.0 is 64. Chapter: 1."""
    return number(low, high, what="a whole number", whole=True)


def a(*kinds: type, axis: str = "", what: str = "") -> Rule:
    """One of these kinds of thing; with ``axis``, as long as every axis of that name in the call. Chapter: 1."""

    def test(value, axes):
        need(isinstance(value, kinds))
        if axis and len(value) != axes.setdefault(axis, len(value)):
            raise Wrong(ValueError, f"one of {len(value)} {axis}, where there are {axes[axis]}")
        return value

    return Rule(what or "a " + " or a ".join(kind.__name__ for kind in kinds), test)


def choice(*options) -> Rule:
    """One of these values. Chapter: 1."""

    def test(value, axes):
        need(isinstance(value, tuple({type(option) for option in options})))
        need(value in options, ValueError)
        return value

    return Rule(f"one of {', '.join(map(repr, options))}", test)


def each(rule: Rule, least: int = 0, size: int | None = None) -> Rule:
    """A list or tuple (any collection but text and dictionaries) of what ``rule`` allows. Chapter: 1."""
    how_many = f" of {size}" if size is not None else f" of at least {least}" if least else ""

    def test(value, axes):
        if isinstance(value, np.ndarray | torch.Tensor):
            value = value.tolist()
        need(isinstance(value, Collection) and not isinstance(value, str | bytes | dict))
        need(len(value) >= least if size is None else len(value) == size, ValueError)
        found = []
        for k, one in enumerate(value):
            try:
                found.append(rule.look(one, axes))
            except Wrong as wrong:
                raise Wrong(wrong.kind, f"{shown(one)} at place {k}") from None
        return tuple(found) if isinstance(value, tuple) else found

    return Rule(f"a list{how_many}, each {rule.wanted}", test)


def _path(value, axes):
    need(isinstance(value, str | PathLike) and isinstance(fspath(value), str))
    need("\0" not in fspath(value), ValueError)
    return value


def _device(value, axes):
    need(isinstance(value, str | torch.device))
    try:
        torch.empty(0, device=value)
    except Exception:  # torch has no one error for it
        raise Wrong(ValueError, f"{shown(value)}, which this machine does not have") from None
    return value


device = Rule('a device, such as "cpu" or "cuda"', _device)
nothing = a(type(None), what="None")
text, flag = a(str, what="text"), a(bool, np.bool_, what="True or False")
path = Rule("the path of a file, as text or a Path", _path)
function = a(Callable, what="a function")  # type: ignore[arg-type]
seed = count(0, 2**63 - 1)
rate = number(0.01, 10_000, what="a number of frames per second")
seconds = number(above=0, high=86_400, what="a number of seconds")
share = number(0, 1)
