"""Motion and Duet: what every reader gives, every model takes, and every player shows. Taught in chapter 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ..core.arguments import MAX_CELLS, MAX_FRAMES, a, each, nothing, number, printable, takes, text
from ..core.shapes import array
from .compatibility import require_rotations, same_rate
from .coupling import Coupling
from .kinematics import joint_positions
from .rotations import rotate_points_z, rotate_z, slerp
from .skeleton import Skeleton
from .source import Source

_FPS = number(above=0, high=1e6, what="a number of frames per second")
_PLACES, _TURNS = (array("frames", None, width, finite=False, empty=True, plain=True) for width in (3, 4))


@takes(positions=_PLACES, fps=_FPS, skeleton=a(Skeleton), rotations=_TURNS, source=a(Source), name=text | nothing,
       notes=each(text) | nothing)
@dataclass(frozen=True, eq=False)
class Motion:
    """One dancer over time.

    Shapes: ``positions`` float32 [T, J, 3]; ``rotations`` float32 [T, J, 4], local unit quaternions x y z w, or None
    where only points are known. ``motion[10:40]`` is those frames.
    Units: metres, Z up; ``fps`` frames per second.
    ``source`` says whose motion this is (None: unknown, so never published); ``name`` is what a picture calls the
    dancer; ``notes`` is what a reader guessed or repaired, in words.
    Errors: ValueError naming the field, and the frame and joint where a number is not finite. Chapter: 1.
    """

    positions: np.ndarray
    fps: float
    skeleton: Skeleton
    rotations: np.ndarray | None = None
    source: Source | None = None
    name: str = ""
    notes: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self):
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731 (frozen)
        put("fps", float(self.fps))
        put("name", printable(self.name or ""))
        put("notes", tuple(map(printable, self.notes or ())))
        put("positions", self._array("positions"))
        if self.rotations is not None:
            rotations = self._array("rotations")
            length = np.sqrt(np.einsum("tjk,tjk->tj", rotations, rotations))[..., None]  # [T, J, 1]
            if (length < 1e-6).any():
                frame, joint = (int(i) for i in np.argwhere(length[..., 0] < 1e-6)[0])
                raise ValueError(f"the rotation in frame {frame}, joint {joint} ({self.skeleton.names[joint]!r}) is "
                                 "zero; a rotation is a unit quaternion")
            # unit already: keep the bits, so that a file read back is the file
            put("rotations", rotations / length if np.abs(length - 1).max() > 1e-6 else rotations)

    def _array(self, name: str) -> np.ndarray:
        # a copy: what the caller does with the array afterwards happens to the caller's array only
        value = np.array(getattr(self, name), dtype=np.float32, order="C")
        if value.shape[1] != len(self.skeleton):
            raise ValueError(f"{name} must be of {len(self.skeleton)} joints, as the skeleton; got shape {value.shape}")
        if len(value) == 0:
            raise ValueError(f"{name} hold no frames; a motion needs at least one")
        if not np.isfinite(value).all():
            frame, joint, _ = (int(i) for i in np.argwhere(~np.isfinite(value))[0])
            raise ValueError(f"{name} in frame {frame}, joint {joint} ({self.skeleton.names[joint]!r}) are not finite "
                             "numbers")
        return value

    @classmethod
    @takes(rotations=array("frames", "joints", 4, plain=True), root=array("frames", 3, plain=True), fps=_FPS,
           skeleton=a(Skeleton, axis="joints"))
    def from_rotations(cls, rotations, root, fps: float, skeleton: Skeleton, **more) -> Motion:
        """A Motion from local rotations [T, J, 4] and the root's path [T, 3], by forward kinematics. Chapter: 1."""
        rotations, root = np.array(rotations, np.float64), np.array(root, np.float64)  # torch warns of read-only ones
        # not forward_kinematics, half of whose time goes into world rotations
        positions = joint_positions(skeleton, torch.from_numpy(rotations), torch.from_numpy(root)).numpy()
        return cls(positions, fps, skeleton, rotations, **more)

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, frames: slice) -> Motion:
        if not isinstance(frames, slice):
            raise TypeError("a Motion is sliced by frames, as in motion[10:40]; one frame is motion.positions[10]")
        if frames.step is not None and frames.step <= 0:
            raise ValueError("a slice of frames goes forward in time; its step must be positive")
        rotations = None if self.rotations is None else self.rotations[frames]
        return replace(self, positions=self.positions[frames], rotations=rotations, fps=self.fps / (frames.step or 1))

    def __repr__(self) -> str:
        known = "rotations" if self.rotations is not None else "points only"
        return (f"Motion({self.name + ': ' if self.name else ''}{len(self)} frames, {len(self.skeleton)} joints, "
                f"{self.fps:g} fps, {self.duration:.2f} s, {known})")

    @property
    def duration(self) -> float:
        """The length in seconds: frames divided by frames per second."""
        return len(self) / self.fps

    def transforms(self) -> np.ndarray:
        """Of each joint its place at the parent (the root's: in the room) and its local quaternion: what BVH keeps.

        Shapes: float32 [T, J, 7]. Units: metres.
        Errors: ValueError for a motion without rotations or bones. Chapter: 6.
        """
        places = np.repeat(require_rotations(self)[None].astype(np.float32), len(self), 0)  # [T, J, 3]
        places[:, 0] = self.positions[:, 0]
        return np.concatenate([places, np.asarray(self.rotations)], -1)  # [T, J, 7]

    @takes(shift=array(..., 3, plain=True), turn=number(what="an angle in radians"))
    def transformed(self, shift=(0.0, 0.0, 0.0), turn: float = 0.0) -> Motion:
        """The same dance elsewhere: turned about the vertical through the origin, then shifted. Chapter: 1.

        Units: ``shift`` metres [3] or [T, 3]; ``turn`` radians, counter-clockwise seen from above.
        """
        shift = np.asarray(shift, dtype=np.float64)
        if shift.shape not in ((3,), (len(self), 3)):
            raise ValueError(f"shift must have shape [3] or [{len(self)}, 3], one a frame; got {shift.shape}")
        angle = torch.tensor(turn, dtype=torch.float64)
        positions = rotate_points_z(angle, torch.tensor(self.positions).double()).numpy() + shift.reshape(-1, 1, 3)
        rotations = None
        if self.rotations is not None:
            rotations = self.rotations.copy()
            rotations[:, 0] = rotate_z(angle, torch.tensor(rotations[:, 0]).double()).numpy()
        return replace(self, positions=positions, rotations=rotations)

    @takes(fps=_FPS)
    def resampled(self, fps: float) -> Motion:
        """The same motion at another number of frames per second.

        Positions are interpolated linearly, rotations by slerp along the shorter arc; where there are
        rotations and offsets, positions follow from them, so bones keep their length.
        Errors: TypeError or ValueError for an ``fps`` that is none or makes more than a million frames. Chapter: 1.
        """
        if fps == self.fps:
            return self
        last = len(self) - 1
        frames = last / self.fps * fps + 1
        if frames > MAX_FRAMES or frames * len(self.skeleton) > MAX_CELLS:
            raise ValueError(f"fps {fps:g} would make {frames:,.0f} frames of this motion; a motion made here holds "
                             f"{MAX_FRAMES:,} frames and {MAX_CELLS:,} frames x joints at most. Choose a smaller fps, "
                             "or cut the motion first")
        times = np.minimum(np.arange(int(np.floor(frames + 1e-9))) / fps * self.fps, last)  # in frames of this motion
        before = np.minimum(times.astype(int), max(last - 1, 0))
        after = np.minimum(before + 1, last)
        share = (times - before)[:, None, None]
        exact = self.positions.astype(np.float64)
        positions, rotations = exact[before] * (1 - share) + exact[after] * share, None
        if self.rotations is not None:
            start, end = (torch.from_numpy(self.rotations[i]).double() for i in (before, after))
            rotations = slerp(start, end, torch.from_numpy(share[..., 0])).numpy()
            if self.skeleton.offsets is not None:
                root = torch.from_numpy(positions[:, 0])
                positions = joint_positions(self.skeleton, torch.from_numpy(rotations), root).numpy()
        return replace(self, positions=positions, rotations=rotations, fps=fps)


@takes(a=a(Motion), b=a(Motion), coupling=a(Coupling))
@dataclass(frozen=True, eq=False)
class Duet:
    """Two dancers with one clock and one world.

    Shapes: ``positions`` [T, 2, J, 3], dancer a first (where both have the same joints).
    Units: metres, Z up. ``duet[10:40]`` is those frames of both. ``coupling`` is the ground truth of a synthetic duet
    (a `choreo_lib.body.coupling.Coupling`), and None for dancers who were recorded.
    Errors: ValueError where the two differ in length or in frames per second. Chapter: 1.
    """

    a: Motion
    b: Motion
    coupling: Any = None

    def __post_init__(self):
        if len(self.a) != len(self.b):
            raise ValueError(f"dancer a has {len(self.a)} frames and dancer b {len(self.b)}; a duet needs the same "
                             "frames of both. Cut them with motion[start:stop]")
        if not same_rate(self.a.fps, self.b.fps):
            raise ValueError(f"dancer a runs at {self.a.fps:g} frames per second and dancer b at {self.b.fps:g}; bring "
                             "them together with motion.resampled(fps)")

    def __len__(self) -> int:
        return len(self.a)

    def __getitem__(self, frames: slice) -> Duet:
        a, b = self.a[frames], self.b[frames]
        return Duet(a, b, None if self.coupling is None else self.coupling.sliced(frames))

    def __iter__(self) -> Iterator[Motion]:
        return iter((self.a, self.b))

    def __repr__(self) -> str:
        planted = f", coupling: {self.coupling}" if self.coupling is not None else ""
        return (f"Duet({len(self)} frames, {len(self.a.skeleton)} + {len(self.b.skeleton)} joints, {self.fps:g} fps, "
                f"{self.duration:.2f} s{planted})")

    @property
    def positions(self) -> np.ndarray:
        """Both dancers' joints, float32 [T, 2, J, 3], metres."""
        if len(self.a.skeleton) != len(self.b.skeleton):
            raise ValueError(f"dancer a has {len(self.a.skeleton)} joints and dancer b {len(self.b.skeleton)}; take "
                             "duet.a.positions and duet.b.positions instead")
        return np.stack([self.a.positions, self.b.positions], axis=1)

    @property
    def fps(self) -> float:
        """Frames per second, the same for both."""
        return self.a.fps

    @property
    def duration(self) -> float:
        """The length in seconds."""
        return self.a.duration

    @property
    def source(self) -> Source | None:
        """Whose motion this is: both dancers' sources, joined."""
        return Source.join(self.a.source, self.b.source)


def dancer_index(who: str) -> int:
    """Where a dancer is on the axis of dancers: 0 for "a", 1 for "b". Errors: ValueError for another. Chapter: 5."""
    return ("a", "b").index(who)


def other_dancer(who: str) -> str:
    """The partner's name: "b" for "a", "a" for "b". Errors: ValueError for another. Chapter: 5."""
    return ("b", "a")[dancer_index(who)]
