"""How a dance was made: model, whose motion, seed and wishes; it goes with every file. Taught in chapter 10."""

from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

from ..body.motion import Motion
from ..body.source import Source


@dataclass(frozen=True)
class Provenance:
    """What somebody needs to make the same dance again, and to know whose it is.

    ``verb``; ``model`` by name, with the SHA-256 of its ``weights``; ``seed``; ``wishes``, all other arguments; whose
    motion went in, ``source``; ``trained_on``, {set: its credit and terms}; ``library``, the version. Chapter: 10.
    """

    verb: str
    model: str = ""
    weights: str = ""
    seed: int | None = None
    wishes: dict[str, Any] = field(default_factory=dict)
    source: Source | None = None
    trained_on: dict[str, str] = field(default_factory=dict)
    library: str = ""

    @classmethod
    def of(cls, verb: str, model: Any, source: Source | None, seed: int | None = None, **wishes: Any) -> Self:
        """From a loaded model, whose card says the rest; a wish of None was none. Chapter: 10."""
        card = getattr(model, "card", None) or {}
        sets = {name: "; ".join(filter(None, (str(terms.get("credit", "")), str(terms.get("terms", "")))))
                for name, terms in card.get("terms", {}).items()}
        asked = {name: wish for name, wish in wishes.items() if wish is not None}
        return cls(verb, str(card.get("name", "")), str(card.get("weights_sha256", "")), seed, asked, source, sets,
                   _library())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON. Chapter: 10."""
        return asdict(self)

    def lines(self) -> tuple[str, ...]:
        """In words, a line a fact: for people, and for the notes of a motion. Chapter: 10."""
        by = f" by {self.model} (weights {self.weights[:12]})" if self.model else ""
        asked = [f"seed {self.seed}"] * (self.seed is not None) + [f"{name} {wish}" for name, wish in
                                                                   self.wishes.items()]
        lines = [f"{self.verb}{by}, choreo_lib {self.library}" + (f": {', '.join(asked)}" if asked else "")]
        if self.source is None:
            lines.append("made from motion of an unknown source: ask whoever danced it before it is shown")
        else:
            lines.append("made from motion of " + "; ".join(filter(None, (
                self.source.name, self.source.credit, self.source.terms))))
        return (*lines, *(f"the model was trained on {name}: {terms}" for name, terms in self.trained_on.items()))

    def stamped(self, motion: Motion, name: str = "") -> Motion:
        """The motion with these lines among its notes, which writers keep, and a name. Chapter: 10."""
        return replace(motion, name=name or motion.name, notes=(*motion.notes, *self.lines()))


def _library() -> str:
    try:
        return version("choreo-lib")
    except PackageNotFoundError:  # run from a folder that nobody installed
        return "of this folder"
