"""What this book adds to neural relational inference for dancers: lags, correlation, base rates, the next window.

Taught in chapter 9, "Invisible strings". The published variant is `choreo_lib.systems.dance_nri`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from ..body.compatibility import require_fit
from ..body.motion import Duet
from ..body.skeleton import Skeleton
from ..core.arguments import a, count, takes
from ..core.shapes import tensor
from ..sets.windows import Windows, cut
from ..systems.edges import kl_per_edge
from ..systems.layers import System, eval_mode
from ..systems.losses import Schedule
from .coupling_decoder import CouplingDecoder, Posterior
from .coupling_encoder import CouplingEncoder
from .coupling_signals import ORDER, ROUNDING, Signals, damped, next_pose, signals


@dataclass(frozen=True)
class Config:
    """Settings of `CouplingNRI`; those of `choreo_lib.systems.dance_nri.Config` mean the same. Chapter: 9.

    Worth, in average precision (AP) of planted couplings on validation clips, with and without. In full, +- 0.03:
    ``max_lag`` 0.877, 0.006; ``correlation`` 0.877, 0.005; ``next_window`` 0.870, 0.748 (the artifacts
    strings-synthetic and strings-correlated); ``memory`` 0.867, 0.877, but 83 mm at 333 ms, 87, in twice the time.
    In quick (12 steps): ``kl_warm_up`` 0.861, 0.854; ``window_ar``, ``edge_bias`` and ``error_scale`` the same.
    ``data/ablations/strings-synthetic.json``.
    """

    frames: int = 64  # that the encoder reads
    fps: float = 30.0
    types: int = 2
    hidden: int = 32
    memory: bool = False  # the decoder's cells are GCN-LSTMs, as published; else graph convolutions
    directed: bool = True
    max_lag: float = 0.5  # seconds; edges pass on innovations of the sender. 0: messages of what cells remember
    zero_lag: bool = False  # a lag of no frames counts too, as between two who hold hands (a pseudo-likelihood)
    correlation: bool = True  # the posterior begins where innovations correlate, with base rates and competition
    next_window: bool = True  # edges read from one window have to predict the next
    window_ar: bool = True  # receivers' autoregression is partly that of the window, by a learned share
    edge_bias: bool = True  # a learned bias of each pair of joints
    error_scale: bool = True  # a learned scale of each joint's errors, else that of its innovations
    tau: float = 0.5
    hard: bool = False
    prior: tuple[float, ...] | None = None  # None: one pair in a hundred has an edge
    dropout: float = 0.1  # of whole edges in the encoder, of joints' features in messages
    gap: int = 1
    kl_warm_up: int = 300  # training steps over which the KL weight rises from 0.1 to 1; 0: it is 1


ABLATIONS: dict[str, dict[str, object]] = {
    "GCN-LSTM": {"memory": True}, "lags": {"max_lag": 0.0, "correlation": False},
    "correlation": {"correlation": False}, "next window": {"next_window": False},
    "window's autoregression": {"window_ar": False}, "edge bias": {"edge_bias": False},
    "scale of errors": {"error_scale": False}, "KL warm-up": {"kl_warm_up": 0}}
"""What can be switched off, by name: the settings that do it; and the published memory, on. Chapter: 9."""


class FoundEdges(NamedTuple):
    """The edges in a duet, window by window, on the CPU. Direction 0 is a to b; sender first, then receiver.

    ``types`` [W, 2, J, J, K], the posterior; ``probability`` [W, 2, J, J] of any edge; ``lag`` [W, 2, J, J] of the most
    probable one, frames (0 without lags); ``kl`` [W, 2, J, J] of posterior and prior, nats; ``time`` [W], the middle of
    each window, seconds. Chapter: 9.
    """

    types: torch.Tensor
    probability: torch.Tensor
    lag: torch.Tensor
    kl: torch.Tensor
    time: torch.Tensor


class CouplingNRI(System):
    """An encoder that finds edges between two dancers' joints, and a decoder that predicts both dancers by them.

    What is added to the published variant, and can be switched off, is in `ABLATIONS`. Where nothing is seen, an edge
    is about as likely as the base rates of the training set say, not as the prior.
    Shapes: windows [B, T, 2, J, 3], T the ``frames`` that are read; in training with ``next_window`` twice as many.
    Units: metres, world coordinates. Errors: ValueError for settings that cannot be. Chapter: 9.
    """

    Config = Config
    takes_multiples = True  # of its rate: of a faster duet every so many frames are read

    def __init__(self, skeleton: Skeleton, config: Any = None, **changes: Any):
        super().__init__(skeleton, config, **changes)
        s = self.config
        longest = round(s.max_lag * s.fps)
        self.lags = range(0 if s.zero_lag else 1, longest + 1) if longest else range(0)
        self.frames, self.fps, self.types = s.frames, s.fps, s.types
        self.encoder = CouplingEncoder(skeleton, self.lags, s)
        self.decoder = CouplingDecoder(skeleton, self.lags, s.types, s.hidden, s.memory, s.dropout)
        if s.error_scale:
            self.log_error_scale = nn.Parameter(torch.zeros(len(skeleton)))

    @property
    def prior(self) -> torch.Tensor:
        """The prior of the types, [K]. Chapter: 9."""
        return self.encoder.prior

    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Before training, fit the joints' autoregression and base rates, and measure innovations. Chapter: 9."""
        self.encoder.fit_statistics(batches)

    def sample(self, logits: torch.Tensor) -> torch.Tensor:
        """Edges [B, 2, J, J, K]: drawn in training; otherwise an edge weighs as much as it is likely. Chapter: 9."""
        s = self.config
        edges = F.gumbel_softmax(logits, s.tau, s.hard) if self.training else logits.softmax(-1)
        return edges if s.directed else torch.stack([edges[:, 0], edges[:, 0].transpose(1, 2)], 1)

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, Posterior]:
        """Windows [B, T, 2, J, 3] to the next local displacements [B, 2, J, 1, 3] and the posterior. Chapter: 9."""
        posterior = self.encoder(batch)
        edges = self.sample(posterior.logits)
        return self.decoder(batch, self.encoder.graph, posterior, edges, batch.shape[1] - 1)[0], posterior

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """The negative evidence lower bound, in nats an edge; ``step`` None: with the final KL weight.

        Errors: ValueError for windows that are not as long as they have to be. Chapter: 9.
        """
        s, needed = self.config, self.frames * (1 + self.config.next_window)
        if batch.shape[1] < needed:
            raise ValueError(f"windows of {batch.shape[1]} frames: {needed} are needed"
                             + (", to read the first half and to predict the second" if s.next_window else ""))
        batch = batch if s.next_window else batch[:, :needed]
        moves = signals(self.skeleton, batch)
        posterior = self.encoder(batch[:, : self.frames], moves.until(self.frames))
        kl = kl_per_edge(posterior.logits, self.prior).mean() / (1 if s.directed else 2)
        joint_nll = self.nll(batch, posterior, self.sample(posterior.logits), moves)[0]  # [B, 2, J, n]
        nll = joint_nll.sum((1, 2, 3)).mean() / posterior.logits[0, ..., 0].numel()
        weight = Schedule(1.0, "warm-up", 0.1, 0, s.kl_warm_up).at(s.kl_warm_up if step is None else step)
        sure = (1 - posterior.logits.softmax(-1)[..., 0] > 0.8).float().sum((1, 2, 3)).mean()
        return {"loss": nll + weight * kl, "nll_nats": nll, "kl_nats_per_edge": kl, "sure_edges": sure}

    def nll(self, batch: torch.Tensor, posterior: Posterior, edges: torch.Tensor,
            moves: Signals | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """-log p of each joint's displacements, [B, 2, J, n] nats but for a constant, and errors [B, 2, J, n, 3].

        A Student distribution with three degrees of freedom, whose scale is that of the joint's innovations, times a
        learned one. Of windows as long as those read, all frames with a past; of longer ones, those after. Chapter: 9.
        """
        begin = self.frames - 1 if batch.shape[1] > self.frames else max(self.lags, default=0) + ORDER + 1
        moves = signals(self.skeleton, batch) if moves is None else moves
        predicted, _ = self.decoder(batch[:, :-1], self.encoder.graph, posterior, edges, begin, moves=moves)
        error = moves.local[:, :, :, begin:] - predicted
        scale = posterior.receiver_scale  # [B, 2, J]
        if self.config.error_scale:
            scale = scale * self.log_error_scale.exp()
        scale = scale[..., None, None]
        return (2 * ((error / scale) ** 2 / 3).log1p() + (scale / ROUNDING).log()).sum(-1), error

    @torch.no_grad()
    @takes(batch=tensor("windows", "frames", 2, "joints", 3, finite=True), steps=count(1, 100_000),
           edges=tensor("windows", 2, "joints", "joints", "types"))
    def predict(self, batch: torch.Tensor, steps: int, edges: torch.Tensor | None = None) -> torch.Tensor:
        """What follows windows [B, frames, 2, J, 3]: [B, steps, 2, J, 3]; by ``edges``, if given. Chapter: 9."""
        past = batch.to(self.prior.device)
        with eval_mode(self):
            posterior = self.encoder(past)
            posterior = posterior._replace(receiver_ar=damped(posterior.receiver_ar))  # else a rollout may explode
            edges = self.sample(posterior.logits) if edges is None else edges
            begin, predicted, state = self.frames - 1, [], None
            needed = max(self.lags, default=0) + ORDER + 2  # frames that a displacement is predicted from
            for _ in range(steps):
                moved, state = self.decoder(past, self.encoder.graph, posterior, edges, begin, state)
                predicted.append(next_pose(self.skeleton, past[:, -1], moved[:, :, :, -1]))
                past = torch.cat([past[:, -needed:], predicted[-1][:, None]], 1)
                begin = past.shape[1] - 1
        return torch.stack(predicted, 1)

    @torch.no_grad()
    @takes(duet=a(Duet), hop=count(), size=count())
    def find(self, duet: Duet, hop: int | None = None, size: int = 32) -> FoundEdges:
        """The edges in a duet, in windows ``hop`` frames apart (None: as long as a window), ``size`` at a time.

        Frames are the model's own; of a duet that has a multiple of them, every so many are read.
        Errors: ValueError for other joints or frames a second, or a duet shorter than a window. Chapter: 9.
        """
        windows, found = self._windows(duet, self.frames, hop), []
        with eval_mode(self):
            for batch in windows.batches(size, device=self.prior.device):
                posterior = self.encoder(batch)
                types, lag = posterior.logits.softmax(-1), torch.zeros(())
                kl = kl_per_edge(posterior.logits, self.prior)
                if posterior.lag_weights is not None:
                    best = types[..., 1:].argmax(-1)[..., None, None].expand(*kl.shape, 1, len(self.lags))
                    lag = posterior.lag_weights.gather(-2, best)[..., 0, :].argmax(-1) + self.lags[0]
                found.append([each.cpu() for each in (types, 1 - types[..., 0], lag.long().expand_as(kl), kl)])
        time = windows.start / duet.fps + self.frames / 2 / self.fps
        types, probability, lag, kl = (torch.cat(each) for each in zip(*found))
        return FoundEdges(types, probability, lag, kl, time)

    @torch.no_grad()
    @takes(duet=a(Duet), hop=count(), size=count())
    def gain(self, duet: Duet, hop: int | None = None, size: int = 32) -> torch.Tensor:
        """By how much the edges of the window before lower each window's negative log-likelihood: [W].

        Below 0 where they mislead. Units: nats a frame. Errors: as `find`, for less than two windows. Chapter: 9.
        """
        gains = []
        with eval_mode(self):
            for batch in self._windows(duet, 2 * self.frames, hop).batches(size, device=self.prior.device):
                moves = signals(self.skeleton, batch)
                posterior = self.encoder(batch[:, : self.frames], moves.until(self.frames))
                edges = self.sample(posterior.logits)
                none = torch.cat([torch.ones_like(edges[..., :1]), torch.zeros_like(edges[..., 1:])], -1)
                without, given = (self.nll(batch, posterior, each, moves)[0].sum((1, 2)).mean(-1)
                                  for each in (none, edges))
                gains.append(without - given)
        return torch.cat(gains).cpu()

    def _windows(self, duet: Duet, length: int, hop: int | None) -> Windows:
        """Windows of a duet, of whose frames every so many are taken, if it has a multiple of the model's."""
        step = max(round(duet.fps / self.fps), 1)
        for who, dancer in zip("ab", duet):
            require_fit(f"dancer {who}", dancer, self.skeleton, self.fps, multiples=True)
        return cut(duet, length, step * (hop or self.frames), step)
