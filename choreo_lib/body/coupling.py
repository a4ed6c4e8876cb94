"""The ground truth of a duet that was made: which joints move which, how late, how much. Taught in chapters 1 and 9."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core.arguments import Rule, a, count, each, need, share, takes, text
from .skeleton import HYBRIK_29

JOINT_INDEX = {name: j for j, name in enumerate(HYBRIK_29.names)}  # of the synthetic body


def _joint(value, axes):
    need(isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(part, str) for part in value))
    need(value[0] in ("a", "b") and value[1] in JOINT_INDEX, ValueError)
    return tuple(value)


_JOINT = Rule('a pair ("a" or "b", name of a joint of the synthetic body)', _joint)


@takes(source=_JOINT, target=_JOINT, lag=count(0), strength=share)
@dataclass(frozen=True)
class Drive:
    """One joint that moves another: the target's bone follows the source joint ``lag`` frames later.

    ``source`` and ``target`` are (dancer, joint name), dancer "a" or "b"; ``strength`` 0 to 1 is the share of the
    target's own movement (in amplitude) that comes from the source. Chapter: 9.
    """

    source: tuple[str, str]
    target: tuple[str, str]
    lag: int
    strength: float


@takes(kind=text, lag=count(0), strength=share, drives=each(a(Drive)))
@dataclass(frozen=True)
class Coupling:
    """The ground truth of a synthetic duet: what couples dancer b to dancer a (or single joints, either way).

    ``kind`` is one of `choreo_lib.sets.synthetic.KINDS`; ``lag`` frames; ``strength`` 0 to 1; ``drives`` the single
    joint-to-joint couplings. Chapter: 1.
    """

    kind: str
    lag: int = 0
    strength: float = 1.0
    drives: tuple[Drive, ...] = ()

    def __str__(self) -> str:
        if self.kind == "drives":
            return f"{len(self.drives)} joint-to-joint drives"
        later = f", {self.lag} frames later" if self.lag else ""
        return self.kind + later + (f", strength {self.strength:g}" if self.strength != 1 else "")

    @takes(frames=a(slice))
    def sliced(self, frames: slice) -> Coupling:
        """The same coupling for every n-th frame: lags count the frames that are left. Chapter: 1."""
        step = frames.step or 1
        drives = tuple(replace(d, lag=round(d.lag / step)) for d in self.drives)
        return replace(self, lag=round(self.lag / step), drives=drives)

    def matrix(self) -> np.ndarray:
        """Strength of every drive, float [58, 58]: row sends, column receives; a's 29 joints, then b's. Chapter: 9."""
        joints = [(dancer, joint) for dancer in "ab" for joint in JOINT_INDEX]
        truth = np.zeros((len(joints), len(joints)))
        for drive in self.drives:
            truth[joints.index(drive.source), joints.index(drive.target)] = drive.strength
        return truth

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The coupling as plain arrays, for NPZ files.

        Shapes: "kind", "lag" and "strength" [], of the whole; of D drives "ends" [D, 4] (the source's dancer and joint
        name, then the target's), "lags" and "strengths" [D]. Chapter: 1.
        """
        whole = {name: np.array(getattr(self, name)) for name in ("kind", "lag", "strength")}
        return whole | {"ends": np.array([d.source + d.target for d in self.drives], dtype=str).reshape(-1, 4),
                        "lags": np.array([d.lag for d in self.drives], dtype=int),
                        "strengths": np.array([d.strength for d in self.drives], dtype=float)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Coupling:
        """Make a coupling of what `to_arrays` gave.

        Shapes: as there, "ends" [D, 4]. Errors: KeyError for an array that is missing; ValueError where they differ in
        length, or for a drive that cannot be. Chapter: 1.
        """
        drives = tuple(Drive((str(e[0]), str(e[1])), (str(e[2]), str(e[3])), int(lag), float(strength))
                       for e, lag, strength in zip(arrays["ends"], arrays["lags"], arrays["strengths"], strict=True))
        return cls(str(arrays["kind"]), int(arrays["lag"]), float(arrays["strength"]), drives)
