"""Strings between dancers: how many windows a second are learned from, and in how much memory. Run on an idle machine.

    python benchmarks/strings.py

Prints ratios measured side by side in one run, on two threads, at the original's sizes: windows of 8 frames, 64 hidden
units, 4 types of edges. `LikeTheOriginal` is our own reconstruction of how that one goes about it: a sample at a time,
edges picked out one by one. What the original itself took was measured elsewhere: 61 ms a step of 8 windows at 3 joints
a dancer, 189 ms at 29.
"""

import resource
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch_geometric.nn import GCNConv

from choreo_lib.extensions import CouplingNRI
from choreo_lib.sets import synthetic
from choreo_lib.sets.windows import Windows, cut
from choreo_lib.training.recipes import AS_DESCRIBED

FRAMES, HIDDEN, TYPES = 8, 64, 4
FEW = ("pelvis", "left_wrist", "right_wrist")
TOOK = {3: 61, 29: 189}  # ms a step of 8 windows
AT_A_TIME = {3: (64, 256), 29: (32, 64)}  # how many windows a step of ours takes


class LikeTheOriginal(nn.Module):
    """The variant for dancers, a sample at a time; its layers and their sizes, not its code."""

    def __init__(self, bones, joints: int):
        super().__init__()
        own = [(i + k * joints, j + k * joints) for k in (0, 1) for i, j in bones]
        cross = [(i, joints + j) for i in range(joints) for j in range(joints)]
        both = own + cross
        self.edges = torch.tensor(both + [(j, i) for i, j in both]).T  # [2, E]: 26 at 3 joints, 1,794 at 29
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
        node = F.relu(self.again(torch.zeros(count, HIDDEN).index_add(0, receive, edge), self.edges))
        logits = self.out(F.relu(self.skip(torch.cat([node[send], node[receive], edge], -1))))
        drawn = F.gumbel_softmax(logits, 0.5, hard=True)
        kept = self.edges[:, drawn[:, 1:].sum(-1).nonzero()[:, 0]]
        memory = cell = torch.zeros(count, HIDDEN)
        made = []
        for frame in x[:-1]:
            enter, keep, show, new = self.gates(torch.cat([frame, memory], -1), kept).chunk(4, -1)
            cell = torch.sigmoid(keep) * cell + torch.sigmoid(enter) * torch.tanh(new)
            memory = torch.sigmoid(show) * torch.tanh(cell)
            edge = F.relu(self.say(torch.cat([memory[kept[0]], memory[kept[1]]], -1)))
            edge = F.dropout(self.calm(edge) if len(edge) > 1 else edge, 0.1)
            made.append(self.last(torch.zeros(count, HIDDEN).index_add(0, kept[1], edge), kept))
        kl = (logits.log_softmax(-1).exp() * (logits.log_softmax(-1) + 1)).sum()
        return F.mse_loss(torch.stack(made), x[1:]) + 1e-3 * kl

    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        """Windows [B, T, 2, J, 3] to the mean of their losses."""
        pace = F.pad(batch[:, 1:] - batch[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
        return torch.stack([self.one(x) for x in torch.cat([batch, pace], -1).flatten(2, 3)]).mean()


def some(few: bool) -> Windows:
    """Windows of 8 frames, of three or of all joints of a dancer."""
    windows = cut([synthetic.duet("drives", 200, seed=k) for k in range(10)], FRAMES)
    return windows.with_joints(FEW) if few else windows


def ours(windows: Windows) -> CouplingNRI:
    """The variant as described, made correct."""
    model = CouplingNRI(windows.skeleton, fps=windows.fps, frames=FRAMES, **AS_DESCRIBED)
    model.fit_statistics(windows.batches(512))
    return model


def a_second(step, size: int, least: float = 4.0) -> float:
    """Windows a second of a training step: the median of what at least four seconds of them took."""
    step()
    spent = []
    while sum(spent) < least or len(spent) < 5:
        began = time.perf_counter()
        step()
        spent.append(time.perf_counter() - began)
    return size / sorted(spent)[len(spent) // 2]


def step_of(model: nn.Module, loss, bfloat16: bool = False):
    """One step of training, as a function."""
    optimiser = torch.optim.Adam(model.parameters(), 3e-4, fused=True)

    def step():
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            value = loss()
        value.backward()
        optimiser.step()

    return step


def speed(few: bool) -> None:
    windows = some(few)
    joints = len(windows.skeleton)
    eight = windows[:8]
    original = LikeTheOriginal(windows.skeleton.bones, joints)
    before = a_second(step_of(original, lambda: original.loss(eight)), 8)
    edges = original.edges.shape[1]
    print(f"{2 * joints} joints, {edges:,} edges: a sample at a time {before:.0f} windows a second "
          f"(the original itself, elsewhere: {8000 / TOOK[joints]:.0f})")
    for many in AT_A_TIME[joints]:
        for half in (False, True):
            model, batch = ours(windows), windows[:many]
            now = a_second(step_of(model, lambda: model.loss(batch, 1000)["loss"], half), many)  # noqa: B023
            print(f"  ours, {many} at a time, {'bfloat16' if half else 'float32'}: {now:.0f} windows a second, "
                  f"{now / before:.0f} times as many; {now * TOOK[joints] / 8000:.0f} times the original's")


def published() -> None:
    """The published set-up: 6 joints, 20 epochs of windows of 8 frames, batches of 64."""
    windows = some(True)
    model, began = ours(windows), time.perf_counter()
    optimiser = torch.optim.Adam(model.parameters(), 3e-4, fused=True)
    model.train()
    for epoch in range(20):
        for k, batch in enumerate(windows.batches(64, seed=0, epoch=epoch)):
            optimiser.zero_grad()
            model.loss(batch, k)["loss"].backward()
            optimiser.step()
    spent = time.perf_counter() - began
    print(f"the published set-up, 20 epochs of {len(windows):,} windows: {spent:.0f} s, "
          f"{20 * len(windows) / spent:.0f} windows a second")


def memory() -> None:
    """The most that a process holds while it learns from 64 windows of all joints; run as one of its own."""
    windows = some(False)
    model = ours(windows)
    step = step_of(model, lambda: model.loss(windows[:64], 1000)["loss"])
    step(), step()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"58 joints, 1,794 edges, 64 windows of 8 frames: {most:.2f} GB at most, the library and all")


if __name__ == "__main__":
    torch.set_num_threads(2)
    torch.manual_seed(0)
    if sys.argv[1:] == ["memory"]:
        memory()
    else:
        speed(True)
        speed(False)
        published()
        subprocess.run([sys.executable, __file__, "memory"], check=True)
