"""How a made take moves beside a danced one: jerk, speed and foot skating, as ratios. Taught in chapter 5."""

from ...body.motion import Motion
from .foot_skating import foot_skate
from .movement import jerk, speed


def movement_ratios(made: Motion, real: Motion) -> tuple[float, float, float]:
    """A take's mean jerk, its mean speed and its foot skating, over those of another. Chapter: 5."""
    jerks, speeds = ([float(measure(each.positions, each.fps).mean()) for each in (made, real)]
                     for measure in (jerk, speed))
    return jerks[0] / jerks[1], speeds[0] / speeds[1], foot_skate(made) / foot_skate(real)
