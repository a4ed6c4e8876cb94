"""What a session has made so far, an entry a step, and files of it. Taught in chapter 10."""

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from ..body.motion import Duet, Motion
from ..body.source import Source
from ..core.tables import Table
from ..io.conventions import atomic_write
from ..show.camera import dancers_of
from ..show.player import Player, play
from . import outputs
from .provenance import Provenance
from .results import Found, Made, Progress

SHOWN = 600_000  # frames x joints of a player at most: of longer takes it shows every second frame, or third
KINDS = {".bvh": "BVH: bones and rotations, a file a dancer", ".glb": "GLB: for Blender and viewers",
         ".npz": "NPZ: lossless, ours", ".gif": "GIF", ".mp4": "MP4"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Entry:
    """A recording, or takes that were made of it.

    ``recording``: what verbs are asked of; ``takes``: what is seen, edited and exported; ``who`` of them was made ("":
    none). ``lines``: what was read, guessed, dropped, made; ``table``: strings, or how wishes were met. Chapter: 10.
    """

    title: str
    recording: Motion | Duet
    takes: tuple[Motion | Duet, ...]
    who: str = ""
    lines: tuple[str, ...] = ()
    provenance: Provenance | None = None
    table: Table | None = None

    @classmethod
    def of(cls, made: Made | Found, recording: Motion | Duet) -> Self:
        """What a verb gave. Chapter: 10."""
        asked = made.provenance
        if isinstance(made, Found):
            rows = [(row["from"], row["to"], f"{row['lag_seconds']:g} s", f"{row['probability']:.2f}")
                    for row in made.edges]
            table = Table(("from", "to", "later by", "probability"), tuple(rows))
            return cls("strings", recording, (made.duet,), "", made.lines, asked, table)
        title = asked.verb if asked.seed is None else f"{asked.verb}, seed {asked.seed}"
        takes = tuple(made.duet(k) for k in range(len(made.made)))
        return cls(title, recording, takes, made.who, made.lines, asked)

    @classmethod
    def recorded(cls, title: str, recording: Motion | Duet) -> Self:
        """A recording as it was read. Chapter: 10."""
        notes = dict.fromkeys(note for each in dancers_of(recording) for note in each.notes)
        return cls(title, recording, (recording,), lines=(repr(recording), *notes))

    def source(self) -> Source | None:
        """Whose motion the recording is. Chapter: 10."""
        return Source.join(*(each.source for each in dancers_of(self.recording)))

    def player(self, take: int | None = None, height: int = 400) -> Player:
        """A take, or the recording (None), as a player; of a long one not every frame. Chapter: 10."""
        motion = self.recording if take is None else self.takes[take]
        cells = sum(len(each) * len(each.skeleton) for each in dancers_of(motion))
        many = len(self.takes) > 1 and take is not None
        title = "recording" if take is None else f"{self.title}, take {take + 1}" if many else self.title
        return play(motion[:: -(-cells // SHOWN)], title=title, height=height)

    def how_it_was_made(self) -> str:
        """Model, seed, wishes, credit, and what was read and dropped, as a text for people. Chapter: 10."""
        source, asked = self.source(), self.provenance
        lines = [self.title, ""]
        if asked is None:
            lines.append("nothing was made: this is the recording")
        else:
            lines += [f"verb: {asked.verb}", f"model: {asked.model or 'none'}", f"weights (SHA-256): {asked.weights}",
                      f"seed: {'none' if asked.seed is None else asked.seed}", f"library: choreo_lib {asked.library}"]
            lines += [f"wish: {name} {wish}" for name, wish in asked.wishes.items() if name != "edits"]
            lines += [f"wish: {wish}" for wish in asked.wishes.get("edits", ())]
            lines += [f"the model was trained on {name}: {terms}" for name, terms in asked.trained_on.items()]
        if source is None:
            lines.append("credit: unknown; ask whoever danced it before it is shown")
        else:
            lines += [f"credit: {source.credit or source.name}", f"terms: {source.terms or 'none are stated'}"]
        lines += ["", *self.lines, *(["", repr(self.table)] if self.table else [])]
        return "\n".join(lines) + "\n"

    def write(self, folder: str | Path, kinds: Sequence[str], take: int | None = None, both: bool = True,
              progress: bool | Progress = False) -> list[Path]:
        """Files of a take (None: of all) in each of ``kinds``, suffixes such as ".bvh", and how it was made, as text.

        ``both``: the other, too. Errors: ValueError for none or unknown ones; as `choreo_lib.studio.save`. Chapter: 10.
        """
        if not kinds or set(kinds) - set(KINDS):
            raise ValueError(f"choose what to export: {', '.join(KINDS)}")
        folder, written = Path(folder), []
        stem = re.sub(r"[\W_]+", "-", self.title).strip("-")[:60].lower() or "dance"
        folder.mkdir(parents=True, exist_ok=True)
        for k in range(len(self.takes)) if take is None else [take]:
            motion = self.takes[k]
            if isinstance(motion, Duet) and self.who and not both:
                motion = getattr(motion, self.who)
            if self.provenance is not None and self.provenance.wishes.get("edits"):  # which came after a verb's stamp
                stamp, who = self.provenance.stamped, self.who or "b"
                motion = (stamp(motion) if isinstance(motion, Motion)
                          else replace(motion, **{who: stamp(getattr(motion, who))}))
            name = f"{stem}-take-{k + 1}" if len(self.takes) > 1 else stem
            for kind in kinds:
                written += outputs.write(motion, folder / f"{name}{kind}", self.provenance, progress)
        text = folder / f"{stem}.txt"
        with atomic_write(text) as half:
            half.write_text(self.how_it_was_made(), encoding="utf-8")
        return [*written, text]


def archive(paths: Sequence[Path]) -> bytes:
    """Files as one ZIP. Chapter: 10."""
    temporary = io.BytesIO()
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as made:
        for path in paths:
            made.write(path, path.name)
            if path.suffix == ".bvh" and (beside := path.with_name(path.name + ".json")).exists():
                made.write(beside, beside.name)  # a BVH's own side-car: whose it is, and its joints
    return temporary.getvalue()
