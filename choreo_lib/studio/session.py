"""A session in the studio: what the panel and the page share. It loads, makes, edits and exports, one thing at a time.

    session = Session()
    session.load("synthetic/canon/a")
    session.ask("partner", model="duet-synthetic", takes="2")
    session.wait()

Work goes on in a thread; what goes wrong is said in `Session.trouble`, and what was there stays. Taught in chapter 10.
"""

import tempfile
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..io import MotionGuessWarning
from ..sets.registry import DatasetError, entries
from ..show.camera import dancers_of
from ..training.checkpoints import TrainingError
from .forms import asks
from .history import Entry, archive
from .reading import by_name, read, read_upload

KEPT = 30  # entries of the history; of more, the oldest goes
_PLAIN = (DatasetError, TrainingError, ValueError, OSError, ImportError, KeyError)  # their words are for people


class Busy(RuntimeError):
    """Asked for something while something else is being done. Chapter: 10."""


class Cancelled(Exception):
    """Raised inside the work that is cancelled. Chapter: 10."""


@dataclass(frozen=True)
class Exported:
    """Written files: ``name`` and bytes of their ZIP; ``paths`` where they lie, if they stay. Chapter: 10."""

    name: str
    data: bytes
    paths: tuple[Path, ...]


class Session:
    """One recording at a time, and a history of what was made of it; every method but `wait` returns at once.

    ``entries``: the history, an `Entry` by its number; ``at``: the current one's (-1: none). ``doing`` ("": nothing),
    ``done``, ``of``: how far the work is. ``said``, ``trouble``: the last words; ``exported``: the last export.
    ``changed`` is called when any of it has, as a rule from the working thread. Chapter: 10.
    """

    def __init__(self, changed: Callable[[], Any] | None = None):
        self.entries: dict[int, Entry] = {}
        self.at, self.version = -1, 0
        self.doing, self.done, self.of = "", 0, 0
        self.said, self.trouble = "load a recording to begin", ""
        self.exported: Exported | None = None
        self._changed, self._lock, self._cancel = changed, threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None
        self._count = 0

    @property
    def entry(self) -> Entry:
        """The current one. Errors: ValueError before anything was loaded. Chapter: 10."""
        if self.at not in self.entries:
            raise ValueError("load a recording first: a file, or a take by its name")
        return self.entries[self.at]

    def load(self, name: str | Path, local: bool = True) -> None:
        """A file by its path, or a take by its name; not ``local``: a name only. Errors: `Busy`. Chapter: 10."""
        self._start(f"reading {Path(name).name}", lambda: Entry.recorded(
            str(name) if not Path(name).exists() else Path(name).stem, read(name) if local else by_name(str(name))))

    def upload(self, files: Sequence[tuple[str, bytes]]) -> None:
        """One file or two, as (name, bytes). Errors: `Busy`. Chapter: 10."""
        names = " and ".join(name for name, _ in files)
        self._start(f"reading {names}", lambda: Entry.recorded(names, read_upload(files)))

    def trim(self, start: float, stop: float) -> None:
        """The recording between two times, seconds. Errors: `Busy`; ValueError if nothing is left. Chapter: 10."""
        recording = self.entry.recording
        first, last = round(start * recording.fps), round(stop * recording.fps)
        if not 0 <= first < min(last, len(recording)):
            raise ValueError(f"from {start:g} s to {stop:g} s there is nothing: the recording lasts "
                             f"{len(recording) / recording.fps:.2f} s")
        self._start("trimming", lambda: Entry.recorded(f"recording, {start:g} to {stop:g} s", recording[first:last]))

    def ask(self, name: str, take: int = 0, **fields: Any) -> None:
        """What `choreo_lib.studio.forms.asks` has by this name, of the recording, or (a wish) of a ``take``.

        Errors: `Busy`; ValueError for an unknown name, field, value, take, or before anything was loaded. Chapter: 10.
        """
        if name not in asks():
            raise ValueError(f"there is no {name!r} to ask for; there are {', '.join(asks())}")
        ask, entry = asks()[name], self.entry
        values = ask.values(fields)
        self._take(entry, take)
        self._start(ask.label.lower(), lambda: ask.run(entry, take, values, self._progress))

    def export(self, kinds: Sequence[str], folder: str | Path | None = None, take: int | None = None,
               both: bool = True) -> None:
        """Files of the current entry, as `Entry.write`, into a folder; None: only as the ZIP in `exported`.

        Errors: `Busy`; ValueError before anything was loaded, or for an unknown take. Chapter: 10.
        """
        entry = self.entry
        self._take(entry, take)

        def work() -> Exported:
            with tempfile.TemporaryDirectory(prefix="choreo-export-") as temporary:
                paths = entry.write(temporary if folder is None else folder, kinds, take, both, self._progress)
                return Exported(f"{paths[-1].stem}.zip", archive(paths), () if folder is None else tuple(paths))

        self._start("exporting", work)

    def go_back(self, number: int) -> None:
        """Make an entry of the history the current one. Errors: `Busy`; ValueError for no such entry. Chapter: 10."""
        if number not in self.entries:
            raise ValueError(f"there is no entry {number} in the history")
        with self._lock:
            self._refuse_if_busy()
            self.at, self.said, self.trouble = number, f"back at {self.entries[number].title}", ""
        self._tell()

    def cancel(self) -> None:
        """End the work at its next step, and leave everything as it was. Chapter: 10."""
        self._cancel.set()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until nothing is being done. Errors: TimeoutError. Chapter: 10."""
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                raise TimeoutError(f"still {self.doing} after {timeout:g} s")

    def examples(self) -> list[str]:
        """Names of takes that come with the library. Chapter: 10."""
        return [f"{name}/{take}" for name, entry in entries().items() if "embedded" in entry for take in entry["takes"]]

    def state(self) -> dict[str, Any]:
        """All that a form has to show, of plain JSON values. Chapter: 10."""
        with self._lock:
            entry = self.entries.get(self.at)
            now = {"doing": self.doing, "done": self.done, "of": self.of, "said": self.said, "trouble": self.trouble,
                   "at": self.at, "history": [
                       {"number": k, "title": each.title, "takes": len(each.takes), "made": each.provenance is not None}
                       for k, each in self.entries.items()],
                   "exported": self.exported and {"name": self.exported.name, "bytes": len(self.exported.data),
                                                  "paths": list(map(str, self.exported.paths))}}
        if entry is None:
            return now | {"lines": [], "table": "", "joints": [], "seconds": 0}
        joints = dict.fromkeys(name for each in dancers_of(entry.takes[0]) for name in each.skeleton.names)
        return now | {"lines": list(entry.lines), "table": repr(entry.table) if entry.table else "",
                      "joints": list(joints), "seconds": round(len(entry.recording) / entry.recording.fps, 2)}

    def _take(self, entry: Entry, take: int | None) -> None:
        if take is not None and not 0 <= take < len(entry.takes):
            raise ValueError(f"there is no take {take + 1}; there are {len(entry.takes)}")

    def _refuse_if_busy(self) -> None:
        if self.doing:
            raise Busy(f"still {self.doing}; wait until it is done, or cancel it first")

    def _start(self, doing: str, work: Callable[[], Entry | Exported]) -> None:
        with self._lock:
            self._refuse_if_busy()
            self.doing, self.done, self.of, self.trouble = doing, 0, 0, ""
            self._cancel.clear()
            self._thread = threading.Thread(target=self._work, args=(doing, work), name="studio", daemon=True)
        self._tell()
        self._thread.start()

    def _work(self, doing: str, work: Callable[[], Entry | Exported]) -> None:
        said, trouble = self.said, ""
        made: Entry | Exported | None = None
        try:
            with warnings.catch_warnings():  # of all threads, but one works at a time, and guesses are among the lines
                warnings.simplefilter("ignore", MotionGuessWarning)
                made = work()
            if self._cancel.is_set() and not isinstance(made, Exported):  # files that are there, are there
                raise Cancelled
        except Cancelled:
            said, made = f"cancelled: {doing}; everything is as it was", None
        except Exception as error:
            trouble = in_words(error)
        with self._lock:
            if isinstance(made, Exported):
                self.exported, said = made, f"exported {made.name}"
            elif made is not None:
                self.at, self._count = self._count, self._count + 1
                self.entries[self.at] = made
                while len(self.entries) > KEPT:
                    del self.entries[next(iter(self.entries))]
                said = f"done: {made.title}"
            self.doing, self.said, self.trouble = "", said, trouble
        self._tell()

    def _progress(self, done: int, of: int) -> None:
        """What verbs call as they go on; raises where the work is to end."""
        if self._cancel.is_set():
            raise Cancelled
        self.done, self.of = done, of
        self._tell()

    def _tell(self) -> None:
        self.version += 1
        if self._changed is not None:
            self._changed()


def in_words(error: Exception) -> str:
    """What went wrong, in a line for people. Chapter: 10."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this; cut the recording first"
    words = " ".join(str(error.args[0] if isinstance(error, KeyError) and error.args else error).split())
    if isinstance(error, _PLAIN) and words:
        return words
    return f"the studio's own fault, not yours: {type(error).__name__} {words}".rstrip()
