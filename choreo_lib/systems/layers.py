"""What several systems are made of: a body and its settings, a positional encoding, reparameterisation.

Taught in chapter 4, "A dancer in 256 numbers", and chapter 5, "A partner".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from typing import Any, ClassVar

import torch
from torch import nn

from ..body.skeleton import Skeleton
from ..core.precision import LSTM, GRUCell
from .losses import Schedule

__all__ = ["GRUCell", "LSTM", "System", "eval_mode", "positional_encoding", "reparameterise"]


class System(nn.Module):
    """A network that knows for which body it is, and with which settings it was made.

    A system sets ``Config``, a frozen dataclass whose values are the published ones; a field ``kl`` is a
    `choreo_lib.systems.losses.Schedule`. ``SoloVAE(skeleton, latent=64)`` is ``SoloVAE(skeleton, Config(latent=64))``.
    Errors: TypeError for a setting that there is not. Chapter: 4.
    """

    Config: ClassVar[type]

    def __init__(self, skeleton: Skeleton, config: Any = None, **changes: Any):
        super().__init__()
        self.skeleton = skeleton
        self.settings = replace(self.Config() if config is None else config, **changes)

    def config(self) -> dict[str, Any]:
        """What `from_config` needs to build the same model, without its weights; JSON takes it. Chapter: 4."""
        return {"names": self.skeleton.names, "parents": self.skeleton.parents, **asdict(self.settings)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> System:
        """The inverse of `config`. Errors: TypeError for a setting that there is not. Chapter: 4."""
        values = dict(config)
        skeleton = Skeleton(tuple(values.pop("names")), tuple(values.pop("parents")))
        if isinstance(values.get("kl"), Mapping):
            values["kl"] = Schedule(**values["kl"])
        known = {field.name: field.default for field in fields(cls.Config)}
        values = {name: tuple(value) if isinstance(known.get(name), tuple) and value is not None else value
                  for name, value in values.items()}
        return cls(skeleton, cls.Config(**values))


def reparameterise(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """A draw from the Gaussian posterior through which gradients flow: mean + standard deviation x standard normal.

    Shapes: [..., Z] each -> [..., Z]. Chapter: 4. Kingma and Welling, ICLR 2014, section 2.4.
    """
    return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)


def positional_encoding(frames: int, features: int) -> torch.Tensor:
    """Where in a window each frame is: sines and cosines of falling frequency.

    Shapes: [T, features]. Chapter: 5. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.
    """
    frequency = torch.exp(-torch.arange(0, features, 2) / features * 9.210340371976184)  # 10,000^(-2i / features)
    angle = torch.arange(frames)[:, None] * frequency  # [T, features / 2]
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :features]


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """``model.eval()`` for as long as this lasts; afterwards the model is in the mode it was in. Chapter: 4."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
