"""Wishes laid over a dance, and a report of how well each was met. Taught in chapter 10, "The studio".

    made = edit(duet, [Inpaint(12, 16, seed=3), Hold("RightHand", "LeftHand", 20, 24), EndAt((1, 2))], who="b")
    made.take, made.report
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..body.motion import Duet, Motion, dancer_index
from ..core.arguments import a, choice, each, takes
from ..core.tables import Table
from ..evaluation import metrics
from .inpainting import Inpaint, Vary
from .looping import Loop
from .timing import Canon, Mirror, Tempo
from .wish import Met, Wish
from .wishes import EndAt, Hold, Path

__all__ = [
    "Canon", "Edited", "EndAt", "Hold", "Inpaint", "Loop", "Met", "Mirror", "Path", "Seam", "Tempo", "Vary", "Wish",
    "edit",
]  # fmt: skip
NEAR = 0.25  # seconds on either side of a seam in which its jerk is measured


@dataclass(frozen=True)
class Seam:
    """Where an edit begins or ends: how much the velocity of any joint changes there in one frame, and the jerk.

    ``time`` seconds; ``change`` m/s, the largest within two frames; ``limit`` m/s: the 99.9th percentile of all that
    were danced, or more if more was danced in these very frames; ``jerk`` m/s^3, mean of half a second. Chapter: 10.
    """

    time: float
    change: float
    limit: float
    jerk: float

    @property
    def smooth(self) -> bool:
        """Whether the velocity changes no more than it did in the dance."""
        return self.change <= self.limit + 0.005


@dataclass(frozen=True)
class Edited:
    """A take after its wishes: ``take``, and how each was met.

    ``met``: pairs (wish, `Met`); ``seams``; ``jerk`` m/s^3, the mean of the dancer away from all seams; ``skate``:
    `choreo_lib.evaluation.metrics.foot_skate` before and after, m/s. Chapter: 10.
    """

    take: Duet | Motion
    met: tuple[tuple[Wish, Met], ...]
    seams: tuple[Seam, ...]
    jerk: float
    skate: tuple[float, float]

    @property
    def ok(self) -> bool:
        """Whether every wish was met within its tolerance."""
        return all(each.met for _, each in self.met)

    @property
    def report(self) -> Table:
        """What was asked and what was reached, as a table. Chapter: 10."""
        rows = [(type(wish).__name__, one.what, f"{_in_words(one)} {one.unit}", f"{one.tolerance:.3g} {one.unit}",
                 "met" if one.met else "NOT MET") for wish, one in self.met]
        rows += [("seam", f"at {seam.time:.2f} s", f"{seam.change:.2f} m/s", f"{seam.limit:.2f} m/s",
                  "smooth" if seam.smooth else "FELT") for seam in self.seams]
        rows.append(("feet", "skating", f"{self.skate[1]:.3f} m/s", f"{self.skate[0]:.3f} m/s", "before the wish"))
        return Table(("wish", "what", "error", "tolerance", ""), tuple(rows))


@takes(take=a(Duet, Motion), wishes=each(a(Wish), least=1), who=choice("a", "b"))
def edit(take: Duet | Motion, wishes: Sequence[Wish], who: str = "b") -> Edited:
    """A take after wishes, laid over it in this order: mirror, canon, tempo, loop, new seconds, path, end, hands.

    So seconds and places are those of the take that comes out. What cannot be reached is reported, not refused.
    ``who``: the dancer that is asked; a Motion is its only one. Errors: ValueError for a wish that means nothing in
    this take (unknown joint, seconds outside it, no partner). Chapter: 10.
    """
    dancers, index = ([take], 0) if isinstance(take, Motion) else (list(take), dancer_index(who))
    danced = dancers[index]
    steps: list[tuple[Wish, list[Motion], list[Met]]] = []
    seen: list[tuple[Wish, Met]] = []
    for wish in sorted(wishes, key=lambda wish: wish.order):
        before, dancers = dancers, wish.apply(dancers, index)
        steps.append((wish, before, [] if wish.lasting else wish.measure(before, dancers, index)))
    for wish, before, found in steps:
        seen += [(wish, one) for one in (wish.measure(before, dancers, index) if wish.lasting else found)]
    words = tuple(f"edited: {wish}" for wish, *_ in steps)
    dancers[index] = replace(dancers[index], notes=(*dancers[index].notes, *words))
    frames = sorted({k for wish, *_ in steps for k in wish.seams(dancers[index])})
    same_clock = not any(isinstance(wish, Canon | Loop | Tempo) for wish in wishes)
    seams, jerk = _seams(dancers[index], danced, frames, same_clock)
    made = dancers[0] if isinstance(take, Motion) else Duet(*dancers)
    return Edited(made, tuple(seen), seams, jerk, (_skate(danced), _skate(dancers[index])))


def _seams(made: Motion, danced: Motion, frames: Sequence[int], same_clock: bool) -> tuple[tuple[Seam, ...], float]:
    """The seams at some frames, and the mean jerk away from them."""
    changes, usual = (np.linalg.norm(np.diff(metrics.velocity(m.positions, m.fps), axis=0), axis=-1)
                      for m in (made, danced))  # [T - 2, J]
    jerk, near = metrics.jerk(made.positions, made.fps).mean(-1), round(NEAR * made.fps)
    found, far = [], np.ones(len(jerk), bool)
    for k in frames:
        here, there = slice(max(k - 3, 0), k + 2), slice(max(k - near - 1, 0), k + near)
        limit = float(np.percentile(usual, 99.9))
        if same_clock:
            limit = max(limit, float(usual[here].max()))
        far[there] = False
        found.append(Seam(k / made.fps, float(changes[here].max()), limit, float(jerk[there].mean())))
    return tuple(found), float(jerk[far].mean()) if far.any() else float(jerk.mean())


def _in_words(one: Met) -> str:
    """An error as one reads it: what is far below its tolerance is said to be so, and nothing has a power of ten."""
    least = min(0.01, one.tolerance / 100)
    if 0 < one.error < least:
        return f"< {least:.1g}"
    return f"{one.error:.3g}" if one.error < 1000 else f"{one.error:,.0f}"


def _skate(motion: Motion) -> float:
    """Foot skating, m/s; nan for a body without feet by name."""
    try:
        return metrics.foot_skate(motion)
    except ValueError:
        return float("nan")
