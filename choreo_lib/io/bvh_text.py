"""BVH as text: bytes become UTF-8, the tree and the numbers are parted at MOTION, comments are set aside.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import codecs
import json
import re

from .conventions import fail, load_bytes

MARK = "# choreo_lib "  # older files of ours carry their side-car's words in a comment
MAX_HEAD = 4_000_000  # bytes of skeleton
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+|[-+]?\d+,\d*")
_WIDE = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
         codecs.BOM_UTF16_BE: "utf-16"}


def load_text(path) -> tuple[bytes, re.Match]:
    """The file as UTF-8 with line feeds, and where its line MOTION stands. Errors: MotionFormatError. Chapter: 1."""
    data = _utf8(path, load_bytes(path))
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    return data, find_motion(path, data)


def find_motion(path, data: bytes) -> re.Match:
    """Where the first line MOTION stands. Errors: MotionFormatError where there is none. Chapter: 1."""
    motion_at = re.search(rb"^[ \t]*MOTION[ \t\r]*(?:(?:#|//)[^\n]*)?$", data, re.M | re.I)
    if motion_at is None:
        fail(path, "expected a line MOTION after the skeleton, and there is none; the file is cut short or no BVH")
    if motion_at.start() > MAX_HEAD:
        fail(path, "the skeleton alone fills megabytes; expected some hundred lines before MOTION")
    return motion_at


def _utf8(path, data: bytes) -> bytes:
    """Windows tools write UTF-16, with a mark at the front or without one: then every other byte is a zero."""
    coding = next((name for mark, name in _WIDE.items() if data.startswith(mark)), None)
    if coding is None and len(head := data[:400]) >= 20:
        first, second = (head[k::2].count(0) > 0.4 * len(head[k::2]) for k in (0, 1))
        coding = {(False, True): "utf-16-le", (True, False): "utf-16-be"}.get((first, second))
    if coding is None:
        return data
    try:
        return data.decode(coding).encode()
    except UnicodeError:
        fail(path, f"begins as text in {coding.upper()[:6]} and does not go on so; save it as UTF-8")


def text_of(data: bytes) -> str:
    """Bytes as letters, whatever they are. Chapter: 1."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # old studios' accents; every byte is a letter there


def without_comment(line: str) -> str:
    """A line up to its comment (# or //). A joint's name may hold a #, so there a comment begins with "# ".

    Chapter: 1.
    """
    named = line.split(maxsplit=1)[:1] in (["ROOT"], ["JOINT"])
    return re.sub(r"(?:^|(?<=\s))(?:#\s.*|#$|//.*)" if named else r"(?:^|(?<=\s))(?:#|//).*", "", line)


def refuse_decimal_comma(path, word: str, where: str) -> None:
    """Refuse a number such as 0,5 as what it is. Chapter: 1."""
    if _DECIMAL_COMMA.fullmatch(word):
        fail(path, f"{word[:40]!r} has a comma for its decimal point; this file was written under a language that does "
                   "so. Replace the commas by points", where)


def stated_in_comment(line: str) -> dict:
    """What the comment of an older file of ours states, or nothing. Chapter: 1."""
    try:
        stated = json.loads(line.strip()[len(MARK):]) if line.strip().startswith(MARK) else {}
    except (ValueError, RecursionError):
        return {}  # a spoiled comment spoils no dance: then it is a BVH like any other
    return stated if isinstance(stated, dict) else {}
