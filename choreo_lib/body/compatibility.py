"""Whether a motion fits what asks for it: the same joints, the same clock, the same rest bones, a dancer who stands.

Every misfit is described in one way, with the function that mends it. Taught in chapter 5, "A partner".
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .skeleton import Skeleton

RATE_TOLERANCE = 0.002  # of a rate: 29.97 and 30.03 frames per second are 30, 23.976 is 24
REST_TOLERANCE = 20.0  # degrees between rest bones, which bodies of one system may differ by
SIZE_TOLERANCE = 2.0  # how many times larger or smaller than the dancers a model was trained on
UPRIGHT = 0.02  # of the frames: in fewer than these a dancer's head is above the pelvis, and the dancer lies
BODY_SIZE = 1.4  # metres along the bones from ankle to head, where a model's own dancers are not known


def same_rate(one: float, other: float) -> bool:
    """Whether two numbers of frames per second are one rate, written differently. Chapter: 5."""
    return abs(one - other) <= RATE_TOLERANCE * max(one, other) + 1e-9


def _listed(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def skeleton_mismatch(found: Skeleton, wanted: Skeleton) -> str:
    """How a skeleton differs from the one wanted, in words: joints missing, extra, elsewhere; or "". Chapter: 5."""
    missing = [name for name in wanted.names if name not in found.names]
    extra = [name for name in found.names if name not in wanted.names]
    if missing or extra:
        return " and ".join([f"it lacks {_listed(missing)}"] * bool(missing)
                            + [f"it has besides {_listed(extra)}"] * bool(extra))
    if found.names != wanted.names:
        k = next(k for k, (one, other) in enumerate(zip(found.names, wanted.names)) if one != other)
        return f"the joints stand in another order: joint {k} is {found.names[k]} where {wanted.names[k]} is wanted"
    for j, (mine, theirs) in enumerate(zip(found.parents, wanted.parents)):
        if mine != theirs:
            return f"{found.names[j]} hangs from {found.names[mine]} where {wanted.names[theirs]} is wanted"
    return ""


def rest_mismatch(found: Skeleton, wanted: Skeleton) -> str:
    """Which rest bones of two skeletons with the same joints point elsewhere, in words; "" if all agree.

    A rotation is relative to the rest pose: the same numbers on other rest bones are another pose. Bones shorter than
    1 cm, and skeletons without bones, do not count. Chapter: 6.
    """
    if found.offsets is None or wanted.offsets is None:
        return ""
    lengths = [np.linalg.norm(offsets, axis=-1) for offsets in (found.offsets, wanted.offsets)]
    long_enough = (np.minimum(*lengths) > 0.01) & (np.arange(len(found)) > 0)
    cosine = (found.offsets * wanted.offsets).sum(-1) / np.maximum(lengths[0] * lengths[1], 1e-12)
    degrees = np.where(long_enough, np.degrees(np.arccos(np.clip(cosine, -1, 1))), 0.0)
    names = [found.names[j] for j in np.argsort(-degrees) if degrees[j] > REST_TOLERANCE]
    if not names:
        return ""
    return (f"its rest bones to {_listed(names, 6)} point elsewhere (by up to {degrees.max():.0f} degrees), so its "
            "rotations mean other poses")


def require_fit(what: str, motion: Any, wanted: Skeleton, fps: float, multiples: bool = False,
                rotations: bool = False) -> None:
    """Refuse a motion that does not fit a model: by its joints, its rate and, where ``rotations`` count, rest bones.

    ``multiples``: a whole multiple of the rate fits too. Errors: ValueError that says what mends it. Chapter: 5.
    """
    differs = skeleton_mismatch(motion.skeleton, wanted) or (
        rest_mismatch(motion.skeleton, wanted) if rotations else "")
    step = max(round(motion.fps / fps), 1) if multiples else 1
    if differs or not same_rate(motion.fps, step * fps):
        raise ValueError(f"{what} has {len(motion.skeleton)} joints at {motion.fps:g} frames a second; the model knows "
                         f"{len(wanted)} at {fps:g}{' or a multiple of it' if multiples else ''}"
                         f"{f': {differs}' if differs else ''}. choreo_lib.conform(motion, model) brings a recording "
                         "onto a model's skeleton and rate")


def require_rotations(motion: Any) -> np.ndarray:
    """The rest bones [J, 3] of a motion; one that knows no rotations and bones is refused (ValueError). Chapter: 6."""
    if motion.rotations is None or motion.skeleton.offsets is None:
        raise ValueError("this motion has no joint rotations, only points; choreo_lib.conform(motion, model) finds "
                         "rotations for them")
    return motion.skeleton.offsets


def body_size(skeleton: Skeleton, positions: np.ndarray | None = None) -> float | None:
    """Metres along the bones from an ankle to the head, whatever the pose; None for a body without these by name.

    Shapes: ``positions`` [T, J, 3], of whose frames the median counts; None: by the rest bones. Chapter: 5.
    """
    ankle, head = skeleton.find("left_ankle"), skeleton.find("head")
    if ankle is None or head is None:
        return None
    bones = list(set(skeleton.chain(ankle)) ^ set(skeleton.chain(head)))  # up to where the two chains meet
    if positions is None:
        return None if skeleton.offsets is None else float(np.linalg.norm(skeleton.offsets[bones], axis=-1).sum())
    parents = [skeleton.parents[j] for j in bones]
    return float(np.median(np.linalg.norm(positions[:, bones] - positions[:, parents], axis=-1), axis=0).sum())


def require_dancer(what: str, skeleton: Skeleton, positions: Any, size: float | None = None) -> None:
    """Refuse a dancer who is many times too large or small, or who lies (or hangs head down) in nearly every frame.

    Floor work in a part of a take is dance. Shapes: ``positions`` [T, J, 3], an array or a tensor. Units: ``size``
    metres from ankle to head along the bones (`body_size`); None: a usual adult's. Errors: ValueError. Chapter: 5.
    """
    positions = np.asarray(positions.detach().cpu() if hasattr(positions, "detach") else positions, np.float64)
    here, usual, top = body_size(skeleton, positions), size or BODY_SIZE, skeleton.find("head")
    if not here or top is None:
        return
    if not 1 / SIZE_TOLERANCE <= here / usual <= SIZE_TOLERANCE:
        raise ValueError(f"{what} measures {here:.3g} m from ankle to head along the bones, and the model knows "
                         f"dancers of about {usual:.2f} m: is the unit right? Read the file again with scale=")
    head, pelvis = positions[:, top, 2], positions[:, skeleton.pelvis, 2]
    if (head - pelvis > 0.1 * here).mean() < UPRIGHT:
        raise ValueError(f"{what} lies, or stands head down, all along (the head is never above the pelvis): is the up "
                         "axis right? Read the file again with up=, for instance up='y'")
