"""How each part of a body is turned, told from where its joints are: lines between joints, and the planes of limbs.

The part a joint carries is its segment. A trunk shows its turn by hips and shoulders, a limb by the hinge of its elbow
or knee; where a limb is straight, nothing does, and it keeps the turn of the part before. Taught in chapter 5.
"""

from __future__ import annotations

import numpy as np

from ..body.rotations import axes_from, rotation_between, unit
from ..body.skeleton import Skeleton

T_POSE = {  # metres from the pelvis, a body of 1.70 m that looks along -Y; the left side, where there are two
    "pelvis": (0, 0, 0), "neck": (0, 0.02, 0.50), "head": (0, 0.0, 0.60), "head_end": (0, 0, 0.75),
    "hip": (0.09, 0, -0.04), "knee": (0.09, 0, -0.46), "ankle": (0.09, 0, -0.87), "toe": (0.09, -0.13, -0.92),
    "toe_end": (0.09, -0.20, -0.925), "collar": (0.04, 0.01, 0.44), "shoulder": (0.18, 0.015, 0.45),
    "elbow": (0.46, 0.015, 0.45), "wrist": (0.72, 0.015, 0.45), "hand": (0.81, 0.015, 0.45),
    "thumb": (0.76, -0.03, 0.43),
}  # fmt: skip
LEG = sum(float(np.linalg.norm(np.subtract(T_POSE[one], T_POSE[other]))) for one, other in
          (("hip", "knee"), ("knee", "ankle")))
MAIN = ("neck", "head", "head_end", "collar", "shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "toe",
        "toe_end")
BENT = (0.1, 0.4)  # sines of the bend from which, and above which alone, a hinge says how a limb is turned


def t_pose(role: str) -> np.ndarray:
    """Where the joint of a role is in a usual T-pose, [3], metres from the pelvis. Chapter: 5."""
    side, _, part = role.rpartition("_")
    if role in T_POSE:
        return np.array(T_POSE[role], float)
    side, part = role.split("_", 1)
    return np.array(T_POSE[part], float) * ([1, 1, 1] if side == "left" else [-1, 1, 1])


class Segments:
    """What a skeleton with rest bones needs to be turned by points: main bones, hinges, the trunk's way.

    Chapter: 5.
    """

    def __init__(self, skeleton: Skeleton, roles: dict[str, int]):
        self.skeleton, self.roles = skeleton, roles
        self.rest = np.zeros((len(skeleton), 3))
        for parent, child in skeleton.bones:
            self.rest[child] = self.rest[parent] + skeleton.offsets[child]
        self.main: dict[int, int] = {}  # joint -> the child its segment points to
        for part in MAIN:
            for role in (part,) if part in roles else (f"left_{part}", f"right_{part}"):
                chain = skeleton.chain(roles[role]) if role in roles else []
                for child, joint in zip(chain, chain[1:]):
                    self.main.setdefault(joint, child)
        for parent, child in skeleton.bones:
            self.main.setdefault(parent, child)
        self.top = roles.get("neck", roles.get("head"))
        self.trunk = [j for j in skeleton.chain(self.top) if roles["pelvis"] in skeleton.chain(j)][::-1]
        shoulders = [skeleton.chain(roles[f"{side}_shoulder"]) for side in ("left", "right")]
        self.chest = next(j for j in shoulders[0] if j in shoulders[1])
        self.thumbs = {parents[thumb]: thumb for side in ("left", "right") for parents in (skeleton.parents,)
                       if (thumb := roles.get(f"{side}_thumb")) is not None
                       and parents[thumb] == roles.get(f"{side}_wrist")}
        self.hinges = {}  # joint -> (first, hinge, last), and whether it bends backwards
        for side in ("left", "right"):
            for parts, back in ((("shoulder", "elbow", "wrist"), False), (("hip", "knee", "ankle"), True)):
                three = [roles[f"{side}_{part}"] for part in parts]
                for j in skeleton.chain(three[2])[1:]:
                    self.hinges[j] = (three, back)
                    if j == three[0]:
                        break

    def is_posed(self) -> bool:
        """Whether the rest pose shows how a trunk is turned: shoulders and hips across it, the neck away from the hips.

        Where rest frames are turned for each joint, as in files of rigs with joint orients, it does not.
        """
        hips, shoulders = (self.rest[[self.roles[f"{side}_{part}"] for side in ("left", "right")]]
                           for part in ("hip", "shoulder"))
        up, across = self.rest[self.top] - hips.mean(0), [unit(x[0] - x[1]) for x in (hips, shoulders)]
        way = np.linalg.norm(self.skeleton.offsets[self.trunk[1:]], axis=-1).sum()
        return bool(across[0] @ across[1] > 0.7 and np.linalg.norm(up) > 0.7 * way
                    and max(abs(unit(up) @ x) for x in across) < 0.5)

    def turned_by(self, points: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World rotations of all segments, and how much points say of each: [T, J, 3, 3] and [T, J], 0 to 1.

        ``points`` [T, J, 3] of the joints that are ``known`` [J]. A segment that shows nothing turns with its parent.
        """
        frames = len(points)
        turns = np.tile(np.eye(3), (frames, len(self.skeleton), 1, 1))
        sure = np.zeros((frames, len(self.skeleton)))
        hips, shoulders = ([self.roles[f"{side}_{part}"] for side in ("left", "right")] for part in ("hip", "shoulder"))
        below = set(self.skeleton.chain(self.roles["pelvis"])[1:])
        across = [[x[..., j[0], :] - x[..., j[1], :] for j in (hips, shoulders)] for x in (self.rest, points)]
        middles = [self._middle(x) for x in (self.rest, points)]
        ups = [[m - x[..., hips, :].mean(-2), x[..., self.top, :] - m] for m, x in zip(middles, (self.rest, points))]
        forward = np.cross(across[0][0], self.rest[self.top] - self.rest[hips].mean(0))
        shares = self._shares()
        for j, parent in enumerate(self.skeleton.parents):
            before = turns[:, max(parent, 0)]
            if j in below:
                continue
            whole = {self.roles["pelvis"]: 0, self.chest: 1}.get(j)
            if whole is not None:
                turns[:, j] = axes_from(across[1][whole], ups[1][whole]) @ axes_from(across[0][whole], ups[0][whole]).T
                sure[:, j] = 1.0
                continue
            child = self.main.get(j)
            bone = None if child is None else self.skeleton.offsets[child]
            if child is None or not (known[j] and known[child]) or np.linalg.norm(bone) < 1e-6:
                turns[:, j] = before
                continue
            now = points[:, child] - points[:, j]
            here = rotation_between(np.einsum("tab,b->ta", before, bone), now) @ before
            if j in self.trunk or (self.top in self.skeleton.chain(j) and j not in self.hinges):
                u = shares.get(j, 1.0)
                side, seen = ((1 - u) * unit(x[0]) + u * unit(x[1]) for x in across)
                turns[:, j], sure[:, j] = axes_from(now, seen) @ axes_from(bone, side).T, 1.0
            elif j in self.hinges:
                turns[:, j], sure[:, j] = self._hinged(j, points, bone, now, here, forward)
            elif j in self.thumbs and known[self.thumbs[j]]:  # a hand shows its turn by where its thumb is
                thumb = self.thumbs[j]
                turns[:, j] = axes_from(now, points[:, thumb] - points[:, j]) @ axes_from(
                    bone, self.skeleton.offsets[thumb]).T
                sure[:, j] = 1.0
            else:
                turns[:, j], sure[:, j] = here, 0.05
        return turns, sure

    def leaned(self, turns: np.ndarray, points: np.ndarray) -> np.ndarray:
        """By what a trunk turned by ``turns`` [T, J, 3, 3] leans so that the neck lies where points say: [T, 1, 3, 3].

        A pelvis and a chest are stiff, and no spine of other bones bends as the one that was seen.
        """
        bones = self.skeleton.offsets[self.trunk[1:]]
        ways = np.einsum("tjab,jb->tja", turns[:, self.trunk[:-1]], bones)
        line = points[:, self.trunk]
        size = np.linalg.norm(bones, axis=-1).sum() / np.median(np.linalg.norm(np.diff(line, axis=1), axis=-1).sum(1))
        return rotation_between(ways[:, 1:].sum(1), size * (line[:, -1] - line[:, 0]) - ways[:, 0])[:, None]

    def _hinged(self, j: int, points, bone, now, here, forward) -> tuple[np.ndarray, np.ndarray]:
        (first, middle, last), back = self.hinges[j]
        axis = np.cross(bone, -forward if back else forward)
        bent = np.cross(*(unit(self.rest[two] - self.rest[one]) for one, two in ((first, middle), (middle, last))))
        if np.linalg.norm(bent) > 0.2:  # a rest pose that is bent shows the hinge itself
            axis = bent
        elif np.linalg.norm(np.cross(unit(bone), unit(forward))) < 0.3:  # a rest pose that says nothing: any axis
            axis = np.cross(bone, np.eye(3)[np.argmin(np.abs(bone))])
        upper, lower = points[:, middle] - points[:, first], points[:, last] - points[:, middle]
        hinge = np.cross(unit(upper), unit(lower))  # as long as the sine of the bend
        bend = np.linalg.norm(hinge, axis=-1)
        share = np.clip((bend - BENT[0]) / (BENT[1] - BENT[0]), 0, 1)
        share = share**2 * (3 - 2 * share)
        carried = unit(np.einsum("tab,b->ta", here, unit(axis)))
        mixed = share[:, None] * unit(hinge) + (1 - share)[:, None] * carried
        # half-way between two opposite axes lies none: there the carried one counts
        mixed = np.where(np.linalg.norm(mixed, axis=-1, keepdims=True) < 0.1, carried, mixed)
        return axes_from(now, mixed) @ axes_from(bone, axis).T, 0.05 + 0.95 * share

    def _shares(self) -> dict[int, float]:
        """How far up the trunk each of its joints is, 0 to 1, by the lengths of the rest bones."""
        steps = np.linalg.norm(np.diff(self.rest[self.trunk], axis=0), axis=-1)
        far = np.concatenate([[0.0], np.cumsum(steps)])
        return dict(zip(self.trunk, far / max(far[-1], 1e-9)))

    def _middle(self, x: np.ndarray) -> np.ndarray:
        """The point half-way up the trunk, [..., 3]."""
        return along(x[..., self.trunk, :], np.array(list(self._shares().values())), 0.5)


def along(line: np.ndarray, shares: np.ndarray, share: float) -> np.ndarray:
    """The point at a share of the way along a line of points [..., N, 3] that lie at ``shares`` [N] of it."""
    k = int(np.clip(np.searchsorted(shares, share, side="right") - 1, 0, max(len(shares) - 2, 0)))
    if len(shares) < 2:
        return line[..., 0, :]
    within = (share - shares[k]) / max(shares[k + 1] - shares[k], 1e-9)
    return line[..., k, :] + within * (line[..., k + 1, :] - line[..., k, :])
