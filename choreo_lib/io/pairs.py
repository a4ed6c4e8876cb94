"""Two recordings become one duet: joints matched by name, clocks and lengths brought together, one world, or refused.

What is changed is noted in ``motion.notes`` of the dancer who was changed. Taught in chapters 1 and 6.
"""

import re
import warnings
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from ..body.compatibility import same_rate
from ..body.joint_names import sided_names
from ..body.motion import Duet, Motion
from ..body.skeleton import Skeleton
from ..core.arguments import a, each, path, takes, text
from . import up_axis
from .arrays import read_json
from .conventions import MotionFormatError, MotionGuessWarning, check_fps, fail

SLACK = 0.2  # seconds by which two takes of one dance may differ in length: somebody pressed stop a little later
HEIGHT_RATIO, FARTHEST = 1.6, 30.0  # of two who share a unit; metres between two who dance together
_KEYS = {"a", "b", "frames", "frames_a", "frames_b", "scale", "fps", "up"}


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
    a, b = (m if same_rate(m.fps, fps) else
            _noted(m.resampled(fps), f"resampled from {m.fps:g} to {fps:g} frames a second") for m in (a, b))
    keys = [_keys(m.skeleton.names) for m in (a, b)]
    for m, key, name in zip((a, b), keys, names):
        if len(set(key)) < len(key):
            raise MotionFormatError(f"{name}: two joints are called alike ({', '.join(m.skeleton.names)})")
    shared = set(keys[0]) & set(keys[1])
    a, order = _without_others(a, keys[0], shared, names)
    b, _ = _without_others(b, keys[1], shared, names[::-1])
    a = _reordered(a, order, tuple(a.skeleton.names[j] for j in order))
    b = _reordered(b, [keys[1].index(keys[0][j]) for j in order], a.skeleton.names)
    for j, (p, q) in enumerate(zip(a.skeleton.parents, b.skeleton.parents)):
        if p != q:
            raise MotionFormatError(f"{names[1]}: {a.skeleton.names[j]} hangs from {b.skeleton.names[q]}, and in "
                                    f"{names[0]} from {a.skeleton.names[p]}; these are two kinds of skeleton. Bring "
                                    "one to the other with choreo_lib.conform(motion, skeleton)")
    if abs(len(a) - len(b)) > SLACK * fps:
        raise MotionFormatError(f"{names[0]} has {len(a) / fps:.2f} s and {names[1]} {len(b) / fps:.2f}; two dancers "
                                "share their time. Say which frames belong together")
    length = min(len(a), len(b))
    return Duet(*(m if len(m) == length else _noted(m[:length], f"cut from {len(m)} to {length} frames")
                  for m in (a, b)))


def join(a: Motion, b: Motion, paths, up=None, scale=None) -> Duet:
    """Two Motions that were read as one Duet, once they are found to share a world and a clock.

    Rates and lengths that differ a little are brought together by `match_skeletons`, which notes it. ``up`` and
    ``scale``: as they were given to `choreo_lib.read_duet`; what was stated for each file is believed.
    Errors: MotionFormatError, naming the way on. Chapter: 1.
    """
    names = (Path(paths[0]).name, Path(paths[1]).name)
    guesses = [dict(note.split(" guessed: ", 1) for note in m.notes if " guessed: " in note) for m in (a, b)]
    unlike = [what for what in guesses[0] if guesses[0][what] != guesses[1].get(what, guesses[0][what])]
    if unlike:
        axes = [guessed.get("up axis", "y") for guessed in guesses]
        differ = "; ".join(f"{what} {guesses[1][what]}, not {guesses[0][what]}" for what in unlike)
        fail(paths[1], f"guessed otherwise than {names[0]} ({differ}); two dancers "
                       "share one world, so pass up= and scale=: one for both where the guess is wrong, or one a file "
                       f"where the files differ, such as up=({axes[0]!r}, {axes[1]!r}) or scale=(0.01, 1)")
    duet = _on_one_clock(a, b, names)
    (posture_a, height_a), (posture_b, height_b) = _posture(duet.a), _posture(duet.b)
    one_scale = not isinstance(scale, tuple | list)
    if height_a and height_b and one_scale and abs(np.log(height_a / height_b)) > np.log(HEIGHT_RATIO):
        fail(paths[-1], f"dancer a is {height_a:.3g} m tall and dancer b {height_b:.3g} m; if their files count in "
                        "other units, pass one a file, such as scale=(0.01, 1); if they are so, pass both all the same")
    doubts = []
    if posture_a and posture_b and posture_a != posture_b and not isinstance(up, tuple | list):
        doubts.append((f"dancer a {posture_a} and dancer b {posture_b} in most frames",
                       "if their files have other axes, pass one a file, such as up=('y', 'z')"))
    between = duet.a.positions.mean(axis=1) - duet.b.positions.mean(axis=1)  # [T, 3]
    distance = float(np.median(np.linalg.norm(between, axis=-1)))
    if distance > FARTHEST:
        doubts.append((f"the dancers are {distance:.3g} m apart in half of the frames or more", "if one file counts in "
                       "other units, pass scale=(a's, b's); else move one with motion.transformed"))
    for message, remedy in doubts:
        warnings.warn(f"{' and '.join(names)}: {message}; {remedy}", MotionGuessWarning, stacklevel=3)
        duet = replace(duet, a=_noted(duet.a, message), b=_noted(duet.b, message))
    return duet


def _on_one_clock(a: Motion, b: Motion, names: tuple[str, str]) -> Duet:
    if len(a) == len(b) and abs(a.fps - b.fps) <= 1e-3 * a.fps:
        return Duet(a, b)
    differ = f"{names[0]} has {len(a)} frames at {a.fps:g} frames per second and {names[1]} {len(b)} at {b.fps:g}"
    try:
        duet = match_skeletons(a, b, names)
    except MotionFormatError as error:
        raise MotionFormatError(
            f"{names[0]} and {names[1]}: {differ}, and they do not match: {error}. Read each with read_motion, bring "
            "them together with motion.resampled(fps) and motion[start:stop], then choreo_lib.Duet(a, b), or "
            "choreo_lib.io.match_skeletons(a, b)") from error
    done = [note for m, old in zip(duet, (a, b)) for note in m.notes[len(old.notes):] if not note.startswith("renamed")]
    warnings.warn(f"{names[0]} and {names[1]}: {differ}; brought together ({'; '.join(done)})", MotionGuessWarning,
                  stacklevel=4)
    return duet


def _posture(motion: Motion) -> tuple[str | None, float | None]:
    """How a body is through most of its frames, and its height; None where its joints do not show it."""
    figure = up_axis.figure_of(motion.skeleton, motion.positions)
    if figure is None:
        return None, None
    raised = figure.spine[:, 2] / np.maximum(np.linalg.norm(figure.spine, axis=-1), 1e-9)
    shares = {"stands": np.mean(raised > up_axis.STANDS), "lies": np.mean(abs(raised) < 0.4),
              "stands on its head": np.mean(raised < -up_axis.STANDS)}
    return next((posture for posture, share in shares.items() if share >= 0.8), None), figure.height


def per_file(path, value, name: str) -> tuple:
    """One value for both files, or a pair of them. Errors: MotionFormatError for more or fewer. Chapter: 6."""
    values = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(values) != 2:
        fail(path, f"expected one value for both dancers, or two; got {len(values)}", f"{name}=")
    return values


@takes(path=path)
def read_pairs(path) -> list[Duet]:
    """Duets that a JSON file lists: two motion files each, brought together by `match_skeletons`.

    The file is a list of objects: "a" and "b" are files, named from the list's folder; "frames" [first, last + 1], or
    "frames_a" and "frames_b", where the files do not begin together, "scale" metres per unit, "fps" and "up" as in
    `choreo_lib.read_duet` (one for both files or a list of two) may be left out.
    Errors: MotionFormatError naming the pair and what is wrong with it. Chapter: 6.
    """
    from . import read_motion
    pairs, duets = read_json(path), []
    if not isinstance(pairs, list) or not pairs:
        fail(path, 'expected a list of pairs, [{"a": "one.bvh", "b": "other.bvh"}, ...]')
    for k, pair in enumerate(pairs):
        where = f"pair {k}"
        if not isinstance(pair, dict) or not isinstance(pair.get("a"), str) or not isinstance(pair.get("b"), str):
            fail(path, f'expected {{"a": file, "b": file, ...}}; got {str(pair)[:80]}', where)
        if unknown := set(pair) - _KEYS:
            fail(path, f"{', '.join(sorted(unknown))} is not known; there are {', '.join(sorted(_KEYS))}", where)
        fps = None if pair.get("fps") is None else check_fps(path, pair["fps"], where)
        ups, scales = (per_file(path, pair.get(key), f"{where}, {key}") for key in ("up", "scale"))
        dancers = []
        for who, up, scale in zip("ab", ups, scales):
            motion = read_motion(Path(path).parent / pair[who], up=up, scale=scale, fps=fps)
            frames = _frames(path, pair.get(f"frames_{who}", pair.get("frames")), len(motion), where)
            dancers.append(motion[frames])
        try:
            duets.append(match_skeletons(*dancers, (Path(pair["a"]).name, Path(pair["b"]).name)))
        except MotionFormatError as error:
            fail(path, str(error), where)
    return duets


@takes(path=path, skeleton=a(Skeleton))
def joint_weights(path, skeleton: Skeleton) -> list[float]:
    """How much each joint counts, from a JSON file that says it by name: {"*Hand*": 0.1}; others count 1.

    ``*`` stands for anything; of several patterns that fit a joint, the last one counts.
    Errors: MotionFormatError for a pattern that no joint fits, a weight below 0, or nothing left. Chapter: 6.
    """
    by_pattern = read_json(path)
    if not isinstance(by_pattern, dict):
        fail(path, 'expected an object of joints and weights, {"*Hand*": 0.1}')
    weights = [1.0] * len(skeleton)
    for pattern, weight in by_pattern.items():
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


def _frames(path, frames, length: int, where: str) -> slice:
    """The slice that [first, last + 1] is, inside of a take of ``length`` frames; None: all."""
    if frames is None:
        return slice(0, length)
    if not isinstance(frames, list) or len(frames) != 2 or not all(type(x) is int for x in frames) or not (
            0 <= frames[0] < frames[1] <= length):
        fail(path, f"frames {frames} of a take of {length}: expected [first, last + 1], inside of it", where)
    return slice(*frames)


def _keys(names: tuple[str, ...]) -> list[str]:
    """What joints are matched by: side and stem; where these fall together (Bone, Bone.001), the whole name."""
    keys = [side + stem for side, stem in sided_names(names)]
    return keys if len(set(keys)) == len(keys) else [re.sub(r"[\W_]+", "", name.rpartition(":")[2].lower())
                                                     for name in names]


def _without_others(motion: Motion, keys: list[str], shared: set[str], names) -> tuple[Motion, list[int]]:
    """The motion, with a note of what is to be left out, and its shared joints; refused where others carry these."""
    joints, (name, other) = motion.skeleton.names, names
    chosen = [j for j, key in enumerate(keys) if key in shared]
    if chosen[:1] != [0]:
        raise MotionFormatError(f"{name}: its root {joints[0]} is not among the joints of {other}; these are two kinds "
                                "of skeleton. Retarget one to the other first")
    for j in chosen[1:]:
        if (parent := motion.skeleton.parents[j]) not in chosen:
            raise MotionFormatError(f"{name}: {joints[parent]} carries {joints[j]}, and {other} has no "
                                    f"{joints[parent]}; these are two kinds of skeleton. Retarget one first")
    dropped = ", ".join(joint for j, joint in enumerate(joints) if j not in chosen)
    return _noted(motion, f"left out, since {other} has none: {dropped}") if dropped else motion, chosen


def _reordered(motion: Motion, order: list[int], names: tuple[str, ...]) -> Motion:
    """Some of the joints in another order, under other names; parents stay who they are."""
    skeleton = motion.skeleton
    if order == list(range(len(skeleton))) and names == skeleton.names:
        return motion
    parents = tuple(order.index(skeleton.parents[j]) if skeleton.parents[j] >= 0 else -1 for j in order)
    if any(parent >= k for k, parent in enumerate(parents)):
        raise MotionFormatError(f"in the order {', '.join(names)} a joint would come before the one it hangs from")
    offsets = None if skeleton.offsets is None else skeleton.offsets[order]
    end_sites = tuple((order.index(j), tip) for j, tip in skeleton.end_sites if j in order)
    result = replace(motion, skeleton=Skeleton(names, parents, offsets, end_sites),
                     positions=motion.positions[:, order],
                     rotations=None if motion.rotations is None else motion.rotations[:, order])
    renamed = ", ".join(f"{skeleton.names[j]} is {name}" for j, name in zip(order, names) if skeleton.names[j] != name)
    return _noted(result, f"renamed: {renamed}") if renamed else result


def _noted(motion: Motion, note: str) -> Motion:
    return replace(motion, notes=(*motion.notes, note))
