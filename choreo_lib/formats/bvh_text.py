"""BVH as text: the tree of joints, line by line, and the block of numbers, all at once.

Taught in chapter 1, "Seeing a duet". Every error names the line it was found on.
"""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass, field

import numpy as np

from .border import MAX_JOINTS, check_counts, fail

MARK = "# choreo_lib "  # older files of ours carry their side-car's words in a comment
MAX_HEAD = 4_000_000  # bytes of skeleton
_LARGEST, _PIECE = 1e12, 1 << 22
_CHANNELS = {f"{axis}{kind}": (kind, "xyz".index(axis)) for axis in "xyz" for kind in ("position", "rotation")}
_NUMERIC = np.zeros(256, dtype=bool)
_NUMERIC[list(b"0123456789+-.eE \t\r\n\x0b\x0c")] = True


@dataclass
class Tree:
    """What the HIERARCHY block says; channels are (joint, kind, axis) in the order of the numbers."""

    names: list = field(default_factory=list)
    parents: list = field(default_factory=list)
    offsets: list = field(default_factory=list)
    ends: list = field(default_factory=list)
    channels: list = field(default_factory=list)
    stated: dict = field(default_factory=dict)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # old studios' accents; every byte is a letter there


def read_tree(path, head: bytes) -> Tree:
    """The HIERARCHY block, line by line; the stack holds the open braces."""
    tree, stack, opening, begun = Tree(), [], None, False
    ready = set()  # joints whose OFFSET has been read
    for number, line in enumerate(_text(head).split("\n"), start=1):
        where, words = f"line {number}", line.split()
        if not words or words[0].startswith("#"):
            if line.strip().startswith(MARK):
                tree.stated = _provenance(line.strip()[len(MARK):])
            continue
        key = words[0].upper()
        if not begun:
            if key != "HIERARCHY":
                fail(path, f"expected HIERARCHY, the first word of every BVH; got {words[0][:40]!r}", where)
            begun = True
            continue
        if opening is not None and key != "{":
            fail(path, f"expected {{ after the line above; got {line.strip()[:40]!r}", where)
        if key in ("ROOT", "JOINT", "END"):
            name, brace = re.fullmatch(r"\s*\S+\s*(.*?)\s*(\{?)\s*", line).groups()
            if key == "ROOT" and tree.names:
                fail(path, "a second ROOT; one BVH file holds one dancer. Split the file", where)
            if key != "ROOT" and (not stack or stack[-1] == "end"):
                fail(path, f"{words[0]} stands outside of a joint; is a closing brace too many above?", where)
            if key == "END":
                tree.ends.append((stack[-1], None))
                opening = "end"
            else:
                if not name:
                    fail(path, f"expected a name after {words[0]}", where)
                if len(tree.names) == MAX_JOINTS:
                    fail(path, f"more than {MAX_JOINTS} joints", where)
                tree.names.append(name)
                tree.parents.append(stack[-1] if stack else -1)
                tree.offsets.append(None)
                opening = len(tree.names) - 1
            if brace:
                stack.append(opening)
                opening = None
        elif key == "{":
            if opening is None or len(words) > 1:
                fail(path, "an opening brace where none belongs", where)
            stack.append(opening)
            opening = None
        elif key == "}":
            if not stack or len(words) > 1:
                fail(path, "a closing brace where none belongs", where)
            closed = stack.pop()
            if closed == "end" and tree.ends[-1][1] is None or closed != "end" and closed not in ready:
                label = "this End Site" if closed == "end" else f"joint {tree.names[closed]!r}"
                fail(path, f"{label} closes without an OFFSET", where)
        elif key in ("OFFSET", "CHANNELS") and not stack:
            fail(path, f"{key} stands outside of a joint", where)
        elif key == "OFFSET":
            offset = _offset(path, words, where)
            if stack[-1] == "end" and tree.ends[-1][1] is None:
                tree.ends[-1] = (tree.ends[-1][0], offset)
            elif stack[-1] == "end" or stack[-1] in ready:
                fail(path, "a second OFFSET between the same braces", where)
            else:
                tree.offsets[stack[-1]] = offset
                ready.add(stack[-1])
        elif key == "CHANNELS" and stack[-1] != "end":
            tree.channels += _channels(path, words, stack[-1], tree, where)
        else:
            fail(path, f"expected JOINT, End Site, OFFSET, CHANNELS or a brace; got {line.strip()[:40]!r}", where)
    if stack or opening is not None:
        fail(path, f"{len(stack) + (opening is not None)} brace(s) are still open where MOTION begins")
    if not tree.names:
        fail(path, "expected a line HIERARCHY and a ROOT before MOTION; there is no skeleton")
    if not tree.channels:
        fail(path, "no joint has CHANNELS, so nothing moves")
    return tree


def _provenance(text: str) -> dict:
    try:
        stated = json.loads(text)
    except (ValueError, RecursionError):
        return {}  # a spoiled comment spoils no dance: then it is a BVH like any other
    return stated if isinstance(stated, dict) else {}


def _offset(path, words, where) -> tuple[float, float, float]:
    try:
        numbers = tuple(float(word) for word in words[1:])
    except ValueError:
        numbers = ()
    if len(numbers) != 3 or not np.isfinite(numbers).all() or max(map(abs, numbers)) > _LARGEST:
        fail(path, f"expected OFFSET and three finite numbers; got {' '.join(words)[:60]!r}", where)
    return numbers


def _channels(path, words, joint, tree, where) -> list:
    listed = [_CHANNELS.get(word.lower()) for word in words[2:]]
    for word, channel in zip(words[2:], listed):
        if channel is None:
            fail(path, f"no channel is called {word[:40]!r}; expected Xposition ... Zrotation", where)
    if len(words) < 2 or words[1] != str(len(listed)):
        fail(path, f"CHANNELS says {words[1][:20] if len(words) > 1 else 'nothing'} and names {len(listed)}", where)
    if len(set(listed)) != len(listed) or any(joint == j for j, _, _ in tree.channels):
        fail(path, f"joint {tree.names[joint]!r} names a channel twice", where)
    return [(joint, kind, axis) for kind, axis in listed]


def rename_twins(tree: Tree) -> list[str]:
    taken, notes = set(tree.names), []
    seen = set()
    for j, name in enumerate(tree.names):
        if name in seen:
            count = 2
            while f"{name}_{count}" in taken:
                count += 1
            tree.names[j] = f"{name}_{count}"
            taken.add(tree.names[j])
            notes.append(f"joint name {name!r} stood twice; the later one is now {tree.names[j]!r}")
        seen.add(tree.names[j])
    return notes


def read_numbers(path, data: bytes, motion_at, tree: Tree) -> tuple[np.ndarray, float]:
    """The MOTION block: (values [T, channels], seconds a frame), or an error that names the line."""
    at, line = motion_at.end(), data.count(b"\n", 0, motion_at.end()) + 1
    stated = []
    for word, label in (("Frames", rb"Frames"), ("Frame Time", rb"Frame[ \t]+Time")):
        found = re.compile(rb"\s*" + label + rb"[ \t]*:[ \t]*(\S*)[ \t\r]*(?=\n|\Z)", re.I).match(data, at)
        if found is None:
            fail(path, f"expected {word}: and a number after MOTION", f"line {line + 1}")
        line, at = data.count(b"\n", 0, found.end()) + 1, found.end()
        stated.append((found[1], f"line {line}"))
    (frames, frames_at), (seconds, seconds_at) = stated
    if not re.fullmatch(rb"[0-9]{1,18}", frames):
        fail(path, f"expected a whole number of frames; got {_text(frames)[:40]!r}", frames_at)
    frames = int(frames)
    width = len(tree.channels)
    check_counts(path, frames, len(tree.names), frames_at)
    try:
        seconds = float(seconds)
    except ValueError:
        seconds = float("nan")
    if not 1e-4 <= seconds <= 100:
        fail(path, f"expected between 0.0001 and 100 seconds; got {_text(stated[1][0])[:40]!r}",
             f"{seconds_at} (Frame Time)")
    # every number takes at least two bytes, so a claim the file cannot hold is refused before memory is asked for
    if frames * width * 2 > len(data) - at + 1:
        fail(path, f"Frames says {frames:,}, and the {len(data) - at:,} bytes that follow cannot hold that many "
                   f"lines of {width} numbers; the file is cut short", frames_at)
    body = np.frombuffer(data, np.uint8, offset=at)
    if not (known := _NUMERIC[body]).all():
        spoiled = at + int(known.argmin())
        line_at = data.count(b"\n", 0, spoiled) + 1
        before, after = data[max(at, spoiled - 40):spoiled], data[spoiled:spoiled + 40]
        word = re.search(rb"\S*\Z", before)[0] + re.match(rb"\S*", after)[0]
        fail(path, f"expected finite numbers only; got {_text(word)[:40]!r}", f"line {line_at}")
    words = sum(int(np.count_nonzero((part[1:] > 32) & (part[:-1] <= 32)))
                for k in range(0, len(body), _PIECE) for part in (body[max(k - 1, 0):k + _PIECE],))
    words += int(len(body) > 0 and body[0] > 32)
    piece = body if words == frames * width else body[:_PIECE]  # what does not add up is looked at in part only
    edges = np.flatnonzero(np.diff(piece > 32, prepend=False, append=False))
    starts, ends = edges[0::2], edges[1::2]
    counts = np.bincount(np.searchsorted(np.flatnonzero(piece == 10), starts))  # words a line
    filled = np.flatnonzero(counts[:-1] if len(piece) < len(body) else counts)
    # a frame may be wrapped over lines, but where lines are frames each needs one number a channel
    if words != frames * width or len(filled) == frames:
        for row in filled[counts[filled] != width][:1]:
            fail(path, f"expected {width} numbers, one a channel; got {counts[row]}", f"line {line + row}")
    if words != frames * width:
        rows = len(filled) if len(piece) == len(body) else data.rstrip().count(b"\n", at)
        fail(path, f"Frames says {frames:,} and {rows:,} lines of numbers follow; correct the one or the other",
             frames_at)
    values = _numbers(data[at:], body, starts, ends)
    # as many numbers as words, or "1.0.5" would pass for two
    if values is None or len(values) != len(starts) or not (np.abs(values) <= _LARGEST).all():
        _blame(path, data[at:], line)
    return values.reshape(frames, width), seconds


def _numbers(text: bytes, body: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray | None:
    """All numbers of the block. Plain decimals are read as whole numbers without their points, four times faster
    and exact to the last bit (both parts fit a double); anything with an exponent goes the ordinary way."""
    points = np.flatnonzero(body == 46)
    owner = np.searchsorted(starts, points, side="right") - 1
    plain = not (b"e" in text or b"E" in text) and len(starts) and int((ends - starts).max()) <= 16
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # how older numpy says "not a number"
            if not plain or (np.diff(owner) == 0).any():
                return np.fromstring(text, dtype=np.float64, sep=" ")
            whole = np.fromstring(text.translate(None, b"."), dtype=np.int64, sep=" ")
    except (ValueError, DeprecationWarning):
        return None
    if len(whole) != len(starts):
        return None
    decimals = np.zeros(len(starts), int)
    decimals[owner] = ends[owner] - points - 1
    return whole / 10.0 ** np.arange(17)[decimals]


def _blame(path, text: bytes, first: int):
    """Find the word that is no number: the slow way, since the file is refused anyway."""
    for number, row in enumerate(text.split(b"\n"), start=first):
        for place, word in enumerate(row.split(), start=1):
            try:
                fine = abs(float(word)) <= _LARGEST
            except ValueError:
                fine = False
            if not fine:
                fail(path, f"expected a finite number, at most 1e12, in place {place}; got {_text(word)[:40]!r}",
                     f"line {number}")
    fail(path, "the numbers cannot be told apart; expected them parted by single spaces", f"line {first}")
