"""Which way is up, where nobody says so: heads are above feet, and dancers travel over a floor. Taught in chapter 2."""

import numpy as np

from ..body.skeleton import Skeleton
from ..core.arguments import a, each, takes
from ..core.shapes import array
from ..io.conventions import TO_Z_UP, fail
from ..io.up_axis import bone_lengths, landmarks

_SURE = 0.7  # mean share of the way from feet to head that has to lie along one axis
_TALL = 1.25  # times: how much taller than wide a body without names has to be
_STEADY = 2.0  # times: how much steadier its lower end has to be than its upper one


@takes(people=each(array(None, None, 3, empty=True, plain=True), least=1), skeleton=a(Skeleton))
def find_up(path, people, skeleton: Skeleton) -> str:
    """The up axis of people [P, J, 3] a frame: 'z', unless what they do says otherwise.

    Where joints have names, the axis from feet to head, averaged over everybody; where they have none, the axis along
    which bodies are tallest, and of its two ends the steadier one is below. An axis along which the dancers' middles
    spread more than along z is not believed. Errors: MotionFormatError (a ValueError) where people do not stand along
    z, and no other axis is beyond doubt. Chapter: 2.
    """
    points = np.concatenate(people)  # [N, J, 3]
    travel = points.mean(axis=1).std(axis=0)
    head, feet = landmarks(skeleton, bone_lengths(skeleton, points))
    if head is not None and feet:
        spine = points[:, head] - points[:, feet].mean(axis=1)
        spine = (spine / np.maximum(np.linalg.norm(spine, axis=1, keepdims=True), 1e-9)).mean(axis=0)
        axis = int(np.abs(spine).argmax())
        sign: str | None
        sure, sign = abs(spine[axis]) >= _SURE, "-" if spine[axis] < 0 else ""
    else:
        low, high = points.min(axis=1), points.max(axis=1)
        extent = np.median(high - low, axis=0)
        axis = int(extent.argmax())
        sure = extent[axis] >= _TALL * np.sort(extent)[1]
        ends = low[:, axis].std(), high[:, axis].std()
        sign = "-" if _STEADY * ends[1] < ends[0] else "" if axis == 2 or _STEADY * ends[0] < ends[1] else None
    if axis == 2 and sign == "":
        return "z"
    if sure and sign is not None and (axis == 2 or travel[axis] <= travel[2]):
        return sign + "xyz"[axis]
    if not sure and travel[2] <= travel.min():
        return "z"  # floor work: nobody stands for long, and nobody leaves the floor
    named = f"most of them are longest along {'xyz'[axis]}" if sure else "they lie this way and that"
    fail(path, f"no axis shows itself as up: {named}. Say it: up='z' (as this library has it), up='y' (as most "
               "animation has it), up='-y' (a camera's frame), or another axis")


def turned(people, up: str) -> list[np.ndarray]:
    """The same people, [people, J, 3] a frame, with Z up. Chapter: 2."""
    matrix = np.array(TO_Z_UP[up], float)
    return [frame @ matrix.T for frame in people]
