"""The files behind a name: from the package, the folder of CHOREO_DATA or the cache, or downloaded, and compared.

No file is used before its fingerprint (SHA-256, or git's own id where only that is known) has been compared.
Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

from ..core.download import DiskError, DownloadError, download
from ..core.files import FULL

RETRIES = 2
DEADLINE = 600.0
"""Seconds that one file may take, all attempts together."""
MOST_BYTES = 128_000_000
"""Of a file whose size the registry does not know; the readers take no more either."""


class DatasetError(RuntimeError):
    """A data set that cannot be had: says which, why, and what to do about it. Chapter: 1."""


def cache_folder() -> Path:
    """Where downloads are kept: the folder CHOREO_CACHE names, or the system's cache folder. Chapter: 1."""
    import pooch

    return Path(os.environ.get("CHOREO_CACHE") or pooch.os_cache("choreo_lib")).expanduser().absolute()


def local_path(file: dict) -> Path | None:
    """The file of a registry entry, where it is already here and matches; None where it has to be downloaded.

    Errors: DatasetError where CHOREO_DATA holds a file of that name with another content. Chapter: 1.
    """
    if "local" in file:
        return file["local"]
    folder = os.environ.get("CHOREO_DATA")
    if folder and (path := Path(folder).expanduser().absolute() / file["path"]).is_file():
        if not matches(path, file):
            raise DatasetError(f"{path} is not the file the registry knows: its fingerprint differs. It may be cut "
                               "short or edited; remove it, or unset CHOREO_DATA, and it is fetched again")
        return path
    path = cache_folder() / file["path"]
    return path if path.is_file() and matches(path, file) else None


def get(file: dict) -> Path:
    """The file of a registry entry, downloaded where it is not here: whole and compared, or not at all.

    Errors: DatasetError for a wrong fingerprint, no network, a full disk, and a broken or endless transfer. Chapter: 1.
    """
    if (here := local_path(file)) is not None:
        return here
    name, folder = file["path"], cache_folder()
    by_hand = (f"To use a copy of your own, put it at {name} in a folder and set CHOREO_DATA to that folder "
               f"(source: {file['url']})")
    if not (file.get("sha256") or file.get("git_blob")):
        raise DatasetError(f"{name} is listed, but no fingerprint of it is known, so it is not fetched: nothing "
                           f"could tell a right copy from a wrong one. {by_hand}")
    try:
        return download(file["url"], folder / name, file.get("bytes", MOST_BYTES), "bytes" in file, DEADLINE,
                        lambda half: matches(half, file), RETRIES)
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


def matches(path: Path, file: dict) -> bool:
    """Whether the content at a path has the fingerprint that the registry knows; True where it knows none.

    Chapter: 1.
    """
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
