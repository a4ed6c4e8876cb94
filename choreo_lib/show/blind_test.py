"""Danced or made? A test in a page without kernel or network, which stores nothing. Taught in chapter 11."""

import base64
import html
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..body.motion import Duet, Motion
from ..core.arguments import a, count, each, seed, takes
from . import palette
from .camera import dancers_of
from .payload import OPENING, for_script
from .player import Player, framed, play, publishing, script

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
    answer leaves the page, and no dancer is named. ``seed`` draws the order; ``save`` writes it for a class. Units:
    ``height`` pixels. Errors: ValueError, while a book is being published, for motion that may not be. Chapter: 11.
    """
    from scipy.stats import binomtest

    clips = [(motion, truth) for truth, group in enumerate((danced, made)) for motion in group]
    for motion, truth in clips:
        if publishing() and not all(part.source and part.source.redistribute for part in dancers_of(motion)):
            raise ValueError(f"a clip that was {WORDS[truth]} is of motion that may not be passed on, and this page "
                             "is made to be published; make the test in your own room, or of other clips")
    order = np.random.default_rng(seed).permutation(len(clips))
    pages = [_page(clips[k][0]) for k in order]
    before, _, after = pages[0]
    right = [binomtest(k, len(clips)).proportion_ci() for k in range(len(clips) + 1)]
    told = {"before": before, "after": after, "words": WORDS,
            "key": base64.b64encode("".join(str(clips[k][1]) for k in order).encode()).decode(),
            "intervals": [[round(each.low, 4), round(each.high, 4)] for each in right]}
    stages = "".join(f'<template class="clip">{block}</template>' for _, block, _ in pages)
    document = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Danced or made?</title><style>{STYLE}</style><body><main><p id=\"status\" role=\"status\"></p>"
        f'<div id="asking"><iframe id="stage" title="Clip" height="{height - 150}"></iframe>'
        '<p><button id="danced">Danced</button><button id="made">Made</button></p></div>'
        '<div id="result" hidden><p id="score" tabindex="-1"></p><ol id="answers"></ol>'
        f'<button id="again">Again</button></div></main>{stages}'
        f'<script type="application/json" id="test">{for_script(told, sort_keys=True)}</script>'
        f"<script>{script('blind_test.js')}</script></body></html>")
    alt = (f"A blind test of {len(clips)} clips, one after the other. Two buttons ask of each: danced, or made? At the "
           "end it says how many answers were right, with a 95 % interval.")
    piece = framed("blind-test", "Danced or made?", height, f"<p>{html.escape(alt)}</p>", document)
    return Player(piece, alt, document)


def _page(motion: Motion | Duet) -> tuple[str, str, str]:
    """A player's document in three parts: before its data, its data, and after it."""
    unnamed = (Duet(*(replace(part, name=f"dancer {who}") for who, part in zip("ab", motion)))
               if isinstance(motion, Duet) else replace(motion, name="dancer"))
    shown = play(unnamed, title="Danced or made?", publish=False)
    document = html.unescape(shown.html.partition('srcdoc="')[2].partition('"')[0])
    before, opening, rest = document.partition(OPENING)
    data, closing, after = rest.partition("</script>")
    return before, opening + data + closing, after
