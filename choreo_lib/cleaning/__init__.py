"""From what a camera saw to two dancers: people who come, go and change places become a Duet, and every repair is told.

`clean` does all of it; `place`, `track`, `smooth`, `fill_gaps` and `fix_bones` do one thing each. `corrupt` and
`as_prototyped` are there to measure with. Taught in chapter 2, "From video to a duet".
"""

import os

import numpy as np

from ..body.motion import Duet, Motion
from ..body.skeleton import HYBRIK_29, Skeleton
from ..body.source import Source
from ..core.arguments import a, takes
from ..io.conventions import MAX_CELLS, check_fps, check_up, fail
from ..io.detections import is_detections, read_detections
from ..io.estimators import Detections
from ..io.joint_sets import SMPL_24, guess_tree
from .camera import Placement, check_lens, place
from .corruption import Corrupted, as_prototyped, corrupt
from .identity import Tracks, checked, track
from .repairs import SMOOTHING, check_smoothing, fill_gaps, fix_bones, smooth
from .report import RepairReport
from .upright import find_up, turned

__all__ = ["Placement", "RepairReport", "Corrupted", "Tracks", "as_prototyped", "clean", "fill_gaps", "fix_bones",
           "place", "smooth", "corrupt", "track"]


@takes(skeleton=a(Skeleton), source=a(Source))
def clean(detections, fps: float, skeleton: Skeleton | None = None, focal: float | None = None,
          image_size: tuple[int, int] | None = None, source: Source | None = None,
          smoothing: float = SMOOTHING, up: str | None = None) -> tuple[Duet, RepairReport]:
    """Make a Duet of what a pose estimator saw, and say what was repaired.

    ``detections`` is the path of a result file (or of a folder with a file a frame) that
    `choreo_lib.io.read_detections` reads, what it gave, or a list over frames of arrays [people, J, 3] (an empty
    array where nobody was seen).
    Units: ``fps`` frames per second of the video (where only every k-th image was searched, as their numbers tell, the
    duet has fps / k); a list in metres, ``up`` its up axis ('z', 'y', '-y' for a camera's frame, ...; None: 'z', unless
    heads and feet show another beyond doubt, see `find_up`); ``focal`` and ``image_size`` in pixels, for a file (see
    `place`). ``skeleton`` names the joints of a list; None: HybrIK's for 29 or 24 joints, else a tree guessed from the
    bones. ``source`` says whose dance it is. ``smoothing``: as in `smooth`. Dancer a is whoever is listed first in the
    first frame with both. Gives (Duet of every frame, RepairReport).
    Errors: MotionFormatError (a ValueError) for nobody, one person throughout, frames out of order, missing keys,
    joints that differ in number, joints about the pelvis without pixels, no axis that is up, key points in 2-D.
    Chapter: 2.
    """
    path: str | os.PathLike = "detections"
    placement, first, every, stated = None, 0, 1, up
    check_smoothing(smoothing)  # arguments that are none are refused by name, also where nothing asks for them
    check_lens(focal, image_size)
    if up is not None:
        check_up("detections", up)
    if isinstance(detections, (str, os.PathLike)):
        path = detections
        detections = read_detections(path, image_size)
    elif isinstance(detections, (list, dict)) and is_detections(detections):
        detections = read_detections(detections, image_size)
    fps = check_fps(path, fps)
    if isinstance(detections, Detections):
        skeleton, positions = detections.skeleton, detections.pred_xyz_jts
        if detections.keypoints is not None:
            placement = place(detections, focal, image_size)
            positions, stated = placement.positions, "z"
        first, every, count = _numbering(path, detections.frame, len(skeleton))
        fps /= every
        people = [np.empty((0, len(skeleton), 3))] * count
        starts = np.flatnonzero(np.diff(detections.frame, prepend=-1))
        for rows in np.split(np.arange(len(detections)), starts[1:]):
            people[(detections.frame[rows[0]] - first) // every] = positions[rows]
        stated = stated or detections.up
    else:
        people = detections
    people = checked(path, people, skeleton)
    _two_at_all(path, people)
    _in_order(path, people, fps)
    if skeleton is None:
        points = np.concatenate(people)
        skeleton = {29: HYBRIK_29, 24: SMPL_24}.get(points.shape[1]) or guess_tree(points)
    axis = stated or find_up(path, people, skeleton)
    people = turned(people, axis)
    _places(path, people)
    index, built_apart = track(people, fps, skeleton.bones)

    found = np.full((len(people), 2, len(skeleton), 3), np.nan)
    for t, who in zip(*np.nonzero(index >= 0)):
        found[t, who] = people[t][index[t, who]]
    for name, count in zip("ab", (index >= 0).sum(axis=0)):
        if count < 8:
            fail(path, f"dancer {name} is seen in {count} frames; it takes at least 8")
    both = found[(index >= 0).all(axis=1)]
    if len(both) and np.median(np.linalg.norm(both[:, 0] - both[:, 1], axis=-1)) < 0.05:
        fail(path, "the joints of both dancers are within 5 cm of each other: this is one person, seen double, and a "
                   "duet has two")
    dancers, noise, bones = [], [], []
    parents, children = np.array(skeleton.bones).T
    for who in (0, 1):
        path_of, jitter = smooth(found[:, who], fps, smoothing)
        lengths = np.linalg.norm(found[:, who, children] - found[:, who, parents], axis=-1)
        bones.append(np.nanstd(lengths, axis=0) / np.maximum(np.nanmean(lengths, axis=0), 1e-9))
        noise.append(np.sqrt((jitter**2).mean()))
        dancers.append(fix_bones(path_of, skeleton.bones, seen=index[:, who] >= 0))
    floor = np.median(np.min(dancers, axis=(0, 2))[:, 2])
    if placement is not None or axis == "-y" and abs(floor) > 0.3:
        # a camera's height is not known: let the lowest foot stand on the floor
        dancers = [dancer - (0, 0, floor) for dancer in dancers]
    report = RepairReport(fps, np.array([len(frame) for frame in people]), index, np.array(noise), np.array(bones),
                          built_apart, first, every, placement, axis, stated is not None)
    repaired = detections.notes if isinstance(detections, Detections) else ()
    notes = (*repaired, "cleaned: " + "; ".join(
        " ".join(filter(None, (row[0], row[1], row[3]))) for row in report.rows[3:]))
    a, b = (Motion(dancer, fps, skeleton, source=source, name=f"dancer {name}", notes=notes)
            for dancer, name in zip(dancers, "ab"))
    return Duet(a, b), report


def _numbering(path, frame: np.ndarray, joints: int) -> tuple[int, int, int]:
    """First image number, step between numbers, and how many frames that makes."""
    back = np.flatnonzero(np.diff(frame) < 0)
    if len(back):
        k = int(back[0]) + 1
        fail(path, f"image {frame[k]} comes after image {frame[k - 1]}: the images are not in order. If the numbers in "
                   "image_id are right, sort the records by number (not by name: '10.jpg' comes before '2.jpg' there)",
             f"record {k}")
    steps = np.diff(np.unique(frame))
    every = int(np.gcd.reduce(steps)) if len(steps) else 1
    count = int((frame[-1] - frame[0]) // every) + 1
    if count * joints > MAX_CELLS:
        fail(path, f"image numbers run from {frame[0]} to {frame[-1]}: {count:,} frames, more than "
                   f"{MAX_CELLS // joints:,}. Is every number right?")
    return int(frame[0]), every, count


def _two_at_all(path, people) -> None:
    most = max(len(frame) for frame in people)
    if most == 0:
        fail(path, f"none of the {len(people)} frames shows anybody")
    if most == 1:
        fail(path, "every frame shows at most one person, and a duet has two. One dancer's points are read by "
                   "read_motion")
    size = np.median([np.ptp(person, axis=0).max() for frame in people for person in frame])
    if not 0.05 < size < 10:
        fail(path, f"people measure {size:.3g} from end to end, which are no metres; bring the points to metres first")


def _places(path, people) -> None:
    """Refuse people who all stand on one spot of the floor, as lifters leave them: about their own hips."""
    roots = np.concatenate([frame[:, 0] for frame in people if len(frame)])
    if np.ptp(roots[:, :2], axis=0).max() < 1e-4:
        fail(path, "every person's first joint lies in one and the same place, so nobody can tell where they stand. "
                   "Give a result file that has the pixels too (AlphaPose/HybrIK, 4DHumans, MediaPipe), or put each "
                   "person in their place first")


def _in_order(path, people, fps: float) -> None:
    """Refuse frames in which neighbours are no more alike than strangers."""
    shown = [t for t in range(len(people) - 1) if len(people[t]) and len(people[t + 1])]
    if len(shown) < 20:
        return
    rng = np.random.default_rng(0)
    filled = [t for t in range(len(people)) if len(people[t])]

    def step(s, t):
        return np.linalg.norm(people[s][:, None] - people[t], axis=-1).mean(axis=-1).min()

    some = shown[:: max(1, len(shown) // 300)]
    near = np.median([step(t, t + 1) for t in some])
    far = np.median([step(t, filled[rng.integers(len(filled))]) for t in some])
    if near > 0.7 * far and near > 3.0 / fps:  # metres: three metres a second, the whole body, half of the time
        fail(path, f"from one frame to the next the nearest person is {near:.2f} m away, as far as between frames "
                   "taken at random: the frames are not in the order of time")
