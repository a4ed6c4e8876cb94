"""What a verb of the studio gives, and the words about it. Taught in chapter 10, "The studio"."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..body.compatibility import require_dancer
from ..body.motion import Duet, Motion
from ..body.source import OURS, Source
from ..io.conform import ConformReport
from ..io.local_rotations import turning_in_time
from .provenance import Provenance

Progress = Callable[[int, int], Any]
"""Called with (done, of) as the work goes on; what it raises ends the work, which leaves nothing behind."""


@dataclass(frozen=True, eq=False)
class Made:
    """What a verb made: ``made``, a Motion a take, beside ``danced``, in one world and on one clock.

    ``who`` of the `duet` a made one is. ``lines``: what was read, guessed, dropped, made, in words. Chapter: 10.
    """

    danced: Motion
    made: tuple[Motion, ...]
    who: str
    lines: tuple[str, ...]
    provenance: Provenance

    def duet(self, take: int = 0) -> Duet:
        """What was danced and one of the takes, as a Duet. Chapter: 10."""
        pair = (self.danced, self.made[take])
        return Duet(*(pair if self.who == "b" else pair[::-1]))


@dataclass(frozen=True, eq=False)
class Found:
    """The strings that were found in a ``duet``: its dancers on the model's joints, in the duet's own world.

    ``edges``: a row for each that is probable in some window, the surest first, {"from", "to" (a dancer and a joint),
    "probability" (the highest), "lag_seconds", "seconds" (the middles of the windows in which it is probable)}.
    ``probability`` [W, 2, J, J] and ``time`` [W] as `choreo_lib.extensions.coupling_nri.FoundEdges`. Chapter: 10.
    """

    duet: Duet
    edges: tuple[dict[str, Any], ...]
    probability: np.ndarray
    time: np.ndarray
    lines: tuple[str, ...]
    provenance: Provenance


def first(motion: Any, seconds: float | None) -> Any:
    """The first seconds, a frame at least (None: all). Errors: ValueError for no standing dancer. Chapter: 10."""
    for dancer in (motion,) if isinstance(motion, Motion) else motion:
        require_dancer(dancer.name or "this dancer", dancer.skeleton, dancer.positions)
    return motion if seconds is None else motion[: max(round(seconds * motion.fps), 1)]


def floor_of(motion: Motion) -> float:
    """How high the floor is: where the lowest joint is in a twentieth of the frames, metres. Chapter: 10."""
    return float(np.quantile(motion.positions[..., 2].min(1), 0.05))


def what_was_read(motion: Motion, report: ConformReport) -> list[str]:
    """What was read of a recording, what was guessed, and what `conform` did, a line each. Chapter: 10."""
    known = "rotations" if motion.rotations is not None else "points only"
    lines = [f"read {motion.name or 'a dancer'}: {len(motion):,} frames at {motion.fps:g} a second "
             f"({motion.duration:.1f} s), {len(motion.skeleton)} joints, {known}"]
    return [*lines, *motion.notes, *repr(report).splitlines()[1:]]


def result(motion: Motion, motions: list[Motion], report: ConformReport, said: str, provenance: Provenance, who: str,
           progress: Progress | None, floor: bool = False) -> Made:
    """Everything back on the recording's skeleton and clock, named, stamped; ``floor``: on one floor. Chapter: 10."""
    back = [turning_in_time(report.back(each)) for each in motions]
    if floor:
        back = [each.transformed((0, 0, floor_of(motion) - floor_of(each))) for each in back]
    length = min(map(len, [motion, *back]))
    names = ["made"] if len(back) == 1 else [f"take {k + 1}" for k in range(len(back))]
    source = Source.join(OURS, provenance.source)
    made = tuple(provenance.stamped(replace(each[:length], source=source), name) for each, name in zip(back, names))
    tell(progress, length, length)
    return Made(motion[:length], made, who, (*what_was_read(motion, report), f"made {said}"), provenance)


def tell(progress: Progress | None, done: int, of: int) -> None:
    """Call ``progress``, if there is one. Chapter: 10."""
    if progress is not None:
        progress(done, of)
