"""The Euler order of a BVH: each joint's CHANNELS as they are read, and the one order that is written.

Taught in chapter 1, "Seeing a duet". A joint's rotation channels are angles in the order of its line: each turns about
an axis already turned (`choreo_lib.body.rotations.euler_to_quaternions`).
"""

from collections.abc import Sequence

from .conventions import fail

Channel = tuple[int, str, int]  # joint, "position" or "rotation", axis
WRITTEN_ORDER = "ZYX"
WRITTEN_CHANNELS = " ".join(f"{axis}rotation" for axis in WRITTEN_ORDER)
_CHANNELS = {f"{axis}{kind}": (kind, "xyz".index(axis)) for axis in "xyz" for kind in ("position", "rotation")}


def read_channels(path, words: list[str], joint: int, name: str, before: Sequence[Channel],
                  where: str) -> list[Channel]:
    """The channels of a line CHANNELS, in its order; ``before``: those of the lines above.

    Errors: MotionFormatError, naming the line. Chapter: 1.
    """
    listed = [_CHANNELS.get(word.lower()) for word in words[2:]]
    if None in listed:
        unknown = words[2 + listed.index(None)]
        fail(path, f"no channel is called {unknown[:40]!r}; expected Xposition ... Zrotation", where)
    if len(words) < 2 or words[1] != str(len(listed)):
        fail(path, f"CHANNELS says {words[1][:20] if len(words) > 1 else 'nothing'} and names {len(listed)}", where)
    if len(set(listed)) != len(listed) or any(joint == j for j, _, _ in before):
        fail(path, f"joint {name!r} names a channel twice", where)
    return [(joint, *channel) for channel in listed if channel]


def euler_orders(channels: Sequence[Channel], joints: int) -> list[tuple[list[int], list[int]]]:
    """Of each joint the axes that it turns about, in order, and the columns of their angles. Chapter: 1."""
    orders: list[tuple[list[int], list[int]]] = [([], []) for _ in range(joints)]
    for column, (joint, kind, axis) in enumerate(channels):
        if kind == "rotation":
            orders[joint][0].append(axis)
            orders[joint][1].append(column)
    return orders
