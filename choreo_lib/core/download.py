"""One file from the network: so many bytes and no more, so many seconds and no more, kept whole or not at all.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

from tqdm.auto import tqdm

from . import files

CHUNK = 4096
_DONE = object()


class DownloadError(RuntimeError):
    """A transfer that was stopped: says why. Chapter: 1."""


class BrokenOff(DownloadError):
    """A transfer that broke off, and may come to an end when it is tried again. Chapter: 1."""


class DiskError(DownloadError):
    """A file that came and could not be kept; ``__cause__`` is what the system said. Chapter: 1."""


def download(url: str, path: Path, most: int, exactly: bool, seconds: float, right, retries: int = 2) -> Path:
    """Fetch ``url`` to ``path``, whose folder is made; ``right`` looks at the file before it takes the name.

    ``most`` bytes are taken at most, or (``exactly``) just so many; ``seconds`` for all attempts together, however
    slowly the server drips. Nothing is unpacked: what comes is what is kept, so a small file stays small. A transfer
    that breaks off is tried again ``retries`` times; one that is too large, or wrong, is not.
    Errors: DownloadError; DiskError where the file cannot be kept; ValueError where ``right`` says no. Chapter: 1.
    """
    until = time.monotonic() + seconds
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(str(error.strerror or error)) from error
    for attempt in range(retries + 1):
        try:
            with files.atomic_write(path, DiskError) as half:
                with half.open("wb") as file:
                    _transfer(url, file, path.name, most, exactly, until, seconds)
                if not right(half):
                    raise ValueError("fingerprint differs")
            return path
        except BrokenOff:
            if attempt == retries:
                raise
            time.sleep(min(2**attempt, max(until - time.monotonic(), 0)))
    raise DownloadError("it was not tried")


def _transfer(url: str, file, name: str, most: int, exactly: bool, until: float, seconds: float) -> None:
    """Write what a thread of its own reads: that may wait for a server as long as it likes, and this does not."""
    came: queue.Queue = queue.Queue(16)
    stop = threading.Event()
    threading.Thread(target=_read, args=(url, came, stop, most), daemon=True).start()
    size = 0
    try:
        with tqdm(total=most if exactly else None, unit="B", unit_scale=True, desc=name, leave=False) as bar:
            while True:
                try:
                    part = came.get(timeout=max(until - time.monotonic(), 0))
                except queue.Empty:
                    raise DownloadError(f"it was not here after {seconds:,.0f} seconds ({size:,} bytes came)") from None
                if part is _DONE:
                    break
                if isinstance(part, DownloadError):
                    raise part
                size += len(part)
                if size > most:
                    raise DownloadError(f"the server sends more than the {most:,} bytes that the file has")
                file.write(part)
                bar.update(len(part))
    finally:
        stop.set()
    if exactly and size != most:
        raise BrokenOff(f"the transfer broke off after {size:,} of {most:,} bytes")


def _read(url: str, came: queue.Queue, stop: threading.Event, most: int) -> None:
    """Put the bytes of ``url`` into ``came`` as they arrive, then what ended them."""
    import requests

    def put(part) -> None:
        while not stop.is_set():
            try:
                return came.put(part, timeout=0.2)
            except queue.Full:
                continue

    try:
        # identity: a file that was packed small on the way could unpack to any size
        with requests.get(url, stream=True, timeout=30, headers={"Accept-Encoding": "identity"}) as response:
            response.raise_for_status()
            if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
                raise DownloadError("the server packs the file, which was not asked for, and is not unpacked")
            length = response.headers.get("Content-Length", "")
            if length.isdigit() and int(length) > most:
                raise DownloadError(f"the server announces {int(length):,} bytes, and the file has {most:,} at most")
            for part in response.iter_content(CHUNK):
                put(part)
                if stop.is_set():
                    return
        put(_DONE)
    except DownloadError as error:
        put(error)
    except requests.exceptions.RequestException as error:
        put(BrokenOff(_plain(error)))
    except BaseException as error:  # whatever ends this thread, the one that waits has to hear of it
        put(DownloadError(f"{type(error).__name__}: {error}"))


def _plain(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    kinds = {"ConnectTimeout": "the server did not answer in time", "ReadTimeout": "the server stopped answering",
             "ChunkedEncodingError": "the transfer broke off", "ConnectionError": "no connection to the server"}
    return kinds.get(type(error).__name__, type(error).__name__)
