"""What a verb may be given: a rule an argument, stated above the verb, and one kind of message where it is broken.

    @takes(motion=a(Motion, Duet), fps=number(above=0), count=count(1, 100), frame=array("frames", "joints", 3))
    def verb(motion, fps=30.0, count=8, frame=None): ...

An argument whose default is None may be None. What is wrong is told before anything is computed, by the argument's
name: TypeError for another kind of thing, ValueError for a value out of bounds. Rules look at verbs that people call,
once a call; nothing here runs inside a network or a loop over frames. Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike, fspath

import numpy as np
import torch

MAX_FRAMES, MAX_CELLS = 1_000_000, 3_000_000
"""As many frames, and frames x joints, as anything here holds: an hour of 29 joints at 30 frames per second."""


class Wrong(Exception):
    """What a rule raises inside; `Rule.__call__` says it with the argument's name."""

    def __init__(self, kind: type[Exception], got: str = ""):
        super().__init__(got)
        self.kind, self.got = kind, got


@dataclass(frozen=True)
class Rule:
    """What an argument must be, in words and as a test. ``rule_a | rule_b``: one of them suffices.

    ``test(value, axes)`` gives the value back (a list as an array, say) or raises; ``axes`` holds the lengths of named
    axes that the call's other arguments have.
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
        except Exception:
            raise Wrong(TypeError) from None

    def __or__(self, other: Rule) -> Rule:
        def either(value, axes):
            try:
                return self.look(value, axes)
            except Wrong as first:
                try:
                    return other.look(value, axes)
                except Wrong as second:  # out of bounds tells more than another kind of thing
                    raise (first if first.kind is ValueError else second) from None

        return Rule(f"{self.wanted}, or {other.wanted}", either)


def takes(**rules: Rule):
    """Decorate a verb, or a class and so its making, with a rule an argument; its name, signature and text stay."""

    def decorate(verb):
        if isinstance(verb, type):
            verb.__init__ = decorate(verb.__init__)
            return verb
        parameters = inspect.signature(verb).parameters
        if strange := set(rules) - set(parameters):
            raise TypeError(f"{verb.__qualname__} has no argument {', '.join(sorted(strange))}")
        order = list(parameters)
        may_be_none = {name for name, each in parameters.items() if each.default is None}
        spread = {each.name for each in parameters.values() if each.kind is each.VAR_POSITIONAL}

        @functools.wraps(verb)
        def checked(*given, **named):
            axes, passed = {}, list(given)
            for k, (name, value) in enumerate(zip(order, given)):
                if name in spread:  # and so are all that follow: what comes after it in the signature comes by name
                    passed[k:] = [rules[name](name, each, axes) for each in given[k:]] if name in rules else given[k:]
                    break
                if name in rules and not (value is None and name in may_be_none):
                    passed[k] = rules[name](name, value, axes)
            for name in order if named else ():
                if name in named and name in rules and not (named[name] is None and name in may_be_none):
                    named[name] = rules[name](name, named[name], axes)
            return verb(*passed, **named)

        return checked

    return decorate


def shown(value) -> str:
    """A value in a message: short, on one line, with its kind; harmless whatever it is."""
    kind = type(value).__name__
    if value is None or kind == "bool":
        return str(value)
    try:
        if isinstance(value, np.ndarray | torch.Tensor):
            what = "an array" if isinstance(value, np.ndarray) else "a tensor"
            return f"{what} of shape {tuple(value.shape)}, {value.dtype}"
        said = "a huge one" if isinstance(value, int) and abs(value) > 10**60 else " ".join(repr(value)[:200].split())
    except Exception:  # whatever a foreign object does when it is asked what it is
        said = "something that cannot be printed"
    said = printable(said)
    return f"{said if len(said) <= 60 else said[:57] + '...'} ({kind})"


def printable(text: str) -> str:
    """Text that every terminal, page and file can take: half a character (a lone surrogate) becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def number(low: float | None = None, high: float | None = None, above: float | None = None, what="a number") -> Rule:
    """A finite real number, not True or False, from ``low`` to ``high``, or above ``above``."""
    bounds = [f"above {above:g}" if above is not None else "", f"of at least {low:,g}" if low is not None else "",
              f"{'of ' if low is None else ''}at most {high:,g}" if high is not None else ""]

    def test(value, axes):
        if isinstance(value, np.ndarray | torch.Tensor) and value.ndim == 0:
            value = value.item()
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
            raise Wrong(TypeError)
        try:
            size = float(value)
        except OverflowError:
            raise Wrong(ValueError) from None
        if not math.isfinite(size) or (low is not None and size < low) or (high is not None and size > high) or (
                above is not None and size <= above):
            raise Wrong(ValueError)
        # plain: a Fraction, a NumPy scalar or an int of 65 bits is no number to every torch operation or JSON file
        return int(value) if isinstance(value, Integral) and abs(size) < 2**53 else size

    return Rule(f"{what} {' and '.join(filter(None, bounds))}".strip(), test)


def count(low: int = 1, high: int = MAX_FRAMES, what: str = "a whole number") -> Rule:
    """A whole number, not True or False, from ``low`` to ``high``; 64.0 is 64."""

    def test(value, axes):
        if isinstance(value, np.ndarray | torch.Tensor) and value.ndim == 0:
            value = value.item()
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
            raise Wrong(TypeError)
        if not isinstance(value, Integral):
            if not -math.inf < value < math.inf:  # a Fraction may be too large for a float, which isfinite makes
                raise Wrong(ValueError)
            if value != int(value):
                raise Wrong(TypeError)
        if not low <= value <= high:
            raise Wrong(ValueError)
        return int(value)

    return Rule(f"{what} of at least {low:,} and at most {high:,}", test)


def a(*kinds: type, axis: str = "", what: str = "") -> Rule:
    """One of these kinds of thing; with ``axis``, its length is that of an axis of the same name."""

    def test(value, axes):
        if not isinstance(value, kinds):
            raise Wrong(TypeError)
        if axis and len(value) != axes.setdefault(axis, len(value)):
            raise Wrong(ValueError, f"one of {len(value)} {axis}, where there are {axes[axis]}")
        return value

    return Rule(what or "a " + " or a ".join(kind.__name__ for kind in kinds), test)


def choice(*options) -> Rule:
    """One of these."""

    def test(value, axes):
        if not isinstance(value, tuple({type(option) for option in options})):
            raise Wrong(TypeError)
        if value not in options:
            raise Wrong(ValueError)
        return value

    return Rule(f"one of {', '.join(map(repr, options))}", test)


def each(rule: Rule, least: int = 0, most: int = MAX_FRAMES, size: int | None = None) -> Rule:
    """A list or tuple (any collection but text and dictionaries) of what ``rule`` says."""
    how_many = f" of {size}" if size is not None else f" of at least {least}" if least else ""

    def test(value, axes):
        if isinstance(value, np.ndarray | torch.Tensor):
            value = value.tolist()
        if isinstance(value, str | bytes | dict) or not isinstance(value, Collection):
            raise Wrong(TypeError)
        if not (least if size is None else size) <= len(value) <= (most if size is None else size):
            raise Wrong(ValueError)
        found = []
        for k, one in enumerate(value):
            try:
                found.append(rule.look(one, axes))
            except Wrong as wrong:
                raise Wrong(wrong.kind, f"{shown(one)} at place {k}") from None
        return tuple(found) if isinstance(value, tuple) else found

    return Rule(f"a list{how_many}, each {rule.wanted}", test)


def _path(value, axes):
    if not isinstance(value, str | PathLike) or not isinstance(said := fspath(value), str):
        raise Wrong(TypeError)
    if "\0" in said:
        raise Wrong(ValueError)
    return value


def _function(value, axes):
    if not callable(value):
        raise Wrong(TypeError)
    return value


nothing = a(type(None), what="None")
def _device(value, axes):
    try:
        found = torch.device(a(str, torch.device).test(value, axes))
    except RuntimeError:
        raise Wrong(ValueError) from None
    if found.type not in ("cpu", "cuda", "mps", "meta") or (
            found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count()) or (
            found.type == "mps" and not torch.backends.mps.is_available()):
        raise Wrong(ValueError, f"{shown(value)}, which this machine does not have")
    return value


device = Rule('a device, such as "cpu" or "cuda"', _device)
text, flag = a(str, what="text"), a(bool, np.bool_, what="True or False")
path, function = Rule("the path of a file, as text or a Path", _path), Rule("a function", _function)
seed = count(0, 2**63 - 1)
rate = number(0.01, 10_000, what="a number of frames per second")
seconds = number(above=0, high=86_400, what="a number of seconds")
share = number(0, 1)
