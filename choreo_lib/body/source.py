"""Whose motion it is: its makers, and what they allow. Taught in chapter 1, "Seeing a duet"."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..core.arguments import a, flag, nothing, printable, takes, text


@takes(name=text, credit=text, terms=text, redistribute=flag, url=text)
@dataclass(frozen=True)
class Source:
    """Where motion comes from and what its makers allow.

    ``redistribute`` says whether its positions may be published in a notebook, a page or a file;
    where it is False the published book shows a film instead. What is derived keeps its source.
    ``verified`` is False where only a file says so of itself: then `choreo_lib.play` believes it, when outputs are made
    for others to see, only of motion that a registered set holds. To vouch for a dance of your own, give it a Source.
    Chapter: 1; the book's page "Data and ethics".
    """

    name: str
    credit: str = ""
    terms: str = ""
    redistribute: bool = False
    url: str = ""
    verified: bool = field(default=True, compare=False, repr=False)

    def __post_init__(self):
        for name in ("name", "credit", "terms", "url"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    @staticmethod
    def join(*sources: Source | None) -> Source | None:
        """One source for what was made from several: free only if every part is. Chapter: 1."""
        parts = list(dict.fromkeys([(a(Source) | nothing)("sources", one) for one in sources]))
        known = [s for s in parts if s is not None]
        verified = all(s.verified for s in sources if s is not None)  # what is equal may yet be one's own word only
        if len(parts) < 2:
            return replace(known[0], verified=verified) if known else None

        def joined(words: list[str], by: str) -> str:
            return by.join(dict.fromkeys(word for several in words for word in several.split(by) if word))

        return Source(joined([s.name if s else "unknown" for s in parts], " + "),
                      joined([s.credit for s in known], "; "), joined([s.terms for s in known], "; "),
                      len(known) == len(parts) and all(s.redistribute for s in known),
                      joined([s.url for s in known], "; "), verified)


OURS = Source("choreo_lib", "AI Choreography: From Solos to Duets", "CC BY 4.0", redistribute=True)
"""The source of motion that this project made itself: it may be published freely."""
