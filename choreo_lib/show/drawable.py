"""What can be drawn: names that no plot takes for markup, dances near enough to be seen. Taught in chapter 1."""

import re

import numpy as np

from ..body.motion import Duet, Motion
from ..core.arguments import Rule, Wrong, a, count, each, number, printable
from .camera import dancers_of

REACH = 1000.0  # metres from the origin: who is farther out is a file in another unit


def label(text) -> str:
    """A name as it is spelled: Matplotlib takes ``$`` for mathematics and hides what begins with ``_``. Chapter: 1."""
    said = re.sub(r"\s+", " ", printable(str(text))).replace("$", r"\$")
    return f" {said}" if not said or said.startswith("_") else said  # a space before it, and it is shown


def _seen(value, axes):
    a(Motion, Duet).test(value, axes)
    for who, motion in zip("ab", dancers_of(value)):
        far = np.abs(motion.positions).max(axis=(1, 2))
        if far.max() > REACH:
            raise Wrong(ValueError, f"dancer {who} {far.max():,.0f} m away in frame {int(far.argmax())}. Is it in "
                                    "metres? Read it with scale=, or bring it nearer with .transformed(shift)")
    return value


def _axes_given(value, axes):
    from matplotlib.axes import Axes

    return a(Axes).test(value, axes)


AXES = Rule("a matplotlib Axes", _axes_given)
SEEN = Rule(f"a Motion or a Duet within {REACH:,.0f} m of the origin", _seen)
SEEN_DUET = Rule(f"a Duet within {REACH:,.0f} m of the origin",
                 lambda value, axes: _seen(a(Duet).test(value, axes), axes))
VIEW = each(number(-36_000, 36_000), size=2)  # (azimuth, elevation) in degrees
FRAME = count(0)


def check_frame(motion: Motion | Duet, frame: int) -> None:
    """Refuse a frame that the motion does not have. Errors: ValueError. Chapter: 1."""
    if frame >= len(motion):
        raise ValueError(f"frame must be from 0 to {len(motion) - 1}, since it has {len(motion)} frames; got {frame}")
