"""BVH, the format motion capture speaks: a tree of joints, then one line of numbers a frame.

Taught in chapter 1, "Seeing a duet". Repaired, and said so in ``motion.notes``: a joint name that stands twice gets a
suffix (``Hand``, ``Hand_2``), a joint whose position channels vary keeps its path through per-frame offsets, a count of
frames that is off by some gives way to the lines there are, and a Frame Time of few digits is the usual rate it was
printed from. Refused with the line: everything else that does not add up.
"""

from dataclasses import replace

import numpy as np

from ..body.motion import Motion
from ..body.rotations import euler_to_quaternions
from .bvh_euler_order import euler_orders
from .bvh_numbers import read_numbers
from .bvh_tree import Tree, load_text, read_trees
from .conventions import fail, stretching_note, unique_names
from .record import Recording, build_motion
from .sidecar import checked, read_sidecar


def read_bvh(path, up=None, scale=None, fps=None, dancers: int = 1) -> list[Motion]:
    """Read one dancer from a BVH file, or two from one with two ROOTs.

    Shapes: positions [T, J, 3] and rotations [T, J, 4], joints in the order of the file.
    Units: as for `choreo_lib.read_motion`; None takes the file's word where we wrote it, else a guess that is reported.
    Errors: MotionFormatError, naming the line, also where there are not as many dancers. Chapter: 1.
    """
    found = _dancers(path, fps)
    if dancers == 1 and len(found) > 1:
        fail(path, f"a second ROOT; this file holds {len(found)} skeletons, a dancer each. "
                   + ("Take read_duet(path), then duet.a or duet.b" if len(found) == 2 else "Split the file"),
             f"line {found[1][0].line}")
    if len(found) != dancers:
        fail(path, "a .bvh file with one ROOT holds one dancer; pass the second dancer's file as well"
             if len(found) == 1 else f"this file holds {len(found)} skeletons, and a duet has two. Split the file")
    motions = []
    for _, record in found:
        unknown = up is None and record.up is None or scale is None and record.unit is None
        if unknown and len(record.names) > 1 and not (np.any(record.offsets) or np.any(record.translations[:, 1:])):
            fail(path, "every OFFSET is 0 0 0: bones without length, so there is no body to see. Export the take "
                       "again with its rest pose, or pass up= and scale= to read it as it is")
        motions.append(build_motion(record, up, scale, fps))
    return motions if dancers == 1 else [replace(m, name=f"{m.name} {who}") for m, who in zip(motions, "ab")]


def _dancers(path, fps) -> list[tuple[Tree, Recording]]:
    """Every dancer of a file, one a ROOT."""
    data, motion_at = load_text(path)
    notes: list[str] = []
    trees = read_trees(path, data[:motion_at.start()])
    stated = checked(read_sidecar(path, data, notes), len(trees[0].names)) if len(trees) == 1 else {}
    fps = stated.get("fps") if fps is None else fps
    numbers, timed, resolution = read_numbers(path, data, motion_at, trees, notes, timed=fps is None)
    columns = np.split(numbers, np.cumsum([len(tree.channels) for tree in trees])[:-1], axis=1)
    fps = timed if fps is None else fps
    return [(tree, _as_written(_recording(path, tree, values, fps, resolution, stated, notes), stated))
            for tree, values in zip(trees, columns)]


def _recording(path, tree: Tree, values: np.ndarray, fps: float, resolution: float, stated: dict,
               notes: list) -> Recording:
    """One dancer from the columns ``values`` [T, channels]; ``resolution`` is the worth of the last printed digit."""
    notes = [*notes, *stated.get("notes", ())]
    names = unique_names(tree.names, notes)
    offsets = np.array(tree.offsets, np.float64)  # [J, 3]
    translations = np.repeat(offsets[None], len(values), axis=0)  # [T, J, 3]
    # what six printed digits or single precision make of a bone that keeps its length is no stretching
    # (our own writer gives position channels to nothing else)
    longest = float(np.linalg.norm(offsets[1:], axis=-1).max(initial=0.0))
    noise = 0.0 if stated else max(min(4 * resolution, 1e-3 * longest), 2e-5 * longest)
    stretching: dict[str, None] = {}
    for column, (joint, kind, axis) in enumerate(tree.channels):
        if kind == "rotation":
            continue
        track = values[:, column]
        low, high = track.min(), track.max()
        if joint == 0:
            translations[:, 0, axis] = track
        elif high - low <= max(noise, 1e-6 * max(1.0, abs(track[0]))):
            offsets[joint, axis] = translations[:, joint, axis] = (low + high) / 2
        else:
            offsets[joint, axis], translations[:, joint, axis] = track.mean(), track
            stretching[names[joint]] = None
    offsets[0] = 0.0  # where the root stands is the motion's business, not the skeleton's
    if stretching:
        notes.append(stretching_note([*stretching], " have position channels that vary"))
    rotations = euler_to_quaternions(values, euler_orders(tree.channels, len(tree.names)))
    return Recording(path, names, tree.parents, None, fps, rotations, translations, offsets, tree.end_sites,
                     stated.get("up"), stated.get("unit"), notes=notes, source=stated.get("source"),
                     name=stated.get("name"))


def _as_written(record: Recording, stated: dict) -> Recording:
    """The order and names that the side-car remembers: a BVH has joints limb by limb, with names of one word."""
    if "order" not in stated and "names" not in stated:
        return record
    order = stated.get("order", list(range(len(record.names))))  # the joint that each of the file's was before
    place = np.argsort(order)  # and back
    return replace(
        record, names=stated.get("names") or [record.names[i] for i in place],
        parents=[-1 if record.parents[i] < 0 else order[record.parents[i]] for i in place],
        rotations=record.rotations[:, place], translations=record.translations[:, place], offsets=record.offsets[place],
        end_sites=sorted(((order[j], tip) for j, tip in record.end_sites), key=lambda end: end[0]))
