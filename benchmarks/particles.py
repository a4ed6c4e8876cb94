"""Springs and charges: how fast they are simulated, read by algebra, and learned from. Run on an idle machine.

    python benchmarks/particles.py

Prints ratios measured side by side, and the algebra's accuracy on seeds that it was not tuned on. Two
threads. The published networks' time was measured elsewhere, at hidden sizes of 256.
"""

import time

import numpy as np
import torch

from choreo_lib.evaluation import baselines, metrics
from choreo_lib.extensions import ForceNRI
from choreo_lib.sets.particles import BOX, CHARGE, STEP, STIFFNESS, STRONGEST, SUBSTEPS, simulate
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


def seconds(work, times: int = 3) -> float:
    told = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        told.append(time.perf_counter() - began)
    return sorted(told)[len(told) // 2]


def simulating(kind: str) -> None:
    world = simulate(kind, 2000, 5)
    first = [each[0, 0].double().numpy() for each in (world.positions, world.velocities)]
    many = seconds(lambda: simulate(kind, 2000, 5)) / 2000
    one = seconds(lambda: alone(kind, *first, world.edges[0].numpy(), 49))
    print(f"{kind}, 5 bodies, 49 frames: {1e3 * one:.0f} ms one at a time, {1e3 * many:.3f} ms each of 2,000: "
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


def training(kind: str, sizes: dict) -> None:
    world = simulate(kind, 128, 5)
    model = ForceNRI(**sizes)
    model.fit_statistics(world)
    optimiser = torch.optim.AdamW(model.parameters())

    def step():
        optimiser.zero_grad()
        model.loss(world, 10_000)["loss"].backward()
        optimiser.step()

    step()
    print(f"a training step, {kind}, decoder {sizes['decoder']}, batch 128, 49 frames: {1e3 * seconds(step, 7):.0f} ms "
          "(published networks: 1,015)")


if __name__ == "__main__":
    torch.set_num_threads(2)
    for kind in ("springs", "charged"):
        simulating(kind)
    for kind, bodies, count in (("springs", 5, 300), ("springs", 10, 200), ("charged", 5, 400), ("charged", 10, 200)):
        algebra(kind, bodies, count)
    for kind, sizes in (("springs", recipes.LAW_DECODER), ("springs", recipes.MLP_DECODER),
                        ("charged", recipes.LAW_DECODER | recipes.BOTH_FORCES)):
        training(kind, sizes)
