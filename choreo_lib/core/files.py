"""Files on disk: written whole or not at all, and one process a folder. Taught in chapters 1 and 4."""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import socket
import threading
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be deleted or replaced: that is lock enough
    fcntl = None  # type: ignore[assignment]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room left, a quota reached, a limit on the size of a file
STALE_AFTER = 10.0  # seconds without a sign of life before a half file that nobody holds is taken for a dead one


@contextlib.contextmanager
def atomic_write(path, error: type[Exception] = OSError):
    """A temporary path beside ``path``, moved over it when all went well: the old file or the new one, never half.

    It is on the disk (fsync) before it takes the name. Where ``path`` is a symbolic link, the file that it points to is
    replaced. After any stop, Ctrl-C too, the half file is gone; one that a killed process left is cleared away by the
    next write to the same name. Errors: ``error`` where the folder is missing or closed, ``path`` is a folder or a
    device, or the disk is full; what stood at ``path`` stays. Chapter: 1.
    """
    path = Path(path)
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path
    if os.path.exists(target) and not os.path.isfile(target):  # both False for a name that no file can have
        raise error(f"{path.name}: cannot be written over {target}, which is a folder or a device; choose another name")
    try:
        _clear(target)
        half = target.with_name(f"{_mark(target)}{secrets.token_hex(4)}{target.suffix[-16:]}")
        held = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except (OSError, ValueError) as problem:
        raise error(f"{path.name}: cannot write into {path.parent}: {_in_words(problem, path)}") from problem
    try:
        if fcntl:
            with contextlib.suppress(OSError):  # a network folder without locks: half files there are cleared by age
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            os.close(held)
        yield half
        with half.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(half, target)
    except OSError as problem:
        kept = "what was there before is untouched" if os.path.exists(target) else "nothing was left behind"
        raise error(f"{path.name}: the file could not be written: {_in_words(problem, target)}; {kept}") from problem
    finally:
        if fcntl:
            os.close(held)
        with contextlib.suppress(OSError):
            half.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # the new name, too; where a system cannot, only a power cut can lose it
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _in_words(problem: Exception, path: Path) -> str:
    """The trouble in words; of a full disk, what to do."""
    text = getattr(problem, "strerror", None) or str(problem)
    if getattr(problem, "errno", None) in FULL:
        return f"the disk that holds {path.parent} is full ({text}). Make room there, or choose another folder"
    return text


def _mark(target: Path) -> str:
    """How every half file of one target begins; short, since names may have 255 bytes."""
    return f".writing-{hashlib.sha256(target.name.encode(errors='surrogateescape')).hexdigest()[:8]}-"


def _clear(target: Path) -> None:
    """Delete half files that killed writers of ``target`` left: old enough, and held by nobody."""
    for left in target.parent.glob(_mark(target) + "*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime < STALE_AFTER:
                continue
            with left.open("r+b") if fcntl else contextlib.nullcontext() as file:
                if file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()


_held: set[tuple[int, Path]] = set()  # by this thread: a run inside a run, such as fit in train, is the same run


@contextlib.contextmanager
def folder_lock(folder, error: type[Exception] = OSError):
    """One writer a folder: while this holds it, another process, or another thread, is refused.

    The lock is the system's own (flock) on a file ``.lock`` in it, so it ends with the process however that ends. On a
    network disk that has no such locks the process and the machine that the file names are asked. The thread that
    holds it may ask again. Errors: ``error`` naming the folder and the process that holds it, or where the folder
    cannot be written or made. Chapter: 4.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = Path(os.path.realpath(folder)) / ".lock"
        mine = threading.get_ident(), path
        if mine in _held:
            yield
            return
        handle, other = _take(path)
    except OSError as problem:
        raise error(f"cannot write into {folder}: {_in_words(problem, folder / '.lock')}") from problem
    if handle is None:
        raise error(f"{folder} is in use by process {other.get('pid', '?')} on {other.get('host', 'another machine')}; "
                    "two runs in one folder would undo each other. Wait for it, stop it, or choose another folder"
                    + other.get("unsure", ""))
    _held.add(mine)
    try:
        yield
    finally:
        _held.discard(mine)
        with contextlib.suppress(OSError):
            path.unlink()  # before the lock is given back, so that nobody takes a file that is about to go
        os.close(handle)
        if fcntl is None:  # Windows, where no file goes that is open; elsewhere this one is another's by now
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _take(path: Path) -> tuple[int | None, dict]:
    """(a handle that holds the lock, {}), or (None, whose it is)."""
    while True:
        with contextlib.ExitStack() as unless_taken:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            unless_taken.callback(os.close, handle)
            free, other = _lock(handle), _holder(handle)
            if free is None:  # no locks here: is the process that the file names alive?
                free = not (other.get("host") == socket.gethostname() and _alive(other.get("pid")))
                other |= {"unsure": f"; if that process is something else, delete {path}"}
            if not free:
                return None, other
            if not os.path.exists(path) or not os.path.samestat(os.fstat(handle), os.stat(path)):
                continue  # its owner was leaving, and took the file along: ours is nobody's
            os.ftruncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
            unless_taken.pop_all()
            return handle, {}


def _lock(handle: int) -> bool | None:
    """Whether the lock is ours now; None where this system or this disk has none."""
    try:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            os.lseek(handle, 1 << 20, os.SEEK_SET)  # far past the words, which others may then still read
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        return True
    except (BlockingIOError, PermissionError):  # the second is what Windows says of a region that is locked
        return False
    except (OSError, ImportError):
        return None


def _holder(handle: int) -> dict:
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        words = json.loads(os.read(handle, 1000))
    except (OSError, ValueError):
        return {}
    return words if isinstance(words, dict) else {}


def _alive(pid) -> bool:
    if type(pid) is not int or pid < 1 or pid == os.getpid():
        return False  # a process number comes round again: ours in an old file is not us
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
