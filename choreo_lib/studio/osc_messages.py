"""Bodies as OSC messages, and back: one message a body and frame, each in one datagram.

    /choreo/body/a       frame, time, x y z of every joint
    /choreo/rotations/a  frame, time, x y z of the root, x y z w of every joint
    /choreo/skeleton/a   of every joint: name, parent's number (-1 for the root), x y z seen from the parent
    /choreo/status       state, frames held in a row, frames answered, p50 ms, p99 ms, packets ignored

Bodies are a and b. ``frame`` grows by one a frame: by it late and doubled frames are known. ``time`` is in seconds by
the sender's clock, or 0 where it has none. Metres, Z up, unit quaternions of local rotations. Joints are the model's,
in its order, unless a skeleton was sent. Positions of 29 joints are 464 bytes, rotations 628: each fits one Ethernet
frame (1,472 bytes). Taught in chapter 10. Wright, "The Open Sound Control 1.0 specification", 2002.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..body.skeleton import Skeleton
from ..io.conventions import optional

MAX_BYTES, MAX_DEPTH, MAX_MESSAGES, MAX_JOINTS = 8192, 3, 32, 256  # of a datagram
FUTURE = 1.0  # seconds: a bundle that is to be opened later than that is not kept
FARTHEST = 50.0  # metres from the origin, along each axis: beyond any stage
NTP_TO_UNIX = 2_208_988_800  # seconds from 1900, where OSC's clock begins, to 1970
REASONS = ("malformed", "oversized", "nested", "future", "unknown address", "unknown body", "wrong arguments",
           "not finite", "far away", "other joints", "no dancer", "late", "doubled", "overtaken", "between frames",
           "the partner's", "queue full")
"""Why a message is ignored: what is wrong with it; or when it came, and that nobody needs it."""

_MESSAGE = re.compile(rb"(/[!-~]{1,99})\0{1,4}(?:,([ifdhs]*)\0)?")  # an address and types that are meant here
_BUNDLE = b"#bundle\0"


class Ignored(Exception):
    """A packet that is not used, with one of `REASONS`. Chapter: 10."""


@dataclass(frozen=True)
class Body:
    """One body at one frame, as it came: ``numbers`` are positions, or a root's place and rotations. Chapter: 10."""

    who: str
    frame: int
    time: float
    numbers: np.ndarray
    rotated: bool = False


@dataclass(frozen=True)
class Joints:
    """Which joints a body's messages are about. Chapter: 10."""

    who: str
    skeleton: Skeleton


def encode(address: str, *values: int | float | str) -> bytes:
    """A datagram of one message: int32, float32 and strings. Chapter: 10."""
    builder = optional("pythonosc.osc_message_builder", "OSC is written", "live").OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value, "s" if isinstance(value, str) else "i" if isinstance(value, int) else "f")
    return builder.build().dgram


def encode_body(who: str, frame: int, seconds: float, positions: np.ndarray) -> bytes:
    """A body's positions as a datagram. Shapes: [J, 3]. Units: metres, seconds. Chapter: 10."""
    numbers = np.asarray(positions, np.float32).ravel().tolist()
    return encode(f"/choreo/body/{who}", int(frame), float(seconds), *numbers)


def decode(datagram: bytes, now: float) -> Iterator[Body | Joints | Ignored]:
    """What a datagram says; ``now``: seconds since 1970, for bundles. It raises nothing. Chapter: 10."""
    try:
        messages = _messages(datagram, now)
    except Ignored as ignored:
        yield ignored
        return
    for message in messages:
        try:
            yield _read(message)
        except Ignored as ignored:
            yield ignored
        except Exception:  # whatever a parser does with bytes that nobody foresaw
            yield Ignored("malformed")


def _messages(datagram: bytes, now: float, depth: int = 0) -> list[bytes]:
    """The messages of a datagram or bundle. Errors: Ignored. python-osc would sleep until a bundle is due."""
    if len(datagram) > MAX_BYTES:
        raise Ignored("oversized")
    if not datagram.startswith(_BUNDLE):
        return [datagram]
    if depth == MAX_DEPTH:
        raise Ignored("nested")
    if len(datagram) < 16:
        raise Ignored("malformed")
    seconds, fraction = struct.unpack_from(">II", datagram, 8)  # 0, 1: at once
    if seconds and seconds + fraction / 2**32 - NTP_TO_UNIX > now + FUTURE:
        raise Ignored("future")
    found, at = [], 16
    while at < len(datagram):
        size = int.from_bytes(datagram[at : at + 4], "big")
        at += 4
        if size == 0 or size % 4 or at + size > len(datagram):
            raise Ignored("malformed")
        found += _messages(datagram[at : at + size], now, depth + 1)
        at += size
        if len(found) > MAX_MESSAGES:
            raise Ignored("oversized")
    return found


def _read(message: bytes) -> Body | Joints:
    begins = _MESSAGE.match(message)
    if begins is None or len(message) % 4:
        raise Ignored("malformed")
    address = begins[1].decode("ascii")
    what, _, who = address.removeprefix("/choreo/").partition("/")
    if not address.startswith("/choreo/") or what not in ("body", "rotations", "skeleton"):
        raise Ignored("unknown address")
    if who not in ("a", "b"):
        raise Ignored("unknown body")
    kinds = (begins[2] or b"").decode("ascii")  # "", too, for types that nothing here has: python-osc would log each
    if what == "skeleton":
        count = len(kinds) // 5
        if not 0 < count <= MAX_JOINTS or kinds != "sifff" * count:
            raise Ignored("wrong arguments")
        return Joints(who, _skeleton(_parameters(message)))
    if not 5 <= len(kinds) <= 5 + 4 * MAX_JOINTS or "s" in kinds:
        raise Ignored("wrong arguments")
    numbers = np.array(_parameters(message), np.float64)
    if not np.isfinite(numbers).all():
        raise Ignored("not finite")
    frame, seconds = numbers[:2].tolist()
    if frame < 0 or frame % 1 or seconds < 0:
        raise Ignored("wrong arguments")
    if np.abs(numbers[2:]).max() > FARTHEST:
        raise Ignored("far away")
    return Body(who, int(frame), seconds, numbers[2:], what == "rotations")


def _skeleton(values: Sequence[Any]) -> Skeleton:
    offsets = np.array([values[k::5] for k in (2, 3, 4)]).T
    try:
        return Skeleton(tuple(values[::5]), tuple(values[1::5]), offsets if offsets.any() else None)
    except (ValueError, TypeError):  # names twice, parents after their children, offsets of NaN
        raise Ignored("wrong arguments") from None


def _parameters(message: bytes) -> list[Any]:
    return optional("pythonosc.osc_message", "OSC is read", "live").OscMessage(message).params
