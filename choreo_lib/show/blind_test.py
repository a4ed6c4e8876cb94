"""A blind test in a page: danced or made? It needs no kernel and no network, scores itself, and stores nothing.

Every clip is shown by the `choreo_lib.show.player`. Taught in chapter 11, "Is it any good?".
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..body.motion import Duet, Motion
from ..core.arguments import a, count, each, seed, takes
from . import palette
from .payload import OPENING
from .player import Player, play, publishing

WORDS = ("danced", "made")
STYLE = f"""body{{margin:0;font:16px/1.5 system-ui,sans-serif;color:{palette.INK};background:{palette.PAPER}}}
main{{padding:12px}}iframe{{width:100%;border:0;display:block}}p{{margin:8px 0}}
button{{min-height:44px;min-width:44px;padding:8px 24px;margin:4px 12px 4px 0;font:inherit;color:{palette.INK};
background:{palette.PAPER};border:2px solid {palette.INK};border-radius:6px;cursor:pointer}}
button:focus-visible,#score:focus-visible{{outline:3px solid {palette.DANCERS[1]};outline-offset:2px}}
[hidden]{{display:none}}"""


@takes(danced=each(a(Motion, Duet), least=1), made=each(a(Motion, Duet), least=1), seed=seed, height=count(300, 10_000))
def blind_test(danced: Sequence[Motion | Duet], made: Sequence[Motion | Duet], seed: int = 0,
               height: int = 620) -> Player:
    """A page that shows clips in a drawn order and asks of each whether it was danced or made.

    At the end it says how many answers were right, with the exact 95 % interval of the share (Clopper and Pearson). No
    answer leaves the page. Buttons, or the keys d and m. Names of dancers are not shown. ``seed`` draws the order.
    Its ``save`` writes it for a class: one file, which works offline.
    Units: ``height`` pixels. Errors: ValueError, while a book is being published, for motion whose terms forbid that
    its positions are in a page. Chapter: 11.
    """
    from scipy.stats import binomtest

    clips = [(motion, truth) for truth, group in enumerate((danced, made)) for motion in group]
    for motion, truth in clips:
        parts = tuple(motion) if isinstance(motion, Duet) else (motion,)
        if publishing() and not all(part.source and part.source.redistribute for part in parts):
            raise ValueError(f"a clip that was {WORDS[truth]} is of motion that may not be passed on, and this page "
                             "is made to be published; make the test in your own room, or of other clips")
    order = np.random.default_rng(seed).permutation(len(clips))
    pages = [_page(clips[k][0]) for k in order]
    before, _, after = pages[0]
    right = [binomtest(k, len(clips)).proportion_ci() for k in range(len(clips) + 1)]
    told = {"before": before, "after": after, "words": WORDS,
            "key": base64.b64encode("".join(str(clips[k][1]) for k in order).encode()).decode(),
            "intervals": [[round(each.low, 4), round(each.high, 4)] for each in right]}
    data = json.dumps(told, sort_keys=True)
    for sign in "<>&":
        data = data.replace(sign, f"\\u{ord(sign):04x}")
    stages = "".join(f'<template class="clip">{block}</template>' for _, block, _ in pages)
    document = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Danced or made?</title><style>{STYLE}</style><body><main><p id=\"status\" role=\"status\"></p>"
        f'<div id="asking"><iframe id="stage" title="Clip" height="{height - 150}"></iframe>'
        '<p><button id="danced">Danced</button><button id="made">Made</button></p></div>'
        '<div id="result" hidden><p id="score" tabindex="-1"></p><ol id="answers"></ol>'
        f'<button id="again">Again</button></div></main>{stages}'
        f'<script type="application/json" id="test">{data}</script><script>{_script()}</script></body></html>')
    alt = (f"A blind test of {len(clips)} clips, one after the other. Two buttons ask of each: danced, or made? At the "
           "end it says how many answers were right, with a 95 % interval.")
    attribute = document.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    piece = (f'<div class="choreo-blind-test" style="position:relative;height:{height}px;max-width:960px;'
             f'overflow:hidden"><p>{html.escape(alt)}</p><iframe title="Danced or made?" style="position:absolute;'
             f'inset:0;width:100%;height:100%;border:0;color-scheme:normal" srcdoc="{attribute}"></iframe></div>')
    return Player(piece, alt, document)


def _page(motion: Motion | Duet) -> tuple[str, str, str]:
    """A player's document in three parts: before its data, its data, and after it."""
    unnamed = (Duet(*(replace(part, name=f"dancer {who}") for who, part in zip("ab", motion)))
               if isinstance(motion, Duet) else replace(motion, name="dancer"))
    shown = play(unnamed, title="Danced or made?", publish=False)
    found = re.search('srcdoc="([^"]*)"', shown.html)
    assert found, "a player stands in a frame of its own"
    document = html.unescape(found[1])
    start = document.index(OPENING)
    end = document.index("</script>", start) + len("</script>")
    return document[:start], document[start:end], document[end:]


@lru_cache
def _script() -> str:
    text = Path(__file__).with_name("blind_test.js").read_text(encoding="utf-8")
    lines = text.splitlines()
    return "\n".join(line for line in map(str.strip, lines) if line and not line.startswith("//"))
