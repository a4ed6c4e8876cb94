"""Rules for arguments that are arrays or tensors of a shape, beside those of `choreo_lib.core.arguments`.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from numbers import Integral, Real

import numpy as np
import torch

from .arguments import Rule, Wrong, shown


def array(*shape, finite: bool = True, empty: bool = False, plain: bool = False) -> Rule:
    """Numbers of a shape, as an array, a tensor or nested lists: ``array(..., "J", 3)``, ``array("T" , 3, 4)``.

    A number is that length; a name is any length (0 too where ``empty``), and one length throughout the call; a tuple
    is one of several lengths; None is any; ``...``, first or last: any axes before or after. ``finite``: no NaN, no
    infinity (a tensor in training or on a GPU is not asked: a step would have to wait for the answer, and the loop
    looks at the loss). Lists become arrays; with ``plain`` tensors do, too, wherever they are and whatever they learn.
    """
    test = functools.partial(_array, shape, finite, empty, False)
    return Rule(_shape_in_words(shape, "numbers"), _plainly(test) if plain else test)


def tensor(*shape, finite: bool = False, empty: bool = False) -> Rule:
    """A tensor of a shape, as `array`; whether its numbers are finite is not asked, for it may lie on a GPU."""
    return Rule(_shape_in_words(shape, "a tensor"), functools.partial(_array, shape, finite, empty, True))


def chosen(name: str, value, count: int):
    """Indices of some of ``count`` things, as torch takes them: a slice, a whole number, a mask [count] or numbers [N].

    Errors: TypeError or ValueError naming the argument; IndexError for one that is not there, on which loops end.
    """
    if isinstance(value, slice):
        try:
            value.indices(count)
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
        return value
    if isinstance(value, Integral) and not isinstance(value, bool | np.timedelta64):
        if not -count <= int(value) < count:
            raise IndexError(f"{name} must be from {-count} to {count - 1}; got {shown(value)}")
        return int(value)
    value = torch.as_tensor(array(None, finite=False, empty=True)(name, value))
    if value.dtype == torch.bool and len(value) == count:
        return value
    if value.dtype == torch.bool or (value.is_floating_point() and len(value)):
        raise (ValueError if value.dtype == torch.bool else TypeError)(
            f"{name} must be whole numbers, a slice or a mask of {count}; got {shown(value)}")
    value = value.long()
    if len(value) and not -count <= int(value.min()) <= int(value.max()) < count:
        raise IndexError(f"{name} must be from {-count} to {count - 1}; got some from {value.min()} to {value.max()}")
    return value


def together(**shapes) -> None:
    """Refuse what cannot be taken together, axis by axis from the last. Errors: ValueError naming the last one."""
    try:
        torch.broadcast_shapes(*shapes.values())
    except RuntimeError:
        *others, last = shapes
        those = " and ".join(f"{list(shapes[name])} of {name}" for name in others)
        raise ValueError(f"{last} must be of a shape that fits {those}; got {list(shapes[last])}") from None


def stands_for(shape: Sequence[int], whole: Sequence[int]) -> bool:
    """Whether a tensor of a shape can stand for one of another, axis by axis from the last. Chapter: 1."""
    return len(shape) <= len(whole) and all(n in (1, all_of) for n, all_of in zip(shape[::-1], whole[::-1]))


def _shape_in_words(shape, what: str) -> str:
    if not shape:
        return what
    special = {...: "...", None: "any"}
    words = (special.get(one) or " or ".join(map(str, one if isinstance(one, tuple) else (one,))) for one in shape)
    return f"{what} of shape [{', '.join(words)}]"


def _array(shape, finite: bool, empty: bool, only_tensors: bool, value, axes):
    if not torch.is_tensor(value):
        if only_tensors:
            raise Wrong(TypeError)
        value = value if isinstance(value, np.ndarray) else _as_array(value)
        if value.dtype.kind not in "buif":
            raise Wrong(TypeError)
        if not value.dtype.isnative or value.dtype.itemsize > 8:  # torch takes neither
            value = value.astype(value.dtype.newbyteorder("=") if value.dtype.itemsize <= 8 else np.float64)
    elif value.is_complex() or value.is_quantized or value.layout != torch.strided:
        raise Wrong(TypeError)
    size = tuple(value.shape)
    if shape:
        named = [one for one in shape if one is not ...]
        if len(size) < len(named) or (len(size) > len(named) and len(named) == len(shape)):
            raise Wrong(ValueError)
        for length, wanted in zip(size[len(size) - len(named) if shape[0] is ... else 0 :], named):
            if wanted is None:
                continue
            if isinstance(wanted, str):
                if length != axes.setdefault(wanted, length):
                    raise Wrong(ValueError, f"{shown(value)}, where the same {wanted} are {axes[wanted]}")
            elif length not in (wanted if isinstance(wanted, tuple) else (wanted,)):
                raise Wrong(ValueError)
    if not empty and 0 in size:
        raise Wrong(ValueError)
    waits = torch.is_tensor(value) and (value.requires_grad or value.device.type != "cpu")
    if finite and not waits and value.dtype not in (torch.bool, np.bool_):
        good = torch.isfinite(value) if torch.is_tensor(value) else np.isfinite(value)
        if not good.all():
            raise Wrong(ValueError, f"{shown(value)}, with numbers that are not finite")
    return value


def _plainly(test):
    def plain(value, axes):
        value = test(value, axes)
        if not torch.is_tensor(value):
            return value
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()  # NumPy knows no bfloat16

    return plain


def _as_array(value) -> np.ndarray:
    """Nested lists of numbers (of arrays and tensors, too) as an array."""
    if isinstance(value, str | bytes | dict) or not isinstance(value, Iterable | Real):
        raise Wrong(TypeError)
    try:
        return np.asarray([np.asarray(one) for one in value] if isinstance(value, list | tuple) else value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise Wrong(TypeError) from None
