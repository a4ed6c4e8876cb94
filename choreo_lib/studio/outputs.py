"""What was made, as files, with how it was made inside or beside them. Taught in chapter 10."""

import json
from dataclasses import replace
from pathlib import Path

from ..body.motion import Duet, Motion
from ..core.arguments import a, count, flag, path, takes
from ..io import write_motion
from ..io.conventions import atomic_write
from ..io.local_rotations import recover_rotations
from ..show.export import SUFFIXES as FILMS
from ..show.export import animate
from .provenance import Provenance
from .results import Made, Progress


@takes(made=a(Made), path=path, both=flag, take=count(0))
def save(made: Made, path: str | Path, both: bool | None = None, take: int | None = None,
         progress: bool = False) -> list[Path]:
    """Write what was made, by the suffix: .bvh, .glb, .npz, .gif, .mp4; gives the paths.

    ``both`` dancers (None: but for BVH): a BVH holds one, so ``name.bvh`` becomes ``name_a.bvh`` and ``name_b.bvh``,
    in one world frame; the others hold a scene. ``take``: one of several, from 0; None: all, as ``name_1.bvh`` and on.
    Rotations are found for a dancer of points in BVH and GLB, so that a skinned body can be moved; bones are stiff
    there. How it was made stands in the file; beside a BVH or a film in ``name.bvh.json`` or ``name.gif.json``.
    Errors: as `choreo_lib.write_motion` and `choreo_lib.animate`. Chapter: 10.
    """
    path, chosen = Path(path), range(len(made.made)) if take is None else [take]
    both = path.suffix.lower() != ".bvh" if both is None else both
    written = []
    for k in chosen:
        numbered = path if len(chosen) == 1 else path.with_name(f"{path.stem}_{k + 1}{path.suffix}")
        what = made.duet(k) if both else made.made[k]
        written += write(what, numbered, made.provenance, progress)
    return written


def write(motion: Motion | Duet, path: str | Path, provenance: Provenance | None = None,
          progress: bool | Progress = False) -> list[Path]:
    """Write a motion or a duet by the suffix, as `save`; gives the paths. Errors: as there. Chapter: 10."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in FILMS:
        films = [animate(motion, path, progress=progress)]
        if provenance is not None:
            beside = path.with_name(path.name + ".json")
            with atomic_write(beside) as half:
                half.write_text(json.dumps(provenance.as_dict(), indent=1) + "\n", encoding="utf-8")
            films.append(beside)
        return films
    if suffix in (".bvh", ".glb"):
        motion = replace(motion, a=stiff(motion.a), b=stiff(motion.b)) if isinstance(motion, Duet) else stiff(motion)
    files: dict[Path, Motion | Duet] = {path: motion}
    if suffix == ".bvh" and isinstance(motion, Duet):
        files = {path.with_name(f"{path.stem}_{who}{path.suffix}"): dancer for who, dancer in zip("ab", motion)}
    for place, what in files.items():
        write_motion(what, place)
    return list(files)


def stiff(motion: Motion) -> Motion:
    """A dancer with rotations and stiff bones, found where only points are known. Chapter: 10."""
    if motion.rotations is not None:
        return motion
    try:
        found = recover_rotations(motion)
    except ValueError:  # no body by its joints' names: it moves by its points
        return motion
    return replace(found, notes=(*motion.notes, "rotations found from the points; bones are stiff"))
