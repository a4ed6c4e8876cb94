"""Duets whose truth is known: two synthetic dancers, and which of them moves which.

They are made by rules (steps on a beat, weight, turns, joint limits, feet that stay where they stand), so they may be
published freely. Taught in chapter 1, "Seeing a duet"; graded against in chapter 9.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...body.coupling import JOINT_INDEX, Coupling, Drive
from ...body.kinematics import local_rotations
from ...body.motion import Duet, Motion, dancer_index, other_dancer
from ...body.rotations import rotation_between, unit
from ...body.skeleton import Skeleton
from ...body.source import OURS
from ...core.arguments import a, choice, count, each, flag, number, rate, seed, share, takes
from .body import Performance, body, perform, place_hand, rest_offsets
from .score import Score

_APART = {"independent": 1.7, "mirror": 1.65, "canon": 1.7, "counterbalance": 0.9, "contact": 1.05, "drives": 1.7}
KINDS = tuple(_APART)
_HELD = {"counterbalance": (((0, 1), (1, 0)), 0.02), "contact": (((0, 1),), 0.12)}  # hands of a and b, metres of play
_ARM = ("elbow", "wrist", "middle")
SENDERS = (*(f"{side}_{part}" for side in ("left", "right") for part in (*_ARM, "knee", "ankle")), "head")


@takes(kind=choice(*KINDS), frames=count(1, 100_000), seed=seed, fps=rate, lag=count(0), strength=share,
       drives=count(0, 6) | each(a(Drive)), bodies=each(a(Skeleton), size=2),
       tempo=number(20, 400, what="a number of beats per minute"), shared_beat=flag)
def duet(kind: str = "canon", frames: int = 300, seed: int = 0, fps: float = 30.0, lag: int | None = None,
         strength: float = 1.0, drives: int | Sequence[Drive] = 6, bodies: tuple[Skeleton, Skeleton] | None = None,
         tempo: float | None = None, shared_beat: bool | None = None) -> Duet:
    """Two dancers, coupled as you say; the truth goes with them as ``duet.coupling``.

    ``kind``: "independent" (nothing ties them, not even the beat), "mirror", "canon" (b dances a's phrase ``lag``
    frames later), "counterbalance" (hands held, both hang back), "contact" (a's left hand holds b's right), or "drives"
    (single joints of one dancer move single joints of the other: a number of drives to draw, or a list of `Drive`).
    Units: ``frames`` at ``fps``; ``lag`` frames (default: half a second for a canon, else 0); ``strength`` 0 to 1;
    ``tempo`` beats per minute (default: drawn from 92 to 112). The same arguments give the same bytes.
    Errors: ValueError for an unknown kind, or a lag or strength out of range or not of this kind. Chapter: 1.
    """
    lag = (round(fps / 2) if kind == "canon" else 0) if lag is None else lag
    if lag > 5 * fps:
        raise ValueError(f"lag {lag} at fps {fps:g}: a lag is 5 seconds of frames at most")
    follows = kind in ("mirror", "canon")
    if (lag and not follows) or (strength != 1 and not follows and kind != "counterbalance"):
        raise ValueError(f"lag {lag} and strength {strength} mean nothing for {kind!r}: a lag belongs to mirror and "
                         "canon, a strength to these and counterbalance, and each Drive has its own")
    if follows and strength != 1 and shared_beat is False:
        raise ValueError(f"strength {strength} with shared_beat False: who echoes only partly mixes two dances beat "
                         "by beat, which needs one beat: leave shared_beat out, or take strength 1")
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    bodies = bodies or (body(1.78, shoulders=1.06), body(1.66, legs=1.02, shoulders=0.94))
    tempo = tempo or rng.uniform(92, 112)
    early, seconds = 40, frames / fps  # frames danced before the first that is shown, as a past for delayed signals
    times = (np.arange(frames + early) - early) / fps
    score_a = Score.compose(rng, seconds, tempo)
    shared_beat = kind != "independent" if shared_beat is None else shared_beat
    tempo_b, phase_b = (tempo, 0) if shared_beat else (rng.uniform(92, 112), rng.uniform(0, 1))
    score_b = Score.compose(rng, seconds, tempo_b, phase_b)
    if follows:
        score_b = (score_a.mirrored() if kind == "mirror" else score_a).mixed(score_b, strength)
    if kind in _HELD:
        score_a, score_b = _held(score_a, rng, kind), _held(score_b, rng, kind)
        if kind == "counterbalance":
            score_b = replace(score_b, lean=strength * score_a.lean)
    formation = _formation(rng, kind)
    parts = []
    for who, (score, skeleton) in enumerate(zip((score_a, score_b), bodies, strict=True)):
        late = lag / fps if who == 1 and follows else 0.0
        x, y = (formation(times, 1 - who)[0] - formation(times, who)[0]).T  # to the partner
        look = np.arctan2(x, -y)
        hips = 1.25 * abs(rest_offsets(skeleton)[JOINT_INDEX["left_hip"], 0])
        moves = score.at(times - late, lambda t, w=who, d=late: formation(t + d, w), look, hips)
        parts.append(perform(skeleton, moves))
    planted: tuple[Drive, ...] = ()
    if kind in _HELD:
        _hold_hands(parts, *_HELD[kind], rng, times)
    elif kind == "drives":
        planted = draw_drives(rng, drives) if isinstance(drives, int) else tuple(drives)
        _plant(parts, planted)
    coupling = Coupling(kind, lag, float(strength) if kind != "drives" else 1.0, planted)
    a, b = (Motion.from_rotations(local_rotations(part.skeleton, part.world)[early:], part.root[early:], fps,
                                  part.skeleton, source=OURS, name=f"dancer {who}") for who, part in zip("ab", parts))
    return Duet(a, b, coupling)


@takes(rng=a(np.random.Generator), count=count(0, 6))
def draw_drives(rng: np.random.Generator, count: int) -> tuple[Drive, ...]:
    """Joint-to-joint drives at random: at most one receiver a limb, and no limb both sends and receives.

    3 to 12 frames late, with a strength of 0.5 to 0.9. Errors: ValueError for more than 6 drives, since there are six
    limbs that can receive. Chapter: 1.
    """
    limbs = [(dancer, limb) for dancer in "ab" for limb in ("left", "right", "jaw")]
    chosen = [limbs[i] for i in rng.permutation(len(limbs))[:count]]
    drives = []
    for dancer, limb in chosen:
        other = other_dancer(dancer)
        target = limb if limb == "jaw" else f"{limb}_{rng.choice(_ARM)}"
        senders = [s for s in SENDERS if not any(d == other and _in_limb(s, taken) for d, taken in chosen)]
        source = str(rng.choice(senders))
        lag, strength = int(rng.integers(3, 13)), float(np.round(rng.uniform(0.5, 0.9), 3))
        drives.append(Drive((other, source), (dancer, target), lag, strength))
    return tuple(drives)


def _in_limb(joint: str, limb: str) -> bool:
    return joint in ("jaw", "head") if limb == "jaw" else joint.startswith(limb) and joint.endswith(_ARM)


def _formation(rng: np.random.Generator, kind: str) -> Callable:
    """Where the two stand and which way they face: a couple that drifts and circles slowly."""
    start, rate = rng.uniform(0, 2 * np.pi), rng.choice((-1, 1)) * rng.uniform(0.05, 0.14)
    phase, speed = rng.uniform(0, 2 * np.pi, (2, 2)), rng.uniform(0.12, 0.3, (2, 2))

    def at(times: np.ndarray, who: int) -> tuple[np.ndarray, np.ndarray]:
        """Place [T, 2] and facing [T] (0 looks along -Y) of dancer 0 or 1."""
        angle = start + rate * times
        centre = 0.25 * np.sin(times[:, None, None] * speed + phase).sum(-1)
        apart = _APART[kind] * (1 + 0.04 * np.sin(0.4 * times + phase[0, 0]))
        away = np.stack([np.cos(angle), np.sin(angle)], -1) * (1 - 2 * who)
        facing = angle if kind == "canon" else angle - np.pi / 2 + np.pi * who  # a canon is danced side by side
        return centre + away * apart[:, None] / 2, facing

    return at


def _held(score: Score, rng, kind: str) -> Score:
    """A score for two who hold each other: no turns, small steps, and a lean that comes and goes if they hang back."""
    lean = np.repeat(rng.uniform(0.02, 0.14, -(-len(score.beats) // 2)), 2)[: len(score.beats)]
    lean *= kind == "counterbalance"
    return replace(score, turn=np.zeros_like(score.turn), steps=score.steps * 0.5, spine=score.spine * 0.6, lean=lean)


def _hold_hands(parts: list[Performance], pairs, free: float, rng, times) -> None:
    """Let a's hand and b's hand meet at a point between them that wanders by `free` metres."""
    chests = [part.positions()[:, JOINT_INDEX["spine3"]] for part in parts]
    across = unit((chests[1] - chests[0]) * (1, 1, 0))
    left = np.cross((0.0, 0.0, 1.0), across)
    for hand_a, hand_b in pairs:
        sign = 1 if hand_a == 0 else -1
        wave = np.stack([np.sin(times[:, None] * rng.uniform(0.8, 2.6, 3) + rng.uniform(0, 6, 3)).sum(-1) / 3
                         for _ in range(3)], -1)  # [T, 3]
        meet = (chests[0] + chests[1]) / 2 + left * sign * 0.16 + free * wave + (0, 0, 0.02)
        place_hand(parts[0], hand_a, meet)
        place_hand(parts[1], hand_b, meet)


def _plant(parts: list[Performance], drives: tuple[Drive, ...]) -> None:
    """Make each target bone follow its source joint: own direction and the source's, both as wobbles about a mean."""
    placed = [part.positions() for part in parts]
    for drive in drives:
        sender, receiver = (dancer_index(who) for who, _ in (drive.source, drive.target))
        source, target = (JOINT_INDEX[joint] for _, joint in (drive.source, drive.target))
        part = parts[receiver]
        parent = part.skeleton.parents[target]
        signal = _wobble(placed[sender][:, source] - placed[sender][:, 0])
        signal = np.concatenate([np.repeat(signal[:1], drive.lag, 0), signal[: len(signal) - drive.lag]])
        bone = unit(placed[receiver][:, target] - placed[receiver][:, parent])
        # turn with the body, so that the bone's middle direction stays possible while the dancer turns
        carrier = part.world[:, part.skeleton.parents[parent]]
        middle = unit(carrier @ np.einsum("tji,tj->ti", carrier, bone).mean(0))
        own = _wobble(bone - middle)
        pushed = 0.27 * (drive.strength * signal + np.sqrt(1 - drive.strength**2) * own)
        size = np.linalg.norm(pushed, axis=-1, keepdims=True)
        pushed *= np.tanh(size / 0.9) * 0.9 / np.maximum(size, 1e-9)
        moved = [j for j in range(len(part.skeleton)) if parent in part.skeleton.chain(j)]  # all that hangs from it
        part.world[:, moved] = rotation_between(bone, unit(middle + pushed))[:, None] @ part.world[:, moved]


def _wobble(path: np.ndarray, radius: int = 30) -> np.ndarray:
    """What is left of a path [T, 3] without its slow part (two seconds), scaled to a root mean square of one."""
    kernel = np.hanning(2 * radius + 3)[1:-1]
    padded = np.pad(path, ((radius, radius), (0, 0)), mode="reflect" if len(path) > radius else "edge")
    slow = np.stack([np.convolve(axis, kernel / kernel.sum(), mode="valid") for axis in padded.T], -1)
    quick = path - slow
    return quick / max(np.sqrt((quick**2).sum(-1).mean()), 1e-6)
