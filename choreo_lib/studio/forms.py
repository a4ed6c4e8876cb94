"""What can be asked for in the panel and on the page: its fields, and what is done with them. Taught in chapter 10."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ..body.motion import Duet, Motion
from ..training.artifacts import load_model
from . import verbs
from .editing import Canon, EndAt, Hold, Inpaint, Loop, Mirror, Path, Tempo, Vary, edit
from .history import Entry
from .provenance import Provenance
from .results import Progress

model_by_name = cache(load_model)  # models stay in memory once they were asked for: the second take comes sooner


@dataclass(frozen=True)
class Field:
    """One thing to fill in: ``kind`` is "number", "whole", "text", "flag", "place", "places", "joint" or "choice".

    ``default`` as somebody would type it ("": left to the verb); ``options`` of a choice {label: value}. Chapter: 10.
    """

    name: str
    label: str
    kind: str
    default: str | bool = ""
    options: Mapping[str, str] = field(default_factory=dict)
    hint: str = ""
    needed: bool = False

    def value(self, given: Any) -> Any:
        """What was filled in, as the verb takes it; None where nothing was. Errors: ValueError. Chapter: 10."""
        if self.kind == "flag":
            return given in (True, "true", "on")
        text = str(given).strip()
        if not text and self.needed:
            raise ValueError(f"{self.label}: fill this in")
        if not text:
            return None
        if self.kind == "choice" and text not in self.options.values():
            raise ValueError(f"{self.label}: choose one of {', '.join(self.options)}")
        parse, wanted = _PARSED.get(self.kind, (str, "text"))
        try:
            return parse(text)
        except ValueError:
            raise ValueError(f"{self.label}: {text!r} is not {wanted}") from None


def _place(text: str) -> tuple[float, float]:
    x, y = map(float, text.replace(",", " ").split())
    return x, y


_PARSED: dict[str, tuple[Callable[[str], Any], str]] = {
    "number": (float, "a number"), "whole": (int, "a whole number"),
    "degrees": (lambda text: math.radians(float(text)), "a number of degrees"),
    "place": (_place, "a place such as 1.5, 0 (metres)"),
    "places": (lambda text: [_place(each) for each in text.split(";")], "places such as 0, 0; 1, 0.5; 2, 0")}


@dataclass(frozen=True)
class Ask:
    """Something that can be asked for: ``run(entry, take, values, progress)`` gives the next entry. Chapter: 10."""

    name: str
    label: str
    about: str
    fields: tuple[Field, ...]
    run: Callable[[Entry, int, dict[str, Any], Progress], Entry]
    edits: bool = False

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What was filled in, {argument: value}, or as in the form. Errors: ValueError for the rest. Chapter: 10."""
        known = {each.name: each for each in self.fields}
        if unknown := set(given) - set(known):
            raise ValueError(f"{self.label} has no field {', '.join(sorted(unknown))}; it has {', '.join(known)}")
        read = {name: each.value(given.get(name, each.default)) for name, each in known.items()}
        return {name: value for name, value in read.items() if value is not None}


def _verb(name: str, label: str, about: str, *fields: Field) -> Ask:
    def run(entry: Entry, take: int, values: dict[str, Any], progress: Progress) -> Entry:
        motion, dancer = entry.recording, values.pop("dancer", "a")
        model = model_by_name(values.pop("model", verbs.WITH_MODEL[name]))
        if isinstance(motion, Duet) and name not in ("partner", "strings"):
            motion = getattr(motion, dancer)
        if isinstance(motion, Motion) and name == "strings":
            raise ValueError("strings are between two dancers; load a duet, or two files")
        made = getattr(verbs, name)(motion, model, progress=progress, **values)
        return Entry.of(made, entry.recording)

    return Ask(name, label, about, (_model(name), *fields), run)


def _model(verb: str) -> Field:
    return Field("model", "model", "choice", verbs.WITH_MODEL[verb], {each: each for each in verbs.models_of(verb)})


def _wish(kind: type, label: str, about: str, *fields: Field) -> Ask:
    def run(entry: Entry, take: int, values: dict[str, Any], progress: Progress) -> Entry:
        who = values.pop("dancer", entry.who or "b")
        if "model" in values:
            values["model"] = model_by_name(values["model"])
        wish = kind(**values)
        progress(0, 1)
        edited = edit(entry.takes[take], [wish], who)
        asked = entry.provenance or Provenance.of("edit", None, entry.source())
        edits = [*asked.wishes.get("edits", ()), str(wish)]
        asked = replace(asked, wishes={**asked.wishes, "edits": edits, **({"take": take + 1} if take else {})})
        title = f"{entry.title.split(' + ')[0]} + {', '.join(each.partition('(')[0] for each in edits)}"
        return Entry(title, entry.recording, (edited.take,), who, (*entry.lines, f"edited: {wish}"), asked,
                     edited.report)

    dancer = Field("dancer", "dancer", "choice", "", {"the one who was made": "", "a": "a", "b": "b"})
    return Ask(kind.__name__, label, about, (*fields, dancer), run, edits=True)


_SEED = Field("seed", "seed of chance", "whole", "0", hint="the same seed gives the same dance")
_TAKES = Field("takes", "takes", "whole", "1", hint="several, side by side")
_DANCER = Field("dancer", "dancer", "choice", "a", {"a": "a", "b": "b"}, "of a duet")
_ROUTE = Field("route", "from whom to whom", "text", "", hint="such as ab; empty: the first that was trained")
_START = Field("start", "from second", "number", "0")
_FROM = replace(_START, needed=True)
_STOP = Field("stop", "to second", "number", "", hint="empty: to the end")


@cache
def asks() -> dict[str, Ask]:
    """All that can be asked for, by name: verbs, which take the recording, then wishes. Chapter: 10."""
    every = (
        _verb("partner", "A partner", "Somebody who dances with the dancer of the recording.",
              Field("who", "who is made", "choice", "follower", {"the follower": "follower", "the leader": "leader"}),
              _TAKES, _SEED, Field("temperature", "temperature", "number", "", hint="empty: 0, and 0.5 for takes"),
              Field("distance", "distance, metres", "number", "", hint="empty: left to the model")),
        _verb("translate", "A translation", "The take as its partner would dance it.", _DANCER, _ROUTE),
        _verb("deepfake", "Another's style", "The same dance in another dancer's style.", _DANCER, _ROUTE,
              Field("style_weight", "style weight", "number", "1", hint="0 to 1")),
        _verb("vary", "Variations", "The same phrase, a little otherwise.", _DANCER,
              Field("sigma", "how much otherwise", "number", "0.5", hint="0: as it was"), _TAKES, _SEED),
        _verb("strings", "Strings", "Which joint of one dancer moves which of the other. Takes a duet."),
        _wish(Inpaint, "New seconds", "Some seconds danced anew by a model, the rest left.",
              replace(_FROM, default="1"), _STOP, _model("partner"),
              Field("temperature", "temperature", "number", "0.3"), _SEED),
        _wish(Hold, "Hold a hand", "A hand of the dancer kept at a joint of the partner.",
              Field("joint", "hand", "joint", needed=True),
              Field("partner_joint", "joint of the partner", "joint", needed=True), _FROM,
              replace(_STOP, default="2", hint="", needed=True)),
        _wish(EndAt, "End here", "The last frame at a place on the floor.",
              Field("place", "place x, y in metres", "place", "0, 0", needed=True),
              Field("facing", "facing, degrees", "degrees", "", hint="from X, counter-clockwise; empty: as it comes")),
        _wish(Path, "Keep this path", "The pelvis on a path on the floor.",
              Field("points", "places x, y; x, y", "places", "0, 0; 1, 0", needed=True), _START, _STOP),
        _wish(Tempo, "Another tempo", "The dance at another speed.", Field("factor", "times as fast", "number", "0.8")),
        _wish(Mirror, "Mirror", "Left becomes right.", Field("together", "the partner, too", "flag", False)),
        _wish(Canon, "Canon", "What the partner dances, danced later.", Field("delay", "seconds later", "number", "2")),
        _wish(Loop, "Loop", "A phrase that ends where it begins, several times.",
              Field("times", "times", "whole", "2"), Field("in_place", "in place", "flag", False)),
        _wish(Vary, "Vary some seconds", "A phrase a little otherwise, its ends as they were.",
              Field("sigma", "how much otherwise", "number", "0.5", needed=True), _START, _STOP, _model("vary"), _SEED),
    )
    return {ask.name: ask for ask in every}
