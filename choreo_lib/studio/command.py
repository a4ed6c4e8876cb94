"""The studio from the shell: ``python -m choreo_lib partner my_dance.bvh --out partner.bvh``. Taught in chapter 10.

A command says what it read, guessed, dropped and made; with ``--json`` in one JSON object on stdout. It ends with 0
where it made that, 1 where it could not (a line on stderr says why), 2 where the words were wrong, 130 after Ctrl-C.
"""

import argparse
import json
import sys
import warnings
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from inspect import signature
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .. import cleaning
from ..body.compatibility import same_rate, skeleton_mismatch
from ..body.motion import Duet, Motion
from ..io import MotionGuessWarning
from ..show.camera import dancers_of
from ..show.player import play
from ..training.artifacts import list_models, load_model
from . import outputs, page, verbs
from .live import add_live_parser, run_live
from .reading import read

HELP = {"partner": "a partner for a dancer", "translate": "a dancer's take as its partner would dance it",
        "deepfake": "the same dance in another's style (ask both)", "vary": "the same phrase, a little otherwise",
        "strings": "which joint of one dancer moves which of the other", "clean": "detections from video to a duet",
        "play": "a motion as a page that turns", "convert": "a motion in another format",
        "info": "what a file holds, and which models its body fits"}  # fmt: skip

SERVERS = {"live": run_live, "studio": page.run_page}  # they go on until they are stopped
VERBS = (*HELP, *SERVERS)


def add_verbs(parser_of: Any) -> None:
    """Add the studio's verbs to a parser's (what ``add_subparsers`` gave). Chapter: 10."""
    add_live_parser(parser_of)
    page.add_page_parser(parser_of)
    parsers = {name: parser_of.add_parser(name, help=text) for name, text in HELP.items()}
    for name, parser in parsers.items():
        parser.add_argument("file", help="a recording (BVH, FBX, NPZ, NPY, C3D, TRC, JSON), or a take by name")
        if name in ("strings", "play", "convert", "info", "partner"):
            parser.add_argument("file_b", nargs="?", help="the second dancer's file")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout, and nothing else")
        parser.add_argument("--fps", type=float, help="frames a second, where the file does not say")
        if name != "clean":
            parser.add_argument("--up", help="the file's up axis: x, y, z, -y ...")
            parser.add_argument("--scale", type=float, help="metres per unit of the file")
            parser.add_argument("--take", help="an FBX's animation stack, by name or number")
        parser.add_argument("--data", help="where the real sets lie (as CHOREO_DATA)")
        if name in verbs.WITH_MODEL:
            parser.add_argument("--model", default=verbs.WITH_MODEL[name], help="an artifact (default: %(default)s)")
            parser.add_argument("--seconds", type=float, help="only the first seconds")
        if name != "info":
            parser.add_argument("--out", required=name not in ("strings", "play"),
                                help="a page, .html" if name == "play" else "a file: .bvh .glb .npz .gif .mp4")
        if name in ("partner", "translate", "deepfake", "vary"):
            parser.add_argument("--both", action=argparse.BooleanOptionalAction, default=None,
                                help="write the recorded dancer too (default: but for BVH); BVH: NAME_a and NAME_b")
        if name in ("partner", "vary"):
            parser.add_argument("--seed", type=int, default=0, help="of chance (default: 0)")
            parser.add_argument("--takes", type=int, default=1, help="how many (default: 1); NAME_1, NAME_2, ...")
        if name in ("translate", "deepfake"):
            parser.add_argument("--route", help="from whom to whom, such as ab")
    parsers["partner"].add_argument("--who", choices=tuple(verbs.ROLES), help="who is made (default: follower)")
    parsers["partner"].add_argument("--temperature", type=float, help="of chance (default: 0; 0.5 for several takes)")
    parsers["partner"].add_argument("--distance", type=float, help="metres between the dancers to keep to")
    parsers["deepfake"].add_argument("--style-weight", type=float, default=1.0, help="0 to 1 (default: 1)")
    parsers["vary"].add_argument("--sigma", type=float, default=0.5, help="how much otherwise (default: 0.5)")
    parsers["play"].add_argument("--no-open", action="store_true", help="write the page and open nothing")


def run(asked: argparse.Namespace) -> int:
    """Do what was asked; gives the exit status. Errors: those of the verbs, for the caller to say. Chapter: 10."""
    if asked.verb in SERVERS:
        return SERVERS[asked.verb](asked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MotionGuessWarning)  # guesses are among the lines
        said = {"verb": asked.verb, **_DO[asked.verb](asked)}
    if asked.json:
        print(json.dumps(said, ensure_ascii=False, default=str))
    else:
        print("\n".join([*said["lines"], *(f"wrote {path}" for path in said.get("files", ()))]))
    return 0


def _make(asked: argparse.Namespace) -> dict[str, Any]:
    """partner, translate, deepfake, vary."""
    motion, verb = _read(asked), getattr(verbs, asked.verb)
    if isinstance(motion, Duet) and asked.verb != "partner":
        raise ValueError(f"{asked.file}: this holds a duet, and {asked.verb} takes one dancer; name one, as in "
                         "salsa/Easy_01/a, or convert it to a file a dancer first")
    with _bar(asked.verb) as progress:
        wishes = {name: value for name, value in vars(asked).items() if name in signature(verb).parameters}
        made = verb(motion, progress=progress, **wishes)
    files = outputs.save(made, asked.out, asked.both, progress=_shown())
    return {"lines": made.lines, "files": files, "provenance": made.provenance.as_dict()}


def _strings(asked: argparse.Namespace) -> dict[str, Any]:
    duet = _read(asked)
    if not isinstance(duet, Duet):
        raise ValueError(f"{asked.file}: strings are between two dancers; name the second dancer's file too")
    found = verbs.strings(duet, asked.model, asked.seconds)
    rows = [f"{row['from']} -> {row['to']}, {row['lag_seconds']:g} s later: {row['probability']:.2f}"
            for row in found.edges]
    files = outputs.write(found.duet, asked.out, found.provenance, _shown()) if asked.out else []
    return {"lines": [*found.lines, *rows], "files": files, "edges": found.edges,
            "provenance": found.provenance.as_dict()}


def _clean(asked: argparse.Namespace) -> dict[str, Any]:
    duet, report = cleaning.clean(asked.file, asked.fps or 30.0)
    return {"lines": repr(report).splitlines(), "files": outputs.write(duet, asked.out, progress=_shown())}


def _convert(asked: argparse.Namespace) -> dict[str, Any]:
    motion = _read(asked)
    return {"lines": _lines(motion), "files": outputs.write(motion, asked.out, progress=_shown())}


def _play(asked: argparse.Namespace) -> dict[str, Any]:
    motion = _read(asked)
    page = play(motion, title=Path(asked.file).stem).save(asked.out or f"{Path(asked.file).stem}.html")
    if not asked.no_open:
        webbrowser.open(page.resolve().as_uri())
    return {"lines": _lines(motion), "files": [page]}


def _info(asked: argparse.Namespace) -> dict[str, Any]:
    motion = _read(asked)
    one = dancers_of(motion)[0]
    fits = []
    for name in list_models():
        model = load_model(name)
        if (hasattr(model, "skeleton") and getattr(model, "fps", None) and same_rate(one.fps, model.fps)
                and not skeleton_mismatch(one.skeleton, model.skeleton)):
            fits.append(name)
    lines = [*_lines(motion), f"joints: {', '.join(one.skeleton.names)}",
             f"fits without conform: {', '.join(fits) or 'no model; the verbs bring it to one'}"]
    return {"lines": lines, "models": fits, "dancers": [
        {"name": each.name, "frames": len(each), "fps": each.fps, "seconds": each.duration,
         "joints": list(each.skeleton.names), "rotations": each.rotations is not None, "notes": list(each.notes),
         "source": asdict(each.source) if each.source else None} for each in dancers_of(motion)]}


def _lines(motion: Motion | Duet) -> list[str]:
    return [repr(motion), *(note for each in dancers_of(motion) for note in each.notes),
            f"source: {motion.source.name}; {motion.source.terms}" if motion.source else "source: unknown"]


def _read(asked: argparse.Namespace) -> Motion | Duet:
    """A file, two, or the name of a take in a set."""
    take = int(asked.take) if asked.take and asked.take.isdecimal() else asked.take
    return read(asked.file, getattr(asked, "file_b", None), up=asked.up, scale=asked.scale, fps=asked.fps, take=take)


def _shown() -> bool:
    return sys.stderr.isatty()


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, where that is a terminal."""
    with tqdm(desc=what, disable=not _shown(), leave=False, file=sys.stderr, unit="frame") as bar:
        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        yield progress


_DO: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "partner": _make, "translate": _make, "deepfake": _make, "vary": _make, "strings": _strings, "clean": _clean,
    "play": _play, "convert": _convert, "info": _info}
