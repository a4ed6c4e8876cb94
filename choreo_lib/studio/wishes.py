"""What a choreographer asks of a dance: hold this hand, end here, keep this path. Taught in chapter 10."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from ..body.blending import inertialise, minimum_jerk
from ..body.bones import carry_rotations, place_limb
from ..body.motion import Motion
from ..body.source import Source
from ..core.arguments import a, each, flag, number, seconds, takes, text
from ..extensions.foot_contact import place_toes
from .reshaping import bent_path, bodily, ends_with, floor_path, heading, led, swayless, way_to, while_stepping
from .wish import TIME, Met, Span, Wish, frames_at

REACH = 0.3  # metres that a body leans or steps towards a hand it is to hold
_PLACE = each(number(), size=2)


@takes(joint=text, partner_joint=text, start=TIME, stop=TIME, ramp=seconds)
@dataclass(frozen=True)
class Hold(Span):
    """Keep a hand at a joint of the partner, from ``start`` to ``stop``; it comes and goes within ``ramp``.

    ``joint``: of the arm below its elbow, such as "left_wrist". The arm bends; where it is too short the body comes
    nearer by 30 cm at most, over feet that stay. Tolerance: 30 mm. Units: seconds. Errors: ValueError, when applied,
    for start not before stop, an unknown joint, one that is no hand's, or seconds outside the take. Chapter: 10.
    """

    joint: str
    partner_joint: str
    start: float
    stop: float
    ramp: float = 0.8
    order = 50

    def apply(self, dancers, who):
        """As `Wish`. Chapter: 10."""
        motion, other = dancers[who], self.partner(dancers, who)
        skeleton, fps = motion.skeleton, motion.fps
        start, stop = self.span(motion)
        joint, limb = self._limb(skeleton)
        target = other.positions[:, other.skeleton.index(self.partner_joint, "partner_joint")].astype(np.float64)
        time = np.arange(len(motion))
        risen = np.minimum(time - start, stop - time) / (self.ramp * fps) + 1  # [T], 1 and more while it is held
        share = minimum_jerk(risen)[:, None]  # [T, 1]
        points = motion.positions.astype(np.float64)
        down = np.broadcast_to([0.0, 0.0, -0.05], target.shape)
        toes = [skeleton.find(f"{side}_toe") for side in ("left", "right")]
        arm = sum(np.linalg.norm(points[0, j] - points[0, k]) for j, k in zip(limb, limb[1:]))
        line = target - points[:, limb[0]]  # nobody reaches for what is farther than arm and lean
        far = np.linalg.norm(line, axis=-1, keepdims=True) / (arm + REACH)
        target = points[:, limb[0]] + line / (1 + far**32) ** (1 / 32)
        goal = points[:, joint] + share * (target - points[:, joint])
        lean = np.zeros_like(goal)
        for _ in range(4):  # what the arm cannot reach, the body leans for; then the arm again
            led = points + lean[:, None]
            if lean.any() and None not in toes:
                led = place_toes(skeleton, led, points[:, toes], fps)
            reached = place_limb(skeleton, led, limb, goal - led[:, joint] + led[:, limb[2]], down)
            short = (goal - reached[:, joint]) * [1.0, 1.0, 0.0]
            lean = lean + gaussian_filter1d(share * short, 0.1 * fps, axis=0)
            lean = lean / (1 + (np.linalg.norm(lean, axis=-1, keepdims=True) / REACH) ** 32) ** (1 / 32)
        begun = minimum_jerk(3 * risen)[:, None, None]  # or straight elbows would bend elsewhere, too
        reached = bodily(skeleton, points, points + begun * (reached - points))
        made = replace(carry_rotations(motion, reached), source=Source.join(motion.source, other.source))
        return [made if k == who else m for k, m in enumerate(dancers)]

    def _limb(self, skeleton) -> tuple[int, list[int]]:
        """The joint, and shoulder, elbow and wrist of its arm."""
        joint = skeleton.index(self.joint, "joint")
        for side in ("left", "right"):
            limb = [skeleton.find(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist")]
            if None not in limb and limb[2] in skeleton.chain(joint):
                return joint, limb
        raise ValueError(f"joint: {self.joint!r} is no hand's; Hold takes wrists and what hangs from them")

    def measure(self, before, after, who):
        """As `Wish`. Chapter: 10."""
        start, stop = self.span(after[who])
        own, theirs = (m.positions[start : stop + 1, m.skeleton.index(name)].astype(np.float64)
                       for m, name in ((after[who], self.joint), (after[1 - who], self.partner_joint)))
        off = np.linalg.norm(own - theirs, axis=-1)
        return [Met(f"{self.joint} at {self.partner_joint}", 1e3 * float(off.max()), 30.0, "mm")]


@takes(place=_PLACE, facing=number(), pose=a(Motion), over=seconds, ramp=seconds, together=flag)
@dataclass(frozen=True)
class EndAt(Wish):
    """Be with the pelvis above a place on the floor in the last frame, and (where asked) face there, in a posture.

    ``place`` [x, y] metres; ``facing`` radians from X, counter-clockwise from above; ``pose``: a motion of the same
    joints whose last frame is the posture. The way is spread over the last ``over`` seconds (None: the whole take),
    while feet step, the posture over ``ramp``. ``together``: the partner is led along. Tolerances: 20 mm, 3 degrees,
    posture 30 mm a joint. Errors: ValueError, when applied, for a pose of other joints. Chapter: 10.
    """

    place: Sequence[float]
    facing: float | None = None
    pose: Motion | None = field(default=None, repr=False)
    over: float | None = None
    ramp: float = 1.0
    together: bool = False
    order = 40

    def apply(self, dancers, who):
        """As `Wish`. Chapter: 10."""
        motion = dancers[who]
        last = len(motion) - 1
        start = 0 if self.over is None else max(last - round(self.over * motion.fps), 0)
        path = floor_path(motion)
        share = while_stepping(motion, start, last)
        turn = share * (0.0 if self.facing is None else math.remainder(self.facing - heading(motion), math.tau))
        goal = bent_path(path, turn)
        goal += share[:, None] * (np.asarray(self.place, np.float64) - goal[-1])
        made = led(dancers, who, self.together, path, goal, turn)
        if self.pose is not None:
            if self.pose.skeleton.names != motion.skeleton.names:
                raise ValueError("EndAt: pose has other joints than the dancer; choreo_lib.conform(pose, "
                                 "motion.skeleton) brings it onto them")
            frames = min(round(self.ramp * motion.fps), last)
            pose = self._posture(self.pose, made[who])
            made[who] = ends_with(made[who], pose, np.zeros_like(pose), frames)
        return made

    def _posture(self, pose: Motion, motion: Motion) -> np.ndarray:
        """The posture that is asked for, [J, 3], where the dancer stands at the end and with that heading."""
        return pose[-1:].transformed(*way_to(pose, -1, motion, -1)).positions[0].astype(np.float64)

    def measure(self, before, after, who):
        """As `Wish`. Chapter: 10."""
        motion = after[who]
        found = [Met("place", 1e3 * math.dist(floor_path(motion)[-1], self.place), 20.0, "mm")]
        if self.facing is not None:
            off = math.remainder(self.facing - heading(motion), math.tau)
            found.append(Met("facing", math.degrees(abs(off)), 3.0, "degrees"))
        if self.pose is not None:
            off = np.linalg.norm(self._posture(self.pose, motion) - motion.positions[-1], axis=-1)
            found.append(Met("posture", 1e3 * float(off.max()), 30.0, "mm"))
        return found

    def seams(self, motion):
        """As `Wish`. Chapter: 10."""
        end = motion.duration
        return frames_at(motion, self.over and end - self.over, None if self.pose is None else end - self.ramp)


@takes(points=each(_PLACE, least=2), start=TIME, stop=TIME, ramp=seconds, together=flag)
@dataclass(frozen=True)
class Path(Span):
    """Keep the pelvis, its sway apart, on a path on the floor from ``start`` to ``stop`` (None: to the end).

    ``points``: places [x, y], metres, passed at even times along a smooth curve, about which sway and steps are danced.
    It is come to within ``ramp`` seconds. ``together``: the partner is led along. Tolerance: 20 mm. Errors: ValueError,
    when applied, for seconds outside the take. Chapter: 10. Gleicher, I3D 2001.
    """

    points: Sequence[Sequence[float]]
    start: float = 0.0
    stop: float | None = None
    ramp: float = 1.0
    together: bool = False
    order = 30

    def apply(self, dancers, who):
        """As `Wish`. Chapter: 10."""
        motion = dancers[who]
        start, stop = self.span(motion)
        path, asked = floor_path(motion), self._asked(start, stop)
        added = np.zeros_like(path)
        for _ in range(5):  # the Gaussian rounds corners of what is added, too
            inside = added[start : stop + 1] + asked - swayless(path + added, motion.fps)[start : stop + 1]
            added = self._let_in(inside, start, len(path), max(round(self.ramp * motion.fps), 2))
        return led(dancers, who, self.together, path, path + added, np.zeros(len(path)))

    def _let_in(self, inside: np.ndarray, start: int, frames: int, ramp: int) -> np.ndarray:
        """What is added [frames, 2] while on the path [t, 2], before, as one comes to it, and after."""
        added, stop, velocity = np.zeros((frames, 2)), start + len(inside) - 1, np.gradient(inside, axis=0)
        added[start : stop + 1] = inside
        before, first = inertialise(inside[:1], -velocity[:1], ramp)[::-1, 0], min(ramp, start)  # [ramp, 2]
        added[start - first : start] = before[ramp - first :]
        rest = np.minimum(np.arange(1, frames - stop) / ramp, 1)[:, None]
        added[stop + 1 :] = inside[-1] + velocity[-1] * ramp / 3 * (1 - (1 - rest) ** 3)  # it comes to rest
        return added

    def _asked(self, start: int, stop: int) -> np.ndarray:
        points = np.asarray(self.points, np.float64)
        return CubicSpline(np.linspace(start, stop, len(points)), points)(np.arange(start, stop + 1))

    def measure(self, before, after, who):
        """As `Wish`. Chapter: 10."""
        start, stop = self.span(after[who])
        off = swayless(floor_path(after[who]), after[who].fps)[start : stop + 1] - self._asked(start, stop)
        return [Met("path", 1e3 * float(np.linalg.norm(off, axis=-1).max()), 20.0, "mm")]
