"""Three ways to dance by given strings: a network of one frame, a network that remembers, and a law of forces.

Taught in chapter 8, "Invisible springs". After Kipf et al., "Neural relational inference for interacting systems", ICML
2018, section 3.3; the law is ours.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from ..core.precision import GRUCell, in_full_precision
from ..sets.particles import walls


class Decoder(nn.Module):
    """What all have in common: states and edges in, the next state out, a step at a time.

    All in full precision: who foretells to five digits needs them.
    Shapes: states [N, T, B, 4]; edges [N, B, B, K], zero on the diagonal. A decoder says what goes from body to body
    (`messages`, a vector a type) and what a body does with the sum of them (`after`).
    """

    def __init__(self, types: int, no_edge: bool, wide: int, interval: float):
        super().__init__()
        self.types, self.no_edge, self.interval = types, no_edge, interval
        self.nets = types - no_edge  # the type that carries nothing needs no network
        self.register_buffer("scale", torch.ones(4))  # of a state
        self.register_buffer("change", torch.ones(4))  # of a state, from one frame to the next

    def fit_statistics(self, states: torch.Tensor) -> None:
        """Measure states [N, T, B, 4] of the training set."""
        self.scale.copy_(states.abs().amax((0, 1, 2)).view(2, 2).amax(1).repeat_interleave(2))
        self.change.copy_((states[:, 1:] - states[:, :-1]).pow(2).mean((0, 1, 2)).sqrt())

    def step(self, state: torch.Tensor, edges: torch.Tensor):
        """One frame on: states [N, C, B, 4] and edges [N, 1, B, B, nets] -> next states, and how sure it is."""
        return self.after(state, (self.messages(state) * edges[..., None]).sum((3, 4)))

    @in_full_precision
    def surprise(self, states: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        """Of each simulation, -log p(states), [N], in nats but for a constant; the truth is told every ``steps``."""
        edges = edges[:, None, ..., self.no_edge:]
        last = states.shape[1] - 1
        starts = torch.arange(0, last, steps, device=states.device)
        state, total = states[:, starts], 0.0
        for k in range(1, min(steps, last) + 1):
            alive = 1 + (last - k) // steps  # the last run may be shorter than the others
            state, sure = self.step(state[:, :alive], edges)
            total = total + self.cost(state, states[:, starts[:alive] + k], sure).sum((1, 2))
        return total

    @in_full_precision
    def run(self, states: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        """Steps after the last of states [N, T, B, 4], each from the one before: [N, steps, B, 4]."""
        edges, state, told = edges[:, None, ..., self.no_edge:], states[:, -1:], []
        for _ in range(steps):
            state = self.step(state, edges)[0]
            told.append(state)
        return torch.cat(told, 1)

    def cost(self, state: torch.Tensor, truth: torch.Tensor, sure, shake=0.0) -> torch.Tensor:
        """Surprise of each body, [..., 4] -> [...]: a normal distribution of variance 5e-5, of states scaled to 1."""
        return (((state - truth) / self.scale) ** 2).sum(-1) / 1e-4

    @in_full_precision
    def refined(self, states: torch.Tensor, logits: torch.Tensor, steps: int, sweeps: int = 3) -> torch.Tensor:
        """Edges [N, B, B] int64 that make states [N, T, B, 4] less surprising, from an encoder's logits on.

        First all at once, as weights: ``steps`` of gradient descent on the surprise of every next frame, from the
        logits, made less sure of themselves. Then one at a time, as types (`corrected`). Numbers may shake more here
        than where the decoder was trained, and then errors are allowed to be as much larger (`shaking`).
        """
        with torch.no_grad():
            told = self.told(states)
        count, frames, bodies, _, _, width = told.shape
        sent = told.permute(0, 2, 3, 4, 1, 5).reshape(count, bodies, 1, -1, frames * width)
        one, other = torch.triu_indices(bodies, bodies, 1, device=states.device)
        free = (0.1 * logits[:, one, other]).detach().requires_grad_()
        optimiser = torch.optim.Adam([free], 0.2)
        shake = 0.0
        for step in range(steps):
            with torch.enable_grad():  # whoever asks may have switched gradients off
                weights = torch.zeros_like(logits)
                weights[:, one, other] = weights[:, other, one] = free.softmax(-1)
                total = weights.flatten(2)[:, :, None, None] @ sent  # [N, B, 1, 1, T H]
                total = total.reshape(count, bodies, frames, width).transpose(1, 2)
                state, sure = self.after(states[:, :-1], total)
                if step % 10 == 0:  # it changes slowly, and sorting takes time
                    shake = self.shaking(state, states[:, 1:], sure)
                surprise = self.cost(state, states[:, 1:], sure, shake).sum() / len(one)
            free.grad = torch.autograd.grad(surprise, free)[0]
            optimiser.step()
        kinds = torch.zeros(logits.shape[:-1], dtype=torch.long, device=states.device)
        kinds[:, one, other] = kinds[:, other, one] = free.argmax(-1)
        return self.corrected(states, kinds, sweeps, told, shake)

    @torch.no_grad()
    @in_full_precision
    def corrected(self, states: torch.Tensor, kinds: torch.Tensor, sweeps: int, told=None, shake=0.0) -> torch.Tensor:
        """Edges [N, B, B] int64 after ``sweeps``: each pair takes the type that leaves its two bodies least surprised.

        A pair's message is added to two sums only, so to try another costs two bodies and not the whole graph.
        ``told`` are the messages, where they are known; ``shake`` is added to the scale of errors.
        """
        state, truth, kinds = states[:, :-1], states[:, 1:], kinds.clone()
        told = self.told(states) if told is None else told
        others = 1 - torch.eye(kinds.shape[1], device=kinds.device)
        chosen = F.one_hot(kinds, self.types) * others[:, :, None]
        total = (told * chosen[:, None, ..., None]).sum((3, 4))  # [N, T, B, H]
        row = torch.arange(len(kinds), device=kinds.device)
        for _ in range(sweeps):
            changed = False
            for i, j in torch.triu_indices(kinds.shape[1], kinds.shape[1], 1).T.tolist():
                pair, ends = [i, j], told[:, :, [i, j], [j, i]]  # [N, T, 2, K, H]
                without = total[:, :, pair] - ends[row, :, :, kinds[:, i, j]]
                sums = without[None] + ends.permute(3, 0, 1, 2, 4)  # [K, N, T, 2, H]
                costs = []
                for each in sums:
                    after, sure = self.after(state[:, :, pair], each)
                    costs.append(self.cost(after, truth[:, :, pair], sure, shake).sum((1, 2)))
                best = torch.stack(costs).argmin(0)
                changed |= bool((best != kinds[:, i, j]).any())
                kinds[:, i, j] = kinds[:, j, i] = best
                total[:, :, pair] = sums[best, row]
            if not changed:
                break
        return kinds

    def shaking(self, state: torch.Tensor, truth: torch.Tensor, sure):
        """By how much errors are larger than this decoder is used to; nothing if it does not say what it is used to."""
        return 0.0

    def told(self, states: torch.Tensor) -> torch.Tensor:
        """The messages of all types for each step of states [N, T, B, 4]: [N, T - 1, B, B, K, H]."""
        messages = self.messages(states[:, :-1])
        return F.pad(messages, (0, 0, 1, 0)) if self.no_edge else messages


class MLPDecoder(Decoder):
    """The published one: a network for each type's messages, and one for what a body does with their sum.

    Messages are made of where the other is as seen from here, not of both places, so no place is special but for what
    a body knows of itself (the walls). Equations 9 to 12.
    """

    def __init__(self, types: int, no_edge: bool, wide: int, interval: float):
        super().__init__(types, no_edge, wide, interval)
        self.first = nn.Linear(6, self.nets * wide)
        self.second = nn.Parameter(torch.randn(self.nets, wide, wide) / wide**0.5)
        self.act = nn.Sequential(nn.Linear(wide + 4, wide), nn.ReLU(), nn.Linear(wide, wide), nn.ReLU(),
                                 nn.Linear(wide, 4))  # fmt: skip
        nn.init.zeros_(self.act[-1].weight)  # at first nothing changes, and no string is to blame for it

    def messages(self, state: torch.Tensor) -> torch.Tensor:
        """States [N, C, B, 4] -> [N, C, B, B, nets, H], first the body that listens."""
        apart = state[:, :, None] - state[:, :, :, None]  # [N, C, B, B, 4]
        far = apart[..., :2].norm(dim=-1, keepdim=True).clamp_min(0.1)
        hidden = F.relu(self.first(torch.cat([apart / self.scale, far / self.scale[:1], 0.1 / far], -1)))
        return F.relu(torch.einsum("ncijkh,khw->ncijkw", hidden.unflatten(-1, (self.nets, -1)), self.second))

    def after(self, state: torch.Tensor, total: torch.Tensor):
        """What a body does: its state [..., 4] and the sum of messages [..., H] -> its next state, and nothing more."""
        return state + self.change * self.act(torch.cat([state / self.scale, total], -1)), None


class LawDecoder(Decoder):
    """Bodies of mass 1 that pull and push along the line between them, as strongly as a network of distance says.

    A type's force at distance r is r^p (c + network(log r)): p and c are learned too. Over a frame, bodies are taken to
    go straight while forces act (three Gauss nodes). Errors have a Student distribution, whose scale grows with the
    forces, by learned amounts: it is known in advance that close encounters are not foretold well. Walls reflect.
    """

    HASTE = 10.0  # two numbers learn as fast as a network of hundreds

    def __init__(self, types: int, no_edge: bool, wide: int, interval: float):
        super().__init__(types, no_edge, wide, interval)
        self.power = nn.Parameter(torch.zeros(()))
        self.constant = nn.Parameter(torch.linspace(-0.01, 0.01, self.nets) if self.nets > 1 else torch.zeros(1))
        self.bend = nn.Sequential(nn.Linear(1, wide), nn.Tanh(), nn.Linear(wide, wide), nn.Tanh(),
                                  nn.Linear(wide, self.nets))  # fmt: skip
        nn.init.zeros_(self.bend[-1].weight)
        nn.init.zeros_(self.bend[-1].bias)
        self.doubt = nn.Parameter(torch.zeros(4))  # of place and pace, logarithms: at rest, and a unit of force

    def fit_statistics(self, states: torch.Tensor) -> None:
        super().fit_statistics(states)
        straight = states[:, 1:] - states[:, :-1]
        straight[..., :2] -= self.interval * states[:, :-1, :, 2:]
        for k, part in enumerate(straight.chunk(2, -1)):
            self.doubt.data[k] = part.abs().median().clamp_min(1e-6).log()
        self.doubt.data[2:] = -3.0

    def force(self, far: torch.Tensor) -> torch.Tensor:
        """Towards the other at distance ``far`` [...]: [..., nets], negative where it pushes."""
        log = far.log()[..., None]
        return (self.HASTE * self.power * log).exp() * (self.HASTE * self.constant + self.bend(log))

    def messages(self, state: torch.Tensor, time: float | None = None) -> torch.Tensor:
        """States [N, C, B, 4] -> [N, C, B, B, nets, 5]: changes of place and of pace, and how large the latter is."""
        time = self.interval if time is None else time
        apart = state[:, :, None] - state[:, :, :, None]
        place = pace = size = 0.0
        for when, weight in ((0.5 - math.sqrt(0.15), 5 / 18), (0.5, 8 / 18), (0.5 + math.sqrt(0.15), 5 / 18)):
            at = apart[..., :2] + when * time * apart[..., 2:]
            far = at.norm(dim=-1).clamp_min(0.05)
            force = self.force(far)  # [N, C, B, B, nets]
            kick = force[..., None] * (at / far[..., None])[..., None, :] * (weight * time)
            pace, place = pace + kick, place + (1 - when) * time * kick
            size = size + force.abs()[..., None] * (weight * time)
        return torch.cat([place, pace, size], -1)

    def after(self, state: torch.Tensor, total: torch.Tensor, time: float | None = None):
        """Its state [..., 4] and the sum of messages [..., 5] -> its next state, and its error's scale [..., 4]."""
        time = self.interval if time is None else time
        place = state[..., :2] + time * state[..., 2:] + total[..., :2]
        pace = state[..., 2:] + total[..., 2:4]
        rest, grow = self.doubt.exp().clamp_min(1e-6).chunk(2)
        sure = rest + grow * total[..., 4:]
        return torch.cat(walls(place, pace), -1), sure.repeat_interleave(2, -1)

    @torch.no_grad()
    def shaking(self, state: torch.Tensor, truth: torch.Tensor, sure: torch.Tensor) -> torch.Tensor:
        """Of place and of pace in each simulation, [N, 1, 1, 4]: what has to be added to the scale, as squares are.

        Compared where it is quiet, by lower quartiles over frames and bodies: noise is everywhere, and what a close
        encounter does is not. 0.349 is the lower quartile of the distribution's absolute value.
        """
        found, meant = (x.abs().flatten(1, 2).quantile(0.25, dim=1).view(-1, 2, 2).mean(2)
                        for x in ((state - truth) / 0.349, sure.expand_as(state)))  # fmt: skip
        return (found**2 - meant**2).clamp_min(0).sqrt().repeat_interleave(2, 1)[:, None, None]

    def cost(self, state: torch.Tensor, truth: torch.Tensor, sure: torch.Tensor, shake=0.0) -> torch.Tensor:
        """Surprise of each body under a Student distribution with three degrees of freedom."""
        sure = (sure**2 + shake**2).sqrt()
        return (2 * (((state - truth) / sure) ** 2 / 3).log1p() + sure.log()).sum(-1)

    @in_full_precision
    def run(self, states: torch.Tensor, edges: torch.Tensor, steps: int, parts: int = 10) -> torch.Tensor:
        """As of every decoder, with a clock of ``parts`` ticks a frame: a law holds for any step."""
        edges, state, told = edges[:, None, ..., self.no_edge:], states[:, -1:], []
        for _ in range(steps):
            for _ in range(parts):
                time = self.interval / parts
                total = (self.messages(state, time) * edges[..., None]).sum((3, 4))
                state = self.after(state, total, time)[0]
            told.append(state)
        return torch.cat(told, 1)


class RecurrentDecoder(Decoder):
    """Bodies that remember: messages between what they remember, and a gated recurrent unit each. Equations 13 to 16.

    While training it hears the truth for all but the last ``steps`` frames, and then itself.
    """

    def __init__(self, types: int, no_edge: bool, wide: int, interval: float):
        super().__init__(types, no_edge, wide, interval)
        self.mine, self.theirs = nn.Linear(wide, self.nets * wide), nn.Linear(wide, self.nets * wide, bias=False)
        self.second = nn.Parameter(torch.randn(self.nets, wide, wide) / wide**0.5)
        self.remember = GRUCell(wide + 4, wide)
        self.act = nn.Sequential(nn.Linear(wide, wide), nn.ReLU(), nn.Linear(wide, wide), nn.ReLU(), nn.Linear(wide, 4))

    def step(self, state: torch.Tensor, edges: torch.Tensor, memory: torch.Tensor):
        """States [N, B, 4], edges [N, B, B, nets], memories [N, B, H] -> next states and memories."""
        told = torch.tanh(self.mine(memory)[:, :, None] + self.theirs(memory)[:, None]).unflatten(-1, (self.nets, -1))
        told = torch.tanh(torch.einsum("nijkh,khw->nijkw", told, self.second))
        total = (told * edges[..., None]).sum((2, 3)) / edges.shape[1]
        memory = self.remember(torch.cat([total, state / self.scale], -1).flatten(0, 1), memory.flatten(0, 1))
        memory = memory.unflatten(0, state.shape[:2])
        return state + self.change * self.act(memory), memory

    @in_full_precision
    def surprise(self, states: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        last = states.shape[1] - 1
        told, _ = self._follow(states, edges, last, max(last - steps, 1))
        return self.cost(told, states[:, 1:], None).sum((1, 2))

    @in_full_precision
    def run(self, states: torch.Tensor, edges: torch.Tensor, steps: int) -> torch.Tensor:
        heard = states.shape[1]
        return self._follow(states, edges, heard - 1 + steps, heard)[0][:, heard - 1 :]

    @in_full_precision
    def refined(self, states, logits, steps, sweeps=3):
        raise ValueError("a decoder that remembers gives no cheap answer for one pair at a time; choose refine=0, or "
                         'a model whose decoder is "mlp" or "law"')

    def _follow(self, states, edges, steps: int, heard: int):
        edges, memory = edges[..., self.no_edge:], states.new_zeros(*states.shape[::2], self.remember.hidden_size)
        state, told = states[:, 0], []
        for t in range(steps):
            state, memory = self.step(states[:, t] if t < heard else state, edges, memory)
            told.append(state)
        return torch.stack(told, 1), memory


DECODERS = {"mlp": MLPDecoder, "recurrent": RecurrentDecoder, "law": LawDecoder}
"""By the name that a configuration gives."""
