"""How fast takes become windows, and windows batches: ours against one Python item a window, same frames, same run.

Usage: CHOREO_DATA=../shared/data python benchmarks/windows.py
Cuts windows of 64 frames at stride 1 from every salsa take (noise of the same size where there are none) and copies
them all out; then gathers shuffled batches of 256 windows of 64 x 58 x 3 (two dancers of 29 joints). The rival is what
the prototypes do: a Dataset whose items are sliced and joined in Python, one by one, and a DataLoader that collates
them. Five rounds in turn; the fastest counts. Copying one batch over and over says what the memory allows.
"""

import time

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

import choreo_lib as cl
from choreo_lib.sets.windows import cut

LENGTH, BATCH, ROUNDS = 64, 256, 5
FRAMES = (1452, 1141, 1393, 1672, 1587, 1318, 1224, 1239)  # of the salsa takes


class PerItem(Dataset):
    """Each window is sliced and joined when it is asked for."""

    def __init__(self, takes):
        self.takes = [(take.a.positions, take.b.positions) for take in takes]
        self.places = [(k, t) for k, take in enumerate(takes) for t in range(len(take) - LENGTH + 1)]

    def __len__(self):
        return len(self.places)

    def __getitem__(self, i):
        k, t = self.places[i]
        return torch.tensor(np.stack([motion[t : t + LENGTH] for motion in self.takes[k]], 1))  # [64, 2, J, 3]


def noise(skeleton):
    """Duets of random numbers as long as the salsa takes."""
    rng = np.random.default_rng(0)
    for frames in FRAMES:
        a, b = rng.normal(size=(2, frames, len(skeleton), 3))
        yield cl.Duet(cl.Motion(a, 30.0, skeleton), cl.Motion(b, 30.0, skeleton))


def fastest(*works):
    """Seconds that each takes at best, after one call that does not count."""
    found = []
    for _ in range(ROUNDS + 1):
        found.append([])
        for work in works:
            start = time.perf_counter()
            work()
            found[-1].append(time.perf_counter() - start)
    return np.min(found[1:], axis=0)


def through(batches):
    """One epoch, looked at by nobody."""
    for _ in batches:
        pass


def main():
    """Print one line a comparison."""
    here = not cl.sets.registry.missing("salsa")
    roles = cl.splits("salsa")
    names = [name for role in ("train", "validation", "test") for name in roles[role]]
    takes = [cl.load_duet(name) for name in names] if here else list(noise(cl.HYBRIK_29))
    items = PerItem(takes)
    only, whole, slow = fastest(lambda: cut(takes), lambda: cut(takes)[:], lambda: torch.stack(list(items)))
    print(f"{'salsa' if here else 'noise'}, {len(takes)} takes, {len(items)} windows of {LENGTH} frames at stride 1: "
          f"cut {only * 1e3:.1f} ms; cut and all copied out {whole:.3f} s, item by item {slow:.3f} s, "
          f"ratio {slow / whole:.1f}")

    takes = list(noise(cl.HYBRIK_29))
    windows, items = cut(takes), PerItem(takes)
    loader = DataLoader(items, BATCH, shuffle=True)
    assert torch.equal(windows[:BATCH], next(iter(DataLoader(items, BATCH))))  # the same windows
    block = windows[:BATCH].numpy()
    ours, slow, copy = fastest(
        lambda: through(windows.batches(BATCH, seed=0)), lambda: through(loader),
        lambda: through(block.copy() for _ in range(-(-len(items) // BATCH))),
    )  # fmt: skip
    rate = [len(items) / s for s in (ours, slow)]
    size = block[0].nbytes
    print(f"batches of {BATCH} x {LENGTH} x 58 x 3, shuffled, {torch.get_num_threads()} threads: "
          f"choreo_lib {rate[0]:,.0f} windows/s, item by item {rate[1]:,.0f}, ratio {rate[0] / rate[1]:.1f}; "
          f"{rate[0] * size / 1e9:.1f} GB/s, {copy / ours:.0%} of copying one batch as often")


if __name__ == "__main__":
    main()
