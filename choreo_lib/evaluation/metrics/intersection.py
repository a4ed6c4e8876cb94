"""Do two bodies go through one another? Capsules around bones: how deep, how often. Taught in chapter 5."""

import numpy as np

from ...body.motion import Duet
from ...body.skeleton import Skeleton
from ...core.arguments import a, takes

RADII = {"hip": 0.07, "knee": 0.05, "ankle": 0.035, "toe": 0.035, "shoulder": 0.045, "elbow": 0.035, "neck": 0.07,
         "head": 0.08}  # fmt: skip
"""Metres, ours: of the bones that begin at these joints, by their common names, for dancers of about 1.7 m."""
TRUNK = 0.10
BATCH = 1024  # frames whose pairs of bones are looked at together


@takes(duet=a(Duet))
def intersection_depth(duet: Duet) -> np.ndarray:
    """How deep the bodies are in one another: the largest overlap of a capsule of a with one of b.

    A capsule is a bone with a radius (`capsules`); its overlap with another is by how much the sum of their radii
    exceeds the distance of the two bones. Hands are left out. Shapes: [T]. Units: metres. Errors: ValueError for bodies
    without limbs by name. Chapter: 5. After Jiang et al., "ARFlow", arXiv:2503.16973, who intersect meshes.
    """
    (ends, radii), (other_ends, other_radii) = (capsules(motion.skeleton) for motion in duet)
    depth = np.zeros(len(duet))
    for k in range(0, len(duet), BATCH):
        p, u, middle, half = _bones(duet.a.positions[k : k + BATCH, ends])
        q, v, other_middle, other_half = _bones(duet.b.positions[k : k + BATCH, other_ends])
        apart = np.linalg.norm(middle[:, :, None] - other_middle[:, None], axis=-1)  # [t, bones, bones]
        reach = (radii + half)[:, :, None] + (other_radii + other_half)[:, None]
        frame, i, j = np.nonzero(apart < reach)  # no others can touch
        gap = segment_distance(p[frame, i], u[frame, i], q[frame, j], v[frame, j])
        np.maximum.at(depth, k + frame, radii[i] + other_radii[j] - gap)
    return depth


def _bones(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where bones [t, bones, 2, 3] begin, where they lead from there, their middles, and half their lengths."""
    start, line = ends[:, :, 0], ends[:, :, 1] - ends[:, :, 0]
    return start, line, start + line / 2, np.linalg.norm(line, axis=-1) / 2


def capsules(skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """The bones of a body without its hands, and the radius of each.

    A bone has the radius of the nearest joint in `RADII` that it hangs from, and of none that of the trunk; from the
    trunk to a limb, the limb's. Shapes: pairs (parent, child) [K, 2] and [K], metres.
    Errors: ValueError for a body without limbs by name. Chapter: 5.
    """
    known = {skeleton.index(side + part): radius for part, radius in RADII.items()
             for side in (("",) if part in ("neck", "head") else ("left_", "right_"))}
    limbs = skeleton.indices([f"{side}_{part}" for side in ("left", "right") for part in ("hip", "shoulder")])
    kept, hands = [], set(skeleton.hands) - set(skeleton.indices(("left_wrist", "right_wrist")))
    for parent, child in skeleton.bones:
        if child not in hands:
            above = next((known[j] for j in skeleton.chain(parent) if j in known), TRUNK)
            kept.append((parent, child, known[child] if child in limbs else above))
    return np.array([row[:2] for row in kept], dtype=int), np.array([row[2] for row in kept])


def segment_distance(p: np.ndarray, u: np.ndarray, q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The distance of the segments from p to p + u and from q to q + v.

    Shapes: [N, 3] each -> [N]. Units: metres. Chapter: 5. Ericson, "Real-Time Collision Detection", 2005, 5.1.9.
    """
    between = (p - q).astype(np.float64)
    uu, vv, uv = (np.maximum((x * y).sum(-1), least) for x, y, least in ((u, u, 1e-12), (v, v, 1e-12), (u, v, -np.inf)))
    du, dv = (u * between).sum(-1), (v * between).sum(-1)
    crossing = uu * vv - uv**2
    s = np.where(crossing > 1e-9 * uu * vv, (uv * dv - du * vv) / np.maximum(crossing, 1e-18), 0.0).clip(0, 1)
    t = (uv * s + dv) / vv
    s = np.where((t < 0) | (t > 1), (uv * t.clip(0, 1) - du) / uu, s).clip(0, 1)
    return np.linalg.norm(between + s[:, None] * u - t.clip(0, 1)[:, None] * v, axis=-1)
