"""Two files become one duet: joints matched by name, clocks and lengths brought together, or refused.

What is changed is noted in ``motion.notes`` of the dancer who was changed. Taught in chapter 6, "Translating a dancer".
"""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from ..body.compatibility import same_rate
from ..body.joint_names import sided_names
from ..body.motion import Duet, Motion
from ..body.skeleton import Skeleton
from ..core.arguments import a, each, path, takes, text
from .conventions import MotionFormatError, check_fps, fail
from .estimators import read_json

SLACK = 0.2  # seconds by which two takes of one dance may differ in length: somebody pressed stop a little later


@takes(a=a(Motion), b=a(Motion), names=each(text, size=2))
def match_skeletons(a: Motion, b: Motion, names: tuple[str, str] = ("a", "b")) -> Duet:
    """Two dancers as a duet whose joints, clock and length are the same.

    Joints are matched by name, however its side is spelled and without regard to case, separators and prefixes (see
    `choreo_lib.body.joint_names`); dancer b's take dancer a's order and names. A joint that only one of them has is
    left out where nothing hangs from it but joints that are left out too (fingers, say). The faster clock is resampled
    to the slower; the longer take is cut where it is longer by a fifth of a second at most. ``names``: what errors call
    them.
    Errors: MotionFormatError for joints that hang from different ones, an inner joint that one of them lacks, or takes
    of different length. Chapter: 6.
    """
    fps = min(a.fps, b.fps)
    a, b = (m if same_rate(m.fps, fps) else _noted(m.resampled(fps), f"resampled from {m.fps:g} to {fps:g} "
                                                            "frames a second") for m in (a, b))
    keys = [_keys(m.skeleton.names) for m in (a, b)]
    for m, key, called in zip((a, b), keys, names):
        if len(set(key)) < len(key):
            raise MotionFormatError(f"{called}: two joints are called alike ({', '.join(m.skeleton.names)})")
    shared = [key for key in keys[0] if key in keys[1]]
    kept = [_kept(m, key, shared, called, other)
            for m, key, called, other in ((a, keys[0], names[0], names[1]), (b, keys[1], names[1], names[0]))]
    order = [kept[1][1].index(key) for key in kept[0][1]]
    b = _chosen(kept[1][0], order, kept[0][0].skeleton.names)
    a = kept[0][0]
    if a.skeleton.parents != b.skeleton.parents:
        j = next(j for j, (p, q) in enumerate(zip(a.skeleton.parents, b.skeleton.parents)) if p != q)
        hangs = [m.skeleton.names[m.skeleton.parents[j]] for m in (a, b)]
        raise MotionFormatError(f"{names[1]}: {a.skeleton.names[j]} hangs from {hangs[1]}, and in {names[0]} from "
                                f"{hangs[0]}; these are two kinds of skeleton. Bring one to the other with "
                                "choreo_lib.conform(motion, skeleton)")
    if abs(len(a) - len(b)) > SLACK * fps:
        raise MotionFormatError(f"{names[0]} has {len(a) / fps:.2f} s and {names[1]} {len(b) / fps:.2f}; two dancers "
                                "share their time. Say which frames belong together")
    length = min(len(a), len(b))
    a, b = (m if len(m) == length else _noted(m[:length], f"cut from {len(m)} to {length} frames") for m in (a, b))
    return Duet(a, b)


def each(path, value, name: str) -> tuple:
    """One value for both files, or a pair of them. Errors: MotionFormatError for more or fewer. Chapter: 6."""
    if isinstance(value, tuple | list):
        if len(value) != 2:
            fail(path, f"expected one value for both dancers, or two; got {len(value)}", f"{name}=")
        return tuple(value)
    return value, value


@takes(path=path)
def read_pairs(path) -> list[Duet]:
    """Duets that a JSON file lists: two motion files each, brought together by `match`.

    The file is a list of objects: "a" and "b" are files, seen from the list's folder; "frames" [first, last + 1], or
    "frames_a" and "frames_b", where the files do not begin together, "scale" metres per unit, "fps" and "up" as in
    `choreo_lib.read_duet` (one for both files or a list of two) may be left out.
    Errors: MotionFormatError naming the pair and what is wrong with it. Chapter: 6.
    """
    listed, duets = read_json(path), []
    if not isinstance(listed, list) or not listed:
        fail(path, 'expected a list of pairs, [{"a": "one.bvh", "b": "other.bvh"}, ...]')
    from . import read_motion

    for k, pair in enumerate(listed):
        where, known = f"pair {k}", {"a", "b", "frames", "frames_a", "frames_b", "scale", "fps", "up"}
        if not isinstance(pair, dict) or not {"a", "b"} <= set(pair) or (
                {type(pair["a"]), type(pair["b"])} != {str}):
            fail(path, f'expected {{"a": file, "b": file, ...}}; got {str(pair)[:80]}', where)
        if set(pair) - known:
            strange = ", ".join(sorted(set(pair) - known))
            fail(path, f"{strange} is not known; there are {', '.join(sorted(known))}", where)
        fps = None if pair.get("fps") is None else check_fps(path, pair["fps"], where)
        files = [Path(path).parent / pair[who] for who in "ab"]
        ups, scales = each(path, pair.get("up"), f"{where}, up"), each(path, pair.get("scale"), f"{where}, scale")
        dancers = [read_motion(file, up=up, scale=scale, fps=fps) for file, up, scale in zip(files, ups, scales)]
        for i, who in enumerate("ab"):
            first, last = span = _span(path, pair.get(f"frames_{who}", pair.get("frames")), len(dancers[i]), where)
            dancers[i] = dancers[i] if span == [0, len(dancers[i])] else dancers[i][first:last]
        try:
            duets.append(match_skeletons(*dancers, tuple(file.name for file in files)))
        except MotionFormatError as error:
            fail(path, str(error), where)
    return duets


@takes(path=path, skeleton=a(Skeleton))
def joint_weights(path, skeleton: Skeleton) -> list[float]:
    """How much each joint counts, from a JSON file that says it by name: {"*Hand*": 0.1}; others count 1.

    ``*`` stands for anything; of several patterns that fit a joint, the last one counts.
    Errors: MotionFormatError for a pattern that no joint fits, a weight below 0, or nothing left. Chapter: 6.
    """
    said = read_json(path)
    if not isinstance(said, dict):
        fail(path, 'expected an object of joints and weights, {"*Hand*": 0.1}')
    weights = [1.0] * len(skeleton)
    for pattern, weight in said.items():
        fits = [j for j, name in enumerate(skeleton.names) if fnmatchcase(name, pattern)]
        if not fits:
            fail(path, f"no joint is called {pattern!r}; there are {', '.join(skeleton.names)}")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            fail(path, f"{pattern!r} has the weight {weight!r}; expected a number of at least 0")
        for j in fits:
            weights[j] = float(weight)
    if not any(weights):
        fail(path, "every joint has weight 0, so there would be nothing to learn")
    return weights


def _span(path, frames, length: int, where: str) -> list[int]:
    """[first, last + 1], inside of a take of ``length`` frames; None: all."""
    if frames is None:
        return [0, length]
    if not isinstance(frames, list) or len(frames) != 2 or not all(type(x) is int for x in frames) or not (
            0 <= frames[0] < frames[1] <= length):
        fail(path, f"frames {frames} of a take of {length}: expected [first, last + 1], inside of it", where)
    return frames


def _keys(names: tuple[str, ...]) -> list[str]:
    """What joints are matched by: side and stem; where these fall together (Bone, Bone.001), the whole name."""
    keys = [side + stem for side, stem in sided_names(names)]
    return keys if len(set(keys)) == len(keys) else [re.sub(r"[\W_]+", "", name.rpartition(":")[2].lower())
                                                     for name in names]


def _kept(motion: Motion, keys: list[str], shared: list[str], called: str, other: str) -> tuple[Motion, list[str]]:
    """The joints that both have, and their keys; refused where one that is left out carries one that stays."""
    skeleton, stay = motion.skeleton, [j for j, key in enumerate(keys) if key in shared]
    if not stay or stay[0] != 0:
        raise MotionFormatError(f"{called}: its root {skeleton.names[0]} is not among the joints of {other}; these are "
                                "two kinds of skeleton. Retarget one to the other first")
    for j in stay:
        parent = skeleton.parents[j]
        if parent >= 0 and parent not in stay:
            raise MotionFormatError(f"{called}: {skeleton.names[parent]} carries {skeleton.names[j]}, and {other} has "
                                    f"no {skeleton.names[parent]}; these are two kinds of skeleton. Retarget one first")
    gone = [name for j, name in enumerate(skeleton.names) if j not in stay]
    chosen = _chosen(motion, stay, tuple(skeleton.names[j] for j in stay))
    if gone:
        chosen = _noted(chosen, f"left out, since {other} has none: {', '.join(gone)}")
    return chosen, [keys[j] for j in stay]


def _chosen(motion: Motion, order: list[int], names: tuple[str, ...]) -> Motion:
    """Some of the joints in another order, under other names; parents stay who they are."""
    skeleton = motion.skeleton
    if order == list(range(len(skeleton))) and names == skeleton.names:
        return motion
    parents = tuple(order.index(skeleton.parents[j]) if skeleton.parents[j] >= 0 else -1 for j in order)
    if any(parent >= k for k, parent in enumerate(parents)):
        raise MotionFormatError(f"in the order {', '.join(names)} a joint would come before the one it hangs from")
    offsets = None if skeleton.offsets is None else skeleton.offsets[order]
    end_sites = tuple((order.index(j), tip) for j, tip in skeleton.end_sites if j in order)
    said = [(old, new) for old, new in zip((skeleton.names[j] for j in order), names) if old != new]
    renamed = replace(motion, skeleton=Skeleton(names, parents, offsets, end_sites),
                      positions=np.ascontiguousarray(motion.positions[:, order]),
                      rotations=None if motion.rotations is None else motion.rotations[:, order])
    return _noted(renamed, "renamed: " + ", ".join(f"{old} is {new}" for old, new in said)) if said else renamed


def _noted(motion: Motion, note: str) -> Motion:
    return replace(motion, notes=(*motion.notes, note))
