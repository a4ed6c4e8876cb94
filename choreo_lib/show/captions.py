"""A motion in words, for those who do not see the picture. Taught in chapter 1, "Seeing a duet"."""

import re

import numpy as np

from ..body.motion import Duet, Motion
from ..core.arguments import count, printable, takes, text
from .camera import dancers_of
from .drawable import SEEN


@takes(motion=SEEN, ghost=SEEN, edges=count(0), title=text)
def describe(motion: Motion | Duet, *, ghost: Motion | Duet | None = None, edges: int = 0,
             title: str | None = None) -> str:
    """The motion in words: who, how long, how far apart, what moves most, how far they travel. Chapter: 1."""
    dancers = dancers_of(motion)
    names = names_of(dancers)
    words = [printable(title)] if title else []
    words.append(f"{' and '.join(names)}, {motion.duration:.1f} seconds: {len(motion)} frames, {motion.fps:g} a second")
    if len(dancers) > 1:
        gap = np.linalg.norm(dancers[0].positions[:, 0] - dancers[1].positions[:, 0], axis=-1)
        words.append(f"they are {gap.min():.2f} to {gap.max():.2f} metres apart, {gap.mean():.2f} on average")
    for m, name in zip(dancers, names):
        steps = np.linalg.norm(np.diff(m.positions, axis=0), axis=-1).sum(0)  # [J]
        travel = np.linalg.norm(np.diff(m.positions[:, 0, :2], axis=0), axis=-1).sum()
        joint = busiest(m)
        words.append(f"{name} moves the {_in_words(m.skeleton.names[joint])} most ({steps[joint]:.1f} metres) and "
                     f"travels {travel:.1f} metres over the floor")
    if ghost is not None:
        named = " and ".join(m.name for m in dancers_of(ghost) if m.name and m.name not in names)
        words.append(f"a grey ghost shows {named or 'a second motion'}")
    if edges:
        drawn = "edge is drawn" if edges == 1 else "edges are drawn"
        words.append(f"up to {edges} {drawn} between {names[0]} and {names[1]}")
    ended = (each if each.endswith((".", "?", "!")) else f"{each}." for each in words)
    return " ".join(each[:1].upper() + each[1:] for each in ended)


def names_of(dancers: tuple[Motion, ...]) -> list[str]:
    """What the dancers are called, each once. Chapter: 1."""
    names = [m.name or (f"dancer {'ab'[who]}" if len(dancers) > 1 else "dancer") for who, m in enumerate(dancers)]
    return [f"{n} ({who})" for n, who in zip(names, "ab")] if len(set(names)) < len(names) else names


def _in_words(joint: str) -> str:
    """left_wrist and LeftWrist are both "left wrist"."""
    words = re.sub(r"[_\-.:\s]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", joint)).lower().strip()
    words = re.sub(r" end$|\d+$", "", words)
    said = {"middle": "middle finger", "bigtoe": "big toe", "fore arm": "forearm", "up leg": "hip"}
    return re.sub(rf"\b({'|'.join(said)})$", lambda found: said[found[0]], words)


def busiest(motion: Motion) -> int:
    """The joint that moves most, by its index. Chapter: 1."""
    return int(np.linalg.norm(np.diff(motion.positions, axis=0), axis=-1).sum(0).argmax())
