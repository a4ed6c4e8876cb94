"""The files behind a name: from the package, the folder of CHOREO_DATA or the cache, or downloaded, and compared.

No file is used before its fingerprint (SHA-256, or git's own id) has been compared. Taught in chapter 1.
"""

import functools
import hashlib
import os
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import BinaryIO

from tqdm.auto import tqdm

from ..core.files import atomic_write

RETRIES = 2
DEADLINE = 600.0  # seconds that one file may take, all attempts together
MOST_BYTES = 128_000_000  # of a file whose size the registry does not know; the readers take no more either
CHUNK = 4096


class DatasetError(RuntimeError):
    """A data set that cannot be had: says which, why, and what to do about it. Chapter: 1."""


class _Stopped(Exception):
    """A transfer that was stopped: says why; ``again`` where it broke off, and another attempt may succeed."""

    def __init__(self, why: str, again: bool = False):
        super().__init__(why)
        self.again = again


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
    until, attempt = time.monotonic() + DEADLINE, 0
    while True:
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(folder / name) as half:
                _transfer(file, half, until)
                if not matches(half, file):
                    raise DatasetError(f"{name} was fetched from {file['url']}, but it is not the file the registry "
                                       "knows (its fingerprint differs), so it was thrown away. Try again; if it "
                                       "stays so, the source has changed")
            return folder / name
        except _Stopped as error:
            if attempt == RETRIES or not error.again:
                raise DatasetError(f"{name} could not be fetched: {error}. Check the network and try again; nothing "
                                   f"was kept of this attempt. {by_hand}") from error
        except OSError as error:
            raise DatasetError(f"{name} could not be written into {folder}: {error}. CHOREO_CACHE may name another "
                               "folder, which you may write to, on a disk with room; then try again") from error
        time.sleep(min(2**attempt, max(until - time.monotonic(), 0)))
        attempt += 1


def _transfer(file: dict, half: Path, until: float) -> None:
    """Let a thread of its own read: that may wait for a server as long as it likes, and this does not."""
    size, name = file.get("bytes"), Path(file["path"]).name
    came: Future[None] = Future()
    stop = threading.Event()
    with half.open("wb") as out, tqdm(total=size, unit="B", unit_scale=True, desc=name, leave=False) as bar:

        def read() -> None:
            try:
                _read(file["url"], out, bar, MOST_BYTES if size is None else size, stop)
                came.set_result(None)
            except BaseException as error:  # whatever ends this thread, the one that waits has to hear of it
                came.set_exception(error)

        threading.Thread(target=read, daemon=True).start()
        try:
            came.result(max(until - time.monotonic(), 0))
        except TimeoutError:
            raise _Stopped(f"it was not here after {DEADLINE:,.0f} seconds ({bar.n:,} bytes came)") from None
        finally:
            stop.set()
        if size not in (None, bar.n):
            raise _Stopped(f"the transfer broke off after {bar.n:,} of {size:,} bytes", again=True)


def _read(url: str, out: BinaryIO, bar: tqdm, most: int, stop: threading.Event) -> None:
    """Write the bytes of ``url`` as they arrive, until ``stop`` is set."""
    import requests

    try:
        # identity: a file that was packed small on the way could unpack to any size
        with requests.get(url, stream=True, timeout=30, headers={"Accept-Encoding": "identity"}) as response:
            response.raise_for_status()
            if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
                raise _Stopped("the server packs the file, which was not asked for, and is not unpacked")
            length = response.headers.get("Content-Length", "")
            if length.isdigit() and int(length) > most:
                raise _Stopped(f"the server announces {int(length):,} bytes, and the file has {most:,} at most")
            for part in response.iter_content(CHUNK):
                if stop.is_set():
                    return
                bar.update(len(part))
                if bar.n > most:
                    raise _Stopped(f"the server sends more than the {most:,} bytes that the file has")
                out.write(part)
    except requests.exceptions.RequestException as error:
        raise _Stopped(_in_words(error), again=True) from error


def _in_words(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    kinds = {"ConnectTimeout": "the server did not answer in time", "ReadTimeout": "the server stopped answering",
             "ChunkedEncodingError": "the transfer broke off", "ConnectionError": "no connection to the server"}
    return kinds.get(type(error).__name__, type(error).__name__)


def matches(path: Path, file: dict) -> bool:
    """Whether a file has the fingerprint that the registry knows; True where it knows none. Chapter: 1."""
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
