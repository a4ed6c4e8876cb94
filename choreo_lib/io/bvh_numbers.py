"""The MOTION block of a BVH: how many frames, how long one lasts, and the block of numbers, all at once.

Taught in chapter 1, "Seeing a duet". Every error names the line it was found on.
"""

import contextlib
import re
import warnings
from decimal import Decimal, InvalidOperation
from typing import NoReturn

import numpy as np

from .bvh_tree import LARGEST, Tree, refuse_decimal_comma, text_of
from .conventions import check_counts, fail, guess

_PIECE = 1 << 22
# frames a second as programs and cameras have them; broadcast's are not whole
_USUAL = (24, 25, 30, 50, 60, 90, 100, 120, 12, 15, 10, 20, 48, 72, 75, 80, 144, 150, 180, 200, 240, 250, 300, 360, 480,
         500, 1000)
_BROADCAST = (24000 / 1001, 30000 / 1001, 60000 / 1001, 120000 / 1001, 23.976, 29.97, 59.94, 119.88)
_COMMENT = re.compile(rb"(?:#|//)[^\n]*")


def read_numbers(path, data: bytes, motion_at: re.Match, trees: list[Tree], notes: list[str],
                 timed: bool) -> tuple[np.ndarray, float | None, float]:
    """Read the MOTION block: its numbers [T, channels], frames per second (None where not ``timed``), resolution.

    The resolution is the worth of the last digit that was printed, below which differences mean nothing. Chapter: 1.
    """
    width, joints = sum(len(tree.channels) for tree in trees), sum(len(tree.names) for tree in trees)
    line, at = data.count(b"\n", 0, motion_at.end()) + 1, motion_at.end()
    stated = []
    for word, label in (("Frames", rb"Frames"), ("Frame Time", rb"Frame[ \t]+Time")):
        found = re.compile(rb"(?:\s|(?:#|//)[^\n]*(?=\n))*" + label + rb"[ \t]*:[ \t]*(\S*)[ \t\r]*"
                           rb"(?:(?:#|//)[^\n]*)?(?=\n|\Z)", re.I).match(data, at)
        if found is None:
            fail(path, f"expected {word}: and a number after MOTION", f"line {line + 1}")
        line, at = data.count(b"\n", 0, found.end()) + 1, found.end()
        stated.append((text_of(found[1]), f"line {line}"))
    (claim, frames_at), (seconds, seconds_at) = stated
    if not re.fullmatch(r"[0-9]{1,18}", claim):
        fail(path, f"expected a whole number of frames; got {claim[:40]!r}", frames_at)
    frames = int(claim)
    check_counts(path, frames, joints, frames_at)
    fps = _rate(path, seconds, seconds_at, notes) if timed else None
    spare = max(10, frames // 10)  # lines by which Frames may be off before the file is taken for a broken one
    # every number takes at least two bytes, so a claim the file cannot hold is refused before memory is asked for
    if (frames - spare) * width * 2 > len(data) - at + 1:
        fail(path, f"Frames says {frames:,}, and the {len(data) - at:,} bytes that follow cannot hold that many "
                   f"lines of {width} numbers; the file is cut short", frames_at)
    text = data[at:]
    if b"#" in text or b"//" in text:
        text = _COMMENT.sub(b"", text)
    _refuse_words(path, text, line)
    words = int(np.count_nonzero(_starts(text)))
    near = abs(words - frames * width) <= (spare + 1) * width
    # what does not add up is looked at in part only
    part = text if near or len(text) <= _PIECE else text[:text.rfind(b"\n", 0, _PIECE) + 1]
    ends = np.flatnonzero(np.frombuffer(part, np.uint8) == 10)
    counts = np.bincount(np.searchsorted(ends, np.flatnonzero(_starts(part))))  # words a line
    filled = np.flatnonzero(counts)  # the lines that hold numbers
    rows = len(filled) if len(part) == len(text) else text.rstrip().count(b"\n")
    cut = near and rows > 1 and _cut(text, counts[filled], width)
    complete = filled[:len(filled) - cut]
    # a frame may be wrapped over lines, but where lines are frames each needs one number a channel
    wrong = complete[counts[complete] != width]
    lone = len(trees) > 1 and len(wrong) > 0 and counts[wrong[0]] in [len(tree.channels) for tree in trees]
    if len(wrong) and (cut or words != frames * width or len(filled) == frames or lone):
        row, where = wrong[0], f"line {line + wrong[0]}"
        if row == filled[-1] and counts[row] < width and len(filled) < frames:
            fail(path, f"the file is cut short: its last line has {counts[row]} of {width} numbers, and it is "
                       f"frame {len(filled)} of {frames:,}. Get the file again, or set Frames: to {len(filled) - 1}",
                 where)
        fail(path, f"expected {width} numbers, one a channel; got {counts[row]}" + lone * (
            f": there are {len(trees)} ROOTs, and a line has the numbers of one. Export each dancer to a file of its "
            "own, and pass both to read_duet"), where)
    if cut or words != frames * width:
        if abs(rows - cut - frames) > spare or rows <= cut:
            fail(path, f"Frames says {frames:,} and {rows - cut:,} lines of numbers follow; correct the one or the "
                       "other", frames_at)
        lost = ""
        if cut:
            lost = f"line {line + filled[-1]} is cut short and was left out; "
            text = text[:text.rstrip().rfind(b"\n")]
        frames = int(rows - cut)
        check_counts(path, frames, joints, frames_at)
        guess(path, notes, f"{lost}Frames says {claim} and {frames:,} lines of numbers follow; {frames:,} frames were "
                           "read", "export the take again if some are missing")
    values = np.empty(0)
    with warnings.catch_warnings(), contextlib.suppress(ValueError, DeprecationWarning):
        warnings.simplefilter("error", DeprecationWarning)  # how older numpy says "not a number"
        values = np.fromstring(text, sep=" ")
    # as many numbers as words, or "1.0.5" would pass for two
    if len(values) != frames * width or not (np.abs(values) <= LARGEST).all():
        _blame(path, text, line)
    return values.reshape(frames, width), fps, _resolution(text.split(maxsplit=width)[:width])


def _starts(text: bytes) -> np.ndarray:
    """At which bytes a word starts, bool [bytes]."""
    inside = np.frombuffer(b" " + text, np.uint8) > 32
    return inside[1:] & ~inside[:-1]


def _resolution(frame: list[bytes]) -> float:
    """The worth of the last digit in the longest of these numbers; 0 where exponents say it otherwise."""
    decimals = [word.rpartition(b".")[2] if b"." in word else b"" for word in frame]
    return 0.0 if any(b"e" in word.lower() for word in decimals) else 10.0 ** -max(map(len, decimals))


def _rate(path, seconds: str, where: str, notes: list) -> float:
    try:
        value = float(seconds)
    except ValueError:
        refuse_decimal_comma(path, seconds, where)
        value = float("nan")
    if not 1e-4 <= value <= 100:
        fail(path, f"expected between 0.0001 and 100 seconds; got {seconds[:40]!r}; pass fps= to say how many frames a "
                   "second has", f"{where} (Frame Time)")
    fps = rate_of(seconds)
    if abs(fps * value - 1) > 5e-4:
        notes.append(f"Frame Time {seconds} is read as {fps:g} frames per second, whose time it is in fewer digits")
    elif value >= 5:
        guess(path, notes, f"one frame lasts {value:g} s by Frame Time", f"pass fps={value:g} if frames per second "
                                                                         "are meant")
    return fps


def _cut(text: bytes, counts: np.ndarray, width: int) -> bool:
    """Whether the file ends within its last line: numbers are missing, or digits of the last one."""
    if counts[-1] != width or not (counts[:-1] == width).all():
        return counts[-1] < width and bool((counts[:-1] == width).all())
    if text.endswith((b"\n", b"\r")):
        return False
    digits = [len(word.partition(b".")[2]) for word in text[text.rstrip().rfind(b"\n") + 1:].split()]
    return width > 2 and digits[-1] < min(digits[:-1]) == max(digits[:-1])


def _refuse_words(path, text: bytes, line: int) -> None:
    """Refuse what is no number, as what it is."""
    odd = text.translate(None, b"0123456789+-.eE \t\r\n\v\f")
    if not odd:
        return
    at = text.index(odd[:1])
    where = "line {}".format(line + text.count(b"\n", 0, at))
    before, after = text[max(0, at - 40):at], text[at:at + 40]
    word = text_of(re.split(rb"\s", before)[-1] + re.split(rb"\s", after)[0])
    refuse_decimal_comma(path, word, where)
    if word.upper().startswith(("HIERARCHY", "ROOT", "MOTION")):
        fail(path, f"a second {word} begins after the numbers: two takes stand here one behind the other. Split them, "
                   "and pass both to read_duet if they are two dancers", where)
    fail(path, f"expected finite numbers only; got {word[:40]!r}", where)


def _blame(path, text: bytes, first: int) -> NoReturn:
    """Find the word that is no number: the slow way, since the file is refused anyway."""
    for number, row in enumerate(text.split(b"\n"), start=first):
        for place, word in enumerate(row.split(), start=1):
            try:
                fine = abs(float(word)) <= LARGEST
            except ValueError:
                fine = False
            if not fine:
                fail(path, f"expected a finite number, at most 1e12, in place {place}; got {text_of(word)[:40]!r}",
                     f"line {number}")
    fail(path, "the numbers cannot be told apart; expected them parted by single spaces", f"line {first}")


def rate_of(printed: str) -> float:
    """Frames per second of a Frame Time: the usual rate whose printed time it is, else one divided by it.

    A time is rounded or cut at its last digit, so "0.0167" and "0.0166" are both 60. Of several rates that fit, whole
    ones come before broadcast's (23.976 needs five digits to be told from 24), and rounding before cutting.
    Units: ``printed`` seconds. Chapter: 1.
    """
    seconds = float(printed)
    nearest = float(max(round(1 / seconds), 1))
    whole = nearest if nearest <= 500 and abs(1 / nearest - seconds) < 1e-6 else None
    try:
        given, last = (10.0 ** int(number.as_tuple().exponent) for number in (Decimal(printed),
                                                                               Decimal(printed).normalize()))
    except (InvalidOperation, ValueError, OverflowError):
        return whole or 1 / seconds
    if whole and given <= 1e-6:
        return whole  # "0.033333", and what single precision leaves of 1/30
    for fits in (lambda off: abs(off) <= 0.5000001 * last, lambda off: 0 <= off < last):  # rounded, or cut off
        for rates in (_USUAL, _BROADCAST):
            near = [rate for rate in rates if fits(1 / rate - seconds) and abs(1 / rate / seconds - 1) < 0.12]
            if near:
                return float(min(near, key=lambda rate: abs(1 / rate - seconds)))
    return whole or 1 / seconds
