"""Strings between dancers: a training step beside the original's, and how many windows a second are learned from.

    python benchmarks/strings.py

At the original's sizes: windows of 8 frames, 64 hidden units, 4 types of edges, 8 windows a step, both dancers.
`LikeTheOriginal` states anew how that one goes about it: a sample at a time, edges picked out one by one. Larger
batches stand in tables of their own; `CouplingNRI`, made as described, is another network. What the original itself
took was measured elsewhere: 61 ms a step at 3 joints a dancer, 189 ms at 29, on two threads.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from side_by_side import compare, options, training_step
from torch import nn
from torch_geometric.nn import GCNConv

from choreo_lib.extensions import CouplingNRI
from choreo_lib.sets import synthetic
from choreo_lib.sets.windows import Windows, cut
from choreo_lib.systems.dance_nri import DanceNRI
from choreo_lib.training.recipes import AS_DESCRIBED

FRAMES, HIDDEN, TYPES = 8, 64, 4
FEW = ("pelvis", "left_wrist", "right_wrist")
AT_A_TIME = {3: 256, 29: 64}  # how many windows a step of ours takes


class LikeTheOriginal(nn.Module):
    """The variant for dancers, a sample at a time; its layers and their sizes, not its code."""

    def __init__(self, bones, joints: int):
        super().__init__()
        own = [(i + k * joints, j + k * joints) for k in (0, 1) for i, j in bones]
        cross = [(i, joints + j) for i in range(joints) for j in range(joints)]
        both = own + cross
        self.register_buffer("edges", torch.tensor(both + [(j, i) for i, j in both]).T)  # [2, E]
        self.read, self.again = GCNConv(FRAMES * 6, HIDDEN), GCNConv(HIDDEN, HIDDEN)
        self.edge, self.level = nn.Linear(2 * HIDDEN, HIDDEN), nn.BatchNorm1d(HIDDEN)
        self.skip, self.out = nn.Linear(3 * HIDDEN, HIDDEN), nn.Linear(HIDDEN, TYPES)
        self.gates, self.last = GCNConv(6 + HIDDEN, 4 * HIDDEN), GCNConv(HIDDEN, 6)
        self.say, self.calm = nn.Linear(2 * HIDDEN, HIDDEN), nn.BatchNorm1d(HIDDEN)

    def one(self, x: torch.Tensor) -> torch.Tensor:
        """Features [T, N, 6] of one window to its loss."""
        (send, receive), count = self.edges, x.shape[1]
        node = F.relu(self.read(x.transpose(0, 1).flatten(1), self.edges))
        edge = F.dropout(self.level(F.relu(self.edge(torch.cat([node[send], node[receive]], -1)))), 0.1)
        node = F.relu(self.again(x.new_zeros(count, HIDDEN).index_add(0, receive, edge), self.edges))
        logits = self.out(F.relu(self.skip(torch.cat([node[send], node[receive], edge], -1))))
        drawn = F.gumbel_softmax(logits, 0.5, hard=True)
        kept = self.edges[:, drawn[:, 1:].sum(-1).nonzero()[:, 0]]
        memory = cell = x.new_zeros(count, HIDDEN)
        made = []
        for frame in x[:-1]:
            enter, keep, show, new = self.gates(torch.cat([frame, memory], -1), kept).chunk(4, -1)
            cell = torch.sigmoid(keep) * cell + torch.sigmoid(enter) * torch.tanh(new)
            memory = torch.sigmoid(show) * torch.tanh(cell)
            edge = F.relu(self.say(torch.cat([memory[kept[0]], memory[kept[1]]], -1)))
            edge = F.dropout(self.calm(edge) if len(edge) > 1 else edge, 0.1)
            made.append(self.last(x.new_zeros(count, HIDDEN).index_add(0, kept[1], edge), kept))
        kl = (logits.log_softmax(-1).exp() * (logits.log_softmax(-1) + 1)).sum()
        return F.mse_loss(torch.stack(made), x[1:]) + 1e-3 * kl

    def loss(self, batch: torch.Tensor, number: int) -> dict[str, torch.Tensor]:
        """Windows [B, T, 2, J, 3] to the mean of their losses."""
        pace = F.pad(batch[:, 1:] - batch[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
        return {"loss": torch.stack([self.one(x) for x in torch.cat([batch, pace], -1).flatten(2, 3)]).mean()}


def some(few: bool) -> Windows:
    """Windows of 8 frames, of three or of all joints of a dancer."""
    windows = cut([synthetic.duet("drives", 200, seed=k) for k in range(10)], FRAMES)
    return windows.with_joints(FEW) if few else windows


def built(kind: type, windows: Windows, **settings):
    """A model of ours for these windows."""
    model = kind(windows.skeleton, fps=windows.fps, frames=FRAMES, **settings)
    model.fit_statistics(windows.batches(512))
    return model


def speed(few: bool, asked) -> None:
    windows = some(few)
    joints = len(windows.skeleton)
    original = LikeTheOriginal(windows.skeleton.bones, joints).to(asked.device)
    shelf = built(DanceNRI, windows).to(asked.device)
    ours = built(CouplingNRI, windows, **AS_DESCRIBED).to(asked.device)
    for many in (8, AT_A_TIME[joints]):
        batch = windows[:many].to(asked.device)
        rows = {"the original, stated anew": training_step(original, batch),
                "the shelf's DanceNRI": training_step(shelf, batch),
                "another network: CouplingNRI": training_step(ours, batch, 1000)}
        compare(f"strings, {2 * joints} joints, {original.edges.shape[1]:,} edges, {many} windows of {FRAMES} frames",
                rows, asked)


def published() -> None:
    """The published set-up: 6 joints, 20 epochs of windows of 8 frames, batches of 64."""
    windows = some(True)
    model, began = built(CouplingNRI, windows, **AS_DESCRIBED), time.process_time()
    optimiser = torch.optim.Adam(model.parameters(), 3e-4, fused=True)
    model.train()
    for epoch in range(20):
        for k, batch in enumerate(windows.batches(64, seed=0, epoch=epoch)):
            optimiser.zero_grad()
            model.loss(batch, k)["loss"].backward()
            optimiser.step()
    spent = time.process_time() - began
    print(f"the published set-up, 20 epochs of {len(windows):,} windows: {spent:.0f} s, "
          f"{20 * len(windows) / spent:.0f} windows a second of processor time")


def memory() -> None:
    """The most that a process holds while it learns from 64 windows of all joints; run as one of its own."""
    windows = some(False)
    model = built(CouplingNRI, windows, **AS_DESCRIBED)
    step = training_step(model, windows[:64], 1000)
    step(), step()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"58 joints, 1,794 edges, 64 windows of 8 frames: {most:.2f} GB at most, the library and all")


if __name__ == "__main__":
    if sys.argv[1:] == ["memory"]:
        memory()
    else:
        asked = options()
        speed(True, asked)
        speed(False, asked)
        published()
        subprocess.run([sys.executable, __file__, "memory"], check=True)
