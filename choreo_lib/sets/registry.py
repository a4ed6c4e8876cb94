"""Data by name: what there is, whose it is, where it lies, and whether it is what it claims to be.

A name is looked up in ``data/registry.json``; its file is taken from the package, from the folder that
CHOREO_DATA names, or from a cache that fills itself by download. No file is used before its fingerprint
(SHA-256, or git's own id where only that is known) has been compared. Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import html
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..body.motion import Duet, Motion
from ..body.source import OURS, Source
from ..core.arguments import takes, text
from ..core.download import DiskError, DownloadError, download
from ..core.files import FULL

_INSIDE = Path(__file__).parents[1] / "data"  # a wheel carries data/ inside the package, a checkout beside it
DATA = _INSIDE if _INSIDE.is_dir() else Path(__file__).parents[2] / "data"
ROLES = ("train", "validation", "test", "challenge")
RETRIES = 2
DEADLINE = 600.0
"""Seconds that one file may take, all attempts together."""
MOST_BYTES = 128_000_000
"""Of a file whose size the registry does not know; the readers take no more either."""


class DatasetError(RuntimeError):
    """A data set that cannot be had: says which, why, and what to do about it. Chapter: 1."""


@functools.cache
def _registry() -> dict:
    sets = json.loads((DATA / "registry.json").read_text(encoding="utf-8"))["sets"]
    for entry in sets.values():
        if "embedded" in entry:
            found = sorted((DATA / entry["embedded"]).glob("*.npz"))
            entry["takes"] = {path.stem: {"files": [{"path": path.name, "local": path}]} for path in found}
        elif "takes" not in entry:  # a set of one take, which has no name of its own
            entry["takes"] = {"": {"files": entry["files"], "frames": entry.get("frames")}}
    return sets


def _find(name: str) -> tuple[str, dict, str, str]:
    """(set, its entry, take, dancer) for "set", "set/take" or "set/take/dancer"; the dancer may be ""."""
    known = _registry()
    first, *rest = str(name).split("/")
    if first in known:
        entry = known[first]
        takes, dancers = entry["takes"], entry.get("dancers", [])
        take = rest.pop(0) if rest and rest[0] in takes else ""
        dancer = rest.pop(0) if rest and rest[0] in (*dancers, "a", "b") and dancers else ""
        take = take or entry.get("default", next(iter(takes), ""))
        if not rest and take in takes:
            return first, entry, take, dancer
    every = [f"{s}/{t}" if t else s for s, entry in known.items() for t in entry["takes"]] + list(known)
    near = difflib.get_close_matches(str(name), every, n=4, cutoff=0.4)
    near = near or [each for each in every if each.startswith(first + "/")] or sorted(known)
    raise DatasetError(f"there is no data set {name!r}; did you mean {', '.join(near)}? "
                       "choreo_lib.list_datasets() shows them all")


def _right(path: Path, file: dict) -> bool:
    """Whether the file's content has the fingerprint that the registry knows."""
    status = path.stat()
    return _compared(str(path), status.st_size, status.st_mtime_ns, file.get("sha256"), file.get("git_blob"))


@functools.lru_cache(maxsize=1024)  # once for each state of a file: size and time stand for "unchanged"
def _compared(path: str, size: int, changed: int, sha256: str | None, git_blob: str | None) -> bool:
    content = Path(path).read_bytes()
    if sha256:
        return hashlib.sha256(content).hexdigest() == sha256
    if git_blob:
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == git_blob
    return True


def cache_folder() -> Path:
    """Where downloads are kept: the folder CHOREO_CACHE names, or the system's cache folder. Chapter: 1."""
    import pooch

    return Path(os.environ.get("CHOREO_CACHE") or pooch.os_cache("choreo_lib")).expanduser().absolute()


def _local(file: dict) -> Path | None:
    """The file, where it is already here and right; None where it has to be fetched."""
    if "local" in file:
        return file["local"]
    folder = os.environ.get("CHOREO_DATA")
    if folder and (path := Path(folder).expanduser().absolute() / file["path"]).is_file():
        if not _right(path, file):
            raise DatasetError(f"{path} is not the file the registry knows: its fingerprint differs. It may be cut "
                               "short or edited; remove it, or unset CHOREO_DATA, and it is fetched again")
        return path
    path = cache_folder() / file["path"]
    return path if path.is_file() and _right(path, file) else None


def _download(file: dict) -> Path:
    """Fetch one file into the cache: whole and compared, or not at all."""
    name, folder = file["path"], cache_folder()
    by_hand = (f"To use a copy of your own, put it at {name} in a folder and set CHOREO_DATA to that folder "
               f"(source: {file['url']})")
    if not (file.get("sha256") or file.get("git_blob")):
        raise DatasetError(f"{name} is listed, but no fingerprint of it is known, so it is not fetched: nothing "
                           f"could tell a right copy from a wrong one. {by_hand}")
    try:
        return download(file["url"], folder / name, file.get("bytes", MOST_BYTES), "bytes" in file, DEADLINE,
                        lambda half: _right(half, file), RETRIES)
    except DiskError as error:
        if getattr(error.__cause__, "errno", None) in FULL:
            raise DatasetError(f"{name} could not be kept: the disk that holds {folder} is full. Make room, or set "
                               "CHOREO_CACHE to a folder on another disk, and try again") from error
        raise DatasetError(f"{name} could not be written into {folder}: {error}. Set CHOREO_CACHE to a folder you may "
                           "write to, and try again") from error
    except DownloadError as error:
        raise DatasetError(f"{name} could not be fetched: {error}. Check the network and try again; nothing "
                           f"was kept of this attempt. {by_hand}") from error
    except ValueError as error:
        raise DatasetError(f"{name} was fetched from {file['url']}, but it is not the file the registry knows (its "
                           "fingerprint differs), so it was thrown away. Try again; if it stays so, the source has "
                           "changed") from error


@takes(name=text)
def fetch(name: str) -> list[Path]:
    """The files of a data set or of one take, here and compared; downloads what is missing.

    ``name`` as in ``load_duet``; a whole set ("salsa") gives all its takes but the challenge.
    Errors: DatasetError for an unknown name, a wrong fingerprint, no network, a full disk, a broken or endless
    transfer (more bytes than the registry says, or ten minutes); none leaves a half file behind, and the next call
    tries again. Chapter: 1.
    """
    first, entry, take, _ = _find(name)
    wanted = [entry["takes"][take]]
    if name == first:
        wanted = [each for each in entry["takes"].values() if each.get("role") != "challenge"]
    return [_local(file) or _download(file) for each in wanted for file in each["files"]]


@takes(name=text)
def data_path(name: str) -> Path:
    """The one file of a take, such as ``data_path("alphapose-raw")`` or ``data_path("salsa/Easy_01/male")``.

    Errors: DatasetError as ``fetch``, and where a name stands for several files. Chapter: 1.
    """
    _, entry, take, dancer = _find(name)
    files = entry["takes"][take]["files"]
    if len(files) > 1 and not dancer:
        raise DatasetError(f"{name!r} stands for {len(files)} files; choose one, as in "
                           f"{name}/{entry['dancers'][0]}, or take them all with fetch({name!r})")
    file = files[_place(entry, dancer) if len(files) > 1 else 0]
    return _local(file) or _download(file)


@takes(name=text)
def is_here(name: str) -> bool:
    """Whether a take (or every take of a set but the challenge) can be loaded without a download. Chapter: 1."""
    return not missing(name)


@takes(name=text)
def missing(name: str) -> list[str]:
    """The files of a take, or of a set but its challenge, that would have to be downloaded. Chapter: 1."""
    first, entry, take, _ = _find(name)
    wanted = entry["takes"].values() if name == first else [entry["takes"][take]]
    files = [file for each in wanted if each.get("role") != "challenge" or name != first for file in each["files"]]
    return [file["path"] for file in files if _local(file) is None]


def _place(entry: dict, dancer: str) -> int:
    return ("a", "b").index(dancer) if dancer in ("a", "b") else entry["dancers"].index(dancer)


@takes(name=text)
def source(name: str) -> Source:
    """Whose motion a set holds and on what terms, such as ``source("alphapose-raw")``: for what is made from its files.

    Errors: DatasetError for a name that is not in the registry. Chapter: 2.
    """
    name, entry, *_ = _find(name)
    return _source(name, entry)


def _source(name: str, entry: dict) -> Source:
    if "embedded" in entry:
        return OURS
    return Source(name, entry["credit"], entry["terms"], entry["redistribute"], entry.get("url", ""))


def vouched(motion: Motion) -> Motion:
    """The motion with terms that hold when others see it: what only a file says of itself is not believed.

    A source that was read from a file (``source.verified`` is False) keeps ``redistribute`` where the motion is one of
    a set that the registry knows to be free, or a cut of one; elsewhere it is taken away. Units: metres, to 0.01 mm.
    Chapter: 1; the book's page "Data and ethics".
    """
    source = motion.source
    if source is None or source.verified or not source.redistribute:
        return motion
    return replace(motion, source=replace(source, redistribute=any(_holds(one, motion) for one in _free())))


@functools.cache
def _free() -> tuple[Motion, ...]:
    from ..io import read_duet

    paths = [file["local"] for entry in _registry().values() if entry["redistribute"] and "embedded" in entry
             for take in entry["takes"].values() for file in take["files"]]
    return tuple(dancer for path in paths for dancer in read_duet(path))


def _holds(whole: Motion, part: Motion) -> bool:
    """Whether `part` is `whole`, or some frames of it in a row."""
    far = len(whole) - len(part)
    if far < 0 or whole.skeleton.parents != part.skeleton.parents:
        return False
    near = np.abs(whole.positions[:far + 1] - part.positions[0]).max(axis=(1, 2)) < 1e-5  # [starts]
    return any(np.abs(whole.positions[k:k + len(part)] - part.positions).max() < 1e-5 for k in np.flatnonzero(near))


def _stamped(motion: Motion, name: str, entry: dict, dancer: str) -> Motion:
    return replace(motion, source=_source(name, entry), name=motion.name if "embedded" in entry else dancer)


@takes(name=text)
def load_motion(name: str) -> Motion:
    """One dancer by name: "mariel-selected", "cmu-fbx/85_12", or one of a duet, "salsa/Easy_01/female".

    Shapes: positions [T, J, 3]. Units: metres, Z up. ``.source`` holds credit and terms.
    Errors: DatasetError, as ``fetch``; where the name is a duet's or holds no motion, it says which verb to use.
    Chapter: 1.
    """
    from ..io import read_motion

    first, entry, take, dancer = _find(name)
    if entry["kind"] == "duet":
        if not dancer:
            one = "/".join(part for part in (first, take, entry["dancers"][0]) if part)
            raise DatasetError(f"{name!r} is a duet: use load_duet({name!r}), or choose a dancer, as in {one!r}")
        duet = load_duet("/".join(part for part in (first, take) if part))
        return (duet.a, duet.b)[_place(entry, dancer)]
    path = data_path(name) if entry["kind"] == "motion" else None
    if path is None:
        raise DatasetError(_not_motion(first))
    motion = read_motion(path, up=entry.get("up"), scale=entry.get("scale"), fps=entry.get("fps"))
    return _stamped(motion, first, entry, take)


@takes(name=text)
def load_duet(name: str = "synthetic") -> Duet:
    """Two dancers by name: "synthetic", "synthetic/canon", "salsa/Easy_01", "ilya-hannah".

    In salsa, dancer a is the file labelled male and dancer b the one labelled female: labels of files,
    which do not say who leads.
    Shapes: positions [T, 2, J, 3]. Units: metres, Z up. ``.source`` holds credit and terms.
    Errors: DatasetError, as ``fetch``; where the name is a solo or holds no motion, it says which verb to use.
    Chapter: 1.
    """
    from ..io import read_duet

    first, entry, take, dancer = _find(name)
    if entry["kind"] == "detections":
        raise DatasetError(_not_motion(first))
    if entry["kind"] != "duet" or dancer:
        raise DatasetError(f"{name!r} is one dancer: use load_motion({name!r})")
    paths = [_local(file) or _download(file) for file in entry["takes"][take]["files"]]
    if "embedded" in entry:
        duet = read_duet(paths[0])
    else:
        duet = read_duet(*paths, up=entry.get("up"), scale=entry.get("scale"), fps=entry.get("fps"))
    duet = duet[entry["skip"]:] if "skip" in entry else duet
    a, b = (_stamped(motion, first, entry, who) for motion, who in zip(duet, entry["dancers"]))
    return Duet(a, b, duet.coupling)


def _not_motion(name: str) -> str:
    return (f"{name!r} holds detections from video, people in no order and with gaps, and is not motion yet: make "
            f"a duet of it with choreo_lib.clean(choreo_lib.data_path({name!r}), fps=30)")


@takes(name=text)
def splits(name: str) -> dict[str, list[str]]:
    """Which takes of a set are for training, validation, test, and the challenge nothing is tuned on.

    Gives {"train": ["salsa/Easy_01", ...], "validation": [...], "test": [...], "challenge": [...]}.
    Errors: DatasetError for a set that is not split by takes. Chapter: 1; used from chapter 3 on.
    """
    first, entry, *_ = _find(name)
    found = {role: [f"{first}/{take}" for take, each in entry["takes"].items() if each.get("role") == role]
             for role in ROLES}
    if not any(found.values()):
        raise DatasetError(f"{first!r} is not split by takes; cut it in time, so that no window of training "
                           "overlaps one of test")
    return found


class DatasetTable:
    """What ``list_datasets`` gives: prints as a table, shows as one in a notebook, ``.rows`` holds it."""

    head = ("name", "what", "takes", "frames", "fps", "terms", "where")

    def __init__(self, rows):
        self.rows = tuple(rows)

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)

    def __repr__(self) -> str:
        clip = lambda text: text if len(text) <= 48 else text[:47].rstrip() + "…"  # noqa: E731
        lines = [[clip(cell) for cell in row] for row in (self.head, *self.rows)]
        wide = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, wide)).rstrip() for line in lines)

    def _repr_html_(self) -> str:
        row = lambda cells, tag: "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"  # noqa: E731
        return (f"<table><thead>{row(self.head, 'th')}</thead>"
                f"<tbody>{''.join(row(cells, 'td') for cells in self.rows)}</tbody></table>")


def list_datasets() -> DatasetTable:
    """Every data set with what it holds, its terms, and whether it is here: a table that prints itself.

    Chapter: 1. The book's page "Data and ethics" has a card for each.
    """
    rows = []
    for name, entry in _registry().items():
        takes = entry["takes"]
        frames = entry.get("frames") or sum(each.get("frames") or 0 for each in takes.values())
        rows.append((name, entry["what"], str(len(takes)), f"{frames:,}" if frames else "", str(entry.get("fps", "")),
                     entry["terms"], _where(name, entry)))
    return DatasetTable(rows)


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
