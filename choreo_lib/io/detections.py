"""What pose estimators leave behind, read as one table: who was seen in which image, and where their joints were.

Which tool wrote a file is told from its shape (`choreo_lib.io.dialects`). Taught in chapter 2, "From video to a
duet".
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..body.motion import Motion
from ..body.skeleton import HYBRIK_29, Skeleton
from ..core.arguments import a, takes
from ..core.arguments import path as any_path
from . import conventions, landmarks
from .conventions import MAX_JSON_BYTES, check_fps, fail

SMPL_24 = Skeleton(HYBRIK_29.names[:24], HYBRIK_29.parents[:24])
"""The first 24 of HybrIK's joints: those of the SMPL body model, as HybrIK names them."""


@dataclass(frozen=True, eq=False)
class Detections:
    """What a pose estimator saw: one row a person a frame, unsorted, untracked, as the file has it.

    Shapes: N rows. ``image_id`` N strings; ``frame`` int64 [N], the number in the image's name;
    ``person`` int64 [N], the tracker's number (the place in the list where there is no tracker); ``score`` [N];
    ``box`` [N, 4] x, y, width, height; ``keypoints`` [N, K, 3] x, y, confidence, K at least J, or None where the tool
    leaves no pixels; ``pred_xyz_jts`` [N, J, 3], the joints of ``skeleton`` (HybrIK's first 24, if the tool is HybrIK).
    Units: pixels for ``box`` and ``keypoints``; metres for ``pred_xyz_jts``: camera frame (Y down, z away) about the
    pelvis where there are ``keypoints`` to place them by; else as the tool places them, with ``up`` as its up axis
    (None: not stated). ``tool`` is who wrote it, ``notes`` what was repaired.
    Chapter: 2.
    """

    image_id: tuple[str, ...]
    frame: np.ndarray
    person: np.ndarray
    score: np.ndarray
    box: np.ndarray
    keypoints: np.ndarray | None
    pred_xyz_jts: np.ndarray
    skeleton: Skeleton = SMPL_24
    up: str | None = None
    tool: str = "AlphaPose/HybrIK"
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.image_id)


@takes(path=any_path | a(list, dict))
def read_detections(path, image_size: tuple[int, int] | None = None) -> Detections:
    """Read what a pose estimator found in a video, if it found it in three dimensions.

    ``path``: a JSON file of AlphaPose/HybrIK, MMPose's 3-D lifters, OpenPose's 3-D module, 4DHumans/PHALP (its tracks
    saved as JSON) or MediaPipe; a folder with one file a frame; or the list that such a file holds.
    Units: ``image_size`` (width, height) in pixels, for MediaPipe, whose landmarks are shares of the image.
    Gives: `Detections`. Errors: MotionFormatError, naming the record and its field; for key points in 2-D, and for
    pickles, it names the tool and the way on.
    Chapter: 2. Paper: AlphaPose (Fang et al., TPAMI 2022), HybrIK (Li et al., CVPR 2021).
    """
    from . import dialects, refusals

    if isinstance(path, (list, dict)):
        return dialects.read("detections (path)", path, image_size)
    if dialects.is_pickle(path):
        refusals.refuse_pickle(path)
    return dialects.read(path, dialects.folder(path) if Path(path).is_dir() else read_json(path), image_size)


def read_records(path, records: list) -> Detections:
    """The table of AlphaPose/HybrIK records: objects with image_id, score, box, keypoints, pred_xyz_jts, perhaps idx.

    Errors: as `read_detections`. Chapter: 2.
    """
    columns = {"score": (1,), "box": (4,), "keypoints": (29, 3), "pred_xyz_jts": (24, 3)}
    table = {key: np.empty((len(records), int(np.prod(shape)))) for key, shape in columns.items()}
    names, frames, people = [], [], []
    for number, record in enumerate(records):
        where = f"record {number}"
        if not isinstance(record, dict):
            fail(path, "expected an object with image_id, idx, score, box, keypoints and pred_xyz_jts", where)
        for key in ("image_id", *columns):
            if key not in record:
                fail(path, f"the key {key!r} is missing", where)
        for key, shape in columns.items():
            table[key][number] = numbers(path, record[key], shape, f"{where}, {key}")
        names.append(str(record["image_id"])[:400])
        frames.append(frame_number(path, names[-1], f"{where}, image_id"))
        # no tracker: who comes how manieth in the image; names are not believed anyway
        again = people[-1] + 1 if number and frames[-1] == frames[-2] else 1
        people.append(_person(path, record.get("idx"), where, again))
    shaped = {key: table[key].reshape(-1, *shape) for key, shape in columns.items()}
    return Detections(tuple(names), np.array(frames), np.array(people), shaped["score"][:, 0], shaped["box"],
                      shaped["keypoints"], shaped["pred_xyz_jts"])


def is_detections(tree) -> bool:
    """Whether parsed JSON holds objects, as tools write them, rather than plain lists of points. Chapter: 2."""
    while isinstance(tree, list):
        tree = next((part for part in tree if not isinstance(part, (list, dict, type(None))) or part), None)
    return isinstance(tree, dict) and bool(tree) or landmarks.is_result(tree)


def read_dancer(path, tree, up=None, scale=None, fps=None) -> Motion:
    """The one dancer whom a file of detections follows, as a Motion: joints are where the tool put them.

    Errors: MotionFormatError, for two people with the way to clean them, and as `read_detections`. Chapter: 2.
    """
    from . import dialects

    found = dialects.read(path, tree)
    way = "make a duet of them with choreo_lib.clean(path, fps)"
    if found.keypoints is not None:
        fail(path, f"these are detections of people in images ({found.tool}), and who is who is not settled: {way}")
    if len(np.unique(found.frame)) < len(found):
        fail(path, f"these are detections of several people ({found.tool}), and who is who is not settled: {way}")
    gaps = np.flatnonzero(np.diff(found.frame) != 1)
    if len(gaps):
        fail(path, f"one dancer has to be seen in every frame, in order; after frame {found.frame[gaps[0]]} comes "
                   f"{found.frame[gaps[0] + 1]}. Cut the take there")
    notes = list(found.notes)
    if fps is None:
        fps = 30.0
        conventions.guess(
            path, notes, f"frames per second guessed: {fps:g}", f"pass fps={fps:g} to say so, or what it is"
        )
    matrix, scale = conventions.resolve_axes_and_units(
        path, found.skeleton, found.pred_xyz_jts, notes, up, scale, stated_up=found.up
    )
    return conventions.build_motion(
        path, found.pred_xyz_jts @ matrix.T * scale, check_fps(path, fps), found.skeleton, notes=notes
    )


def frame_number(path, name: str, where: str) -> int:
    """The last number in an image's name, its suffix left out."""
    digits = re.findall(r"[0-9]+", re.sub(r"\.\w+$", "", name))
    if not digits or len(digits[-1]) > 12:
        fail(path, f"expected an image name that ends in the frame's number; got {name[:40]!r}", where)
    return int(digits[-1])


def _person(path, person, where: str, again: int) -> int:
    """The tracker's number; a pose that was merged of several lists all of theirs, the first is the one that stayed.

    ``again``: its number where there is no tracker's.
    """
    while isinstance(person, list) and person:
        person = person[0]
    if person is None or person == []:
        return again
    if type(person) not in (int, float) or not abs(person) < 2**31 or person != int(person):
        fail(path, f"expected the person's whole number; got {str(person)[:40]!r}", f"{where}, idx")
    return int(person)


def numbers(path, value, shape, where: str) -> np.ndarray:
    """A number, a flat list, or a list of lists, as a flat row of finite floats."""
    wanted = int(np.prod(shape))
    if not isinstance(value, list):
        value = [value]
    if value and all(isinstance(part, list) for part in value):
        if len(value) == 1 or all(len(part) == shape[-1] for part in value):
            value = list(itertools.chain.from_iterable(value))
    if not {type(part) for part in value} <= {int, float}:
        fail(path, "expected numbers only", where)
    if len(value) != wanted:
        fail(path, f"expected {' x '.join(map(str, shape))} numbers; got {len(value)}", where)
    for place, number in enumerate(value):
        if not abs(number) <= 1e9:
            fail(path, f"expected finite numbers; got {str(number)[:40]} in place {place}", where)
    return np.array(value, np.float64)


def read_json(path):
    """Parse JSON whose size in memory can be foretold. Errors: MotionFormatError with line and column."""
    data = conventions.load_bytes(path, MAX_JSON_BYTES)
    if data.count(b"[") + data.count(b"{") > 1_000_000 or data.count(b",") > 4_000_000:
        fail(path, "more lists and numbers than any dance has; cut the take shorter")

    def refuse(word):
        raise ValueError(f"{word} is not a finite number")
    try:
        return json.loads(data, parse_constant=refuse)
    except json.JSONDecodeError as error:
        fail(path, f"expected JSON: {error.msg}", f"line {error.lineno}, column {error.colno}")
    except RecursionError:
        fail(path, "lists inside lists, deeper than any motion file goes")
    except (ValueError, MemoryError) as error:
        fail(path, f"expected JSON with finite numbers: {str(error)[:120]}")
