"""A dance that can be danced again and again: cut where it comes back to itself, and led on. Taught in chapter 10."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..body.motion import Motion
from ..body.reference import reference_frame, velocities
from ..core.arguments import count, flag, seconds, takes
from .reshaping import bent_path, ends_with, floor_path, led, way_to
from .wish import Met, Wish


@takes(least=seconds, most=seconds, times=count(1, 1000), in_place=flag, blend=seconds)
@dataclass(frozen=True)
class Loop(Wish):
    """Cut out what can be danced again and again, and dance it ``times`` times.

    Of all pairs of frames ``least`` to ``most`` seconds apart (None: as far as there are) it takes the two most alike
    in both dancers' posture and velocity; the last ``blend`` seconds lead from the one to the other. ``in_place``:
    every round ends where it began; else it goes on from where it has come to. Tolerances: the place 20 mm; the seam's
    velocity difference at most the 99.9th percentile of those that were danced. Errors: ValueError, when applied, for a
    take shorter than ``least`` and a blend. Chapter: 10. Kovar et al., "Motion graphs", SIGGRAPH 2002.
    """

    least: float = 4.0
    most: float | None = None
    times: int = 2
    in_place: bool = False
    blend: float = 0.6
    order = 15
    lasting = False

    def apply(self, dancers, who):
        """As `Wish`. Chapter: 10."""
        first, last = self.cut(dancers, who)
        blend = min(round(self.blend * dancers[0].fps), (last - first) // 2)
        onwards = way_to(dancers[who], first, dancers[who], last)
        made = []
        for motion in dancers:  # the frame after the round is that before it, carried along
            carried = motion[first : first + 2].transformed(*onwards).positions.astype(np.float64)
            cut = motion[first : last + 1]
            velocity = np.diff(carried, axis=0)[0] - np.diff(cut.positions[-2:].astype(np.float64), axis=0)[0]
            made.append(ends_with(cut, carried[0], velocity, blend))
        if self.in_place:
            share = np.linspace(0, 1, len(made[0]))
            path, bend = floor_path(made[who]), -onwards[1] * share
            goal = bent_path(path, bend)
            goal += share[:, None] * (path[0] - goal[-1])
            made = led(made, who, True, path, goal, bend)
        onwards = way_to(made[who], 0, made[who], -1)
        rounds = [[m[:-1] for m in made]]
        for _ in range(1, self.times):
            rounds.append([m.transformed(*onwards) for m in rounds[-1]])
        return [_joined(parts) for parts in zip(*rounds)]

    def cut(self, dancers: list[Motion], who: int) -> tuple[int, int]:
        """The frame with which a round begins, and the one that is most like it. Chapter: 10."""
        fps, frames = dancers[0].fps, len(dancers[0])
        least = round((self.least + self.blend) * fps)
        if frames <= least + 2:
            raise ValueError(f"Loop: a round of {self.least:g} s and a blend of {self.blend:g} s need more than the "
                             f"{dancers[0].duration:.2f} s of this take")
        asked = torch.from_numpy(dancers[who].positions[:, None, None])  # [T, 1, 1, J, 3]
        places = reference_frame(asked, 0, dancers[who].skeleton, of="a")
        seen = []
        for motion in dancers:
            x = torch.from_numpy(motion.positions)
            moves = velocities(x[None], fps)[0] + places.origin[:, None]  # as a point, so that it is only turned
            seen += [places.to_local(each).flatten(1) * weight for each, weight in ((x, 1.0), (moves, 0.2))]
        unlike = torch.cdist(torch.cat(seen, 1), torch.cat(seen, 1))  # [T, T]
        apart = torch.arange(frames) - torch.arange(frames)[:, None]
        most = frames if self.most is None else max(round(self.most * fps), least)
        unlike[(apart < least) | (apart > most)] = torch.inf
        unlike[0], unlike[:, -1] = torch.inf, torch.inf  # their velocity is not known
        return divmod(int(unlike.argmin()), frames)

    def measure(self, before, after, who):
        """As `Wish`. Chapter: 10."""
        again = replace(self, times=2).apply(before, who)[who]
        seam, danced = len(again) // 2, before[who]
        jump = np.linalg.norm(np.diff(again.positions[seam - 3 : seam + 3].astype(np.float64), n=2, axis=0), axis=-1)
        usual = np.linalg.norm(np.diff(danced.positions.astype(np.float64), n=2, axis=0), axis=-1)
        found = [Met("seam", float(jump.max()) * danced.fps, float(np.percentile(usual, 99.9)) * danced.fps, "m/s")]
        if self.in_place:
            off = np.linalg.norm(floor_path(again)[seam] - floor_path(again)[0])
            found.append(Met("place", 1e3 * float(off), 20.0, "mm"))
        return found

    def seams(self, motion):
        """As `Wish`. Chapter: 10."""
        return [len(motion) // self.times * k for k in range(1, self.times)]


def _joined(parts: Sequence[Motion]) -> Motion:
    """Motions one after another."""
    rotations = None if parts[0].rotations is None else np.concatenate([part.rotations for part in parts])
    return replace(parts[0], positions=np.concatenate([part.positions for part in parts]), rotations=rotations)
