"""The layers that several systems share: their base class, positional encoding, reparameterisation, evaluation mode.

Taught in chapter 4, "A dancer in 256 numbers", and chapter 5, "A partner".
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from typing import Any, ClassVar, Self

import torch
from torch import nn

from ..body.skeleton import Skeleton
from ..core.precision import LSTM, GRUCell
from .losses import Schedule

__all__ = ["GRUCell", "LSTM", "System", "eval_mode", "plain_attention", "positional_encoding", "reparameterise"]


class System(nn.Module):
    """The base of every system: a module with settings, and with a skeleton if it is of dancers.

    Each system sets ``Config``, a frozen dataclass whose defaults are the published values; a field ``kl`` is a
    `choreo_lib.systems.losses.Schedule`. ``SoloVAE(skeleton, latent=64)`` is ``SoloVAE(skeleton, Config(latent=64))``.
    Errors: TypeError for an unknown setting. Chapter: 4.
    """

    Config: ClassVar[type]
    skeleton: Skeleton

    def __init__(self, skeleton: Skeleton | None, config: Any = None, **changes: Any):
        super().__init__()
        if skeleton is not None:
            self.skeleton = skeleton
        self.config = replace(self.Config() if config is None else config, **changes)

    def config_dict(self) -> dict[str, Any]:
        """The skeleton and the settings as plain values for JSON, from which `from_config` builds the model anew.

        Chapter: 4.
        """
        body = {"names": self.skeleton.names, "parents": self.skeleton.parents} if hasattr(self, "skeleton") else {}
        return {**body, **asdict(self.config)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build a model, with new weights, from what `config` gives.

        Errors: TypeError for an unknown setting. Chapter: 4.
        """
        values = dict(config)
        body: dict[str, Any] = {}
        if "names" in values:
            body["skeleton"] = Skeleton(tuple(values.pop("names")), tuple(values.pop("parents")))
        if isinstance(values.get("kl"), Mapping):
            values["kl"] = Schedule(**values["kl"])
        known = {field.name: field.default for field in fields(cls.Config)}
        values = {name: tuple(value) if isinstance(known.get(name), tuple) and value is not None else value
                  for name, value in values.items()}
        return cls(**body, config=cls.Config(**values))


def reparameterise(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Sample a Gaussian posterior so that gradients reach its mean and variance.

    Shapes: [..., Z] each -> [..., Z]. Chapter: 4. Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014,
    section 2.4.
    """
    # z = mean + sigma * noise, with noise from N(0, 1)
    return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)


def positional_encoding(frames: int, features: int) -> torch.Tensor:
    """The place of each frame in a window, as sines and cosines of falling frequency.

    Shapes: [T, features]. Chapter: 5. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.
    """
    # PE(t, 2i) = sin(t / 10,000^(2i / features)),  PE(t, 2i + 1) = cos(t / 10,000^(2i / features))
    frequency = torch.exp(-math.log(10_000) * torch.arange(0, features, 2) / features)  # [features / 2]
    angle = torch.arange(frames)[:, None] * frequency  # [T, features / 2]
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :features]  # [T, features]


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Hold a model in evaluation mode, and give each of its modules the mode it had before.

    Chapter: 4.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def plain_attention() -> Iterator[None]:
    """Hold off the fast path of `torch.nn.MultiheadAttention`, which it takes where no gradient is asked for.

    The same numbers to a millionth; with a mask, on a CPU, the fast path takes 1.3 to 1.5 times as long (PyTorch 2.13,
    rollouts of `choreo_lib.systems.DuetVAE`, on one core). Chapter: 5.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
