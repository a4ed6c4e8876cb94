"""Which joint of a recording stands for which of another skeleton, and where the joints between them are.

Taught in chapter 5, "A partner".
"""

from __future__ import annotations

import numpy as np

from ..body.joint_names import sided_names
from ..body.motion import Motion
from ..body.skeleton import Skeleton
from .joint_roles import joint_roles
from .segments import LEG, MAIN, along, t_pose


class JointMap:
    """Joints of ``wanted`` found in a motion: ``points`` [T, J, 3] where the motion shows them, ``known`` [J].

    ``lengths`` [J]: of the bones wanted, by whose shares joints are placed between others; None: as long, each.
    ``direct``: {joint wanted: joint of the motion}. Chapter: 5.
    """

    def __init__(self, motion: Motion, wanted: Skeleton, lengths: np.ndarray | None = None):
        self.skeleton, self.wanted = motion.skeleton, wanted
        self.roles, theirs = joint_roles(wanted), joint_roles(motion.skeleton)
        self.theirs = theirs
        self._lengths = np.ones(len(wanted)) if lengths is None else lengths
        self.chest = _chest(motion.skeleton, theirs)
        self.direct = {j: theirs[role] for role, j in self.roles.items() if role in theirs}
        trunks = [_trunk(each, roles) for each, roles in ((wanted, self.roles), (motion.skeleton, theirs))]
        if len(trunks[0]) == len(trunks[1]) and ("neck" in self.roles) == ("neck" in theirs):
            self.direct.update(zip(*trunks))
        self._add_by_name(trunks)
        x = motion.positions.astype(np.float64)
        self.points, self.known = np.zeros((len(x), len(wanted), 3)), np.zeros(len(wanted), bool)
        for j, s in self.direct.items():
            self.points[:, j], self.known[j] = x[:, s], True
        self._own = lengths_of(motion.skeleton, x)
        inserted = []
        above = set(wanted.chain(self.roles["pelvis"])[1:])
        for j in range(len(wanted)):
            if not self.known[j] and j not in above and self._insert(j, x):
                inserted.append(j)
        self.known[inserted] = True
        used = set(self.direct.values())
        carrying = {c for s in used for c in motion.skeleton.chain(s)} - set(motion.skeleton.chain(theirs["pelvis"]))
        names = motion.skeleton.names
        self.inserted = tuple(wanted.names[j] for j in inserted)
        self.attached = tuple(name for name, known in zip(wanted.names, self.known) if not known)
        self.bridged = tuple(names[s] for s in range(len(names)) if s in carrying and s not in used)
        self.dropped = tuple(names[s] for s in range(len(names)) if s not in carrying and s not in used)

    def _add_by_name(self, trunks) -> None:
        """Fingers, props and the like, where both skeletons have them under one name."""
        mine, theirs = sided_names(self.wanted.names), sided_names(self.skeleton.names)
        taken = {*self.direct.values(), *self.theirs.values(), *trunks[1]}
        for j, name in enumerate(mine):
            if j not in self.direct and j not in self.roles.values() and j not in trunks[0] and theirs.count(name) == 1:
                s = theirs.index(name)
                if s not in taken and self.theirs["pelvis"] in self.skeleton.chain(s):
                    self.direct[j] = s
                    taken.add(s)

    def _insert(self, j: int, x: np.ndarray) -> bool:
        """Place a joint that lies between two that are known, at its share of the way; False for a tip."""
        role = next((role for role, joint in self.roles.items() if joint == j), "")
        side = role.split("_")[0]
        if role.endswith("_collar"):  # a body without collar bones: beside the neck, a quarter of the way out
            top = x[:, self.theirs.get("neck", self.theirs.get("head"))]
            self.points[:, j] = top + 0.25 * (x[:, self.theirs[f"{side}_shoulder"]] - top)
            return True
        above = next((a for a in self.wanted.chain(j) if a in self.direct), None)
        below = self._below(j)
        if above is None or below is None:
            return False
        way = [k for k in self.wanted.chain(below) if above in self.wanted.chain(k)][::-1]  # above ... j ... below
        steps = self._lengths[way[1:]]
        share = steps[: way.index(j)].sum() / max(steps.sum(), 1e-9)
        chain = self.skeleton.chain(self.direct[below])
        chain = chain[: chain.index(self.direct[above]) + 1][::-1] if self.direct[above] in chain else (
            [self.direct[above], self.direct[below]])
        far = np.concatenate([[0.0], np.cumsum(self._own[chain[1:]])])
        self.points[:, j] = along(x[:, chain], far / max(far[-1], 1e-9), share)
        return True

    def _below(self, j: int) -> int | None:
        """The joint hanging from j that is known and nearest on the way to what its segment points to."""
        hanging = [k for k in self.direct if j in self.wanted.chain(k)]
        order = {self.roles.get(role): n for n, part in enumerate(MAIN) for role in (part, f"left_{part}",
                                                                                       f"right_{part}")}
        return min(hanging, key=lambda k: (order.get(k, len(order)), k), default=None)

    def completed(self, turns: np.ndarray, body: Skeleton, own: np.ndarray) -> np.ndarray:
        """All points [T, J, 3]: tips that the motion lacks hang from their parents by ``body``'s rest bones."""
        places, size = self.points.copy(), self.legs_before(own) / LEG
        above = self.wanted.chain(self.roles["pelvis"])
        for child, parent in zip(above, above[1:]):  # what carries the pelvis is where the pelvis is
            places[:, parent] = places[:, child]
        for parent, j in self.wanted.bones:
            if not self.known[j] and j not in above:
                places[:, j] = places[:, parent] + size * np.einsum("tab,b->ta", turns[:, parent], body.offsets[j])
        return places

    def legs(self, lengths: np.ndarray) -> float:
        """Metres from hip to ankle along the bones of length [J] of the skeleton that is wanted, both sides' mean."""
        return _legs(self.wanted, self.roles, lengths)

    def legs_before(self, lengths: np.ndarray) -> float:
        """The same of the motion's skeleton."""
        return _legs(self.skeleton, self.theirs, lengths)

    def feet(self, before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How high the lowest joint of the feet that both bodies have is, before and after: [T] each."""
        shared = [f"{side}_{part}" for side in ("left", "right") for part in ("ankle", "toe")]
        shared = [role for role in shared if role in self.roles and role in self.theirs]
        return (before[:, [self.theirs[role] for role in shared], 2].min(1),
                after[:, [self.roles[role] for role in shared], 2].min(1))

    def mapped(self) -> dict[str, str]:
        """{joint wanted: joint of the motion}, by name."""
        return {self.wanted.names[j]: self.skeleton.names[s] for j, s in sorted(self.direct.items())}

    def stretched(self, own: np.ndarray, made: np.ndarray):
        """Bones that both have, (joint, length before, length after), metres."""
        new = lengths_of(self.wanted, made)
        for j, s in sorted(self.direct.items()):
            parent = self.wanted.parents[j]
            if parent >= 0 and self.direct.get(parent) == self.skeleton.parents[s] and min(own[s], new[j]) > 0.01:
                yield j, own[s], new[j]


def lengths_of(skeleton: Skeleton, positions: np.ndarray) -> np.ndarray:
    """Median length of the bone to each joint, [J] metres, 0 for the root. Chapter: 5."""
    lengths = np.zeros(len(skeleton))
    for parent, child in skeleton.bones:
        lengths[child] = np.median(np.linalg.norm(positions[:, child] - positions[:, parent], axis=-1))
    return lengths


def rest_body(skeleton: Skeleton, roles: dict[str, int]) -> Skeleton:
    """A skeleton known only as points with the rest bones of a usual T-pose, by its roles. Chapter: 5."""
    named = {j: t_pose(role) for role, j in roles.items()}
    places = np.zeros((len(skeleton), 3))
    for j, parent in enumerate(skeleton.parents):
        if j in named:
            places[j] = named[j]
            continue
        hanging = [k for k in named if j in skeleton.chain(k)]
        order = [roles.get(role) for part in MAIN for role in (part, f"left_{part}", f"right_{part}")]
        below = min(hanging, key=lambda k: order.index(k) if k in order else len(order), default=None)
        if parent < 0:
            continue
        if below is None:  # a tip without a name: as far again as half the bone before
            before = skeleton.parents[parent]
            places[j] = places[parent] + 0.5 * (places[parent] - places[max(before, 0)])
        else:
            steps = skeleton.chain(below).index(j)
            places[j] = places[parent] + (named[below] - places[parent]) / (steps + 1)
    offsets = np.array([places[j] - places[max(parent, 0)] for j, parent in enumerate(skeleton.parents)])
    return Skeleton(skeleton.names, skeleton.parents, offsets)


def _legs(skeleton: Skeleton, roles: dict[str, int], lengths: np.ndarray) -> float:
    total = 0.0
    for side in ("left", "right"):
        chain = skeleton.chain(roles[f"{side}_ankle"])
        total += sum(lengths[j] for j in chain[: chain.index(roles[f"{side}_hip"])])
    return total / 2


def _trunk(skeleton: Skeleton, roles: dict[str, int]) -> list[int]:
    """The joints strictly between pelvis and neck (or head), from below."""
    chain = skeleton.chain(roles.get("neck", roles.get("head")))
    return chain[1 : chain.index(roles["pelvis"])][::-1] if roles["pelvis"] in chain else []


def _chest(skeleton: Skeleton, roles: dict[str, int]) -> int:
    """The joint that carries both arms."""
    left, right = (skeleton.chain(roles[f"{side}_shoulder"]) for side in ("left", "right"))
    return next(j for j in left if j in right)
