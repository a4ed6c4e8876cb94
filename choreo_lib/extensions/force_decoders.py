"""Decoders of particles in full precision: a network of relative states, a law of forces, and the recurrent one.

Taught in chapter 8, "Invisible springs". After Kipf et al., "Neural relational inference for interacting systems", ICML
2018, section 3.3; the law is ours.
Shapes: states [B, T, N, 4]; edges [B, N, N, K], receiver first, 0 on the diagonal; C frames are decoded at once.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.precision import in_full_precision
from ..sets.particles import walls
from ..systems import nri
from ..systems.edges import ordered_pairs

VARIANCE = nri.Config.variance  # of the published Gaussian, of states scaled to [-1, 1]


class Decoder(nn.Module):
    """A Markovian decoder: what goes from body to body (`messages`), and what a body makes of the sum (`update`).

    Here both raise NotImplementedError: each decoder has its own. Chapter: 8. Kipf et al., equations 10 and 11.
    """

    refines = True
    PARTS = 1  # of a frame, in which `predict` goes on

    def __init__(self, types: int, no_edge: bool, hidden: int, interval: float):
        super().__init__()
        self.types, self.no_edge, self.interval = types, no_edge, interval
        self.networks = types - no_edge  # the type that carries nothing needs none
        self.state_scale = nn.Buffer(torch.ones(4))
        self.step_scale = nn.Buffer(torch.ones(4))  # of the change from one frame to the next

    def fit_statistics(self, states: Tensor) -> None:
        """Measure states [B, T, N, 4] of the training set. Chapter: 8."""
        self.state_scale.copy_(_largest(states))
        self.step_scale.copy_((states[:, 1:] - states[:, :-1]).pow(2).mean((0, 1, 2)).sqrt())

    def messages(self, state: Tensor, interval: float | None = None) -> Tensor:
        """States [B, C, N, 4] to one message a pair and type that has edges, [B, C, N, N, networks, H]. Chapter: 8."""
        raise NotImplementedError

    def update(self, state: Tensor, total: Tensor, interval: float | None = None) -> tuple[Tensor, Tensor | None]:
        """States [..., 4] and sums of messages [..., H] to next states and errors' scales, if known. Chapter: 8."""
        raise NotImplementedError

    def typed_messages(self, states: Tensor) -> Tensor:
        """Messages of all types, zero where there is no edge: [B, T, N, 4] -> [B, T - 1, N, N, K, H]. Chapter: 8."""
        messages = self.messages(states[:, :-1])
        return F.pad(messages, (0, 0, 1, 0)) if self.no_edge else messages

    def step(self, state: Tensor, edges: Tensor, interval: float | None = None) -> tuple[Tensor, Tensor | None]:
        """One step on: states [B, C, N, 4] and edges [B, N, N, K] to the answer of `update`. Chapter: 8."""
        weights = edges[:, None, ..., self.no_edge:, None]  # [B, 1, N, N, networks, 1]
        return self.update(state, (self.messages(state, interval) * weights).sum((3, 4)), interval)

    @in_full_precision
    def nll(self, states: Tensor, edges: Tensor, steps: int) -> Tensor:
        """-log p of each simulation, [B] nats but for a constant; from the truth every ``steps``. Chapter: 8."""
        last = states.shape[1] - 1
        starts = torch.arange(0, last, steps, device=states.device)
        state, total = states[:, starts], states.new_zeros(len(states))
        for k in range(1, min(steps, last) + 1):
            runs = 1 + (last - k) // steps  # the last run may be shorter than the others
            state, scale = self.step(state[:, :runs], edges)
            total = total + self.body_nll(state, states[:, starts[:runs] + k], scale).sum((1, 2))
        return total

    def body_nll(self, state: Tensor, truth: Tensor, scale: Tensor | None,
                 excess: Tensor | float = 0.0) -> Tensor:
        """-log p of each body's state, [..., 4] -> [...]: a Gaussian of variance 5e-5 of scaled states. Chapter: 8."""
        return (((state - truth) / self.state_scale) ** 2).sum(-1) / (2 * VARIANCE)

    def excess_scale(self, state: Tensor, truth: Tensor, scale: Tensor | None) -> Tensor | float:
        """By how much errors exceed the scale that the decoder states; 0 where it states none. Chapter: 8."""
        return 0.0

    @in_full_precision
    def predict(self, states: Tensor, edges: Tensor, steps: int) -> Tensor:
        """The ``steps`` states after states [B, T, N, 4], one from the other: [B, steps, N, 4]. Chapter: 8."""
        predicted, state = [], states[:, -1:]
        for _ in range(steps):
            for _ in range(self.PARTS):
                state = self.step(state, edges, self.interval / self.PARTS)[0]
            predicted.append(state)
        return torch.cat(predicted, 1)


class MLPDecoder(Decoder):
    """The published networks (Kipf et al., equations 10 to 12), on relative states. Chapter: 8."""

    def __init__(self, types: int, no_edge: bool, hidden: int, interval: float):
        super().__init__(types, no_edge, hidden, interval)
        self.message_in = nn.Linear(6, self.networks * hidden)
        self.message_out = nn.Parameter(torch.randn(self.networks, hidden, hidden) / hidden**0.5)
        last = nn.Linear(hidden, 4)
        nn.init.zeros_(last.weight)  # begin with no change, for which no edge is to blame
        self.node_mlp = nn.Sequential(nri.fully_connected(hidden + 4, hidden, hidden), last)

    def messages(self, state: Tensor, interval: float | None = None) -> Tensor:
        """As `Decoder.messages`. Chapter: 8."""
        relative = state[:, :, None] - state[:, :, :, None]  # [B, C, N, N, 4]
        distance = relative[..., :2].norm(dim=-1, keepdim=True).clamp_min(0.1)
        features = torch.cat([relative / self.state_scale, distance / self.state_scale[:1], 0.1 / distance], -1)
        hidden = F.relu(self.message_in(features)).unflatten(-1, (self.networks, -1))  # [B, C, N, N, networks, H]
        return F.relu(torch.einsum("ncijkh,khw->ncijkw", hidden, self.message_out))

    def update(self, state: Tensor, total: Tensor, interval: float | None = None) -> tuple[Tensor, Tensor | None]:
        """As `Decoder.update`, with no scale of the error. Chapter: 8."""
        return state + self.step_scale * self.node_mlp(torch.cat([state / self.state_scale, total], -1)), None


class LawDecoder(Decoder):
    """Bodies of mass 1 that attract or repel along the line between them, by a learned function of distance.

    A type's force at distance r is r^p (c + MLP(log r)). Over a frame, bodies move in straight lines while forces act
    (Gauss quadrature with three nodes); walls reflect. Errors have a Student distribution, whose scale grows with the
    forces by learned amounts, since close encounters cannot be predicted well. Chapter: 8.
    """

    PARTS = 10  # a law holds for any interval
    LR_FACTOR = 10.0  # p and c are two numbers, and have to learn as fast as a network of hundreds
    NODES = ((0.5 - math.sqrt(0.15), 5 / 18), (0.5, 8 / 18), (0.5 + math.sqrt(0.15), 5 / 18))

    def __init__(self, types: int, no_edge: bool, hidden: int, interval: float):
        super().__init__(types, no_edge, hidden, interval)
        self.exponent = nn.Parameter(torch.zeros(()))
        self.strength = nn.Parameter(torch.linspace(-0.01, 0.01, self.networks) * (self.networks > 1))
        last = nn.Linear(hidden, self.networks)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.force_mlp = nn.Sequential(nri.fully_connected(1, hidden, hidden, activation=nn.Tanh), last)
        self.log_scale = nn.Parameter(torch.zeros(4))  # of position and velocity: at rest, and per unit of impulse

    def fit_statistics(self, states: Tensor) -> None:
        """Measure states [B, T, N, 4]: errors at rest begin as those of motion at constant velocity. Chapter: 8."""
        super().fit_statistics(states)
        error = states[:, 1:] - states[:, :-1]
        error[..., :2] -= self.interval * states[:, :-1, :, 2:]
        for k, part in enumerate(error.chunk(2, -1)):
            self.log_scale.data[k] = part.abs().median().clamp_min(1e-6).log()
        self.log_scale.data[2:] = -3.0

    def force(self, distance: Tensor) -> Tensor:
        """The force towards the other body, negative where it repels: [...] -> [..., networks]. Chapter: 8."""
        log = distance.log()[..., None]
        power = (self.LR_FACTOR * self.exponent * log).exp()
        return power * (self.LR_FACTOR * self.strength + self.force_mlp(log))

    def messages(self, state: Tensor, interval: float | None = None) -> Tensor:
        """As `Decoder.messages`, H = 5: changes of position and velocity, size of the impulse. Chapter: 8."""
        interval = self.interval if interval is None else interval
        relative = state[:, :, None] - state[:, :, :, None]  # [B, C, N, N, 4]
        total = state.new_zeros(())
        for when, weight in self.NODES:
            offset = relative[..., :2] + when * interval * relative[..., 2:]
            distance = offset.norm(dim=-1).clamp_min(0.05)
            force = self.force(distance)[..., None]  # [B, C, N, N, networks, 1]
            impulse = force * (offset / distance[..., None])[..., None, :] * (weight * interval)
            size = force.abs() * (weight * interval)
            total = total + torch.cat([(1 - when) * interval * impulse, impulse, size], -1)
        return total

    def update(self, state: Tensor, total: Tensor, interval: float | None = None) -> tuple[Tensor, Tensor | None]:
        """As `Decoder.update`. Chapter: 8."""
        interval = self.interval if interval is None else interval
        position = state[..., :2] + interval * state[..., 2:] + total[..., :2]
        velocity = state[..., 2:] + total[..., 2:4]
        rest, growth = self.log_scale.exp().clamp_min(1e-6).chunk(2)
        scale = rest + growth * total[..., 4:]
        return torch.cat(walls(position, velocity), -1), scale.repeat_interleave(2, -1)

    @torch.no_grad()
    def excess_scale(self, state: Tensor, truth: Tensor, scale: Tensor | None) -> Tensor | float:
        """What measurement noise adds to the scale of position and velocity in each simulation, [B, 1, 1, 4].

        Compared by lower quartiles over frames and bodies, where no close encounter hides it; 0.349 is the lower
        quartile of the Student distribution's absolute value. Chapter: 8.
        """
        assert scale is not None
        found, stated = (x.abs().flatten(1, 2).quantile(0.25, dim=1).view(-1, 2, 2).mean(2)
                         for x in ((state - truth) / 0.349, scale.expand_as(state)))  # fmt: skip
        return (found**2 - stated**2).clamp_min(0).sqrt().repeat_interleave(2, 1)[:, None, None]

    def body_nll(self, state: Tensor, truth: Tensor, scale: Tensor | None,
                 excess: Tensor | float = 0.0) -> Tensor:
        """-log p of each body's state: a Student distribution with three degrees of freedom. Chapter: 8."""
        assert scale is not None
        scale = (scale**2 + excess**2).sqrt()
        return (2 * (((state - truth) / scale) ** 2 / 3).log1p() + scale.log()).sum(-1)


class RecurrentDecoder(nri.RecurrentDecoder):
    """The recurrent decoder of the shelf, in full precision, on edges [B, N, N, K]. Chapter: 8."""

    refines = False

    def __init__(self, types: int, no_edge: bool, hidden: int, interval: float):
        super().__init__(nri.Config(types=types, no_edge=no_edge, hidden=hidden))
        self.state_scale = nn.Buffer(torch.ones(4))

    def fit_statistics(self, states: Tensor) -> None:
        """Measure states [B, T, N, 4] of the training set. Chapter: 8."""
        self.state_scale.copy_(_largest(states))

    @in_full_precision
    def nll(self, states: Tensor, edges: Tensor, steps: int) -> Tensor:
        """As `Decoder.nll`, with the ground truth up to the last ``steps`` predictions. Chapter: 8."""
        states = states / self.state_scale
        error = self.reconstruct(states, _of_pairs(edges), steps) - states[:, 1:]
        return error.pow(2).sum((1, 2, 3)) / (2 * VARIANCE)

    @in_full_precision
    def predict(self, states: Tensor, edges: Tensor, steps: int) -> Tensor:
        """As `Decoder.predict`; the states before the last one are read too. Chapter: 8."""
        return super().predict(states / self.state_scale, _of_pairs(edges), steps) * self.state_scale


def _largest(states: Tensor) -> Tensor:
    """The largest coordinate and the largest component of a velocity, twice each: [B, T, N, 4] -> [4]."""
    return states.abs().amax((0, 1, 2)).view(2, 2).amax(1).repeat_interleave(2)


def _of_pairs(edges: Tensor) -> Tensor:
    """Edges [B, N, N, K] as the shelf has them, [B, E, K]."""
    sender, receiver = ordered_pairs(edges.shape[1], edges.device)
    return edges[:, receiver, sender]


DECODERS = {"mlp": MLPDecoder, "law": LawDecoder, "recurrent": RecurrentDecoder}
"""By the name that a configuration gives."""
