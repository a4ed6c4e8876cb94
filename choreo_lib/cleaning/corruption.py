"""Faults on purpose, to measure repairs with; and the prototype's repairs, to compare with. Taught in chapter 2."""

from typing import NamedTuple

import numpy as np
from scipy.fft import dct, idct

from ..body.motion import Duet
from ..core.arguments import a, count, each, number, seed, share, takes
from ..core.shapes import array


class Corrupted(NamedTuple):
    """Frames as a detector might give them, and the truth.

    ``people``: a list over frames of [people, J, 3], metres; ``who``: for each of them 0 for dancer a, 1 for dancer b,
    2 for clutter; ``scores``: the detector's confidence, lowest for clutter. Chapter: 2.
    """

    people: list[np.ndarray]
    who: list[np.ndarray]
    scores: list[np.ndarray]


@takes(duet=a(Duet), seed=seed, dropped=share, swaps=count(0), lone=share, third=share, jitter=number(0),
       longest=count())
def corrupt(duet: Duet, seed: int = 0, dropped: float = 0.10, swaps: int = 15, lone: float = 0.05, third: float = 0.04,
          jitter: float = 0.02, longest: int = 15) -> Corrupted:
    """What a camera might have made of a duet, with the truth kept.

    ``dropped``, ``lone``, ``third``: shares of frames with nobody (in runs of up to ``longest``), with one dancer, and
    with a third person: half of them passers-by, half a dancer seen double. ``swaps`` times the list changes places
    for good. Units: ``jitter`` metres, standard deviation of every coordinate.
    Errors: ValueError where the take is too short for so many faults. Chapter: 2.
    """
    rng = np.random.default_rng(seed)
    positions = duet.positions.astype(np.float64)
    frames, _, joints, _ = positions.shape
    if frames <= max(swaps, longest + 1):
        raise ValueError(f"a take of {frames} frames is too short for {swaps} swaps and runs of {longest} frames")
    shown, tries = np.ones(frames, bool), 0
    while (left := round(dropped * frames) - np.count_nonzero(~shown)) > 0:
        if (tries := tries + 1) > 1000 + 100 * frames:
            raise ValueError(f"runs of nobody with frames between them cannot fill {dropped:.0%} of {frames} frames")
        run = min(int(rng.integers(1, longest + 1)), left)
        start = int(rng.integers(1, frames - run))
        if shown[start - 1 : start + run + 1].all():  # so that two runs never join into a longer one
            shown[start : start + run] = False
    turned = np.zeros(frames, int)
    for start in rng.choice(np.arange(1, frames), swaps, replace=False):
        turned[start:] ^= 1
    special = rng.permutation(np.flatnonzero(shown)[1:])
    alone = special[: round(lone * frames)]
    crowded = special[len(alone) : len(alone) + round(third * frames)]
    people, who, scores = [], [], []
    for t in range(frames):
        ids = [] if not shown[t] else [turned[t], 1 - turned[t]]
        ids = [ids[rng.integers(2)]] if t in alone else ids
        bodies = [positions[t, k] for k in ids]
        if t in crowded:
            if rng.random() < 0.5:
                clutter = positions[rng.integers(frames), rng.integers(2)] + (*rng.normal(0, 1, 2), 0)
            else:
                clutter = bodies[rng.integers(2)] + rng.normal(0, 0.05, (joints, 3))
            place = int(rng.integers(3))
            bodies.insert(place, clutter)
            ids.insert(place, 2)
        seen = np.reshape(bodies, (len(ids), joints, 3))
        people.append(seen + rng.normal(0, jitter, seen.shape))
        who.append(np.array(ids, int))
        scores.append(np.where(who[-1] == 2, 2.4, 3.0) + rng.uniform(-0.2, 0.2, len(ids)))
    return Corrupted(people, who, scores)


@takes(people=each(array(None, None, 3, empty=True, plain=True), least=1),
       scores=each(array(None, empty=True, plain=True), least=1))
def as_prototyped(people, scores) -> tuple[np.ndarray, np.ndarray]:
    """The repairs of the prototype's notebook, as described there: positions [frames kept, 2, J, 3], and which frames.

    The two best scores are kept; a lone dancer gets the farther of the two poses before as partner; each frame is
    turned round if dancer a is nearer, by Frobenius distance, to the second pose; of a cosine transform along time
    the lowest quarter is kept. Frames with nobody are left out.
    Errors: ValueError where a frame has not one score a person. Chapter: 2. Source: Luizerko/ai_choreo,
    pose_extraction/data_processing.ipynb.
    """
    if [len(one) for one in people] != [len(one) for one in scores]:
        raise ValueError("scores must have one number a person, frame by frame, as people have")
    kept: list[np.ndarray] = []
    frames: list[int] = []
    for t, (bodies, score) in enumerate(zip(people, scores)):
        if len(bodies) == 0 or (len(bodies) == 1 and not kept):
            continue
        if len(bodies) > 2:
            bodies = bodies[np.sort(np.argsort(score)[-2:])]
        if len(bodies) == 1:
            bodies = np.stack([bodies[0], max(kept[-1], key=lambda body: np.linalg.norm(body - bodies[0]))])
        if kept and np.linalg.norm(kept[-1][0] - bodies[0]) > np.linalg.norm(kept[-1][0] - bodies[1]):
            bodies = bodies[::-1]
        kept.append(bodies)
        frames.append(t)
    waves = dct(np.array(kept), axis=0, norm="ortho")
    waves[len(waves) // 4 :] = 0
    return idct(waves, axis=0, norm="ortho"), np.array(frames)
