"""Which joint of hers moves which joint of his? Neural relational inference for two bodies.

Taught in chapter 9, "Invisible strings". After Kipf et al., "Neural relational inference for interacting systems", ICML
2018, and its variant for dancers, built of graph convolutions and LSTM cells made of them (`graph_cells`). What we add
to it can be switched off, a thing at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from ..body.compatibility import require_fit
from ..body.motion import Duet
from ..body.reference import reference_frame, velocities
from ..body.skeleton import Skeleton
from ..core.arguments import a, count, takes
from ..core.precision import full_precision, in_full_precision
from ..core.shapes import tensor
from ..sets.windows import Windows, cut
from ..systems.layers import eval_mode
from ..systems.losses import Schedule
from .graph_cells import GCN, GCNLSTM, Encoder, graph_layer
from .signals import (
    NOISE_FLOOR,
    ORDER,
    ROUNDING,
    Signals,
    ar_coefficients,
    damped,
    foretold,
    innovations,
    lagged_correlation,
    next_pose,
    signals,
)

PRICE = Schedule(1.0, "warm-up", 0.1, 0, 300)  # strings are cheap at first, so that some are tried
ROUNDS = 20  # of guessing and counting; average precision on validation clips rises no more after that
WARM = 8  # frames that the decoder's memory hears before it is asked


class Reading(NamedTuple):
    """What the encoder makes of windows; direction 0: a sends and b receives; sender first, then receiver.

    ``logits`` [B, 2, J, J, K] of the types, the first of which is no string. ``pull`` [B, 2, J, J, K - 1, L]: how a
    string of each type pulls, lag by lag. ``sending`` and ``receiving`` [B, 2, J, 3], the joints'
    habits; ``loud`` and ``size`` [B, 2, J], how large their surprises are, as sent and as received, metres a frame and
    coordinate. ``pull``, ``sending`` and ``loud`` are None without lags.
    """

    logits: torch.Tensor
    pull: torch.Tensor | None
    sending: torch.Tensor | None
    receiving: torch.Tensor
    loud: torch.Tensor | None
    size: torch.Tensor


class Found(NamedTuple):
    """The strings in a duet, window by window, on the CPU. Direction 0 is a to b; sender first, then receiver.

    ``types`` [W, 2, J, J, K], the posterior; ``probability`` [W, 2, J, J] that there is a string of any type; ``lag``
    [W, 2, J, J] of the likeliest, frames (0 without lags); ``kl`` [W, 2, J, J] of posterior and prior, nats; ``time``
    [W], the middle of each window, seconds.
    """

    types: torch.Tensor
    probability: torch.Tensor
    lag: torch.Tensor
    kl: torch.Tensor
    time: torch.Tensor


class DanceNRI(nn.Module):
    """An encoder that looks for strings between two dancers, and a decoder that foretells both of them by these.

    ``types`` of strings, the first none, with ``prior`` probabilities (None: a string in a hundred). ``tau``, ``hard``:
    as of `choreo_lib.extensions.NRI`. ``directed``: else a string pulls both ways, each with a lag of its own.
    ``memory``: the decoder's cells are GCN-LSTMs, else graph convolutions. ``dropout``: how many edges the encoder has
    to do without, and how many joints' news the decoder. ``gap``: over how many frames the encoder sees velocities.
    ``kl``: the price of the edges.

    The variant as its author describes it has none of these: ``max_lag`` seconds (0: a string passes on, in the
    network's words, what the sender remembers; else the sender's surprises, some frames later, to receivers with habits
    of their own); ``correlated`` (the search begins where surprises correlate, from how often joints send and receive
    in the training set, and senders of one receiver compete); ``ahead`` (strings read from one window have to foretell
    the next). ``at_once``: a lag of no frames counts too, as between two who hold hands; each is then foretold given
    what the other does in that very frame (a pseudo-likelihood, in which what both share counts twice), and a forecast
    has to do without it.

    Where nothing is seen, a string is about as likely as such a pair was found in the training set, not as the prior.

    Shapes: windows [B, T, 2, J, 3], T the ``frames`` that are read; with ``ahead``, to train, twice as many. Units:
    metres, world coordinates. Errors: ValueError for settings that cannot be. Chapter: 9.
    """

    takes_multiples = True  # of its rate: of a faster duet every so many frames are read

    def __init__(self, skeleton: Skeleton, frames=64, fps=30.0, types=2, hidden=32, memory=True, directed=True,
                 max_lag=0.5, correlated=True, ahead=True, at_once=False, tau=0.5, hard=False, prior=None, dropout=0.1,
                 gap=1, kl: Schedule = PRICE):
        super().__init__()
        most, joints = round(max_lag * fps), len(skeleton)
        self.lags = range(0 if at_once else 1, most + 1) if most else range(0)
        prior = [0.99] + [0.01 / (types - 1)] * (types - 1) if prior is None else list(prior)
        if types < 2 or len(prior) != types or min(prior) <= 0 or abs(sum(prior) - 1) > 1e-6:
            raise ValueError(f"prior is {prior}: {types} probabilities above 0 whose sum is 1 are needed, the first "
                             "for no string")
        if correlated and not most:
            raise ValueError("correlated without lags: there is nothing to correlate; set max_lag")
        if frames < 2 * most + ORDER + 3:
            raise ValueError(f"windows of {frames} frames are too short for lags of up to {most}: "
                             f"{2 * most + ORDER + 3} are needed, or a smaller max_lag")
        self._config = {"names": skeleton.names, "parents": skeleton.parents, "frames": frames, "fps": fps,
                        "types": types, "hidden": hidden, "memory": memory, "directed": directed, "max_lag": max_lag,
                        "correlated": correlated, "ahead": ahead, "at_once": at_once, "tau": tau, "hard": hard,
                        "prior": prior, "dropout": dropout, "gap": gap, "kl": asdict(kl)}  # fmt: skip
        self.skeleton, self.frames, self.fps, self.types = skeleton, frames, fps, types
        self.directed, self.correlated, self.ahead, self.tau, self.hard = directed, correlated, ahead, tau, hard
        self.gap, self.kl = gap, kl
        graph = torch.zeros(joints, joints)
        for parent, child in skeleton.bones:
            graph[parent, child] = graph[child, parent] = 1.0
        self.register_buffer("graph", graph, persistent=False)
        self.register_buffer("prior", torch.tensor(prior))
        self.register_buffer("usual", torch.full((joints,), ROUNDING))  # how large surprises are in the training set
        self.encoder = Encoder(6 * frames, hidden, types + 1 + len(self.lags), dropout)
        self.cell = (GCNLSTM if memory else GCN)(9, hidden)
        self.act = nn.Linear(hidden, 3)
        self.habit = nn.Parameter(torch.zeros(joints, ORDER), requires_grad=bool(most))  # as the training set has them
        self.doubt = nn.Parameter(torch.zeros(joints))  # logarithm: how much larger errors are than surprises were
        if most:
            self.adapt = nn.Parameter(torch.zeros(joints))  # how far a joint has those of the window instead
            self.strength = nn.Parameter(torch.zeros(types - 1))  # of a type's pull, logarithm
            likely = torch.randn(types - 1, len(self.lags)) * (0.1 if types > 2 else 0.0)
            self.pace = nn.Parameter(likely)  # at which lags a type likes to pull
        else:
            self.say = nn.Linear(hidden, (types - 1) * hidden)
            self.hear = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Dropout1d(dropout))
            self.pass_on = graph_layer(hidden, hidden)
        if correlated:
            self.trust = nn.Parameter(torch.tensor([3.0, 3.0]))  # logarithm: independent numbers in a window
            self.along = nn.Parameter(torch.zeros(()))  # what counts as received: own steps, or carried ones too
            self.custom = nn.Parameter(torch.zeros(2, joints, joints))  # which strings this set of dances often has
            self.often = nn.ParameterList([torch.zeros(joints), torch.zeros(joints)])  # who often sends, who receives
        for last in (self.act, *([self.encoder.decide] if correlated else [])):  # begin where nothing is learned
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def config(self) -> dict:
        """What `from_config` needs to build the same model, without its weights; JSON takes it."""
        return self._config

    @classmethod
    def from_config(cls, config: dict) -> DanceNRI:
        """The inverse of `config`."""
        config = dict(config)
        skeleton = Skeleton(tuple(config.pop("names")), tuple(config.pop("parents")))
        return cls(skeleton, **{**config, "kl": Schedule(**config["kl"])})

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Before training, learn the joints' habits by least squares, and measure how large their surprises are.

        Where the search begins from correlation, also how often each joint sends and receives, without being told.
        """
        weights, sizes, evidence = [], [], []
        for batch in batches:
            heard = signals(self.skeleton, batch.to(self.prior.device))
            weights.append(ar_coefficients(heard.own, shared=2))
            sizes.append(innovations(heard.own, weights[-1]).pow(2).mean((0, 1, 3, 4)))
            if self.correlated:
                _, news = _news(_until(heard, self.frames))
                evidence.append(self._evidence(self._alike(news)[1]))
        self.habit.copy_(torch.stack(weights).mean(0))
        self.usual.copy_(torch.stack(sizes).mean(0).sqrt().clamp_min(ROUNDING))
        if self.correlated:
            self._rates(torch.cat(evidence))

    def _rates(self, evidence: torch.Tensor) -> None:
        """How often joints seem to send and to receive, from evidence [N, 2, J, J]; no labels needed.

        In the manner of expectation-maximisation (Dempster, Laird and Rubin, 1977): strings found by the rates so far
        are counted, sender by sender and receiver by receiver, and the counts are the next rates. But nobody keeps the
        weight 1, since this evidence never speaks against a string; so what comes is a ranking, too high throughout.
        """
        expected = self.prior[1:].sum()
        rates = expected.expand(evidence.shape[-2:])
        for _ in range(ROUNDS):
            likely = self._compete(evidence + rates.log()).sigmoid().sum((0, 1))
            likely = (likely + expected) / (2 * len(evidence) + 1)  # once more than seen, with nothing but the prior
            sends, receives = likely.sum(1), likely.sum(0)
            rates = sends[:, None] * receives / likely.sum()
        for often, rate in zip(self.often, (sends, receives)):
            often.copy_(rate.log() - 0.5 * (likely.sum() * expected).log())

    def read(self, batch: torch.Tensor, heard: Signals | None = None) -> Reading:
        """Windows [B, frames, 2, J, 3] to what the encoder makes of them. ``heard``: their signals, if known."""
        x = reference_frame(batch, batch.shape[1] - 1, self.skeleton).to_local(batch)
        heard = signals(self.skeleton, batch) if heard is None else heard
        sending, loud, receiving = None, None, self.habit.expand(*batch.shape[:1], 2, -1, -1)
        with torch.no_grad():
            size = _loudness(innovations(heard.own, self.habit))
            size = size.maximum(0.1 * self.usual)  # who stood still may move yet
            if self.lags:
                weights, news = _news(heard)
                sending, loud = weights[0], _loudness(news[0])
        if self.lags:
            receiving = torch.lerp(receiving, weights[1], torch.sigmoid(self.adapt)[:, None])
        pace = velocities(x, self.fps, self.gap)
        features = torch.cat([x, pace], -1).permute(0, 2, 3, 1, 4).flatten(3)  # [B, 2, J, T * 6]
        out = self.encoder(features, self.graph)  # [B, 2, J, J, K + 1 + L]
        logits, pull = out[..., : self.types] + self.prior.log(), None
        if self.lags:
            late, strong = out[..., self.types + 1 :], torch.sigmoid(out[..., self.types])
            if self.correlated:
                alike, gain = self._alike(news)
                often = self.custom + self.often[0][:, None] + self.often[1] + out[..., 0]
                found = self._compete(self._evidence(gain) + often + self.prior[1:].sum().log())
                kinds = (self.prior.log()[1:] + out[..., 1 : self.types]).log_softmax(-1)
                logits = torch.cat([torch.zeros_like(kinds[..., :1]), found[..., None] + kinds], -1)
                late = late + self.trust[1].exp() * gain
            share = (late[..., None, :] + self.pace).softmax(-1)  # [B, 2, J, J, K - 1, L]
            if self.correlated:
                strong = 2 * strong * (share * alike[..., None, :]).sum(-1).amax(-1)
            pull = share * strong[..., None, None] * self.strength.exp()[:, None]
        if not self.directed:
            logits = (logits + logits.flip(1).transpose(2, 3)) / 2
        return Reading(logits, pull, sending, receiving, loud, size)

    def _alike(self, news: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """How alike surprises are, and what a number gains where a string explains them, nats: [B, 2, J, J, L]."""
        with torch.no_grad():
            alike = torch.stack([lagged_correlation(news[0], each.flip(1), self.lags) for each in news[1:]])
        alike = torch.lerp(alike[0], alike[1], torch.sigmoid(self.along))
        return alike, -0.5 * torch.log1p(-alike.clamp(0, 0.999) ** 2)

    def _evidence(self, gain: torch.Tensor) -> torch.Tensor:
        """What speaks for a string at any lag, against none: logarithm, [B, 2, J, J]."""
        return torch.logsumexp(self.trust[0].exp() * gain, -1) - math.log(len(self.lags))

    def _compete(self, evidence: torch.Tensor) -> torch.Tensor:
        """Senders of one receiver, and nobody, share its probability: evidence [B, 2, J, J] to log odds of each."""
        nobody = torch.zeros_like(evidence[:, :, :1])
        share = torch.cat([nobody, evidence], 2).log_softmax(2)[:, :, 1:].clamp_max(-1e-6)
        return share - torch.log(-torch.expm1(share))

    def sample(self, logits: torch.Tensor) -> torch.Tensor:
        """Edges [B, 2, J, J, K]: drawn while training; at rest a string pulls as much as it is likely."""
        drawn = F.gumbel_softmax(logits, self.tau, self.hard) if self.training else logits.softmax(-1)
        if self.directed:
            return drawn
        return torch.stack([drawn[:, 0], drawn[:, 0].transpose(1, 2)], 1)

    def foretell(self, batch: torch.Tensor, reading: Reading, edges: torch.Tensor, begin: int, state=None,
                 heard: Signals | None = None):
        """The step after each frame from ``begin`` on, the last included: what joints will do of their own.

        ``state`` is what the decoder remembers, None for nothing; ``heard``, the signals of these frames, if known,
        or of one more, of which strings that pull at once then know the sender's step.
        Shapes: [B, T, 2, J, 3], edges [B, 2, J, J, K] -> [B, 2, J, T - begin, 3], metres a frame, and the state.
        """
        sent, own, _ = signals(self.skeleton, batch) if heard is None else heard
        own = own[:, :, :, : batch.shape[1] - 1]
        size = reading.size[..., None, None]
        first = begin if state is not None else max(begin - WARM, 1)
        pose = batch[:, first:].transpose(1, 2)  # [B, 2, n, J, 3]
        above = [max(parent, 0) for parent in self.skeleton.parents]
        before = (own[:, :, :, first - 1 :] / size).transpose(2, 3)
        x = torch.cat([before.clamp(-50, 50), pose - pose[..., :1, :], pose - pose[..., above, :]], -1).flatten(0, 1)
        told, state = self.cell(x, self.graph, state)
        told = told[:, begin - first :].unflatten(0, (-1, 2))  # [B, 2, n, J, H]
        if not self.lags:
            told = self._talk(told, edges)
        with full_precision(x.device):  # millimetres want all their digits
            correction = self.act(told.to(batch)).transpose(2, 3)  # [B, 2, J, n, 3]
            if self.lags:
                made = foretold(own[:, :, :, begin - ORDER :], reading.receiving) / size
                made = made + self._pulled(sent, reading, edges, begin, batch.shape[1] - 1)
            else:
                made = own[:, :, :, begin - 1 :] / size  # the step that led to each frame
        return (made + correction) * size, state

    def _pulled(self, sent: torch.Tensor, reading: Reading, edges: torch.Tensor, begin: int, last: int) -> torch.Tensor:
        """What the strings add, as shares of the receivers' usual surprises: [B, 2, J, n, 3]."""
        last = last if self.lags[0] else last + 1  # what comes at once with the step that is foretold
        news = innovations(sent[:, :, :, begin - self.lags[-1] - ORDER : last], reading.sending)
        news = F.pad(news / reading.loud[..., None, None], (0, 0, 0, max(last - sent.shape[3], 0)))
        late = news.unfold(3, len(self.lags), 1).flip(-1)  # [B, 2, J, n, 3, L], the shortest lag first
        pull = torch.einsum("bdijk,bdijkl->bdjil", edges[..., 1:], reading.pull)
        late = late.permute(0, 1, 2, 5, 3, 4).flatten(2, 3)  # [B, 2, J * L, n, 3]
        return (pull.flatten(3) @ late.flatten(3)).unflatten(3, late.shape[3:]).flip(1)

    def _talk(self, memory: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        """Memories [B, 2, n, J, H] after each joint has heard those who are tied to it."""
        said = F.relu(self.say(memory)).unflatten(-1, (self.types - 1, -1))  # [B, 2, n, J, K - 1, H]
        tied = edges[..., 1:].permute(0, 1, 3, 2, 4).flatten(3)[:, :, None] / edges.shape[2] ** 0.5
        heard = (tied @ said.flatten(3, 4)).flip(1)  # receivers x (senders and types)
        memory = self.hear(torch.cat([memory, heard], -1).flatten(0, 3)).view_as(heard)
        return F.relu(self.pass_on(memory.flatten(0, 2), self.graph)).view_as(heard) + memory

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """What training makes small, in nats an edge: how surprised the decoder is, and what the edges cost.

        ``step`` None: the edges at their highest price. What is off has a Student distribution with three degrees of
        freedom, as wide as the joint's surprises were in the window that was read.
        Errors: ValueError for windows that are not as long as they have to be.
        """
        needed = self.frames * (1 + self.ahead)
        if batch.shape[1] < needed:
            raise ValueError(f"windows of {batch.shape[1]} frames: {needed} are needed"
                             + (", to read the first half and to foretell the second" if self.ahead else ""))
        batch = batch[:, :needed] if not self.ahead else batch
        heard = signals(self.skeleton, batch)
        reading = self.read(batch[:, : self.frames], _until(heard, self.frames))
        posterior = reading.logits.log_softmax(-1)
        kl = (posterior.exp() * (posterior - self.prior.log())).sum(-1).mean() / (1 if self.directed else 2)
        cost, _ = self.surprise(batch, reading, self.sample(reading.logits), heard)
        surprise = cost.sum((1, 2, 3)).mean() / posterior[0, ..., 0].numel()
        price = self.kl.high if step is None else self.kl.at(step)
        likely = 1 - posterior[..., 0].exp()
        return {"loss": surprise + price * kl, "surprise_nats": surprise, "kl_nats_per_edge": kl,
                "strings": (likely > 0.8).float().sum((1, 2, 3)).mean()}

    def surprise(self, batch: torch.Tensor, reading: Reading, edges: torch.Tensor, heard: Signals | None = None):
        """-log p of each joint's steps, [B, 2, J, n], in nats but for a constant; and their errors [B, 2, J, n, 3].

        Of windows as long as those read, all steps with a past; of longer ones, those after what was read.
        """
        begin = self.frames - 1 if batch.shape[1] > self.frames else max(self.lags, default=0) + ORDER + 1
        heard = signals(self.skeleton, batch) if heard is None else heard
        made, _ = self.foretell(batch[:, :-1], reading, edges, begin, heard=heard)
        error = heard.own[:, :, :, begin:] - made
        wide = (reading.size * self.doubt.exp())[..., None, None]
        return (2 * ((error / wide) ** 2 / 3).log1p() + (wide / ROUNDING).log()).sum(-1), error

    @torch.no_grad()
    @takes(batch=tensor("windows", "frames", 2, "joints", 3, finite=True), steps=count(1, 100_000),
           edges=tensor("windows", 2, "joints", "joints", "types"))
    def predict(self, batch: torch.Tensor, steps: int, edges: torch.Tensor | None = None) -> torch.Tensor:
        """What comes after windows [B, frames, 2, J, 3], each frame from the one made before: [B, steps, 2, J, 3].

        ``edges`` [B, 2, J, J, K] in place of those that the encoder finds.
        """
        batch = batch.to(self.prior.device)
        with eval_mode(self):
            reading = self.read(batch)
            reading = reading._replace(receiving=damped(reading.receiving))  # who is not corrected must not run away
            edges = self.sample(reading.logits) if edges is None else edges
            begin, made, state = self.frames - 1, [], None
            reach = max(self.lags, default=0) + ORDER + 2  # frames that a step is foretold from
            past = batch
            for _ in range(steps):
                step, state = self.foretell(past, reading, edges, begin, state)
                made.append(next_pose(self.skeleton, past[:, -1], step[:, :, :, -1]))
                past = torch.cat([past[:, -reach:], made[-1][:, None]], 1)
                begin = past.shape[1] - 1
        return torch.stack(made, 1)

    @torch.no_grad()
    @takes(duet=a(Duet), hop=count(), size=count())
    def find(self, duet: Duet, hop: int | None = None, size: int = 32) -> Found:
        """The strings in a duet, in windows ``hop`` frames apart (None: as long as a window), ``size`` at a time.

        Frames are the model's own; of a duet that has a multiple of them, every so many are read.
        Errors: ValueError for other joints or frames a second, or a duet shorter than a window.
        """
        windows, found = self._windows(duet, self.frames, hop), []
        with eval_mode(self):
            for batch in windows.batches(size, device=self.prior.device):
                reading = self.read(batch)
                types = reading.logits.softmax(-1)
                kl = (types * (types.clamp_min(1e-12) / self.prior).log()).sum(-1)
                lag = torch.zeros_like(kl, dtype=torch.long)
                if self.lags:
                    likeliest = types[..., 1:].argmax(-1)[..., None, None].expand(*kl.shape, 1, len(self.lags))
                    lag = reading.pull.gather(-2, likeliest)[..., 0, :].argmax(-1) + self.lags[0]
                found.append([each.cpu() for each in (types, 1 - types[..., 0], lag, kl)])
        time = windows.start / duet.fps + self.frames / 2 / self.fps
        return Found(*(torch.cat(each) for each in zip(*found)), time)

    @torch.no_grad()
    @takes(duet=a(Duet), hop=count(), size=count())
    def gain(self, duet: Duet, hop: int | None = None, size: int = 32) -> torch.Tensor:
        """What strings are worth: by how much less each window surprises, if those of the one before it pull. [W].

        Below 0 where they mislead. Units: nats a frame. Errors: as `find`, for a duet shorter than two windows.
        """
        worth = []
        with eval_mode(self):
            for batch in self._windows(duet, 2 * self.frames, hop).batches(size, device=self.prior.device):
                heard = signals(self.skeleton, batch)
                reading = self.read(batch[:, : self.frames], _until(heard, self.frames))
                edges = self.sample(reading.logits)
                none = torch.cat([torch.ones_like(edges[..., :1]), torch.zeros_like(edges[..., 1:])], -1)
                costs = [self.surprise(batch, reading, each, heard)[0].sum((1, 2)).mean(-1) for each in (none, edges)]
                worth.append(costs[0] - costs[1])
        return torch.cat(worth).cpu()

    def _windows(self, duet: Duet, length: int, hop: int | None) -> Windows:
        """Windows of a duet, of whose frames every so many are taken, if it has a multiple of the model's."""
        step = max(round(duet.fps / self.fps), 1)
        for who, dancer in zip("ab", duet):
            require_fit(f"dancer {who}", dancer, self.skeleton, self.fps, multiples=True)
        return cut(duet, length, step * (hop or self.frames), step)


def _until(heard: Signals, frames: int) -> Signals:
    """The signals of the first so many frames."""
    return Signals(*(each[..., : frames - 1, :] for each in heard))


def _news(heard: Signals) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Habits and surprises of all three signals."""
    weights = [ar_coefficients(each) for each in heard]
    return weights, [innovations(each, weight) for each, weight in zip(heard, weights)]


def _loudness(news: torch.Tensor) -> torch.Tensor:
    """How large surprises [..., T, 3] are: [...], metres a frame and coordinate."""
    return news.pow(2).mean((-1, -2)).sqrt().clamp_min(NOISE_FLOOR / 3**0.5)
