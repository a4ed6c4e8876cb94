"""At rest for a while. Taught in chapter 8, "Invisible springs"."""

from __future__ import annotations

from contextlib import contextmanager

from torch import nn


@contextmanager
def resting(model: nn.Module):
    """``model.eval()`` for as long as this lasts: whoever looks in the middle of training must be able to go on."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
