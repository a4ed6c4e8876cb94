"""The player: a motion that can be orbited, slowed and stepped through, in one piece of HTML that needs no network.

It stands in an ``<iframe srcdoc>``, drawn by `player.js`; the same motion gives the same bytes. Taught in chapter 1.
"""

import base64
import html
import os
import re
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..body.compatibility import same_rate
from ..body.motion import Duet, Motion
from ..body.source import Source
from ..core.arguments import count, each, flag, number, path, printable, takes, text
from ..core.shapes import array
from ..io.conventions import atomic_write
from ..sets.terms import verified_terms
from . import palette
from .camera import best_side, dancers_of, project
from .captions import busiest, describe, names_of
from .drawable import SEEN
from .payload import block, pack, pack_edges, read_payload  # noqa: F401 (the way back is found here too)

FILM_SECONDS, FILM_BYTES = 8.0, 400_000
MOST_PLAYED = 2_000_000  # frames x joints of all who are played: a page of 16 MB, which a browser opens at once
_COLOURS = {"light": dict(a=palette.DANCERS[0], b=palette.DANCERS[1], ghost=palette.GHOST, string=palette.STRING,
                          ink=palette.INK, soft=palette.INK_SOFT, paper=palette.PAPER, grid=palette.GRID, shadow=0.3),
            "dark": dict(a=palette.DANCERS_DARK[0], b=palette.DANCERS_DARK[1], ghost=palette.GHOST_DARK,
                         string=palette.STRING_DARK, ink=palette.INK_DARK, soft=palette.INK_SOFT_DARK,
                         paper=palette.PAPER_DARK, grid=palette.GRID_DARK, shadow=0.9)}


@dataclass(frozen=True, repr=False)
class Player:
    """What `play` gives: ``html`` to put into a page, ``alt`` the same in words, ``page`` its own. Chapter: 1."""

    html: str
    alt: str
    page: str

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {"text/html": self.html, "text/plain": self.alt}

    def __repr__(self) -> str:
        return self.alt

    @takes(path=path)
    def save(self, path: str | Path) -> Path:
        """Write the player as a page of its own; gives the path. A stop on the way leaves no half page."""
        path = Path(path)
        with atomic_write(path) as half:
            half.write_text(self.page, encoding="utf-8", newline="\n")
        return path


def publishing() -> bool:
    """Whether outputs are being made for others to see: the environment variable CHOREO_PUBLISH. Chapter: 1."""
    return os.environ.get("CHOREO_PUBLISH", "").strip().lower() not in ("", "0", "no", "false")


@takes(motion=SEEN, ghost=SEEN, title=text, speed=number(above=0, high=1000), loop=each(count(0), size=2),
       height=count(80, 10_000), threshold=number(0, 1.01), camera=each(number()), autoplay=flag, publish=flag,
       places=array(empty=True, plain=True))
def play(motion: Motion | Duet, *, ghost: Motion | Duet | None = None, edges=None, trails=None,
         title: str | None = None, speed: float = 1.0, loop: tuple[int, int] | None = None, height: int = 460,
         threshold: float = 0.8, camera: tuple[float, ...] | None = None, autoplay: bool = True, places=None,
         publish: bool | None = None) -> Player:
    """Show a motion or a duet: drag to orbit, space to play, ? for the keys.

    Shapes: ``edges``: E pairs (joint of a, joint of b) of indices or names, or ``(pairs, weights)`` or ``(pairs,
    weights, directions)`` with weights [E] or [T, E] from 0 to 1 and E directions "a->b", "b->a" or ""; one is drawn
    while its weight is at least ``threshold``, which a slider moves. ``ghost`` is a second motion, in grey; ``trails``
    names the joints that leave one. ``places`` [N, 2] makes of the motion N phrases of equal length, and a map of N
    dots to click. Units: ``loop`` (first, last) frames; ``camera`` (azimuth, elevation) in degrees, then metres away if
    a third is given; ``height`` pixels. ``publish`` (default: `publishing`): motion that may not be passed on is shown
    as a film of at most 400 KB; a file's own word for it counts only for a registered set (`choreo_lib.Source`).
    Errors: ValueError or KeyError naming the argument, edge or joint. Chapter: 1.
    """
    dancers = tuple(map(verified_terms, dancers_of(motion)))
    ghosts = () if ghost is None else tuple(map(verified_terms, dancers_of(ghost)))
    last = len(motion) - 1
    spots = _map(places, len(motion))
    if loop is None:
        loop = (0, spots["length"] - 1 if spots else last)
    loop = int(loop[0]), int(loop[1])
    title = title and printable(title)
    camera = tuple(float(x) for x in ((best_side(dancers), 14) if camera is None else camera))
    if ghosts and not same_rate(ghosts[0].fps, motion.fps):
        raise ValueError(f"the ghost runs at {ghosts[0].fps:g} frames per second and the motion at {motion.fps:g}; "
                         "bring them together with .resampled(fps)")
    if not 0 <= loop[0] <= loop[1] <= last:
        raise ValueError(f"loop {loop} must be (first, last) frames within 0 to {last}")
    if len(camera) not in (2, 3) or not all(d > 0 for d in camera[2:]):
        raise ValueError(f"camera must be (azimuth, elevation) in degrees, or with metres away; got {camera}")
    ties = pack_edges(motion, edges, threshold)
    trails = _trails(dancers, trails)
    everyone = dancers + ghosts
    source = Source.join(*(m.source for m in everyone))
    free = bool(source and source.redistribute)
    alt = describe(motion, ghost=ghost, edges=len(ties["pairs"]) if ties else 0, title=title)
    picture = _still(dancers, camera, last // 2)
    if (publishing() if publish is None else publish) and not free:
        return _film(motion, ghost, ties, alt, source, picture)
    if (cells := sum(len(m) * len(m.skeleton) for m in everyone)) > MOST_PLAYED:
        some, step = MOST_PLAYED * len(motion) // cells, -(-cells // MOST_PLAYED)
        raise ValueError(f"motion has {len(motion):,} frames, a page of {8e-6 * cells:,.0f} MB, which browsers do not "
                         f"open. Cut it, as in motion[:{some}], or take one frame in {step}, motion[::{step}]")
    if spots:
        alt += f" Beside it a map of {len(spots['at'])} dots, one a phrase."
    names = names_of(dancers)
    payload = pack(dancers, ghosts, names + names_of(ghosts), ties) | {
        "title": title or "", "alt": alt, "credit": source.credit if source else "", "redistribute": free,
        "trails": trails, "floor": _floor(dancers), "speed": speed, "loop": loop, "autoplay": bool(autoplay),
        "camera": [*np.deg2rad(camera[:2]).round(6).tolist(), *camera[2:]], "palette": _COLOURS}
    if spots:
        payload["map"] = spots
    heading = html.escape(title or " and ".join(names))
    words = f"{picture}<p>{html.escape(alt)}</p>"
    piece = framed("player", heading, height, words, _document(payload, heading))
    return Player(piece, alt, _document(payload, heading, f"<noscript>{words}</noscript>"))


def framed(kind: str, title: str, height: int, words: str, document: str) -> str:
    """A document in a frame of its own, over words and pictures for viewers that strip frames or run no script.

    Its colour scheme is stated because a frame that differs from its page in that is painted opaque white. Chapter: 1.
    """
    attribute = document.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return (f'<div class="choreo-{kind}" style="position:relative;height:{height}px;max-width:960px;overflow:hidden">'
            f'{words}<iframe title="{title}" style="position:absolute;inset:0;width:100%;height:100%;border:0;'
            f'color-scheme:normal" srcdoc="{attribute}"></iframe></div>')


def _trails(dancers, trails) -> dict:
    if trails is None:  # the t key still has something to show
        return {"joints": [[busiest(m)] for m in dancers], "on": False}
    trails = [trails] if isinstance(trails, str) else list(each(text)("trails", trails))
    for name in trails:
        if not any(name in m.skeleton.names for m in dancers):
            dancers[0].skeleton.index(name, "trails")
    return {"joints": [[m.skeleton.index(n) for n in trails if n in m.skeleton.names] for m in dancers], "on": True}


def _floor(dancers) -> float:
    """Zero where feet are near it; else (points from video) as low as the dancers usually come."""
    low = min(float(np.median(m.positions[..., 2].min(axis=1))) for m in dancers)
    return 0.0 if -0.25 < low < 0.35 else round(low, 3)


def _map(places, frames: int) -> dict | None:
    """Where the dots of a map stand, in percent of its width and height, and how many frames a phrase has."""
    if places is None:
        return None
    places = np.asarray(places, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not len(places) or frames % len(places):
        raise ValueError(f"places must be N finite points [N, 2] for N phrases of equal length; got {places.shape} for "
                         f"{frames} frames")
    low, high = places.min(0), places.max(0)
    share = (places - low) / np.where(high > low, high - low, 1)
    return {"at": np.round(8 + 84 * (share * (1, -1) + (0, 1)), 1).tolist(), "length": frames // len(places)}


@lru_cache
def script(name: str, with_map: bool = False) -> str:
    """A script that lies beside this module, without its comments and leading blanks. Chapter: 1."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    if not with_map:
        text = re.sub(r"// ---- the map of phrases.*?// ---- end of the map[^\n]*", "", text, flags=re.DOTALL)
    return "\n".join(line for line in map(str.strip, text.splitlines()) if line and not line.startswith("//"))


def _document(payload: dict, heading: str, fallback: str = "") -> str:
    return ('<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{heading}</title><body>{fallback}{block(payload)}"
            f"<script>{script('player.js', 'map' in payload)}</script></body></html>")


def _still(dancers, camera, frame: int, size=(640, 400)) -> str:
    """One frame as a small SVG, in whole pixels: solid strokes for a, hollow ones for b."""
    flat = [project(m.positions[frame], camera[:2]) * (1, -1) for m in dancers]
    low, high = np.min([p.min(0) for p in flat], 0), np.max([p.max(0) for p in flat], 0)
    scale = 0.8 * min(size[0] / max(high[0] - low[0], 0.5), size[1] / max(high[1] - low[1], 0.5))
    wide, drawn = max(round(0.05 * scale), 3), []
    for who, (m, p) in enumerate(zip(dancers, flat)):
        p = np.rint((p - (low + high) / 2) * scale + np.array(size) / 2).astype(int).tolist()
        bones = "".join("M{} {}L{} {}".format(*p[i], *p[j]) for i, j in m.skeleton.bones)
        head = m.skeleton.find("head")
        skull = "" if head is None else '<circle cx="{}" cy="{}" r="{}"/>'.format(*p[head], round(0.09 * scale))
        colour = palette.DANCERS[who]
        drawn.append(f'<g fill="{palette.PAPER if who else colour}" stroke="{colour}" stroke-width="{wide}">'
                     f'<path d="{bones}"/>' +
                     (f'<path stroke="{palette.PAPER}" stroke-width="{wide // 2}" d="{bones}"/>' if who else "") +
                     f"{skull}</g>")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" aria-hidden="true" '
            'stroke-linecap="round" style="display:block;width:100%;height:85%;'
            f'background:{palette.PAPER}">{"".join(drawn)}</svg>')


def _film(motion, ghost, ties, alt: str, source: Source | None, picture: str) -> Player:
    """The same as a film, for motion whose positions may not be passed on."""
    from .export import draw_film

    pairs = ties["pairs"] if ties else []
    strong: np.ndarray = np.ones((1, 0), bool)
    if pairs:  # a film has no slider, and shows of each frame what the player would
        weights = np.frombuffer(base64.b64decode(ties["weights"]), np.uint8).reshape(-1, len(pairs))
        strong = weights / 255 >= ties["threshold"]  # [frames, edges]; one row where weights do not change

    def edges_at(frame: int) -> list:
        return [pair for pair, shown in zip(pairs, strong[min(frame, len(strong) - 1)]) if shown]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        seconds = min(FILM_SECONDS, motion.duration)
        draw_film(motion, path, ghost, edges_at, seconds, max_bytes=FILM_BYTES, progress=False)
        film = base64.b64encode(path.read_bytes()).decode()
    credit = (source.credit or source.name) if source else "source unknown"
    poster = base64.b64encode(picture.encode()).decode()
    words = html.escape(alt)
    part = f" of the first {seconds:g} seconds" if seconds < motion.duration else ""
    piece = ('<figure class="choreo-film" style="margin:0;max-width:640px"><video controls muted loop playsinline '
             f'preload="metadata" aria-label="{words}" poster="data:image/svg+xml;base64,{poster}" style="width:100%" '
             f'src="data:video/mp4;base64,{film}"></video><figcaption>A film{part}; run this cell to orbit. {words} '
             f"Motion: {html.escape(credit)}.</figcaption></figure>")
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>A film</title><body>{piece}</body></html>'
    return Player(piece, alt, page)
