"""Data by name: what there is, whose it is, where it lies, on what terms. Taught in chapter 1, "Seeing a duet"."""

import difflib
import functools
import json
from dataclasses import replace
from pathlib import Path

from ..body.motion import Duet, Motion
from ..body.source import OURS, Source
from ..core.arguments import takes, text
from ..core.tables import Table
from ..io import read_duet, read_motion
from .fetching import DatasetError, get, local_path

_INSIDE = Path(__file__).parents[1] / "data"  # a wheel carries data/ inside the package, a checkout beside it
DATA = _INSIDE if _INSIDE.is_dir() else Path(__file__).parents[2] / "data"


@functools.cache
def entries() -> dict[str, dict]:
    """What ``data/registry.json`` says of every set, with the files of each take. Chapter: 1."""
    sets = json.loads((DATA / "registry.json").read_text(encoding="utf-8"))["sets"]
    for entry in sets.values():
        if "embedded" in entry:
            found = sorted((DATA / entry["embedded"]).glob("*.npz"))
            entry["takes"] = {path.stem: {"files": [{"path": path.name, "local": path}]} for path in found}
        elif "takes" not in entry:  # a set of one take, which has no name of its own
            entry["takes"] = {"": {"files": entry["files"], "frames": entry.get("frames")}}
    return sets


def find(name: str) -> tuple[str, dict, str, str]:
    """(set, its entry, take, dancer) for "set", "set/take" or "set/take/dancer"; the dancer may be "".

    Errors: DatasetError for an unknown name, with names that are near it. Chapter: 1.
    """
    known = entries()
    set_name, *rest = name.split("/")
    if set_name in known:
        entry = known[set_name]
        takes, dancers = entry["takes"], entry.get("dancers", [])
        take = rest.pop(0) if rest and rest[0] in takes else entry.get("default", next(iter(takes), ""))
        dancers = dict(zip("ab", dancers)) | {each: each for each in dancers}
        dancer = dancers[rest.pop(0)] if rest and rest[0] in dancers else ""
        if not rest and take in takes:
            return set_name, entry, take, dancer
    every = [f"{s}/{t}" if t else s for s, entry in known.items() for t in entry["takes"]] + list(known)
    near = difflib.get_close_matches(name, every, n=4, cutoff=0.4)
    near = near or [each for each in every if each.startswith(set_name + "/")] or sorted(known)
    raise DatasetError(f"there is no data set {name!r}; did you mean {', '.join(near)}? "
                       "choreo_lib.list_datasets() shows them all")


@takes(name=text)
def fetch(name: str) -> list[Path]:
    """The files of a data set or of one take, here and compared; downloads what is missing.

    ``name`` as in ``load_duet``; a whole set ("salsa") gives all its takes but the challenge. Errors: DatasetError
    for an unknown name, a wrong fingerprint, no network, a full disk, a broken or endless transfer. Chapter: 1.
    """
    return [get(file) for file in _files(name)]


@takes(name=text)
def data_path(name: str) -> Path:
    """The one file of a take, such as ``data_path("alphapose-raw")`` or ``data_path("salsa/Easy_01/male")``.

    Errors: DatasetError as ``fetch``, and where a name stands for several files. Chapter: 1.
    """
    _, entry, take, dancer = find(name)
    files = entry["takes"][take]["files"]
    if len(files) == 1:
        return get(files[0])
    if not dancer:
        raise DatasetError(f"{name!r} stands for {len(files)} files; choose one, as in "
                           f"{name}/{entry['dancers'][0]}, or take them all with fetch({name!r})")
    return get(files[entry["dancers"].index(dancer)])


@takes(name=text)
def missing(name: str) -> list[str]:
    """The files of a take, or of a set but its challenge, that would have to be downloaded. Chapter: 1."""
    return [file["path"] for file in _files(name) if local_path(file) is None]


def _files(name: str) -> list[dict]:
    """The registry's entries of a take's files, or of those of a whole set but its challenge."""
    set_name, entry, take, _ = find(name)
    wanted = [entry["takes"][take]]
    if name == set_name:
        wanted = [each for each in entry["takes"].values() if each.get("role") != "challenge"]
    return [file for each in wanted for file in each["files"]]


@takes(name=text)
def source(name: str) -> Source:
    """Whose motion a set holds and on what terms, such as ``source("alphapose-raw")``: for what is made from its files.

    Errors: DatasetError for a name that is not in the registry. Chapter: 2.
    """
    name, entry, *_ = find(name)
    if "embedded" in entry:
        return OURS
    return Source(name, entry["credit"], entry["terms"], entry["redistribute"], entry.get("url", ""))


def _stamped(motion: Motion, name: str, entry: dict, dancer: str) -> Motion:
    return replace(motion, source=source(name), name=motion.name if "embedded" in entry else dancer)


@takes(name=text)
def load_motion(name: str) -> Motion:
    """One dancer by name: "mariel-selected", "cmu-fbx/85_12", or one of a duet, "salsa/Easy_01/female".

    Shapes: positions [T, J, 3]. Units: metres, Z up. ``.source`` holds credit and terms.
    Errors: DatasetError, as ``fetch``; for a duet's name or no motion it says which verb to use. Chapter: 1.
    """
    set_name, entry, take, dancer = find(name)
    if entry["kind"] == "duet":
        duet = "/".join(filter(None, (set_name, take)))
        if not dancer:
            raise DatasetError(f"{name!r} is a duet: use load_duet({name!r}), or choose a dancer, as in "
                               f"'{duet}/{entry['dancers'][0]}'")
        return tuple(load_duet(duet))[entry["dancers"].index(dancer)]
    if entry["kind"] != "motion":
        raise DatasetError(_not_motion(set_name))
    motion = read_motion(data_path(name), up=entry.get("up"), scale=entry.get("scale"), fps=entry.get("fps"))
    return _stamped(motion, set_name, entry, take)


@takes(name=text)
def load_duet(name: str = "synthetic") -> Duet:
    """Two dancers by name: "synthetic", "synthetic/canon", "salsa/Easy_01", "ilya-hannah".

    In salsa, dancer a is the file labelled male and dancer b the one labelled female.
    Shapes: positions [T, 2, J, 3]. Units: metres, Z up. ``.source`` holds credit and terms.
    Errors: DatasetError, as ``fetch``; for a solo's name or no motion it says which verb to use. Chapter: 1.
    """
    set_name, entry, take, dancer = find(name)
    if entry["kind"] == "detections":
        raise DatasetError(_not_motion(set_name))
    if entry["kind"] != "duet" or dancer:
        raise DatasetError(f"{name!r} is one dancer: use load_motion({name!r})")
    path_a, *path_b = [get(file) for file in entry["takes"][take]["files"]]
    how = {name: entry[name] for name in ("up", "scale", "fps") if name in entry and "embedded" not in entry}
    duet = read_duet(path_a, path_b[0] if path_b else None, **how)
    duet = duet[entry["skip"]:] if "skip" in entry else duet
    a, b = (_stamped(motion, set_name, entry, who) for motion, who in zip(duet, entry["dancers"]))
    return Duet(a, b, duet.coupling)


def _not_motion(name: str) -> str:
    return (f"{name!r} holds detections from video, people in no order and with gaps, and is not motion yet: make "
            f"a duet of it with choreo_lib.clean(choreo_lib.data_path({name!r}), fps=30)")


def list_datasets() -> Table:
    """Every data set with what it holds, its terms, and whether it is here: a table that prints itself. Chapter: 1."""
    rows = []
    for name, entry in entries().items():
        takes = entry["takes"]
        frames = entry.get("frames") or sum(each.get("frames") or 0 for each in takes.values())
        rows.append((name, entry["what"], str(len(takes)), f"{frames:,}" if frames else "", str(entry.get("fps", "")),
                     entry["terms"], _where(name, entry)))
    return Table(("name", "what", "takes", "frames", "fps", "terms", "where"), tuple(rows))


def _where(name: str, entry: dict) -> str:
    if "embedded" in entry:
        return "in the package"
    try:
        absent = missing(name)
    except DatasetError:
        return "here, but damaged"
    if not absent:
        return "here"
    files = [file for each in entry["takes"].values() for file in each["files"]]
    known = any(file.get("sha256") or file.get("git_blob") for file in files)
    return f"fetched when loaded ({len(absent)} files)" if known else "by hand"
