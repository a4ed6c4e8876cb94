"""How well and how fast a spoiled take is put right: every salsa take, five seeds, beside the prototype's procedure.

    CHOREO_DATA=folder python benchmarks/cleaning.py
"""

import time

import numpy as np

import choreo_lib as cl
from choreo_lib import cleaning


def jerk(x):
    return np.linalg.norm(np.diff(x, 3, axis=0), axis=-1).mean()


def lag(x, y, most=10):
    u, v = (np.diff(z, axis=0).reshape(len(z) - 1, -1) for z in (x, y))
    inside = slice(most, -most)
    return int(np.argmax([(u[inside] * np.roll(v, -k, axis=0)[inside]).sum() for k in range(-most, most + 1)])) - most


def order_of(spoiled):
    return [k for k in next(w for w in spoiled.who if {0, 1} <= set(w.tolist())) if k < 2]


def identity(index, spoiled):
    right = np.ones(len(index), bool)
    for t, who in enumerate(spoiled.who):
        for column, dancer in enumerate(order_of(spoiled)):
            right[t] &= who[index[t, column]] == dancer if index[t, column] >= 0 else dancer not in who
    return right


def one(name, seed):
    duet = cl.load_duet(name)
    truth = duet.positions.astype(float)[:, order_of(spoiled := cleaning.corrupt(duet, seed))]
    cleaned, report = cl.clean(spoiled.people, duet.fps)
    ours = cleaned.positions.astype(float)
    theirs, kept = cleaning.as_prototyped(spoiled.people, spoiled.scores)
    if np.linalg.norm(theirs[0] - truth[kept[0]]) > np.linalg.norm(theirs[0, ::-1] - truth[kept[0]]):
        theirs = theirs[:, ::-1]
    apart = np.linalg.norm(truth[:, 0, 0] - truth[:, 1, 0], axis=-1)
    right = identity(report.index, spoiled)
    error = lambda x, y: 1000 * np.linalg.norm(x - y, axis=-1).mean()  # noqa: E731
    held = theirs[np.maximum(np.searchsorted(kept, np.arange(len(truth)), side="right") - 1, 0)]
    return {
        "identity right %": 100 * right.mean(),
        "wrong where > 0.5 m apart": int((~right & (apart > 0.5)).sum()),
        "ours, every frame, mm": error(ours, truth),
        "ours, frames with somebody, mm": error(ours[kept], truth[kept]),
        "prototype as it comes, mm": error(theirs, truth[: len(theirs)]),
        "prototype, gaps held, mm": error(held, truth),
        "prototype, frames with somebody, mm": error(theirs, truth[kept]),
        "jerk / real": jerk(ours) / jerk(truth),
        "prototype's jerk / real": jerk(theirs) / jerk(truth),
        "lag, frames": lag(truth, ours),
    }


if __name__ == "__main__":
    takes = [take for role in ("train", "validation", "test") for take in cl.splits("salsa")[role]]
    everything = []
    for name in takes:
        rows = [one(name, seed) for seed in range(5)]
        everything += rows
        print(name)
        for key in rows[0]:
            values = np.array([row[key] for row in rows])
            print(f"    {key:38s} mean {values.mean():8.2f}   lowest {values.min():8.2f}   highest {values.max():8.2f}")
    print("all takes, all seeds")
    for key in everything[0]:
        values = np.array([row[key] for row in everything])
        print(f"    {key:38s} mean {values.mean():8.2f}   lowest {values.min():8.2f}   highest {values.max():8.2f}")
    long = cleaning.corrupt(cl.synthetic.duet("canon", frames=10_000, seed=1), 0)
    started = time.perf_counter()
    cl.clean(long.people, 30)
    print(f"10,000 frames of 29 joints: {time.perf_counter() - started:.1f} s")
