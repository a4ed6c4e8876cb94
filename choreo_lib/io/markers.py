"""Labelled markers, as optical studios give them (C3D, TRC): points on the skin, with gaps. Taught in chapter 1.

A marker is no joint: a Motion of markers has their labels for joint names and a tree that is guessed from what stays at
one distance, so it can be looked at and measured, and no model knows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..body.motion import Motion
from ..body.skeleton import Skeleton
from ..core.arguments import path, takes
from .axes_and_units import SHORTEST, TALLEST, resolve_axes_and_units
from .conventions import MAX_DISTANCE, MotionFormatError, check_counts, check_fps, fail, first_few, guess
from .joint_sets import guess_tree
from .marker_files import read_c3d, read_trc
from .marker_labels import describe_gaps, subject_of, tidy, up_of, with_subjects, without_gaps

_NO_GAPS = "a Motion has none"


@dataclass(frozen=True, eq=False)
class Markers:
    """Labelled markers over time, gaps and all.

    Shapes: ``labels`` M strings; ``positions`` float64 [T, M, 3], NaN where a marker was not seen.
    ``markers[10:40]`` is those frames. Units: metres, Z up; ``fps`` frames per second; ``first_frame`` is the number
    that the file gives to frame 0. ``notes``: what was guessed or left out, in words.
    Chapter: 1.
    """

    labels: tuple[str, ...]
    positions: np.ndarray
    fps: float
    first_frame: int = 1
    name: str = ""
    notes: tuple[str, ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return (f"Markers({self.name + ': ' if self.name else ''}{len(self)} frames, {len(self.labels)} markers, "
                f"{self.fps:g} fps, {int(np.isnan(self.positions[..., 0]).sum())} points not seen)")

    def __getitem__(self, frames: slice) -> Markers:
        if not isinstance(frames, slice) or frames.step not in (None, 1):
            raise TypeError("Markers are sliced by frames, as in markers[10:40]; one frame is markers.positions[10]")
        start = frames.indices(len(self))[0]
        return replace(self, positions=self.positions[frames], first_frame=self.first_frame + start)

    @property
    def gaps(self) -> tuple[tuple[str, int, int], ...]:
        """Each gap as (label, its first frame, its last), counted from 0."""
        found = []
        for m, label in enumerate(self.labels):
            unseen = np.isnan(self.positions[:, m]).any(axis=-1).astype(int)
            edges = np.flatnonzero(np.diff(unseen, prepend=0, append=0)).reshape(-1, 2)
            found += [(label, int(first), int(last) - 1) for first, last in edges]
        return tuple(found)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who the markers are on: what stands before the colon of their labels, in the file's order."""
        return tuple(dict.fromkeys(who for who in map(subject_of, with_subjects(self.labels)) if who))

    def subject(self, name: str) -> Markers:
        """The markers on one of them, without the prefix. Errors: KeyError, listing the subjects."""
        if name not in self.subjects:
            raise KeyError(f"no subject {name!r}; this file has {', '.join(self.subjects) or 'no prefixed labels'}")
        labels = with_subjects(self.labels)
        mine = [m for m, label in enumerate(labels) if subject_of(label) == name]
        return replace(self, labels=tuple(labels[m].rpartition(":")[2] for m in mine),
                       positions=self.positions[:, mine], name=f"{self.name} {name}".strip())

    def without(self, *labels: str) -> Markers:
        """The same without some markers. Errors: KeyError for a label that there is not."""
        if unknown := set(labels) - set(self.labels):
            raise KeyError(f"no marker {sorted(unknown)[0]!r}; there are {', '.join(self.labels)}")
        rest = [m for m, label in enumerate(self.labels) if label not in labels]
        return replace(self, labels=tuple(self.labels[m] for m in rest), positions=self.positions[:, rest])

    def filled(self, max_gap_seconds: float = 0.2) -> Markers:
        """Short gaps filled by a monotone cubic through what was seen (Fritsch and Carlson, SIAM J. Numer. Anal. 1980).

        Units: seconds. A longer gap, and one at the beginning or the end, stays a gap.
        Errors: ValueError for a negative ``max_gap_seconds``.
        """
        from scipy.interpolate import PchipInterpolator
        if not max_gap_seconds >= 0:
            raise ValueError(f"max_gap_seconds must not be negative; got {max_gap_seconds}")
        positions, filled = self.positions.copy(), 0
        for label, first, last in self.gaps:
            inside = 0 < first and last < len(self) - 1
            if inside and (last - first + 1) <= max_gap_seconds * self.fps + 1e-9:
                m = self.labels.index(label)
                known = np.flatnonzero(~np.isnan(self.positions[:, m]).any(axis=-1))
                near = known[(known >= first - 20) & (known <= last + 20)]
                gap = np.arange(first, last + 1)
                positions[gap, m] = PchipInterpolator(near, self.positions[near, m])(gap)
                filled += len(gap)
        notes = [f"{filled} points in gaps up to {max_gap_seconds:g} s were filled"] if filled else []
        return replace(self, positions=positions, notes=(*self.notes, *notes))

    def motion(self) -> Motion:
        """A Motion with the labels for joint names. Errors: MotionFormatError where there are gaps, naming them."""
        name = self.name or "these markers"
        if gaps := self.gaps:
            raise MotionFormatError(f"{name}: {describe_gaps(gaps)}; {_NO_GAPS}. Fill the short ones with "
                                    "markers.filled(max_gap_seconds), leave a marker out with "
                                    f"markers.without({gaps[0][0]!r}), or cut with markers[start:stop]")
        if not len(self) or not self.labels:
            raise MotionFormatError(f"{name}: there is no marker, or no frame")
        skeleton = Skeleton(self.labels, guess_tree(self.positions).parents)
        note = "markers, not joints; their tree is guessed from what stays at one distance"
        return Motion(self.positions, self.fps, skeleton, name=self.name, notes=(*self.notes, note))


@takes(path=path)
def read_markers(path, up: str | None = None, scale: float | None = None, fps: float | None = None) -> Markers:
    """Read labelled markers from a C3D or a TRC file, gaps as NaN.

    Units: metres and Z up, converted from what the file states; ``up``, ``scale`` (metres per file unit) and ``fps``
    say otherwise. An axis or a unit that is not stated is guessed with a warning.
    Errors: MotionFormatError; ImportError for C3D without ezc3d, with the line that installs it. Chapter: 1.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".c3d", ".trc"):
        fail(path, f"markers are read from .c3d and .trc; got {suffix or 'no suffix'!r}")
    record, first_frame = (read_c3d if suffix == ".c3d" else read_trc)(path)
    notes = record.notes
    labels, chosen = tidy(record.names, notes)
    points = np.array(record.positions, np.float64)[:, chosen]
    check_counts(path, len(points), len(labels))
    zero = (points == 0).all(axis=-1)
    if zero.any():
        notes.append(f"{int(zero.sum())} points stand at exactly 0, 0, 0; taken as not seen")
    points[zero | ~np.isfinite(points).all(axis=-1)] = np.nan
    if bad := np.argwhere(np.abs(points) > 1e9).tolist():
        fail(path, f"expected finite positions; got {points[tuple(bad[0])]:g}",
             f"frame {bad[0][0]}, marker {labels[bad[0][1]]!r}")
    never = np.isnan(points).any(axis=-1).all(axis=0)
    if never.all():
        fail(path, "no marker is seen in any frame")
    if never.any():
        gone = [labels[m] for m in np.flatnonzero(never)]
        notes.append(f"never seen, left out: {first_few(gone, 8)}")
        labels, points = [label for label in labels if label not in gone], points[:, ~never]
    if fps is None and record.fps is None:
        fail(path, "the file does not say how many frames per second; pass fps=", "DataRate")
    fps = check_fps(path, record.fps if fps is None else fps)
    whole = without_gaps(points)
    record = replace(record, names=labels, parents=record.parents[:len(labels)], positions=whole)
    if up is None and record.up is None and (found := up_of(labels, whole)):
        guess(path, record.notes, f"up axis guessed: {found}", f"pass up='{found}' to say so, or the axis it should be")
        record.up = found
    matrix, scale = resolve_axes_and_units(record, up, scale)
    points, whole = points @ matrix.T * scale, whole @ matrix.T * scale
    height = float(np.median(np.ptp(whole, axis=1)[:, 2]))
    if len(labels) >= 10 and not SHORTEST / 2 <= height <= TALLEST * 1.5:
        guess(path, record.notes, f"the markers reach {height:.3g} m up, one unit being {scale:g} m",
              "pass scale= if the file's unit is another")
    if (np.abs(points) > MAX_DISTANCE).any():
        fail(path, f"markers are more than {MAX_DISTANCE:g} m from the origin; pass scale=")
    return Markers(tuple(labels), points, fps, first_frame, Path(path).stem, tuple(record.notes))


def read_marked_dancers(path, up=None, scale=None, fps=None, dancers: int = 1) -> list[Motion]:
    """The markers of one person, or two, as Motions. Errors: MotionFormatError: gaps, other people. Chapter: 1."""
    markers = read_markers(path, up, scale, fps)
    subjects = markers.subjects
    if dancers == 1 and len(subjects) > 1:
        fail(path, f"markers of {', '.join(subjects)}; take read_duet(path) for two of them, or "
                   f"choreo_lib.read_markers(path).subject({subjects[0]!r}).motion()")
    if dancers == 2 and len(subjects) != 2:
        fail(path, f"markers of {len(subjects) or 1} people ({', '.join(subjects) or 'no label has a prefix'}), and a "
                   "duet has two; " + ("choreo_lib.read_markers(path).subject(name) gives one" if len(subjects) > 2
                                       else "pass the second dancer's file as well"))
    if markers.gaps:
        then = ("markers.motion()", "choreo_lib.Duet of markers.subject(name).motion() for each")[dancers - 1]
        fail(path, f"{describe_gaps(markers.gaps)}; {_NO_GAPS}. Read it with markers = choreo_lib.read_markers(path)"
                   f".filled(max_gap_seconds), then {then}")
    if not subjects or not all(map(subject_of, with_subjects(markers.labels))) and dancers == 1:
        return [markers.motion()]
    a, *others = (markers.subject(subject).motion() for subject in subjects)
    return [a, *(replace(b, skeleton=a.skeleton) if a.skeleton.names == b.skeleton.names else b for b in others)]
