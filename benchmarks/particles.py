"""Springs and charges: how fast they are simulated, read by algebra, and learned from: python benchmarks/particles.py

A training step of the published networks (hidden 256, batch 128, 5 bodies, 49 frames, 10 steps of prediction) stands
beside the same computation stated anew, with its one-hot matrices; then the recipes', other networks. The algebra's
accuracy is on seeds that it was not tuned on.
"""

from __future__ import annotations

import time
from itertools import permutations

import numpy as np
import torch
import torch.nn.functional as F
from side_by_side import compare, in_turn, options, training_step
from torch import nn

from choreo_lib.evaluation import baselines, metrics
from choreo_lib.extensions import ForceNRI
from choreo_lib.sets.particles import BOX, CHARGE, STEP, STIFFNESS, STRONGEST, SUBSTEPS, simulate
from choreo_lib.systems import NRI
from choreo_lib.training import recipes


def alone(kind: str, x, v, edges, frames: int):
    """One simulation, step by step, in NumPy: [frames, B, 4]."""
    told = []
    for step in range((frames - 1) * SUBSTEPS + 1):
        apart = x[None] - x[:, None]
        if kind == "springs":
            force = STIFFNESS * (edges[..., None] * apart).sum(1)
        else:
            far = (apart**2).sum(-1) + np.eye(len(x))
            force = (-CHARGE * (2 * edges - 1) / far**1.5 * (1 - np.eye(len(x))))[..., None] * apart
            force = force.sum(1)
        v = v + STEP * force.clip(-STRONGEST, STRONGEST)
        if step % SUBSTEPS == 0:
            told.append(np.concatenate([x, v], 1))
        x = x + STEP * v
        beyond = np.abs(x) > BOX
        x, v = np.where(beyond, np.sign(x) * 2 * BOX - x, x), np.where(beyond, -np.sign(x) * np.abs(v), v)
    return np.stack(told)


def simulating(kind: str) -> None:
    world = simulate(kind, 2000, 5)
    first = [each[0, 0].double().numpy() for each in (world.positions, world.velocities)]
    told = in_turn({"many": lambda: simulate(kind, 2000, 5),
                    "one": lambda: alone(kind, *first, world.edges[0].numpy(), 49)}, 3)
    many, one = np.median(told["many"]) / 2000, np.median(told["one"])
    print(f"{kind}, 5 bodies, 49 frames: {one:.0f} ms one at a time, {many:.3f} ms each of 2,000: "
          f"{one / many:.0f} times as fast")


def algebra(kind: str, bodies: int, count: int) -> None:
    told, spent = [], []
    for seed in (203, 204, 205):
        world = simulate(kind, count, bodies, seed=seed)
        began = time.process_time()
        found = baselines.force_edges(world.states)
        spent.append(time.process_time() - began)
        told.append(100 * metrics.edge_accuracy(found.edges, world.edges).accuracy)
    print(f"algebra, {kind} {bodies}, {count} simulations: {', '.join(f'{each:.2f}' for each in told)} %, mean "
          f"{np.mean(told):.2f}; {np.mean(spent):.1f} s of processor time")


class OriginalMLP(nn.Module):
    """Two layers with ELU and a batch normalisation."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.one, self.two, self.norm = nn.Linear(features, hidden), nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, M, F] -> [B, M, H]."""
        x = F.elu(self.two(F.dropout(F.elu(self.one(x)), 0.0, self.training)))
        return self.norm(x.view(x.shape[0] * x.shape[1], -1)).view(x.shape)


class Original(nn.Module):
    """The published networks and their loss, springs: the layers and their sizes, not the code."""

    def __init__(self, bodies: int = 5, frames: int = 49, hidden: int = 256) -> None:
        super().__init__()
        receive, send = torch.tensor(list(permutations(range(bodies), 2))).T
        self.register_buffer("receive", F.one_hot(receive).float())  # [E, N]
        self.register_buffer("send", F.one_hot(send).float())
        self.embed, self.pair = OriginalMLP(4 * frames, hidden), OriginalMLP(2 * hidden, hidden)
        self.node, self.again = OriginalMLP(hidden, hidden), OriginalMLP(3 * hidden, hidden)
        self.classify = nn.Linear(hidden, 2)
        self.message = nn.ModuleList([nn.Linear(8, hidden), nn.Linear(hidden, hidden)])
        self.out = nn.ModuleList([nn.Linear(hidden + 4, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 4)])

    def pairs(self, x: torch.Tensor) -> torch.Tensor:
        """[..., N, F] -> [..., E, 2 F]."""
        return torch.cat([torch.matmul(self.send, x), torch.matmul(self.receive, x)], -1)

    def step(self, x: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        """A frame further: [B, C, N, 4]."""
        pairs = self.pairs(x)
        total = torch.zeros(*pairs.shape[:3], self.message[1].out_features, device=x.device)
        for kind in range(1, kinds.shape[-1]):  # the first is no spring
            message = F.relu(self.message[0](pairs))
            message = F.relu(self.message[1](F.dropout(message, 0.0, self.training)))
            total = total + message * kinds[..., kind : kind + 1]
        gathered = total.transpose(-2, -1).matmul(self.receive).transpose(-2, -1).contiguous()
        h = torch.cat([x, gathered], -1)
        for layer in self.out[:2]:
            h = F.dropout(F.relu(layer(h)), 0.0, self.training)
        return x + self.out[2](h)

    def loss(self, states: torch.Tensor, number: int, ahead: int = 10) -> dict[str, torch.Tensor]:
        """The negative evidence lower bound of states [B, T, N, 4], scaled to [-1, 1]."""
        x = self.embed(states.transpose(1, 2).flatten(2))
        edge = self.pair(self.pairs(x))
        x = self.node(self.receive.t().matmul(edge) / edge.shape[1])
        logits = self.classify(self.again(torch.cat([self.pairs(x), edge], -1)))  # [B, E, 2]
        kinds = F.gumbel_softmax(logits, 0.5)[:, None]
        last, told = states[:, :-1:ahead], []
        kinds = kinds.expand(-1, last.shape[1], -1, -1)
        for _ in range(ahead):
            last = self.step(last, kinds)
            told.append(last)
        made = torch.stack(told, 2).flatten(1, 2)[:, : states.shape[1] - 1]
        nll = ((made - states[:, 1:]) ** 2 / (2 * 5e-5)).sum() / len(states) / states.shape[2]
        q = F.softmax(logits, -1)
        return {"loss": nll + (q * torch.log(q + 1e-16)).sum() / len(states) / states.shape[2]}


def learning(asked) -> None:
    """A training step, beside the published one."""
    world = simulate("springs", 128, 5).to(asked.device)
    shelf, original = NRI().to(asked.device), Original().to(asked.device)
    shelf.fit_statistics(world)
    states = world.states / shelf.scale
    assert len({sum(p.numel() for p in model.parameters()) for model in (shelf, original)}) == 1
    rows = {"the original, stated anew": training_step(original, states),
            "the shelf's NRI": training_step(shelf, world)}
    for name, sizes in (("MLP", recipes.MLP_DECODER), ("law", recipes.LAW_DECODER)):
        ours = ForceNRI(**sizes).to(asked.device)
        ours.fit_statistics(world)
        rows[f"another network: the recipe's, {name} decoder"] = training_step(ours, world, 10_000)
    compare("springs, MLP decoder, 128 simulations of 5 bodies, 49 frames", rows, asked)


if __name__ == "__main__":
    asked = options()
    learning(asked)
    for kind in ("springs", "charged"):
        simulating(kind)
    for kind, bodies, count in (("springs", 5, 300), ("springs", 10, 200), ("charged", 5, 400), ("charged", 10, 200)):
        algebra(kind, bodies, count)
