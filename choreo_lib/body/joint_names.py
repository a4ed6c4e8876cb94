"""Joint names as the programs spell them: which side a joint is on, and what it is called without its side.

Maya writes L_Foot, Blender Foot.L, Unreal foot_l, Biped "Bip01 L Foot", VRM J_Bip_L_Foot, Mixamo mixamorig:LeftFoot,
Daz lFoot: one reading for all, so that whatever asks for a side asks here. Taught in chapter 1, "Seeing a duet".
"""

import os
import re
from functools import lru_cache

PARTS = {
    "shoulder": ("upperarm", "uparm", "uarm", "arm", "humerus", "shldr", "shldrbend", "shoulder"),
    "elbow": ("forearm", "lowerarm", "loarm", "lowarm", "farm", "forearmbend", "elbow", "radius"),
    "wrist": ("wrist", "hand"),
    "hip": ("upleg", "upperleg", "thigh", "thighbend", "femur", "hip", "hipjoint"),
    "knee": ("knee", "lowerleg", "loleg", "calf", "shin", "tibia", "leg"),
    "ankle": ("ankle", "foot"),
    "toe": ("toebase", "toe", "toes", "toe0", "ball", "foot")}
"""Our name of a joint that stands on both sides: the stems under which recordings know it, the surer one first. A
bone's name is the joint it starts from, so a BVH's LeftArm is the shoulder and its LeftShoulder the collar bone."""
COMMON = ("pelvis", "neck", "head") + tuple(f"{side}_{part}" for side in ("left", "right") for part in PARTS)
"""The 17 joints that every body in this book has, under the names that the measures use, in the order in which
features count them."""

_RIG = re.compile(
    r"(?:mixamorig\d*[\s_.\-]*|(?:valvebiped|bip\d+|bip|j_(?:bip|sec|adj)(?:_c(?=_))?|cc_base|character\d*|def|org|mch|"
    r"sk|jnt|jt|joint|bone|b)[\s_.\-]+)(?=[^\W\d])", re.I)
_LEFT, _RIGHT = ("left", "lft", "lf", "lt", "l", "左"), ("right", "rgt", "rt", "r", "右")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+|[^\W\d_a-zA-Z]+")
_GLUED = {  # lfoot, LFOOT, footl: a letter is a side only beside one of these, or "lower" and "root" would have one
    stem for stems in PARTS.values() for stem in stems} | {
    "finger", "fingers", "thumb", "index", "middle", "pinky", "clavicle", "collar", "heel", "eye", "ulna",
    "toeend", "footend", "handend", "bigtoe", "palm", "breast", "buttock"}


def _body_at(name: str) -> int:
    """Where a name begins behind its namespaces (``ns:rig:Foot``, ``|rig|Foot``) and the prefixes of rigs."""
    start = max(name.rfind(":"), name.rfind("|")) + 1
    start = start if name[start:].strip() else 0
    while (found := _RIG.match(name, start)) and _WORD.search(name, found.end()):
        start = found.end()
    return start


def _tail_at(name: str) -> int:
    """Where the number begins that Blender gives to a second one of a name (``Foot.L.001``)."""
    found = re.search(r"\.\d{3}$", name)
    return found.start() if found and found.start() else len(name)


def _side_at(name: str) -> tuple[int, int, str]:
    """The place [first, last + 1) of the side within a name, and the side; ("", at its end) where it has none."""
    begin, end = _body_at(name), _tail_at(name)
    words = [(m.start(), m.end(), m[0].lower()) for m in _WORD.finditer(name, begin, end)]
    for sides, which in ((_LEFT, "left"), (_RIGHT, "right")):
        long, hanzi = sides[0], sides[-1]
        for first, last, word in words:
            if word.startswith((long, hanzi)):
                return first, first + (len(long) if word.startswith(long) else 1), which
            if word.endswith((long, hanzi)) and word not in ("upright", "bright"):
                return last - (len(long) if word.endswith(long) else 1), last, which
    for found in re.finditer(r"[LlRr][A-Za-z]+", name[:end]):  # Motive's LUArm and LFArm: whole, or LF would be a side
        apart = not name[:found.start()][-1:].isalnum()
        if found.start() >= begin and apart and found[0][1:].lower() in _GLUED:
            return found.start(), found.start() + 1, "left" if found[0][0] in "Ll" else "right"
    for first, last, word in words:
        for sides, which in ((_LEFT, "left"), (_RIGHT, "right")):
            if word in sides:
                return first, last, which
    for first, last, word in words:
        for letter, which in (("l", "left"), ("r", "right")):
            if word[0] == letter and word[1:] in _GLUED:
                return first, first + 1, which
            if word[-1] == letter and word[:-1] in _GLUED:
                return last - 1, last, which
    return end, end, ""


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


def plain_name(name: str) -> str:
    """A name in lower case, without separators, namespace, rig prefix and the number of a copy.

    ``mixamorig:LeftUpLeg`` is ``leftupleg``, ``Bip01 L Foot`` is ``lfoot``. Chapter: 1.
    """
    return _plain(name[_body_at(name):_tail_at(name)]) or _plain(name) or name.lower()


def split_side(name: str) -> tuple[str, str]:
    """The side of a joint, "left", "right" or "", and its plain name without the side.

    ``thigh_l`` and ``L_Thigh`` are both ("left", "thigh"); ``LowerBack`` and ``Root`` have no side. Chapter: 1.
    """
    first, last, side = _side_at(name)
    return side, _plain(name[_body_at(name):first] + " " + name[last:_tail_at(name)]) if side else plain_name(name)


def _up_to_separator(text: str) -> str:
    """What of a text stands before its last separator, and that separator; "" where it has none."""
    return re.sub(r"[^\s_.\-:|]*$", "", text)


@lru_cache(maxsize=256)
def sided_names(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """`split_side` of a skeleton, less what all names share (``Ana_Foot_L``, ``foot_joint``). Chapter: 1."""
    shared = tail = ""
    if len(names) > 2:
        common = os.path.commonprefix(names)
        shared = _up_to_separator(common)
        if not shared and re.fullmatch("[a-z]+", common) and all(name[len(common):][:1].isupper() for name in names):
            shared = common
        tail = _up_to_separator(os.path.commonprefix([name[::-1] for name in names]))
    shared, tail = ("" if split_side(part)[0] else part for part in (shared, tail[::-1]))
    return tuple(split_side(name[len(shared):len(name) - len(tail)] if len(name) > len(shared) + len(tail) else name)
                 for name in names)


@lru_cache(maxsize=256)
def left_right_pairs(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Pairs (left joint, right joint) of names that differ in their side alone; no joint is in two. Chapter: 1."""
    found: dict[str, dict[str, list[int]]] = {}
    for j, name in enumerate(names):
        first, last, side = _side_at(name)
        if side:
            found.setdefault(f"{name[:first]}\0{name[last:]}".lower(), {}).setdefault(side, []).append(j)
    return tuple(sorted((each["left"][0], each["right"][0]) for each in found.values()
                        if len(each.get("left", ())) == len(each.get("right", ())) == 1))


def stems(name: str) -> list[str]:
    """Under which stems a joint is known, the surer one first: "left_ankle" as "leftankle", "leftfoot". Chapter: 1."""
    side, _, part = name.partition("_")
    return [side + stem for stem in PARTS[part]] if part in PARTS else [name.replace("_", "")]


@lru_cache(maxsize=1024)
def find(names: tuple[str, ...], candidates: tuple[str, ...]) -> int | None:
    """The joint a candidate names, such as "leftfoot", "head": by its side and stem, else by how its name ends.

    Earlier candidates are surer; of several joints the first counts. Chapter: 1.
    """
    sided = sided_names(names)
    wanted = [(side, word[len(side):]) for word in candidates
              for side in (next((s for s in ("left", "right") if word.startswith(s) and word != s), ""),)]
    for each in wanted:
        if each in sided:
            return sided.index(each)
    plain = [plain_name(name) for name in names]
    spelled = [_plain(name[_body_at(name):first] + side + name[last:_tail_at(name)])
               for name in names for first, last, side in (_side_at(name),)]
    for word in candidates:
        for j in range(len(names)):
            if plain[j].endswith(word) or spelled[j].endswith(word):
                return j
    return None
