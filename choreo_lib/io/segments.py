"""How each part of a body is turned, by where its joints are: lines between joints, and the planes of limbs.

The part that a joint carries is its segment. Hips and shoulders show how a trunk is turned, the hinge of an elbow or
knee how a limb is; where a limb is straight nothing does, and it turns with the part before. Taught in chapter 5.
"""

import numpy as np

from ..body.rotations import axes_from, rotation_between, unit
from ..body.skeleton import Skeleton
from .joint_roles import MAIN, SIDES, chest, with_sides
from .steadiness import steady_across, steady_hinges
from .up_axis import rest_positions


def point_along(line: np.ndarray, shares: np.ndarray, share: float) -> np.ndarray:
    """The point at a share of the way along a line of points [..., N, 3] that lie at ``shares`` [N] of it."""
    if len(shares) < 2:
        return line[..., 0, :]
    k = int(np.clip(np.searchsorted(shares, share, side="right") - 1, 0, len(shares) - 2))
    within = (share - shares[k]) / max(shares[k + 1] - shares[k], 1e-9)
    return line[..., k, :] + within * (line[..., k + 1, :] - line[..., k, :])


def shares_of(lengths: np.ndarray) -> np.ndarray:
    """How far along a chain its joints are, 0 to 1: of the lengths [N - 1] of its bones, [N]."""
    far = np.concatenate([[0.0], np.cumsum(lengths)])
    return far / max(far[-1], 1e-9)


class Segments:
    """What a body needs to be turned by points: main bones, hinges, the line of the trunk. Chapter: 5."""

    def __init__(self, skeleton: Skeleton, roles: dict[str, int]):
        assert skeleton.offsets is not None
        self.skeleton, self.roles, self.offsets = skeleton, roles, skeleton.offsets
        self.rest = rest_positions(skeleton)
        self.main: dict[int, int] = {}  # joint -> the child its segment points to
        for role in with_sides(MAIN):
            chain = skeleton.chain(roles[role]) if role in roles else []
            for child, joint in zip(chain, chain[1:]):
                self.main.setdefault(joint, child)
        for parent, child in skeleton.bones:
            self.main.setdefault(parent, child)
        self.top = roles["neck" if "neck" in roles else "head"]
        self.trunk = [j for j in skeleton.chain(self.top) if roles["pelvis"] in skeleton.chain(j)][::-1]
        self.trunk_shares = shares_of(np.linalg.norm(np.diff(self.rest[self.trunk], axis=0), axis=-1))
        self.chest = chest(skeleton, roles)
        self.thumbs: dict[int, int] = {}  # wrist -> thumb
        self.hinges: dict[int, tuple[list[int], bool]] = {}  # joint -> (first, hinge, last), does it bend backwards
        for side in SIDES:
            wrist, thumb = roles[f"{side}_wrist"], roles.get(f"{side}_thumb")
            if thumb is not None and skeleton.parents[thumb] == wrist:
                self.thumbs[wrist] = thumb
            for parts, backwards in ((("shoulder", "elbow", "wrist"), False), (("hip", "knee", "ankle"), True)):
                three = [roles[f"{side}_{part}"] for part in parts]
                chain = skeleton.chain(three[2])
                self.hinges.update({j: (three, backwards) for j in chain[1 : chain.index(three[0]) + 1]})

    def has_posed_rest(self) -> bool:
        """Whether the rest pose shows how a trunk is turned: shoulders and hips across it, the neck away from the hips.

        Where rest frames are turned for each joint, as in files of rigs with joint orients, it does not.
        """
        hips, shoulders = self._hips_and_shoulders(self.rest)
        up, across = self.rest[self.top] - hips.mean(0), [unit(x[0] - x[1]) for x in (hips, shoulders)]
        length = np.linalg.norm(self.offsets[self.trunk[1:]], axis=-1).sum()
        return bool(across[0] @ across[1] > 0.7 and np.linalg.norm(up) > 0.7 * length
                    and max(abs(unit(up) @ x) for x in across) < 0.5)

    def world_rotations(self, points: np.ndarray, known: np.ndarray, fps: float = 30.0
                        ) -> tuple[np.ndarray, np.ndarray]:
        """World rotations of all segments, and how much points say of each: [T, J, 3, 3] and [T, J], 0 to 1.

        ``points`` [T, J, 3] of the joints that are ``known`` [J]. A segment that shows nothing turns with its parent.
        """
        frames = len(points)
        world = np.tile(np.eye(3), (frames, len(self.skeleton), 1, 1))
        evidence = np.zeros((frames, len(self.skeleton)))
        rest_across, rest_up = self._trunk_axes(self.rest)
        across, up = self._trunk_axes(points)
        rest_hips = self._hips_and_shoulders(self.rest)[0]
        forward = np.cross(rest_across[0], self.rest[self.top] - rest_hips.mean(0))
        shares, girdles = dict(zip(self.trunk, self.trunk_shares)), {self.chest: 1, self.roles["pelvis"]: 0}
        carriers = set(self.skeleton.chain(self.roles["pelvis"])[1:])
        hinges: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # of each limb, by its first joint
        for j, parent in enumerate(self.skeleton.parents):
            if j in carriers:
                continue
            if j in girdles:
                k = girdles[j]
                level = steady_across(across[k], up[k], fps)
                world[:, j] = axes_from(level, up[k]) @ axes_from(rest_across[k], rest_up[k]).T
                evidence[:, j] = 1.0
                continue
            before, child = world[:, max(parent, 0)], self.main.get(j)
            bone = np.zeros(3) if child is None else self.offsets[child]
            if child is None or not (known[j] and known[child]) or np.linalg.norm(bone) < 1e-6:
                world[:, j] = before
                continue
            now = points[:, child] - points[:, j]
            carried = rotation_between(np.einsum("tab,b->ta", before, bone), now) @ before
            if j in self.trunk or (self.top in self.skeleton.chain(j) and j not in self.hinges):
                u = shares.get(j, 1.0)
                rest_side, side = ((1 - u) * unit(x[0]) + u * unit(x[1]) for x in (rest_across, across))
                world[:, j], evidence[:, j] = axes_from(now, side) @ axes_from(bone, rest_side).T, 1.0
            elif j in self.hinges:
                world[:, j], evidence[:, j] = self._by_hinge(j, points, bone, now, carried, forward, hinges, fps)
            elif j in self.thumbs and known[self.thumbs[j]]:  # a hand shows its turn by where its thumb is
                thumb = self.thumbs[j]
                rest_axes = axes_from(bone, self.offsets[thumb])
                world[:, j] = axes_from(now, points[:, thumb] - points[:, j]) @ rest_axes.T
                evidence[:, j] = 1.0
            else:
                world[:, j], evidence[:, j] = carried, 0.05
        return world, evidence

    def lean(self, world: np.ndarray, points: np.ndarray) -> np.ndarray:
        """By what a trunk turned by ``world`` [T, J, 3, 3] leans so that the neck lies where points say: [T, 1, 3, 3].

        A pelvis and a chest are stiff, and no spine of other bones bends as the one that was seen.
        """
        bones = self.offsets[self.trunk[1:]]
        steps = np.einsum("tjab,jb->tja", world[:, self.trunk[:-1]], bones)
        line = points[:, self.trunk]
        size = np.linalg.norm(bones, axis=-1).sum() / np.median(np.linalg.norm(np.diff(line, axis=1), axis=-1).sum(1))
        return rotation_between(steps[:, 1:].sum(1), size * (line[:, -1] - line[:, 0]) - steps[:, 0])[:, None]

    def _by_hinge(self, j: int, points, bone, now, carried, forward, hinges, fps) -> tuple[np.ndarray, np.ndarray]:
        """A limb's rotation [T, 3, 3] from the plane of its elbow or knee, and how much that says [T]."""
        (first, middle, last), backwards = self.hinges[j]
        axis = np.cross(bone, -forward if backwards else forward)
        bent = np.cross(unit(self.rest[middle] - self.rest[first]), unit(self.rest[last] - self.rest[middle]))
        if np.linalg.norm(bent) > 0.2:  # a rest pose that is bent shows the hinge itself
            axis = bent
        elif np.linalg.norm(np.cross(unit(bone), unit(forward))) < 0.3:  # a rest pose that says nothing: any axis
            axis = np.cross(bone, np.eye(3)[np.argmin(np.abs(bone))])
        if first not in hinges:
            upper, lower = points[:, middle] - points[:, first], points[:, last] - points[:, middle]
            hinges[first] = steady_hinges(upper, lower, np.einsum("tab,b->ta", carried, unit(axis)), fps)
        seen_axis, clear = hinges[first]
        return axes_from(now, seen_axis) @ axes_from(bone, axis).T, 0.05 + 0.95 * clear

    def _hips_and_shoulders(self, x: np.ndarray) -> list[np.ndarray]:
        """Of points [..., J, 3] the hips and the shoulders, left before right, [..., 2, 3] each."""
        return [x[..., [self.roles[f"{side}_{part}"] for side in SIDES], :] for part in ("hip", "shoulder")]

    def _trunk_axes(self, x: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Of points [..., J, 3], for pelvis and chest: the line from right to left, and the line up, [..., 3] each."""
        hips, shoulders = self._hips_and_shoulders(x)
        middle = point_along(x[..., self.trunk, :], self.trunk_shares, 0.5)
        across = [two[..., 0, :] - two[..., 1, :] for two in (hips, shoulders)]
        return across, [middle - hips.mean(-2), x[..., self.top, :] - middle]
