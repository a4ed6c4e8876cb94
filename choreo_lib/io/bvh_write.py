"""BVH out: a plain file that every program opens, and its side-car.

Taught in chapter 1, "Seeing a duet". Plain means: no comment, names of one word without signs that a reader takes for
its own, a root at offset zero. Readers differ where a joint has position channels: three.js adds the joint's OFFSET to
them, the others put them in its place; so such a joint's OFFSET is zero, and they agree.
"""

import os
import re
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..body.motion import Motion
from ..core.deferred import roma
from .bvh_euler_order import WRITTEN_CHANNELS, WRITTEN_ORDER
from .bvh_tree import MAX_HEAD
from .conventions import MAX_BYTES, atomic_write, fail, unique_names
from .local_rotations import turnable
from .record import Recording, check_writable, recording_of, steady_bones
from .sidecar import check_free, fingerprint, sidecar_text


def write_bvh(motion: Motion, path, up: str = "z", scale: float = 1.0) -> None:
    """Write one dancer as plain BVH and side-car; Z Y X rotations, positions back within a micrometre.

    Bones that change length get position channels; so does a body known only as points, for which rotations are found
    (`choreo_lib.io.local_rotations.recover_rotations`), where it is not stiff.
    Units: ``up`` the file's up axis, ``scale`` metres per file unit (0.01 writes centimetres).
    ``NAME.bvh.json`` keeps up axis, unit, joint names, source and terms; the BVH is read without it too.
    Errors: MotionFormatError where the file cannot be written, or would not be read back. Chapter: 1.
    """
    # angles of six digits: a metre at the end of a bone of 100 km
    check_writable(path, motion, margin=10.0)
    motion = turnable(motion)
    record = recording_of(path, motion, up, scale, margin=10.0)
    steady, names = steady_bones(record), plain_names(record.names)
    rotations = torch.from_numpy(record.rotations)
    angles = roma.unitquat_to_euler(WRITTEN_ORDER, rotations, degrees=True, as_tuple=False).numpy()
    order, head = _hierarchy(replace(record, names=names, offsets=record.offsets * steady[:, None]), steady)
    if (size := len(head.encode())) > MAX_HEAD:
        fail(path, f"its skeleton fills {size:,} bytes, more than the {MAX_HEAD:,} that are read back; it has "
                   f"{len(record.end_sites):,} end sites, and names of up to {max(map(len, names)):,} letters")
    columns = [part for j in order for part in ([] if steady[j] else [record.translations[:, j]]) + [angles[:, j]]]
    head += f"MOTION\nFrames: {len(motion)}\nFrame Time: {1 / motion.fps:.9g}\n"
    stated: dict[str, Any] = {"up": up, "unit": scale}
    if names != list(record.names):
        stated["names"] = record.names
    if order != sorted(order):
        stated["order"] = order
    table, beside = np.concatenate(columns, axis=1), check_free(path)
    # a stop between the two renames leaves a side-car that is not believed of the BVH beside it
    with atomic_write(beside) as half_sidecar, atomic_write(path) as half:
        with open(half, "wb") as half_file:
            half_file.write(head.encode())
            np.savetxt(half_file, table, "%.6f")
        if (size := half.stat().st_size) > MAX_BYTES:
            most = len(table) * (MAX_BYTES - len(head)) // size
            fail(path, f"{len(table):,} frames of {table.shape[1]:,} numbers fill more than the {MAX_BYTES:,} bytes "
                       f"that are read back; write it in parts, motion[:{most}] first, or as .npz")
        with open(half_sidecar, "wb") as file:
            file.write(sidecar_text(path, motion, fingerprint(half.read_bytes()), **stated).encode())
            file.flush()
            os.fsync(file.fileno())  # both are on the disk before the first takes its name


def plain_names(names) -> list[str]:
    """Joint names that every reader takes whole and apart: ``mixamorig:Left Leg`` is written ``mixamorig_Left_Leg``.

    A space ends a name in three.js, bvhio and pymotion; three.js parts tracks at ``. : / [ ]`` and then moves nothing;
    pymotion skips a line that holds ``{``, MOTION or HIERARCHY. What becomes alike gets a number. Chapter: 1.
    """
    words = ["ENDSITE"]  # three.js calls every end site so
    for name in names:
        word = re.sub(r"[\s#{}\[\].:/\\\x00-\x1f\x7f\ud800-\udfff]+", "_", name) or "joint"
        words.append(re.sub("MOTION|HIERARCHY", lambda found: found[0].title(), word))
    return unique_names(words, [])[1:]


def _hierarchy(record: Recording, steady: np.ndarray) -> tuple[list[int], str]:
    """The joints in the order of the file, limb by limb, and the HIERARCHY block."""
    triple = lambda numbers: " ".join(f"{x:.9g}" for x in numbers)  # noqa: E731
    lines, order = ["HIERARCHY"], []
    todo: list[tuple[int | None, int]] = [(0, 0)]
    while todo:  # a stack in place of recursion: a chain of 500 joints is a tree too
        joint, depth = todo.pop()
        if joint is None:
            lines.append("\t" * depth + "}")
            continue
        order.append(joint)
        pad = "\t" * (depth + 1)
        channels = "CHANNELS 3 " if steady[joint] else "CHANNELS 6 Xposition Yposition Zposition "
        lines += ["\t" * depth + ("JOINT " if depth else "ROOT ") + record.names[joint], "\t" * depth + "{",
                  f"{pad}OFFSET {triple(record.offsets[joint])}", f"{pad}{channels}{WRITTEN_CHANNELS}"]
        for tip in (tip for j, tip in record.end_sites if j == joint):
            lines += [pad + "End Site", pad + "{", f"{pad}\tOFFSET {triple(tip)}", pad + "}"]
        children = [child for child, parent in enumerate(record.parents) if parent == joint]
        todo += [(None, depth), *((child, depth + 1) for child in reversed(children))]
    return order, "\n".join(lines) + "\n"
