"""The HIERARCHY block of a BVH: trees of joints, read line by line. Every error names the line it was found on.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from .bvh_text import decimal_comma, provenance, text_of, without_comment
from .conventions import MAX_JOINTS, fail

LARGEST = 1e12
_CHANNELS = {f"{axis}{kind}": (kind, "xyz".index(axis)) for axis in "xyz" for kind in ("position", "rotation")}


@dataclass
class Tree:
    """What the HIERARCHY block says of one ROOT; channels are (joint, kind, axis) in the order of the numbers."""

    names: list = field(default_factory=list)
    parents: list = field(default_factory=list)
    offsets: list = field(default_factory=list)
    end_sites: list = field(default_factory=list)
    channels: list = field(default_factory=list)
    stated: dict = field(default_factory=dict)
    line: int = 1  # where its ROOT stands, or the HIERARCHY of a file joined to another
    begun: str = "ROOT"


def read_trees(path, head: bytes) -> list[Tree]:
    """The trees of the HIERARCHY block, one a ROOT; a dancer each. The stack holds the open braces."""
    trees, stack, opening, begun, stated, joints = [], [], None, False, {}, 0
    tree, ready = Tree(), set()  # ready: joints whose OFFSET has been read
    for number, line in enumerate(text_of(head).split("\n"), start=1):
        where, bare = f"line {number}", without_comment(line)
        words = bare.split()
        if not words:
            stated = provenance(line) or stated
            continue
        key = words[0].upper()
        if not begun:
            if key != "HIERARCHY":
                fail(path, f"expected HIERARCHY, the first word of every BVH; got {words[0][:40]!r}", where)
            begun = True
            continue
        if opening is not None and key != "{":
            fail(path, f"expected {{ after the line above; got {bare.strip()[:40]!r}", where)
        if key in ("ROOT", "JOINT", "END"):
            name, brace = re.fullmatch(r"\s*\S+\s*(.*?)\s*(\{?)\s*", bare).groups()
            if key == "ROOT" and stack:
                fail(path, "a second ROOT inside of the first; a closing brace is missing above, or this is a JOINT",
                     where)
            if key != "ROOT" and (not stack or stack[-1] == "end"):
                fail(path, f"{words[0]} stands outside of a joint; is a closing brace too many above?", where)
            if key == "ROOT":
                tree, ready = Tree(line=number), set()
                trees.append(tree)
            if key == "END":
                tree.end_sites.append((stack[-1], None))
                opening = "end"
            else:
                if not name:
                    fail(path, f"expected a name after {words[0]}", where)
                if (joints := joints + 1) > MAX_JOINTS:
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
            if closed == "end" and tree.end_sites[-1][1] is None or closed != "end" and closed not in ready:
                label = "this End Site" if closed == "end" else f"joint {tree.names[closed]!r}"
                fail(path, f"{label} closes without an OFFSET", where)
        elif key in ("OFFSET", "CHANNELS") and not stack:
            fail(path, f"{key} stands outside of a joint", where)
        elif key == "OFFSET":
            offset = _offset(path, words, where)
            if stack[-1] == "end" and tree.end_sites[-1][1] is None:
                tree.end_sites[-1] = (tree.end_sites[-1][0], offset)
            elif stack[-1] == "end" or stack[-1] in ready:
                fail(path, "a second OFFSET between the same braces", where)
            else:
                tree.offsets[stack[-1]] = offset
                ready.add(stack[-1])
        elif key == "CHANNELS" and stack[-1] != "end":
            tree.channels += _channels(path, words, stack[-1], tree, where)
        elif key == "CHANNELS" and words[1:] == ["0"]:
            continue  # some writers count to nought where nothing moves
        elif key == "CHANNELS":
            fail(path, "an End Site is a tip and does not move; expected no CHANNELS, or CHANNELS 0", where)
        elif key == "HIERARCHY":
            fail(path, "a second HIERARCHY before any MOTION; are two files joined here? Split them", where)
        else:
            fail(path, f"expected JOINT, End Site, OFFSET, CHANNELS or a brace; got {bare.strip()[:40]!r}", where)
    if stack or opening is not None:
        fail(path, f"{len(stack) + (opening is not None)} brace(s) are still open where MOTION begins")
    if not trees:
        fail(path, "expected a line HIERARCHY and a ROOT before MOTION; there is no skeleton")
    for tree in trees:
        tree.stated = stated
        if not tree.channels:
            fail(path, "no joint has CHANNELS, so nothing moves", f"line {tree.line}" if len(trees) > 1 else "")
    return trees


def _offset(path, words, where) -> tuple[float, float, float]:
    try:
        numbers = tuple(float(word) for word in words[1:])
    except ValueError:
        for word in words[1:]:
            decimal_comma(path, word, where)
        numbers = ()
    if len(numbers) != 3 or not np.isfinite(numbers).all() or max(map(abs, numbers)) > LARGEST:
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
