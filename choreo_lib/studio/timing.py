"""The same dance at another time, or in a mirror: slower, on a beat, in canon. Taught in chapter 10, "The studio"."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.interpolate import CubicSpline, PchipInterpolator

from ..body.kinematics import forward_kinematics
from ..body.motion import Motion
from ..body.reference import reference_frame
from ..body.rotations import continuous, unit
from ..body.source import Source
from ..core.arguments import MAX_FRAMES, each, flag, number, takes
from ..evaluation import metrics
from ..sets.augmentation import mirrored
from .reshaping import bodily, way_to
from .wish import Met, Wish

STRETCH = 1.5  # times as fast, or as slow, as a dance is made at most so that it meets a beat
MOVED = 1.0  # seconds by which a beat is moved at most
DELAY = number(0, 3600, above=0, what="a number of seconds")


@takes(factor=number(0.1, 10), beats=each(number(0, 86_400)))
@dataclass(frozen=True)
class Tempo(Wish):
    """Dance ``factor`` times as fast, and with the asked dancer's kinematic beats on ``beats``; both keep one clock.

    ``beats``: seconds, ascending, in the take that comes out. Each is met by one of the dancer's, at most a second away
    and at 1.5 times the tempo, as many as can be. Tolerances: the length one frame, a beat 0.1 s (90th percentile).
    Errors: ValueError, when applied, for beats none of which can be met. Chapter: 10.
    """

    factor: float = 1.0
    beats: Sequence[float] = ()
    order = 10
    lasting = False

    def apply(self, dancers, who):
        """As `Wish`. Chapter: 10."""
        motion = dancers[who]
        last = (len(motion) - 1) / motion.fps / self.factor  # seconds, of the take that comes out
        if last * motion.fps + 1 > MAX_FRAMES:
            raise ValueError(f"Tempo: factor {self.factor:g} would make more than {MAX_FRAMES:,} frames")
        times = np.arange(int(last * motion.fps + 1e-6) + 1) / motion.fps
        old = times * self.factor
        if len(self.beats):
            pairs = self._pairs(metrics.beats(motion) / motion.fps / self.factor, last)
            if not pairs:
                raise ValueError(f"Tempo: none of the {len(self.beats)} beats can be met: the dance lasts {last:.1f} s "
                                 f"and has {len(metrics.beats(motion))} beats of its own")
            old = PchipInterpolator(*np.transpose([(0, 0), *pairs, (last, last)]))(times) * self.factor
        return [at_times(each, np.clip(old * motion.fps, 0, len(motion) - 1)) for each in dancers]

    def _pairs(self, danced: np.ndarray, last: float) -> list[np.ndarray]:
        """Beats and the kinematic beats that meet them, seconds: as many as can be, with the tempo least changed."""
        inside = [(beat, d) for beat in sorted(self.beats) for d in danced
                  if 0.2 < beat < last - 0.2 and abs(d - beat) < MOVED]
        pairs = np.array([(0.0, 0.0), *inside, (last, last)])  # [pairs, 2]
        score, before = np.zeros(len(pairs)), np.zeros(len(pairs), int)  # of the best way to each, and the pair before
        for k in range(1, len(pairs)):
            new, old = np.maximum(pairs[k] - pairs[:k], 1e-9).T  # seconds since each earlier pair
            bent = np.abs(np.log(old / new)) / np.log(STRETCH)  # up to 1, the tempo is allowed
            ways = np.where(bent <= 1, score[:k] + 1 - 0.5 * bent, -np.inf)
            before[k], score[k] = ways.argmax(), ways.max()
        way, k = [], before[-1]
        while k > 0:
            way.append(pairs[k])
            k = before[k]
        return way[::-1]

    def measure(self, before, after, who):
        """As `Wish`. Chapter: 10."""
        fps, wanted = after[who].fps, (len(before[who]) - 1) / self.factor
        found = [Met("length", abs(len(after[who]) - 1 - wanted) / fps, 1 / fps, "s")]
        if len(self.beats):
            made = metrics.beats(after[who]) / fps
            off = [np.abs(made - beat).min() if len(made) else np.inf for beat in self.beats]
            found.append(Met("beats", float(np.percentile(off, 90)), 0.1, "s"))
        return found


@takes(together=flag)
@dataclass(frozen=True)
class Mirror(Wish):
    """Dance it in a mirror: left and right exchanged, from the same place and heading; rotations of one's own bones.

    ``together``: the whole duet in one mirror; else the asked dancer. Tolerance: 20 mm a joint, as two sides of a body
    may differ. Errors: ValueError, when applied, for joints without left and right. Chapter: 10.
    """

    together: bool = True
    order = 0
    lasting = False

    def apply(self, dancers, who):
        """As `Wish`. Chapter: 10."""
        made = [self._in_mirror(m) if self.together or k == who else m for k, m in enumerate(dancers)]
        back = way_to(made[who], 0, dancers[who], 0)
        return [m.transformed(*back) if self.together or k == who else m for k, m in enumerate(made)]

    def _in_mirror(self, motion: Motion) -> Motion:
        skeleton, positions = motion.skeleton, torch.from_numpy(motion.positions)
        points = mirrored(positions, skeleton)
        if motion.rotations is None or skeleton.offsets is None:
            return replace(motion, positions=points.numpy(), rotations=None)
        both = torch.cat([positions, torch.from_numpy(motion.rotations)], -1)
        rotations = mirrored(both, skeleton)[..., 3:].numpy()
        return Motion.from_rotations(rotations, points[:, 0].numpy(), motion.fps, skeleton, source=motion.source,
                                     name=motion.name, notes=motion.notes)

    def measure(self, before, after, who):
        """As `Wish`. Chapter: 10."""
        points = [torch.from_numpy(each[who].positions)[None] for each in (before, after)]  # two of [1, T, J, 3]
        was, now = (reference_frame(x[:, :, None], 0, after[who].skeleton, of="a").to_local(x)[0] for x in points)
        off = now - mirrored(was, after[who].skeleton) * was.new_tensor([-1.0, -1.0, 1.0])  # its x is ahead, not aside
        return [Met("mirrored", 1e3 * float(off.norm(dim=-1).max()), 20.0, "mm")]


@takes(delay=DELAY)
@dataclass(frozen=True)
class Canon(Wish):
    """Dance what the partner dances, ``delay`` seconds later, from one's own place and heading.

    The take becomes so much shorter. Errors: ValueError, when applied, for a delay as long as it, or a partner of other
    joints. Chapter: 10.
    """

    delay: float = 2.0
    order = 5
    lasting = False

    def apply(self, dancers, who):
        """As `Wish`. Chapter: 10."""
        own, other = dancers[who], self.partner(dancers, who)
        late = round(self.delay * own.fps)
        if not 0 < late < len(own) - 1:
            raise ValueError(f"Canon: a delay of {self.delay:g} s in a take of {own.duration:.2f} s at {own.fps:g} "
                             "frames a second; it must be a frame at least, and shorter than the take")
        repeated = other[: len(own) - late].transformed(*way_to(other, 0, own, 0))
        repeated = replace(repeated, source=Source.join(own.source, other.source), name=own.name)
        return [repeated if k == who else m[late:] for k, m in enumerate(dancers)]

    def measure(self, before, after, who):
        """As `Wish`. Chapter: 10."""
        late, own = round(self.delay * after[who].fps), metrics.mean_speed(after[who])
        leads = metrics.mean_speed(before[1 - who])[: len(own)]
        return [Met("delay", abs(late / after[who].fps - self.delay), 1 / after[who].fps, "s"),
                Met("speed", float(np.abs(own - leads)[1:-1].max()), 0.01, "m/s")]


def at_times(motion: Motion, times: np.ndarray) -> Motion:
    """A motion at ``times`` [N], in frames, by cubic splines (lines would kink); bones keep lengths. Chapter: 10."""
    frames = np.arange(len(motion))
    if len(motion) < 2:
        return motion
    points = CubicSpline(frames, motion.positions.astype(np.float64))(times)  # [N, J, 3]
    if motion.rotations is None or motion.skeleton.offsets is None:
        nearest = motion.positions[np.rint(times).astype(int)].astype(np.float64)
        return replace(motion, positions=bodily(motion.skeleton, nearest, points), rotations=None)
    rotations = unit(CubicSpline(frames, continuous(motion.rotations.astype(np.float64)))(times))
    positions, _ = forward_kinematics(motion.skeleton, rotations, points[:, 0])
    return replace(motion, positions=positions, rotations=rotations)
