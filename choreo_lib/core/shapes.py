"""Rules for arguments that are arrays or tensors of a shape, beside those of `arguments`. Taught in chapter 1."""

from collections.abc import Iterable, Sequence
from numbers import Integral, Real

import numpy as np
import torch

from .arguments import Rule, Wrong, need, shown


def array(*shape, finite: bool = True, empty: bool = False, plain: bool = False) -> Rule:
    """Numbers of a shape, as an array, a tensor or nested lists: ``array(..., "J", 3)``, ``array("T" , 3, 4)``.

    A number is that length; a name is any length (0 too where ``empty``), and one length throughout the call; a tuple
    is one of several lengths; None is any; ``...``, first or last: any axes before or after. ``finite``: no NaN, no
    infinity (a tensor in training or on a GPU is not asked: a step would have to wait for the answer). Lists become
    arrays; with ``plain`` tensors do, too. Errors: as of every `Rule`.
    """

    def test(value, axes):
        value = _of_numbers(value)
        if shape:
            _fits(value, shape, axes)
        need(empty or 0 not in value.shape, ValueError)
        is_tensor = torch.is_tensor(value)
        asked = finite and not (is_tensor and (value.requires_grad or value.device.type != "cpu"))
        if asked and not (value.isfinite() if is_tensor else np.isfinite(value)).all():
            raise Wrong(ValueError, f"{shown(value)}, with numbers that are not finite")
        if not plain or not is_tensor:
            return value
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()  # NumPy knows no bfloat16

    return Rule(_in_words("numbers", shape), test)


def tensor(*shape, finite: bool = False, empty: bool = False) -> Rule:
    """A tensor of a shape, as `array`; whether its numbers are finite is not asked, for it may lie on a GPU."""
    numbers = array(*shape, finite=finite, empty=empty)

    def test(value, axes):
        need(torch.is_tensor(value))
        return numbers.test(value, axes)

    return Rule(_in_words("a tensor", shape), test)


def chosen(name: str, value, count: int):
    """Which of ``count`` things: a whole number, or those of a slice, a mask [count] or a list, as a tensor [N].

    Errors: TypeError, ValueError or IndexError naming the argument; IndexError for one that is not there, on which
    loops end.
    """
    if isinstance(value, bool) or not isinstance(value, slice | Integral):
        value = array(None, finite=False, empty=True, plain=True)(name, value)
        value = value if len(value) else value.astype(int)  # of an empty list NumPy makes floats
    try:
        found = np.arange(count)[value]
    except (IndexError, TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None
    return torch.from_numpy(found) if found.ndim else int(found)


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


def _in_words(what: str, shape) -> str:
    if not shape:
        return what
    special = {...: "...", None: "any"}
    words = (special.get(one) or " or ".join(map(str, one if isinstance(one, tuple) else (one,))) for one in shape)
    return f"{what} of shape [{', '.join(words)}]"


def _of_numbers(value):
    """The tensor itself; anything else as an array of a kind that torch takes."""
    if torch.is_tensor(value):
        need(not (value.is_complex() or value.is_quantized or value.layout != torch.strided))
        return value
    if not isinstance(value, np.ndarray):
        need(isinstance(value, Iterable | Real) and not isinstance(value, str | bytes | dict))
        value = np.asarray([np.asarray(one) for one in value] if isinstance(value, list | tuple) else value)
    need(value.dtype.kind in "buif")
    # torch takes neither foreign byte orders nor more than 8 bytes
    return value.astype(f"{value.dtype.kind}{min(value.dtype.itemsize, 8)}", copy=False)


def _fits(value, shape, axes) -> None:
    """Refuse numbers of another shape."""
    wanted = [one for one in shape if one is not ...]
    size = tuple(value.shape)
    need(len(size) == len(wanted) or len(size) > len(wanted) < len(shape), ValueError)
    for length, one in zip(size[len(size) - len(wanted) :] if shape[0] is ... else size, wanted):
        if isinstance(one, str) and length != axes.setdefault(one, length):
            raise Wrong(ValueError, f"{shown(value)}, where the same {one} are {axes[one]}")
        need(one is None or isinstance(one, str) or length in (one if isinstance(one, tuple) else (one,)), ValueError)
