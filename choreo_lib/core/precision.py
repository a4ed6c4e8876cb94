"""In which precision a thing is computed: products of large matrices may be rounded, what is measured may not.

Training may run under autocast, in bfloat16 or float16, with 8 or 11 bits a number: a coordinate of 4 m is rounded to
16 mm. So everything here that is no network's layer, and every layer that remembers, is computed in float32, by one
decorator. Taught in chapter 4, "A dancer in 256 numbers".
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps

import torch
from torch import nn

HALVES = (torch.bfloat16, torch.float16)


@contextmanager
def full_precision(device: torch.device | str) -> Iterator[None]:
    """For as long as this lasts, neither autocast nor TF32 rounds a product on that device. Chapter: 4."""
    kind = torch.device(device).type
    able = torch.amp.is_autocast_available(kind)  # torch's "meta" device, for one, has none to switch off
    with matmul_precision("highest"), torch.autocast(kind, enabled=False) if able else nullcontext():
        yield


def in_full_precision(function: Callable) -> Callable:
    """The same function under `full_precision`; tensors in half precision that it is given come as float32.

    Where no argument is a tensor, the device is that of ``self``'s first buffer or weight. The pass backwards is the
    training step's own: it may use TF32. Chapter: 4.
    """
    @wraps(function)
    def exact(*given, **named):
        kind = _device(given, named).type
        rounds = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
        exact_already = not rounds and torch.get_float32_matmul_precision() == "highest"  # asked in 20 us
        with nullcontext() if exact_already else full_precision(kind):
            return function(*map(_to_float32, given), **{name: _to_float32(value) for name, value in named.items()})

    return exact


@contextmanager
def tensor_cores(device: torch.device | str) -> Iterator[None]:
    """For as long as this lasts, let CUDA multiply float32 matrices in TF32 (11 bits); else nothing. Chapter: 4."""
    with matmul_precision("high") if torch.device(device).type == "cuda" else nullcontext():
        yield


@in_full_precision
def product(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """``one @ other``, whatever autocast would make of it: [..., M, K], [..., K, N] -> [..., M, N]. Chapter: 4."""
    return one @ other


class LSTM(nn.LSTM):
    """`torch.nn.LSTM` in float32, under autocast too: what is remembered over a window adds its roundings up.

    And on CUDA autocast to bfloat16 runs it in float16, whose small gradients vanish unscaled. Chapter: 4.
    """

    forward = in_full_precision(nn.LSTM.forward)


class GRUCell(nn.GRUCell):
    """`torch.nn.GRUCell` in float32, as `LSTM`. Chapter: 8."""

    forward = in_full_precision(nn.GRUCell.forward)


@contextmanager
def matmul_precision(wanted: str) -> Iterator[None]:
    """`torch.set_float32_matmul_precision` for as long as this lasts. Chapter: 4."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(wanted)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _to_float32(value):
    if isinstance(value, torch.Tensor):
        return value.float() if value.dtype in HALVES else value
    return tuple(map(_to_float32, value)) if type(value) is tuple else value


def _device(given: tuple, named: dict) -> torch.device:
    tensors = [value for value in (*given, *named.values()) if isinstance(value, torch.Tensor)]
    models = (value for value in given if isinstance(value, nn.Module))
    return (tensors or [tensor for model in models for tensor in (*model.parameters(), *model.buffers())])[0].device
