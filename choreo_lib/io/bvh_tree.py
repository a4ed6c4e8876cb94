"""A BVH as text, and its HIERARCHY block: trees of joints, read line by line. Every error names its line.

Taught in chapter 1, "Seeing a duet".
"""

import codecs
import math
import re
from dataclasses import dataclass, field

from .bvh_euler_order import Channel, read_channels
from .conventions import MAX_JOINTS, fail, load_bytes

LARGEST = 1e12
MAX_HEAD = 4_000_000  # bytes of skeleton
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+|[-+]?\d+,\d*")
Offset = tuple[float, float, float]


def load_text(path) -> tuple[bytes, re.Match]:
    """The file as UTF-8 with line feeds, and where its line MOTION stands. Errors: MotionFormatError. Chapter: 1."""
    data = load_bytes(path)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Windows tools write it, with a mark at the front
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError:
            fail(path, "begins as text in UTF-16 and does not go on so; save it as UTF-8")
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    motion_at = re.search(rb"^[ \t]*MOTION[ \t\r]*(?:(?:#|//)[^\n]*)?$", data, re.M | re.I)
    if motion_at is None:
        fail(path, "expected a line MOTION after the skeleton, and there is none; the file is cut short or no BVH")
    if motion_at.start() > MAX_HEAD:
        fail(path, "the skeleton alone fills megabytes; expected some hundred lines before MOTION")
    return data, motion_at


def text_of(data: bytes) -> str:
    """Bytes as letters, whatever they are. Chapter: 1."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # old studios' accents; every byte is a letter there


def without_comment(line: str) -> str:
    """A line up to its comment, # or //; a joint's name may hold a #, so there it begins with "# ". Chapter: 1."""
    named = line.split(maxsplit=1)[:1] in (["ROOT"], ["JOINT"])
    return re.sub(r"(?:^|(?<=\s))(?:#\s.*|#$|//.*)" if named else r"(?:^|(?<=\s))(?:#|//).*", "", line)


def refuse_decimal_comma(path, word: str, where: str) -> None:
    """Refuse a number such as 0,5 as what it is. Chapter: 1."""
    if _DECIMAL_COMMA.fullmatch(word):
        fail(path, f"{word[:40]!r} has a comma for its decimal point; this file was written under a language that does "
                   "so. Replace the commas by points", where)


@dataclass
class Tree:
    """What the HIERARCHY block says of one ROOT. Chapter: 1.

    ``channels`` are (joint, "position" or "rotation", axis) in the order of the numbers; ``end_sites`` are (joint,
    offset); ``line``: where its ROOT stands.
    """

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[Offset] = field(default_factory=list)
    end_sites: list[tuple[int, Offset]] = field(default_factory=list)
    channels: list[Channel] = field(default_factory=list)
    line: int = 1


@dataclass
class _Node:
    """What a pair of braces holds: a joint, or an End Site of it."""

    joint: int
    is_tip: bool
    label: str
    offset: Offset | None = None


def read_trees(path, head: bytes) -> list[Tree]:
    """Read the HIERARCHY block: a tree for each ROOT, which is a dancer. Errors: MotionFormatError. Chapter: 1."""
    trees: list[Tree] = []
    nodes: list[list[_Node]] = []  # of each tree
    opened: list[_Node] = []  # whose brace is open
    opening: _Node | None = None  # whose brace is to come
    lines = [(number, bare) for number, line in enumerate(text_of(head).split("\n"), start=1)
             if (bare := without_comment(line).strip())]
    if lines and (word := lines[0][1].split()[0]).upper() != "HIERARCHY":
        fail(path, f"expected HIERARCHY, the first word of every BVH; got {word[:40]!r}", f"line {lines[0][0]}")
    for number, bare in lines[1:]:
        where, words = f"line {number}", bare.split()
        key = words[0].upper()
        if opening is not None and key != "{":
            fail(path, f"expected {{ after the line above; got {bare[:40]!r}", where)
        if key in ("ROOT", "JOINT", "END"):
            if key == "ROOT" and opened:
                fail(path, "a second ROOT inside of the first; a closing brace is missing above, or this is a JOINT",
                     where)
            if key != "ROOT" and (not opened or opened[-1].is_tip):
                fail(path, f"{words[0]} stands outside of a joint; is a closing brace too many above?", where)
            if key == "ROOT":
                trees.append(Tree(line=number))
                nodes.append([])
            name = bare[len(words[0]):].removesuffix("{").strip()
            opening = _node(path, key, name, opened[-1].joint if opened else -1, trees, where)
            nodes[-1].append(opening)
            if bare.endswith("{"):
                opened.append(opening)
                opening = None
        elif key == "{":
            if opening is None or len(words) > 1:
                fail(path, "an opening brace where none belongs", where)
            opened.append(opening)
            opening = None
        elif key == "}":
            if not opened or len(words) > 1:
                fail(path, "a closing brace where none belongs", where)
            if (closed := opened.pop()).offset is None:
                fail(path, f"{closed.label} closes without an OFFSET", where)
        elif key in ("OFFSET", "CHANNELS") and not opened:
            fail(path, f"{key} stands outside of a joint", where)
        elif key == "OFFSET":
            if opened[-1].offset is not None:
                fail(path, "a second OFFSET between the same braces", where)
            opened[-1].offset = _offset(path, words, where)
        elif key == "CHANNELS" and not opened[-1].is_tip:
            tree, joint = trees[-1], opened[-1].joint
            tree.channels += read_channels(path, words, joint, tree.names[joint], tree.channels, where)
        elif key == "CHANNELS" and words[1:] != ["0"]:  # some writers count to nought where nothing moves
            fail(path, "an End Site is a tip and does not move; expected no CHANNELS, or CHANNELS 0", where)
        elif key == "HIERARCHY":
            fail(path, "a second HIERARCHY before any MOTION; are two files joined here? Split them", where)
        elif key != "CHANNELS":
            fail(path, f"expected JOINT, End Site, OFFSET, CHANNELS or a brace; got {bare[:40]!r}", where)
    if opened or opening is not None:
        fail(path, f"{len(opened) + (opening is not None)} brace(s) are still open where MOTION begins")
    if not trees:
        fail(path, "expected a line HIERARCHY and a ROOT before MOTION; there is no skeleton")
    for tree, own in zip(trees, nodes):
        tree.offsets = [node.offset for node in own if node.offset and not node.is_tip]
        tree.end_sites = [(node.joint, node.offset) for node in own if node.offset and node.is_tip]
        if not tree.channels:
            fail(path, "no joint has CHANNELS, so nothing moves", f"line {tree.line}" if len(trees) > 1 else "")
    return trees


def _node(path, key: str, name: str, parent: int, trees: list[Tree], where: str) -> _Node:
    """What a line ROOT, JOINT or End Site opens; a joint is added to its tree."""
    if key == "END":
        return _Node(parent, True, "this End Site")
    if not name:
        fail(path, f"expected a name after {key}", where)
    if sum(len(tree.names) for tree in trees) >= MAX_JOINTS:
        fail(path, f"more than {MAX_JOINTS} joints", where)
    trees[-1].names.append(name)
    trees[-1].parents.append(parent)
    return _Node(len(trees[-1].names) - 1, False, f"joint {name!r}")


def _offset(path, words: list[str], where: str) -> Offset:
    try:
        x, y, z = map(float, words[1:])
    except ValueError:
        for word in words[1:]:
            refuse_decimal_comma(path, word, where)
        x = y = z = math.nan
    if not all(abs(number) <= LARGEST for number in (x, y, z)):
        fail(path, f"expected OFFSET and three finite numbers; got {' '.join(words)[:60]!r}", where)
    return x, y, z
