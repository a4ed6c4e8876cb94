"""Partners that score well and look bad, one for every weakness of a measure: what a table of scores has to be held to.

None of them knows the true partner. They know the leader, as a model does, and the training dances.
Taught in chapter 11, "Is it any good?".
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from ..body.motion import Duet, Motion
from ..body.reference import placed, reference_frame
from ..body.skeleton import Skeleton
from ..core.arguments import a, choice, each, number, seconds, seed, takes
from . import metrics
from .metrics.frechet import seen_poses
from .scorecard import with_partner

PIECE = 1.0  # seconds of training dance that `torn`, `shuffled` and `parrot` hold on to
FIFTH = slice(None, None, 5)  # of a piece's frames, by which `parrot` compares
SLIDE = 2.0  # seconds for which `slides` keeps a pose


def slides(leader: Motion, known: Sequence[Duet], random: np.random.Generator) -> np.ndarray:
    """Stiff training poses, another every two seconds, pushed along with the leader. Shapes: [T, J, 3]. Chapter: 11."""
    frames = round(SLIDE * leader.fps)
    return np.concatenate([_statue(leader[k : k + frames], known, random) for k in range(0, len(leader), frames)])


def trembling(leader: Motion, known: Sequence[Duet], random: np.random.Generator) -> np.ndarray:
    """A statue that is pushed along, and trembles with a dancer's jerk. Shapes: [T, J, 3]. Chapter: 11."""
    still = _statue(leader, known, random)
    noise = random.normal(size=still.shape)
    wanted = np.mean([metrics.jerk(each.b.positions, each.fps).mean() for each in known])
    low, high = 0.0, 0.1  # metres of trembling; the jerk grows with it
    for _ in range(20):
        middle = (low + high) / 2
        enough = metrics.jerk(still + middle * noise, leader.fps).mean() > wanted
        low, high = (low, middle) if enough else (middle, high)
    return still + low * noise


def bobbing(leader: Motion, known: Sequence[Duet], random: np.random.Generator) -> np.ndarray:
    """A statue that goes down and up, and stops whenever the leader nearly does. Shapes: [T, J, 3]. Chapter: 11."""
    first = _statue(leader, known, random)[:1]
    stops = np.concatenate([[0], metrics.beats(leader), [len(leader) - 1]])
    # half a swing from one stop to the next: the speed is a half-sine, zero at every stop
    phase = np.interp(np.arange(len(leader)), stops, np.pi * np.arange(len(stops)))
    height = 0.06 * (np.cos(phase) - 1)  # metres, down and up again
    return first + height[:, None, None] * np.array([0.0, 0.0, 1.0])


def torn(leader: Motion, known: Sequence[Duet], random: np.random.Generator) -> np.ndarray:
    """Another dance, each joint's seconds in an order of its own: all speeds are real, and no body is left.

    Shapes: [T, J, 3]. Chapter: 11.
    """
    dance = stranger(leader, known, random)
    steps = np.diff(dance, axis=0)
    frames, made = round(PIECE * leader.fps), dance.copy()
    for joint in range(dance.shape[1]):
        pieces = [steps[k : k + frames, joint] for k in range(0, len(steps), frames)]
        order = random.permutation(len(pieces))
        shuffled_steps = np.concatenate([pieces[k] for k in order])
        made[1:, joint] = dance[0, joint] + shuffled_steps.cumsum(0)
    return made


def shuffled(leader: Motion, known: Sequence[Duet], random: np.random.Generator) -> np.ndarray:
    """Another dance in pieces of a second, in any order: it jumps once a second. Shapes: [T, J, 3]. Chapter: 11."""
    dance, frames = stranger(leader, known, random), round(PIECE * leader.fps)
    pieces = [dance[k : k + frames] for k in range(0, len(dance), frames)]
    return np.concatenate([pieces[k] for k in random.permutation(len(pieces))])


def parrot(leader: Motion, known: Sequence[Duet], random: np.random.Generator) -> np.ndarray:
    """Each second the partner whose leader moved most like this: nearest neighbour. Shapes: [T, J, 3]. Chapter: 11."""
    frames = round(PIECE * leader.fps)
    starts = [(duet, k) for duet in known for k in range(0, len(duet) - frames + 1, frames // 2)]
    library = seen_poses(np.stack([duet.a.positions[k : k + frames] for duet, k in starts]), leader.skeleton, FIFTH)
    made = np.empty_like(leader.positions)
    for start in range(0, len(leader), frames):
        begin = min(start, len(leader) - frames)
        part = slice(begin, begin + frames)
        mine = seen_poses(leader.positions[None, part], leader.skeleton, FIFTH)
        duet, k = starts[int(((library - mine) ** 2).sum(1).argmin())]
        there = slice(k, k + frames)
        made[part] = _beside(leader.positions[part], duet.a.positions[there], duet.b.positions[there], leader.skeleton,
                             at=frames // 2)
    return made


def copy(leader: Motion, known: Sequence[Duet], random: np.random.Generator) -> np.ndarray:
    """The leader again, moved to where a partner usually is: perfectly together. Shapes: [T, J, 3]. Chapter: 11."""
    apart = np.median(np.concatenate([metrics.pelvis_distance(each) for each in known]))
    here = reference_frame(torch.from_numpy(leader.positions[None, :1, None]), 0, leader.skeleton, of="a")
    heading = float(here.heading)
    return leader.positions + apart * np.array([np.cos(heading), np.sin(heading), 0.0])


def stranger(leader: Motion, known: Sequence[Duet], random: np.random.Generator) -> np.ndarray:
    """The partner of another, training, leader: a real dance, with somebody else. Shapes: [T, J, 3].

    At first it stands to this leader as to its own. Errors: ValueError for no training dance as long. Chapter: 11.
    """
    long_enough = [each for each in known if len(each) >= len(leader)]
    if not long_enough:
        raise ValueError(f"no training dance is as long as this leader's {len(leader)} frames; cut the leader")
    duet = long_enough[int(random.integers(len(long_enough)))]
    start = int(random.integers(len(duet) - len(leader) + 1))
    part = slice(start, start + len(leader))
    return _beside(leader.positions, duet.a.positions[part], duet.b.positions[part], leader.skeleton, at=0)


CHEATS: dict[str, Callable[[Motion, Sequence[Duet], np.random.Generator], np.ndarray]] = {
    each.__name__: each for each in (slides, trembling, bobbing, torn, shuffled, parrot, copy, stranger)}
"""All cheats by name: a leader, the training dances and a generator in, joints [T, J, 3] out."""


@takes(name=choice(*CHEATS), duets=each(a(Duet), least=1), known=each(a(Duet), least=1), seed=seed)
def cheat(name: str, duets: Sequence[Duet], known: Sequence[Duet], seed: int = 0) -> list[Duet]:
    """The same leaders with a partner b who cheats.

    ``known``: training dances, of the same joints and frame rate. Errors: ValueError for dances of other joints, or
    none as long as a leader where a whole one is copied. Chapter: 11.
    """
    for duet in known:
        if len(duet.a.skeleton) != len(duets[0].a.skeleton):
            raise ValueError(f"the training dances have {len(duet.a.skeleton)} joints and the leaders "
                             f"{len(duets[0].a.skeleton)}; choreo_lib.conform brings them together")
    return [with_partner(duet, CHEATS[name](duet.a, known, np.random.default_rng([seed, k])).astype(np.float32))
            for k, duet in enumerate(duets)]


def _beside(leader: np.ndarray, other: np.ndarray, partner: np.ndarray, skeleton: Skeleton, at: int) -> np.ndarray:
    """A partner as it stood to its own leader at one frame, now to this one. Shapes: [T, J, 3] each."""
    true, like, moved = (torch.from_numpy(np.ascontiguousarray(x))[None, :, None] for x in (leader, other, partner))
    return placed(moved, like, true, at, skeleton)[0, :, 0].numpy()


def _statue(leader: Motion, known: Sequence[Duet], random: np.random.Generator) -> np.ndarray:
    """Any pose of a b, as it stood to its own leader, pushed along the floor as this one goes: [T, J, 3]."""
    duet = known[int(random.integers(len(known)))]
    at = int(random.integers(len(duet)))
    pose = _beside(leader.positions[:1], duet.a.positions[[at]], duet.b.positions[[at]], leader.skeleton, at=0)
    pelvis = leader.positions[:, leader.skeleton.pelvis]
    return pose + ((pelvis - pelvis[0]) * (1, 1, 0))[:, None].astype(pose.dtype)


@takes(duet=a(Duet), noise=number(0, 1), depth=number(0, 1), missing=number(0, 0.9), gap=seconds, seed=seed)
def as_filmed(duet: Duet, noise: float = 0.0, depth: float = 0.0, missing: float = 0.0, gap: float = 0.5,
              seed: int = 0) -> Duet:
    """An optical recording as a camera might have made it: its twin, so that numbers on video can be read rightly.

    ``noise``: jitter of every coordinate; ``depth``: slow errors along the camera's line, the same for all joints of a
    dancer, that come and go within a second or so; ``missing``: the share of frames in gaps of ``gap`` seconds, bridged
    by straight lines. Units: ``noise`` and ``depth`` metres, standard deviations; ``gap`` seconds. Chapter: 11.
    """
    random, dancers = np.random.default_rng(seed), []
    for motion in duet:
        x = motion.positions.astype(np.float64) + noise * random.normal(size=motion.positions.shape)
        x[..., 1] += depth * _slow(len(motion), motion.fps, random)[:, None]
        x = _bridged(x, missing, max(round(gap * motion.fps), 1), random)
        dancers.append(Motion(x.astype(np.float32), motion.fps, motion.skeleton, source=motion.source,
                              name=motion.name))
    return Duet(*dancers)


def _slow(frames: int, fps: float, random: np.random.Generator) -> np.ndarray:
    """Noise without anything quicker than a second or so, with deviation 1: [T]."""
    width = 0.5 * fps
    noise = gaussian_filter1d(random.normal(size=frames + 8 * round(width)), width)[4 * round(width) :][:frames]
    return noise * np.sqrt(2 * np.sqrt(np.pi) * width)


def _bridged(x: np.ndarray, missing: float, gap: int, random: np.random.Generator) -> np.ndarray:
    """Gaps of so many frames, straight from the last frame before to the first one after."""
    made = x.copy()
    for _ in range(round(missing * len(x) / gap)):
        start = int(random.integers(1, max(len(x) - gap - 1, 2)))
        end = min(start + gap, len(x) - 1)
        share = np.linspace(0, 1, end - start + 2)[1:-1, None, None]
        made[start:end] = (1 - share) * x[start - 1] + share * x[end]
    return made
