"""Some seconds of a dance made anew by a model: danced on with the leader, or varied. Taught in chapter 10."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ..body.blending import inertialise, minimum_jerk
from ..body.bones import carry_rotations
from ..body.motion import Motion
from ..body.source import Source
from ..core.arguments import a, count, number, seconds, seed, takes, text
from ..extensions import DuetForecaster
from ..extensions.linear_vae import LinearVAE
from ..training.artifacts import load_model
from .reshaping import bent_path, bodily, ends_with, floor_path, heading, led, replant, while_stepping
from .wish import TIME, Met, Span

BEGIN = 0.5  # seconds in which what a model dances differently from its first frame on is let in
AHEAD = 0.2  # seconds: at what time a difference in velocity counts as much as one in place


@takes(start=TIME, stop=TIME, model=text | a(DuetForecaster), temperature=number(0, 100), samples=count(1, 1000),
       seed=seed, blend=seconds)
@dataclass(frozen=True)
class Inpaint(Span):
    """Replace the seconds from ``start`` to ``stop`` (None: to the end) by what a duet model dances; leave the rest.

    The model dances on from ``start`` with the partner, ``samples`` times with residuals of ``temperature`` from
    ``seed``; the sample is kept that comes nearest to where the dance goes on. What is left of the gap is led away: in
    place and heading while feet step, in posture over the last ``blend`` seconds. The result is points: the model knows
    no rotations. Tolerances: the rest 1 mm, the joints at ``stop`` 20 mm.
    Errors: ValueError, when applied, for seconds outside the take, a start before the model's past, or a dance that
    does not fit the model. Chapter: 10. Bollo, "Inertialization", GDC 2018.
    """

    start: float
    stop: float | None = None
    model: str | DuetForecaster = field(default="duet-salsa", repr=False)
    temperature: float = 0.3
    samples: int = 8
    seed: int = 0
    blend: float = 1.0
    order = 20
    lasting = False

    def apply(self, dancers, who):
        """As `Wish`. Chapter: 10."""
        motion, leader = dancers[who], self.partner(dancers, who)
        first, last = self.span(motion)
        model = load_model(self.model) if isinstance(self.model, str) else self.model
        if first < model.past:
            raise ValueError(f"Inpaint: start is {self.start:g} s, and the model looks at {model.past / model.fps:g} s "
                             "before it")
        if last - first < round(BEGIN * motion.fps):
            raise ValueError(f"Inpaint: from {self.start:g} s to stop there is less than {BEGIN:g} s; ask for more")
        count = self.samples if self.temperature else 1
        found = model.rollout(leader[: last + 1], motion[:first], who="ab"[who], temperature=self.temperature,
                              random_seed=self.seed, count=count)
        found = [each.positions.astype(np.float64) for each in (found if count > 1 else [found])]
        danced = motion.positions.astype(np.float64)
        left = [self._left(danced, made, last, motion.fps) for made in found]  # metres
        best = int(np.argmin(left))
        note = f"sample {best + 1} of {count}, {left[best]:.2f} m from where the dance goes on"
        begun = bodily(motion.skeleton, found[best][first - 2 :], self._begun(danced, found[best], first, motion.fps))
        piece = Motion(begun, motion.fps, motion.skeleton)
        if last + 1 < len(motion):
            piece = self._meets(piece, motion, last)
        points = np.concatenate([danced[:first], piece.positions[2:], danced[last + 1 :]])
        made = replace(motion, positions=points, rotations=None, notes=(*motion.notes, note),
                       source=Source.join(motion.source, leader.source))
        return [made if k == who else m for k, m in enumerate(dancers)]

    def _left(self, danced: np.ndarray, made: np.ndarray, last: int, fps: float) -> float:
        """How far a sample [last + 1, J, 3] is from where the dance goes on, in metres, place and velocity."""
        if last + 1 >= len(danced):
            return 0.0
        apart = danced[last] - made[last]
        faster = danced[last + 1] - danced[last] - (made[last] - made[last - 1])
        return float(np.linalg.norm(apart, axis=-1).mean() + AHEAD * fps * np.linalg.norm(faster, axis=-1).mean())

    def _begun(self, danced: np.ndarray, made: np.ndarray, first: int, fps: float) -> np.ndarray:
        """What was made, from two frames before on, which were danced, and at their velocity."""
        piece, frames = made[first - 2 :].copy(), min(round(BEGIN * fps), len(made) - first - 1)
        velocity = danced[first - 1] - danced[first - 2]
        gap = danced[first - 1] + velocity - made[first]
        slower = velocity - (made[first + 1] - made[first])
        piece[2 : frames + 3] += np.concatenate([gap[None], inertialise(gap, slower, frames)])
        return piece

    def _meets(self, piece: Motion, motion: Motion, last: int) -> Motion:
        """A piece that ends in the frame ``last`` of a motion, at its velocity."""
        share = while_stepping(piece, 2, len(piece) - 1)
        path = floor_path(piece)
        turn = share * math.remainder(heading(motion, last) - heading(piece), math.tau)
        goal = bent_path(path, turn)
        goal += share[:, None] * (floor_path(motion)[last] - goal[-1])
        piece = led([piece], 0, False, path, goal, turn, cut_out=True)[0]
        there = motion.positions[last : last + 2].astype(np.float64)
        velocity = there[1] - there[0] - np.diff(piece.positions[-2:].astype(np.float64), axis=0)[0]
        return ends_with(piece, there[0], velocity, min(round(self.blend * motion.fps), len(piece) - 3))

    def measure(self, before, after, who):
        """As `Wish`. Chapter: 10."""
        first, last = self.span(before[who])
        off = np.linalg.norm(after[who].positions - before[who].positions, axis=-1)  # [T, J]
        rest = np.concatenate([off[:first], off[last + 1 :]])
        found = [Met("rest", 1e3 * float(rest.max()), 1.0, "mm")]
        if last + 1 < len(off):
            found.append(Met("joints at stop", 1e3 * float(off[last].max()), 20.0, "mm"))
        return found


@takes(sigma=number(0, 100), start=TIME, stop=TIME, model=text | a(LinearVAE), seed=seed)
@dataclass(frozen=True)
class Vary(Span):
    """Vary a phrase from ``start`` to ``stop`` (None: to the end): its latents in a solo VAE moved by ``sigma``.

    What that changes is added to what was danced, so with ``sigma`` 0 nothing changes; both ends stay. Tolerance: the
    rest 1 mm. Errors: ValueError, when applied, for seconds outside the take, fewer than a window, or a dancer who does
    not fit the model. Chapter: 10; the model is that of chapter 4.
    """

    sigma: float
    start: float = 0.0
    stop: float | None = None
    model: str | LinearVAE = field(default="solo-salsa", repr=False)
    seed: int = 0
    order = 20
    lasting = False

    def apply(self, dancers, who):
        """As `Wish`. Chapter: 10."""
        motion = dancers[who]
        first, last = self.span(motion)
        model = load_model(self.model) if isinstance(self.model, str) else self.model
        part, inside = slice(first, last + 1), np.arange(last + 1 - first)
        fade = np.sin(np.pi * (np.arange(model.frames) + 0.5) / model.frames) ** 2
        added = varied_by(motion[part], model, self.sigma, torch.Generator().manual_seed(self.seed), fade)
        share = minimum_jerk(np.minimum(inside, inside[::-1]) / (model.frames // 2))[:, None, None]
        points = motion.positions.astype(np.float64)
        points[part] += share * added
        points = bodily(motion.skeleton, motion.positions, points)
        points[part] = replant(motion.skeleton, motion.positions[part], points[part], motion.fps, cut_out=True)
        return [carry_rotations(motion, points) if k == who else m for k, m in enumerate(dancers)]

    def measure(self, before, after, who):
        """As `Wish`. Chapter: 10."""
        first, last = self.span(before[who])
        off = np.linalg.norm(after[who].positions - before[who].positions, axis=-1)
        rest = np.concatenate([off[: first + 1], off[last:]])
        return [Met("rest", 1e3 * float(rest.max()), 1.0, "mm")]


def varied_by(take: Motion, model: LinearVAE, sigma: float, generator: torch.Generator, fade: np.ndarray) -> np.ndarray:
    """How far every joint moves if latents do, ``sigma`` standard deviations by chance: [T, J, 3], metres. Chapter: 10.

    In windows that overlap by half, weighted with ``fade`` [frames]. Errors: ValueError for a take without one.
    """
    size, frames = model.frames, len(take)
    if frames < size:
        raise ValueError(f"there are {frames} frames at {take.fps:g} a second; variations need {size}, a window")
    begins = [*range(0, frames - size, size // 2), frames - size]
    latents, places = model.encode_motion([take[k : k + size] for k in begins])
    moved = latents + sigma * torch.randn(latents.shape, generator=generator)
    was, now = (places.to_world(model.decode(z, project_bones=False).unflatten(2, (-1, 3)))
                for z in (latents, moved))  # [N, frames, J, 3]
    change, weight = np.zeros(take.positions.shape), np.full((frames, 1, 1), 1e-9)
    for k, difference in zip(begins, (now - was).cpu().double().numpy()):
        change[k : k + size] += fade[:, None, None] * difference
        weight[k : k + size] += fade[:, None, None]
    return change / weight
