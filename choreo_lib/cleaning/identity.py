"""Two dancers followed through a recording in which people come, go, and change places. Taught in chapter 2."""

from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

import numpy as np

from ..core.arguments import count, each, takes
from ..io.conventions import MAX_DISTANCE, check_counts, check_fps, fail

_MISS = 18.0  # nats: what it costs to say that a dancer was not seen in a frame that shows somebody
_CLUTTER = 6.0  # nats: what it costs to say that somebody in the frame is neither dancer
_MOVING_CLUTTER = 1.2  # times the cost of clutter's own movement is added: those who move are rather the dancers
_KEPT = 24  # hypotheses followed at once: a beam
_MARGIN = 80.0  # nats: a hypothesis so much less likely than the best is given up
_CROWD = 50  # people in one frame: more is no picture of a duet, or all frames taken for one
_BUILD = 3.0  # nats: the most that one frame's body lengths may say


class Tracks(NamedTuple):
    """Which person of each frame is which dancer: ``index`` [T, 2], column 0 dancer a, -1 where not seen.

    ``built_apart`` says how far the two differ in build, in spreads of what one frame shows; under 1 it tells little.
    Chapter: 2.
    """

    index: np.ndarray  # type: ignore[assignment]  # hides tuple.index, which nobody asks of this
    built_apart: float


class Person(NamedTuple):
    """A dancer as last seen: frame, middle [3], velocity of the middle [3] per frame, pose about the middle [J, 3]."""

    frame: int
    middle: np.ndarray
    velocity: np.ndarray
    pose: np.ndarray


@takes(bones=each(each(count(0), size=2)))
def track(people, fps: float, bones=()) -> Tracks:
    """Follow two dancers through a list of frames, each an array [people, J, 3] of whoever was seen.

    Units: metres. ``bones`` are pairs of joints whose lengths tell one build from the other; the order of people in a
    frame is not believed. Dancer a is whoever is listed first in the first frame that shows both.
    The answer is one assignment over the whole of time, found by dynamic programming (Viterbi, 1967) over hypotheses:
    one says who was who so far, and its cost adds up how far each dancer had to jump from where their own pace
    would have brought them, how far the pose had to change, how well the build fits, each dancer not seen, and each
    detection left over as clutter. Where a third person stays for long, clutter that moves costs more.
    Errors: MotionFormatError (a ValueError), naming the frame. Chapter: 2.
    """
    fps = check_fps("people", fps)
    people = checked("people", people)
    build, apart = _builds(people, bones)
    middles = [frame.mean(axis=1) for frame in people]
    poses = [frame - middle[:, None] for frame, middle in zip(people, middles)]
    scale = _steps(middles, poses)
    hypotheses = {(None, None): (0.0, None, (None, None))}  # key: places last seen; value: cost, backpointers, persons
    counts = np.array([len(frame) for frame in people])
    reach = min(int(np.ceil(fps)), len(people))  # a second to either side
    around = lambda which: np.convolve(which, np.ones(2 * reach + 1))[reach : reach + len(which)]  # noqa: E731
    company = around(counts > 2) > 0.5 * around(counts > 0)  # somebody stays beside the two, more than now and then
    last: list[Person | None] = [None]  # everybody as last seen within that second, where there is company
    for t, frame in enumerate(people):
        moving = [0.0] * len(frame)
        if not company[t]:
            last = [None]
        elif len(frame):
            moved = np.stack([_cost(person, t, middles[t], poses[t], scale, fps) for person in last])
            nearest = moved.argmin(axis=0)
            gone = [person for i, person in enumerate(last) if person and i not in nearest and t - person.frame < reach]
            last = [*gone, *(_seen(last[i], t, middles[t][j], poses[t][j], fps) for j, i in enumerate(nearest))]
            moving = (_MOVING_CLUTTER * np.minimum(moved.min(axis=0), _CLUTTER)).tolist()
        if len(frame):
            hypotheses = _advance(hypotheses, t, middles[t], poses[t], build[t], scale, fps, moving)
    _, backpointers, _ = min(hypotheses.values(), key=lambda hypothesis: hypothesis[0])
    index = np.full((len(people), 2), -1)
    while backpointers is not None:
        t, choice, backpointers = backpointers
        index[t] = choice
    both = np.flatnonzero((index >= 0).all(axis=1))
    if len(both) and index[both[0], 0] > index[both[0], 1]:
        index = index[:, ::-1].copy()
    return Tracks(index, apart)


def _advance(hypotheses, t, middles, poses, build, scale, fps, moving):
    """Every hypothesis, continued by everything frame t could mean."""
    count = len(middles)
    choices, clutter_costs = _choices(count), []
    for pair in choices:
        left = sorted(moving[k] for k in range(count) if k not in pair)
        clutter_costs.append(_CLUTTER * len(left) + sum(left[: max(count - 2, 0)]))  # the rest may be a dancer not seen
    best = np.inf
    known = {}  # cost of "this dancer as last seen is that person", shared by the hypotheses that agree on the dancer
    after = {}
    for key, (cost, backpointers, persons) in hypotheses.items():
        costs = []
        for who in (0, 1):
            if (key[who], who) not in known:
                row = _cost(persons[who], t, middles, poses, scale, fps) + build[who]
                known[key[who], who] = [*row.tolist(), _MISS]  # the last, index -1, is "not seen"
            costs.append(known[key[who], who])
        for choice, clutter in zip(choices, clutter_costs):
            i, j = choice
            total = cost + costs[0][i] + costs[1][j] + clutter
            if total >= best + _MARGIN:
                continue
            best = min(best, total)
            place = ((t, i) if i >= 0 else key[0], (t, j) if j >= 0 else key[1])
            if place not in after or total < after[place][0]:
                after[place] = (total, backpointers, persons, choice)
    ranked = sorted(after.items(), key=lambda item: item[1][0])[:_KEPT]
    return {place: (total, (t, choice, backpointers),
                    tuple(person if i < 0 else _seen(person, t, middles[i], poses[i], fps)
                          for person, i in zip(persons, choice)))
            for place, (total, backpointers, persons, choice) in ranked if total < best + _MARGIN}


@lru_cache
def _choices(count: int) -> list[tuple[int, int]]:
    """What a frame of so many people can mean: who is dancer a and who is b, -1 for not seen."""
    return list(dict.fromkeys(permutations((*range(count), -1, -1), 2)))


def _seen(last: Person | None, t, middle, pose, fps) -> Person:
    """Somebody as seen in frame t."""
    velocity = np.zeros(3)
    if last is not None:
        gap = t - last.frame
        share = min(1.0, gap * 10 / fps)  # a pace averaged over a tenth of a second
        velocity = last.velocity + share * ((middle - last.middle) / gap - last.velocity)
    return Person(t, middle, velocity, pose)


def _cost(last, t, middles, poses, scale, fps) -> np.ndarray:
    """Nats, one a person in the frame: how unlikely it is that the dancer last seen has become this person."""
    if last is None:
        return np.zeros(len(middles))
    gap = t - last.frame
    glide = fps / 3 * (1 - np.exp(-gap / (fps / 3)))  # a pace is kept for a third of a second, fading
    jump = middles - last.middle - glide * last.velocity
    change = np.linalg.norm(poses - last.pose, axis=2).mean(axis=1)
    long = min(gap, fps) - 1.0
    place = ((jump / (scale[:3] * (1 + 0.5 * long))) ** 2).sum(axis=1)
    shape = (change / (scale[3] * (1 + 0.25 * long))) ** 2
    # heavy tails: one wild frame must not outvote all the others
    return 3 * np.log1p(place / 3) + 3 * np.log1p(shape / 3) + 3 * np.log1p(0.5 * long)


def _steps(middles, poses) -> np.ndarray:
    """How far a middle moves along x, y, z in one frame, and a pose: between nearest neighbours, typically [4].

    Each axis for itself: a single camera sees sideways far better than it sees depth.
    """
    steps = []
    for m0, m1, p0, p1 in zip(middles, middles[1:], poses, poses[1:]):
        if len(m0) and len(m1):
            nearest = np.linalg.norm(m1[:, None] - m0, axis=2).argmin(axis=1)
            change = np.linalg.norm(p1 - p0[nearest], axis=2).mean(axis=1)
            steps += np.column_stack([np.abs(m1 - m0[nearest]), change]).tolist()
    typical = 1.5 * np.median(steps, axis=0) if steps else np.zeros(4)
    return np.maximum(typical, (0.01, 0.01, 0.01, 0.03))  # metres; who stands still must be allowed to start


def _builds(people, bones):
    """What bone lengths say: for each person nats against dancer a and against b, [T][2, people]; and the gap in build.

    Two people in one frame differ along some direction in the space of bone lengths. Along it, two Gaussians. Lengths
    that fit neither build are a sign of a bad detection, and count against both.
    """
    pairs = [frame for frame in people if len(frame) == 2]
    if len(pairs) < 10 or not len(bones):
        return [np.zeros((2, len(frame))) for frame in people], 0.0
    parents, children = np.array(bones).T
    lengths = [np.linalg.norm(frame[:, children] - frame[:, parents], axis=2) for frame in people]
    both = np.stack([each for each in lengths if len(each) == 2])  # [pairs, 2, bones]
    apart = both[:, 0] - both[:, 1]
    direction = np.linalg.eigh(apart.T @ apart)[1][:, -1]
    middle = both.mean(axis=(0, 1))
    half, spread = _two_builds((both - middle).reshape(-1, len(bones)) @ direction)
    along = [(each - middle) @ direction for each in lengths]
    strain = [np.linalg.norm(each - middle - half * np.sign(x)[:, None] * direction, axis=1)
              for each, x in zip(lengths, along)]
    usual = max(np.median(np.concatenate(strain)), 1e-3)
    log_odds = [np.clip(half * x / spread**2, -_BUILD, _BUILD) for x in along]
    misfit = [3 * np.log1p((each / usual) ** 2 / 3) for each in strain]
    return [np.stack([bad - x, bad + x]) for bad, x in zip(misfit, log_odds)], 2 * half / spread


def _two_builds(along: np.ndarray) -> tuple[float, float]:
    """Expectation maximisation for two Gaussians at +half and -half with one spread (Dempster et al., 1977)."""
    half, spread = np.abs(along).mean(), along.std() / 2 + 1e-6
    for _ in range(50):
        log_odds = np.tanh(half * along / spread**2)
        half = (log_odds * along).mean()
        spread = np.sqrt(max(np.mean(along**2) - half**2, 1e-8))
    return float(half), float(spread)


def checked(path, frames, skeleton=None) -> list[np.ndarray]:
    """A list of frames as float arrays [people, J, 3], all of one number of joints, all within reach."""
    if not isinstance(frames, (list, tuple, np.ndarray)) or (isinstance(frames, np.ndarray) and not frames.ndim) or (
            not len(frames)):
        fail(path, "expected a path, or a list with one array [people, joints, 3] a frame")
    joints = None if skeleton is None else len(skeleton)
    people: list[np.ndarray | None] = []
    for t, frame in enumerate(frames):
        try:
            frame = np.asarray(frame, np.float64)
        except (TypeError, ValueError, OverflowError):
            fail(path, "expected an array [people, joints, 3] of numbers; do all people have the same joints?",
                 f"frame {t}")
        people.append(frame if frame.size else None)
        if not frame.size:
            continue
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.shape[1] < 2:
            fail(path, "expected an array [people, joints, 3] of at least two joints, an empty one where nobody was "
                       f"seen; got shape {frame.shape}", f"frame {t}")
        if joints is not None and frame.shape[1] != joints:
            fail(path, f"expected {joints} joints, as in the {'skeleton' if skeleton else 'frames before'}; got "
                       f"{frame.shape[1]}", f"frame {t}")
        if len(frame) > _CROWD:
            fail(path, f"{len(frame)} people are more than the {_CROWD} among whom two dancers are looked for; has "
                       "every image a number of its own?", f"frame {t}")
        if not (np.abs(frame) <= MAX_DISTANCE).all():
            person, joint, _ = np.argwhere(~(np.abs(frame) <= MAX_DISTANCE))[0]
            fail(path, "expected finite numbers, in metres; leave a person out rather than half in",
                 f"frame {t}, person {person}, joint {joint}")
        joints = frame.shape[1]
    check_counts(path, len(frames), joints or 1)
    return [np.empty((0, joints or 1, 3)) if frame is None else frame for frame in people]
