"""What the benchmarks of training steps share: steps timed in turn, ratios with their spread, what a step launches.

All steps of a table run in one process, one of each in turn, so that a busy machine slows them alike: on a CPU one
thread, by its processor time; on a GPU by the clock, when it has finished. The first row is what the others are
compared with: the published computation, stated anew in our own words, with its loops in Python. A row of other sizes
says "another network". Every benchmark that uses this takes --device, --rounds and --threads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

Step = Callable[[], object]


def options() -> argparse.Namespace:
    """What the command line asks for; seeds chance and sets the number of threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=15, help="steps a row, each in turn (15)")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    return asked


def training_step(model: torch.nn.Module, batch, number: int = 0) -> Step:
    """A step of training, the same for every row: the loss of a batch at the step ``number``, its gradient, Adam."""
    optimiser = torch.optim.Adam(model.parameters(), 1e-4)
    model.train()

    def step() -> None:
        optimiser.zero_grad()
        model.loss(batch, number)["loss"].backward()
        optimiser.step()

    return step


def in_turn(steps: dict[str, Step], rounds: int, device: str = "cpu") -> dict[str, np.ndarray]:
    """Milliseconds of each step, [rounds]; two rounds before them do not count."""
    told: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 2):
        for name, step in steps.items():
            began = now(device)
            step()
            told[name].append(1000 * (now(device) - began))
    return {name: np.array(each[2:]) for name, each in told.items()}


def now(device: str) -> float:
    """Seconds: of the processor; on a GPU of the clock, when all that was asked of it is done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


class Operators(TorchDispatchMode):
    """How many operators run that make numbers, and are no mere view of some."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += all(each.alias_info is None for each in function._schema.returns)
        return function(*args, **(kwargs or {}))


def operators(step: Step) -> int:
    """How many operators a step takes that make numbers; an operator is at least one kernel that a GPU launches."""
    with Operators() as counted:
        step()
    return counted.count


def gpu_work(step: Step, times: int = 2) -> tuple[int, float]:
    """Of a step on a GPU: how many kernels it launches, and for how many seconds the GPU is busy with them."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], acc_events=True) as seen:
        for _ in range(times):
            step()
    kernels = [event for event in seen.events() if event.device_type == DeviceType.CUDA
               and not getattr(event, "is_user_annotation", False)]
    return len(kernels) // times, sum(event.self_device_time_total for event in kernels) / times / 1e6


def compare(title: str, steps: dict[str, Step], asked: argparse.Namespace) -> None:
    """Print a row a step: the median, how many times as fast as the first (quartiles over rounds), operators."""
    told = in_turn(steps, asked.rounds, asked.device)
    first = next(iter(told.values()))
    print(f"{title}; {asked.device}, {torch.get_num_threads()} thread(s), {asked.rounds} rounds in turn")
    print(f"{'':44s}ms a step   times as fast    quartiles   operators")
    for name, spent in told.items():
        low, middle, high = np.quantile(first / spent, (0.25, 0.5, 0.75))
        line = f"  {name:42s}{np.median(spent):9.1f} {middle:15.2f} {low:7.2f}-{high:.2f} {operators(steps[name]):11,d}"
        if asked.device.startswith("cuda"):
            kernels, busy = gpu_work(steps[name])
            line += f"   {kernels:,} kernels, GPU busy {100 * busy / (np.median(spent) / 1000):.0f} % of the time"
        print(line, flush=True)
    print()
