"""What every wish is: something to do to dancers, and to measure afterwards. Taught in chapter 10, "The studio"."""

from typing import ClassVar, NamedTuple

from ..body.motion import Motion
from ..core.arguments import number

TIME = number(0, 86_400, what="a number of seconds")


class Met(NamedTuple):
    """How well a part of a wish was met: its largest error, the tolerance, and the unit of both. Chapter: 10."""

    what: str
    error: float
    tolerance: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error <= self.tolerance


class Wish:
    """Something asked of a dance. ``order``: the smaller, the earlier it is done; the last ones move the least.

    Dancers are one Motion or two; ``who`` is the index of the one that is asked. Chapter: 10.
    """

    order: ClassVar[int] = 0
    lasting: ClassVar[bool] = True  # whether it is measured once all is done, or (where time changes) at once

    def apply(self, dancers: list[Motion], who: int) -> list[Motion]:
        """The dancers, changed. Errors: ValueError where the wish does not fit the take. Chapter: 10."""
        raise NotImplementedError

    def measure(self, before: list[Motion], after: list[Motion], who: int) -> list[Met]:
        """How well ``after`` meets the wish, which was made of ``before``. Chapter: 10."""
        return []

    def seams(self, motion: Motion) -> list[int]:
        """The frames at which what was changed begins, ends, or turns. Chapter: 10."""
        return []

    def partner(self, dancers: list[Motion], who: int) -> Motion:
        """The other dancer. Errors: ValueError where there is none. Chapter: 10."""
        if len(dancers) < 2:
            raise ValueError(f"{type(self).__name__} needs a partner, and this is one dancer's motion; give a Duet")
        return dancers[1 - who]


class Span(Wish):
    """A wish for the seconds from ``start`` to ``stop`` (None: the end), come to and left in ``ramp``. Chapter: 10."""

    start: float
    stop: float | None
    ramp: float = 0.0

    def span(self, motion: Motion) -> tuple[int, int]:
        """The first frame and the last. Errors: ValueError for seconds that are not in the take. Chapter: 10."""
        name, start, end = type(self).__name__, self.start, (len(motion) - 1) / motion.fps
        stop = end if self.stop is None else self.stop
        for word, time in (("start", start), ("stop", stop)):
            if time > end + 0.5 / motion.fps:
                raise ValueError(f"{name}: {word} is {time:g} s, and the take ends at {end:.2f} s")
        first, last = round(start * motion.fps), min(round(stop * motion.fps), len(motion) - 1)
        if first >= last:
            raise ValueError(f"{name}: start is {start:g} s, and must be before stop, {stop:g} s, by a frame at least")
        return first, last

    def seams(self, motion: Motion) -> list[int]:
        """As `Wish`. Chapter: 10."""
        start, stop = self.start, self.stop
        return frames_at(motion, start - self.ramp, start, stop, None if stop is None else stop + self.ramp)


def frames_at(motion: Motion, *times: float | None) -> list[int]:
    """Those of some seconds (None: not asked) that lie inside a motion, as frames. Chapter: 10."""
    frames = {round(time * motion.fps) for time in times if time is not None}
    return sorted(frame for frame in frames if 2 <= frame < len(motion) - 2)
