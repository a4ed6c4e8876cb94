"""A recording however it comes: a file, two, the name of a take, or the bytes of an upload. Taught in chapter 10."""

import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from .. import cleaning
from ..body.motion import Duet, Motion
from ..io import MotionFormatError, read_duet, read_motion
from ..sets.registry import entries, load_duet, load_motion

UPLOAD_BYTES = 64 * 2**20  # of all files of an upload together


def read(name: str | Path, second: str | Path | None = None, **how: Any) -> Motion | Duet:
    """A file, two, or a take by its name; ``how``: see `choreo_lib.read_motion`. Errors: as there. Chapter: 10."""
    if not Path(name).exists() and str(name).split("/")[0] in entries():
        return by_name(str(name))
    if second:
        return read_duet(name, second, **how)
    try:
        return read_motion(name, **how)
    except MotionFormatError as error:  # two dancers in one file, as a rule; else what was said first counts
        try:
            return read_duet(name, **how)
        except MotionFormatError:
            raise error from None


def by_name(name: str) -> Motion | Duet:
    """A take in a set: the duet, or of "set/take/dancer" one dancer. Errors: DatasetError. Chapter: 10."""
    kind = entries().get(name.split("/")[0], {}).get("kind")
    return load_motion(name) if kind != "duet" or name.count("/") == 2 else load_duet(name)


def read_upload(files: Sequence[tuple[str, bytes]]) -> Motion | Duet:
    """One file or two, as (name, bytes); detections from video (JSON), 30 frames a second, are cleaned to a duet.

    What stands beside a BVH, ``name.bvh.json``, may come with it. The files lie in a folder of their own while they are
    read. Errors: ValueError for none, three, or more than `UPLOAD_BYTES`; MotionFormatError. Chapter: 10.
    """
    beside = {plain_name(name): data for name, data in files if name.lower().endswith(".bvh.json")}
    dancers = [(plain_name(name), data) for name, data in files if plain_name(name) not in beside]
    if not 1 <= len(dancers) <= 2:
        raise ValueError(f"load one file, or two of the two dancers; here are {len(dancers)}")
    if (size := sum(len(data) for _, data in files)) > UPLOAD_BYTES:
        raise ValueError(f"{size / 2**20:,.1f} MB are more than the {UPLOAD_BYTES / 2**20:.0f} MB of an upload; cut "
                         "the take, or load it by its path")
    with tempfile.TemporaryDirectory(prefix="choreo-upload-") as folder:
        paths = []
        for who, (name, data) in zip("ab", dancers):
            temporary = Path(folder) / who / name
            temporary.parent.mkdir()
            temporary.write_bytes(data)
            if f"{name}.json" in beside:
                temporary.with_name(f"{name}.json").write_bytes(beside[f"{name}.json"])
            paths.append(temporary)
        if len(paths) == 1 and paths[0].suffix.lower() == ".json":
            return cleaning.clean(paths[0], 30.0)[0]
        return read(*paths)


def plain_name(name: str) -> str:
    """The last part of a file's name, without whatever folders and odd characters its sender put in. Chapter: 10."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    kept = "".join(each if each.isalnum() or each in " ._-" else "_" for each in last).strip(" .")
    return kept[-100:] or "recording"
