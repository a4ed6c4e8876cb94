"""On what terms a motion may be passed on, when all that says so is a file. Taught in chapter 1, "Seeing a duet"."""

import functools
from dataclasses import replace

import numpy as np

from ..body.motion import Motion
from ..io import read_duet
from .registry import entries


def verified_terms(motion: Motion) -> Motion:
    """The motion with terms that hold when others see it: what only a file says of itself is not believed.

    A source that was read from a file (``source.verified`` is False) keeps ``redistribute`` where the motion is one of
    a set that the registry knows to be free, or a cut of one; elsewhere it is taken away. Chapter: 1.
    """
    source = motion.source
    if source is None or source.verified or not source.redistribute:
        return motion
    return replace(motion, source=replace(source, redistribute=any(_contains(one, motion) for one in _free_motions())))


@functools.cache
def _free_motions() -> tuple[Motion, ...]:
    paths = [file["local"] for entry in entries().values() if entry["redistribute"] and "embedded" in entry
             for take in entry["takes"].values() for file in take["files"]]
    return tuple(dancer for path in paths for dancer in read_duet(path))


def _contains(whole: Motion, part: Motion) -> bool:
    """Whether `part` is `whole`, or consecutive frames of it."""
    starts = len(whole) - len(part) + 1
    if starts < 1 or whole.skeleton.parents != part.skeleton.parents:
        return False
    close = np.abs(whole.positions[:starts] - part.positions[0]).max(axis=(1, 2)) < 1e-5  # [starts]
    return any(np.abs(whole.positions[k:k + len(part)] - part.positions).max() < 1e-5 for k in np.flatnonzero(close))
