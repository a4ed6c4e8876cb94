"""What a player carries: motion as 16-bit integers in JSON, and the way back. Taught in chapter 1."""

import base64
import html
import json
import re
from collections.abc import Iterable

import numpy as np

from ..body.motion import Duet, Motion
from ..body.skeleton import Skeleton
from ..core.arguments import MAX_FRAMES, choice, count, each, shown, takes, text
from ..core.shapes import array
from ..io.conventions import source_to_dict

FORMAT = "choreo-player/1"
OPENING = '<script type="application/json" id="choreo">'
_WAYS = {"": 0, None: 0, "a->b": 1, "b->a": -1}


def pack(dancers, ghosts, names, edges=None) -> dict:
    """The dancers of a player as JSON values; positions to 1/65534 of their range, 0.1 mm in 6 m. Chapter: 1."""
    everyone = (*dancers, *ghosts)
    kinds = list(dict.fromkeys((m.skeleton.names, m.skeleton.parents) for m in everyone))
    packed = [_body(m, name, kinds.index((m.skeleton.names, m.skeleton.parents))) for m, name in zip(everyone, names)]
    return {"format": FORMAT, "fps": dancers[0].fps, "frames": len(dancers[0]), "edges": edges,
            "skeletons": [{"joints": joints, "parents": parents, "torso": _torso(Skeleton(joints, parents))}
                          for joints, parents in kinds],
            "dancers": packed[:len(dancers)], "ghosts": packed[len(dancers):]}


def block(payload: dict) -> str:
    """The payload as a script block of JSON."""
    return f"{OPENING}{for_script(payload, sort_keys=True, separators=(',', ':'))}</script>"


def for_script(value, **how) -> str:
    """JSON without <, > and &: no name in it can end a script, and no escaping of the page around it can change it."""
    return re.sub("[<>&]", lambda sign: f"\\u{ord(sign[0]):04x}", json.dumps(value, **how))


@takes(text=text)
def read_payload(text: str) -> list[dict]:
    """Every player in a page or a notebook (HTML, or the JSON of an .ipynb), decoded: what a published file carries.

    Each dict is a player's payload, with ``positions`` float32 [T, J, 3] in metres, ``joints`` and ``parents`` in its
    ``dancers`` and ``ghosts``, ``weights`` of its ``edges`` as an array, and ``redistribute``: whether their terms
    allow that they are there. Errors: ValueError where a player is there and cannot be read. Chapter: 1.
    """
    texts = [text]
    if text.lstrip()[:1] in ("{", "["):
        try:
            texts = list(_texts(json.loads(text)))
        except json.JSONDecodeError:
            pass
    found = []
    for piece in texts:
        seen = set()
        for _ in range(4):  # as it stands, inside an attribute, inside an attribute of an escaped page
            blocks = [b for b in re.findall(re.escape(OPENING) + "(.*?)</script>", piece, re.DOTALL) if b not in seen]
            found += blocks
            seen.update(blocks)
            plain = html.unescape(piece)
            if plain == piece:
                break
            piece = plain
    return [_unpack(b) for b in found]


def pack_edges(motion: Motion | Duet, edges, threshold: float) -> dict | None:
    """Edges between two dancers as plain JSON values: pairs, weights in 1/255, directions.

    Shapes: as in `choreo_lib.play`. Errors: TypeError for edges, weights or directions of another kind; ValueError for
    a single dancer, an unknown joint, weights of another shape or outside 0 to 1, other directions. Chapter: 1.
    """
    if edges is None:
        return None
    pairs, weights, ways = edges, None, None
    if isinstance(edges, tuple) and len(edges) in (2, 3) and _is_a_list_of_pairs(edges[0]):
        pairs, weights, ways = (*edges, None)[:3]
    indices = edge_pairs(motion, pairs)
    n = len(indices)
    weights = np.ones(n) if weights is None else array(finite=False, empty=True, plain=True)("edges' weights", weights)
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape not in ((n,), (len(motion), n)):
        raise ValueError(f"edge weights must have shape ({n},) or ({len(motion)} frames, {n}); got {weights.shape}")
    if not ((weights >= 0) & (weights <= 1)).all():
        raise ValueError("edge weights must be numbers from 0 to 1")
    ways = [""] * n if ways is None else each(choice(*_WAYS), size=n)("edges' directions", ways)
    return {"pairs": indices, "moving": weights.ndim == 2, "threshold": threshold,
            "weights": base64.b64encode(np.rint(weights * 255).astype(np.uint8)).decode(),
            "ways": [_WAYS[way] for way in ways]}


def edge_pairs(motion: Motion | Duet, edges) -> list[list[int]]:
    """Edges as pairs of indices (joint of a, joint of b), of indices or names. Errors: as `pack_edges`. Chapter: 1."""
    if isinstance(edges, str | bytes | dict) or not isinstance(edges, Iterable):
        raise TypeError(f"edges must be a list of pairs (joint of a, joint of b); got {shown(edges)}")
    if not isinstance(motion, Duet):
        raise ValueError("edges go between dancer a and dancer b; this motion has one dancer")
    return [_edge(motion, e, pair) for e, pair in enumerate(edges)]


def _edge(motion: Duet, e: int, pair) -> list[int]:
    if not isinstance(pair, list | tuple | np.ndarray) and not hasattr(pair, "tolist") or np.size(pair) != 2:
        raise (ValueError if isinstance(pair, list | tuple) else TypeError)(
            f"edges: edge {e} is {shown(pair)}; an edge is a pair (joint of a, joint of b)")
    ends = []
    for m, joint, who in zip(motion, pair, "ab"):
        ends.append(m.skeleton.index(joint) if isinstance(joint, str) else
                    count(-MAX_FRAMES)(f"edges: edge {e}, dancer {who}", joint))
        if not 0 <= ends[-1] < len(m.skeleton):
            raise ValueError(f"edges: edge {e}: dancer {who} has joints 0 to {len(m.skeleton) - 1}; got {joint}")
    return ends


def _is_a_list_of_pairs(value) -> bool:
    try:
        return len(value) == 0 or np.ndim(value) == 2
    except (TypeError, ValueError):
        return False


def _body(motion: Motion, name: str, kind: int) -> dict:
    low, high = (f(motion.positions, axis=(0, 1)).astype(np.float64) for f in (np.min, np.max))
    offset = np.round((low + high) / 2, 6)
    scale = np.maximum(np.maximum(high - offset, offset - low) / 32767, 1e-7) * 1.00001  # rounding must not overflow
    scale = np.array([float(f"{s:.6g}") for s in scale])
    whole = np.rint((motion.positions - offset) / scale).astype("<i2")
    return {"name": name, "skeleton": kind, "head": _head(motion), "source": source_to_dict(motion.source),
            "offset": offset.tolist(), "scale": scale.tolist(), "data": base64.b64encode(whole).decode()}


def _head(motion: Motion) -> list | None:
    """Where the head is drawn: [joint, its parent, how far along from parent to joint], or None."""
    skeleton = motion.skeleton
    j = skeleton.find("head")
    if j is None or (i := skeleton.parents[j]) < 0:
        return None
    # HybrIK's head is the crown and hangs from the jaw; a mocap file's Head is where the skull begins.
    if skeleton.names[i].lower().endswith("jaw"):
        return [j, i, 0.4]
    neck = float(np.linalg.norm(motion.positions[:, j] - motion.positions[:, i], axis=-1).mean())
    return [j, i, round(1 + min(0.06 / max(neck, 0.01), 1.0), 3)]


def _torso(skeleton: Skeleton) -> list | None:
    """The corners of the trunk, shoulder to shoulder to hip to hip, or None where their names are not known."""
    corners = [skeleton.find(name) for name in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")]
    return None if None in corners else corners


def _unpack(data: str) -> dict:
    try:
        payload = json.loads(data)
        for body in payload["dancers"] + payload["ghosts"]:
            body.update(payload["skeletons"][body["skeleton"]])
            whole = np.frombuffer(base64.b64decode(body["data"], validate=True), "<i2")
            whole = whole.reshape(-1, len(body["parents"]), 3)  # [T, J, 3]
            body["positions"] = (whole * np.array(body["scale"]) + body["offset"]).astype(np.float32)
        if ties := payload["edges"]:
            weights = np.frombuffer(base64.b64decode(ties["weights"], validate=True), np.uint8) / 255
            ties["weights"] = weights.reshape(-1, len(ties["pairs"])) if ties["moving"] else weights
        payload["redistribute"] = bool(payload["redistribute"])
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"a player stands here, but its data cannot be read ({error!r}); it was cut or "
                         "edited") from error
    return payload


def _texts(value):
    """Every text in a notebook's JSON; a list of lines is one text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and value and all(isinstance(x, str) for x in value):
        yield "".join(value)
    elif isinstance(value, (list, dict)):
        for x in value.values() if isinstance(value, dict) else value:
            yield from _texts(x)
