"""Motion files in and out: `read_motion`, `read_duet` and `write_motion` choose by the suffix.

The way of a file, in: its reader (`bvh`, `fbx`, `npz`, `points`, `markers`) gives a `record.Recording`, in the file's
own axes and units. `record.build_motion` checks its counts and numbers by the limits of `conventions`, asks
`axes_and_units` which axis is up and how long a unit is (where the file is silent, `upright` guesses), and builds the
`Motion`. `pairs` makes a duet of two. Markers keep their gaps, and become `Markers` first.
Out: `record.recording_of` refuses what would not be read back, else gives the same record in the axes and units asked
for, and `bvh_write` or `gltf` writes it; `npz` writes a motion as it is.
What a file does not state is guessed aloud (`MotionGuessWarning`, ``motion.notes``); what cannot be read is refused
with the place (`MotionFormatError`). Taught in chapter 1, "Seeing a duet".
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from ..body.motion import Duet, Motion
from ..core.arguments import path as any_path
from ..core.arguments import shown
from .arrays import PICKLES, refuse_pickle
from .bvh import read_bvh
from .bvh_write import write_bvh
from .conventions import MotionFormatError, MotionGuessWarning, check_scale, check_up, fail
from .detections import read_detections, refuse_folder
from .estimators import Detections
from .fbx import read_fbx
from .gltf import write_glb
from .markers import Markers, read_marked_dancers, read_markers
from .npz import read_npz, write_npz
from .pairs import join, joint_weights, match_skeletons, per_file, read_pairs
from .points import read_marker_json, read_npy_duet, read_npy_motion

_READERS: dict[str, Callable[..., list[Motion] | Duet]] = {
    ".bvh": read_bvh, ".c3d": read_marked_dancers, ".fbx": read_fbx, ".json": read_marker_json,
    ".npy": read_npy_motion, ".npz": read_npz, ".trc": read_marked_dancers}
_ASKED = (".bvh", ".c3d", ".fbx", ".trc")  # may hold one dancer or more, and say so only when asked
_IN, _OUT = tuple(_READERS), (".bvh", ".glb", ".npz")


def read_motion(path, up: str | None = None, scale: float | None = None, fps: float | None = None,
                take: str | int | None = None) -> Motion:
    """Read one dancer from a motion file.

    Shapes: positions [T, J, 3]; rotations [T, J, 4] where the file has them (BVH, FBX, NPZ).
    Units: ``up`` is the file's up axis ('x', 'y', 'z', '-x', '-y', '-z'; '-y' is a camera's frame), ``scale``
    metres per file unit, ``fps`` frames per second (for FBX: the rate to sample at). None takes the
    file's own word, else a guess that is warned of and noted. Our NPZ states all three. ``take``: which animation
    stack of an FBX, by name or number from 0; None: the longest that moves.
    Errors: MotionFormatError, naming file, line or field, and what was expected.
    Chapter: 1.
    """
    suffix = _suffix(path, _IN, "read")
    found = _READERS[suffix](path, up, scale, fps, **_take(path, suffix, take))
    if isinstance(found, Duet):
        fail(path, "this file holds a duet; take read_duet, then duet.a or duet.b")
    return found[0]


def read_duet(path_a, path_b=None, up=None, scale=None, fps: float | None = None, layout: str | None = None,
              take: str | int | None = None) -> Duet:
    """Read two dancers, from one file a dancer or from one that holds both (NPZ, NPY, FBX, C3D, BVH with two ROOTs).

    Shapes: a NPY may be [T, 2, J, 3], or [2T, J, 3] with ``layout`` "interleaved" (rows a, b, a, b in turn) or
    "stacked" (all of a, then all of b); None takes what the rows show, since no body jumps, or refuses.
    Units, guesses: as in `read_motion`; ``up`` and ``scale`` may be a pair, one a file, such as ``up=("y", "z")``. Both
    dancers must come out of a guess alike. Rates that differ are brought to the slower one, and lengths by a fifth of
    a second at most, with a note.
    Errors: MotionFormatError, also where the two cannot be brought together.
    Chapter: 1.
    """
    if path_b is not None:
        if layout is not None:
            fail(path_a, "two files are parted already; leave layout= away", "layout=")
        ups, scales = per_file(path_a, up, "up"), per_file(path_a, scale, "scale")
        a = read_motion(path_a, ups[0], scales[0], fps, take)
        b = read_motion(path_b, ups[1], scales[1], fps, take)
        return join(a, b, (path_a, path_b), up, scale)
    for name, value in (("up", up), ("scale", scale)):
        if isinstance(value, tuple | list):
            fail(path_a, "a pair says one for each of two files, and this is one file", f"{name}=")
    suffix = _suffix(path_a, _IN, "read")
    chosen = _take(path_a, suffix, take)
    if suffix == ".npy":
        return read_npy_duet(path_a, up, scale, fps, layout)
    if layout is not None:
        fail(path_a, f"how rows lie is said of a .npy, not of a {suffix}; leave layout= away", "layout=")
    found = _READERS[suffix](path_a, up, scale, fps, **chosen, **({"dancers": 2} if suffix in _ASKED else {}))
    if isinstance(found, Duet):
        return found
    if len(found) < 2:
        fail(path_a, f"a {suffix} file such as this holds one dancer; pass the second dancer's file as well")
    a, b = found
    return join(a, b, (path_a, path_a))


def write_motion(motion: Motion | Duet | Sequence[Motion], path, up: str = "z", scale: float = 1.0) -> None:
    """Write a Motion or a Duet: BVH (one dancer), GLB (for Blender and viewers; several Motions too), NPZ (lossless).

    Units: ``up`` and ``scale`` are a BVH's up axis and metres per file unit: ``up="y", scale=0.01`` for programs that
    think in Y up and centimetres. GLB is Y up and metres by its standard, NPZ is ours.
    The file appears whole or not at all. Source and terms go with it: inside NPZ and GLB, in ``NAME.bvh.json`` beside a
    BVH, with the joints' names and order. Whatever is written as BVH or NPZ, `read_motion` takes back.
    Errors: MotionFormatError where the suffix is not known, the file cannot be written, or would not be read back.
    Chapter: 1.
    """
    suffix = _suffix(path, _OUT, "written")
    check_up(path, up)
    scale = check_scale(path, scale)
    if scale > 1:
        fail(path, f"{scale:g} m is larger than a metre, and six decimals of such a unit lose the dance", "scale=")
    if suffix != ".bvh" and (up, scale) != ("z", 1.0):
        fail(path, f"up= and scale= are for .bvh; a {suffix} is "
                   f"{'Y up and metres by its standard' if suffix == '.glb' else 'Z up and metres, as we are'}")
    several = isinstance(motion, list | tuple) and motion and all(isinstance(one, Motion) for one in motion)
    if suffix == ".glb" and (several or isinstance(motion, Motion | Duet)):
        return write_glb(motion, path)
    if not isinstance(motion, Motion | Duet):
        raise TypeError(f"write_motion takes a Motion or a Duet (a .glb a list of Motions too); got "
                        f"{type(motion).__name__}")
    if suffix == ".npz":
        return write_npz(motion, path)
    if isinstance(motion, Duet):
        fail(path, "a BVH holds one dancer; write duet.a and duet.b to a file each, or the duet to .glb or .npz")
    return write_bvh(motion, path, up, scale)


def _suffix(path, known: tuple, verb: str) -> str:
    try:
        suffix = Path(any_path("path", path)).suffix.lower()
    except (TypeError, ValueError):
        raise MotionFormatError(f"path must be the path of a file; got {shown(path)}, {type(path).__name__}") from None
    if verb == "read" and Path(path).name.lower().endswith(".bvh.json"):
        fail(path, f"this is the side-car of a BVH, which is read with it; take {Path(path).stem}")
    if verb == "read" and suffix not in known:
        if Path(path).is_dir():
            refuse_folder(path)
        if suffix in PICKLES:
            refuse_pickle(path)
    if suffix not in known:
        fail(path, f"files of the kind {suffix or '(no suffix)'!r} are not {verb}; expected {', '.join(known)}")
    return suffix


def _take(path, suffix: str, take) -> dict:
    if suffix == ".fbx":
        return {"take": take}
    if take is not None:
        fail(path, f"an animation stack is chosen in a .fbx, not in a {suffix}; leave take= away", "take=")
    return {}


__all__ = ["Detections", "Markers", "MotionFormatError", "MotionGuessWarning", "joint_weights", "match_skeletons",
           "read_detections", "read_duet", "read_markers", "read_motion", "read_pairs", "write_motion"]
