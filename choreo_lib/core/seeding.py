"""Chance that can be had again: a generator for one place in one run, and an epoch's order. Taught in chapter 3."""

import numpy as np
import torch


def generator(seed: int, *place: int) -> torch.Generator:
    """A generator on the CPU, whatever the device, for one place in one run."""
    # a place is a key, since as a seed (1, 0) would be the same as (1, 0, 0)
    state = np.random.SeedSequence(seed, spawn_key=place).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def chunks(count: int, size: int, seed: int | None = None, epoch: int = 0, drop_last: bool = False):
    """The order in which an epoch goes through ``count`` things, in parts of ``size``: a tuple of int64 tensors.

    As they stand where there is no seed. ``drop_last`` leaves out a last part that is smaller than the others, unless
    it is the only one. Errors: ValueError for a size below 1, or nothing to order.
    """
    if size < 1 or not count:
        raise ValueError(f"batches of {size} from {count} windows: both must be at least 1")
    order = torch.arange(count) if seed is None else torch.randperm(count, generator=generator(seed, epoch))
    parts = order.split(size)
    return parts[:-1] if drop_last and len(parts) > 1 and len(parts[-1]) < size else parts
