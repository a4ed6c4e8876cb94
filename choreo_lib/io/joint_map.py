"""Which joint of a recording stands for which of another skeleton, and where the joints between them are.

Taught in chapter 5, "A partner".
"""

from collections.abc import Iterator

import numpy as np

from ..body.joint_names import sided_names
from ..body.motion import Motion
from ..body.skeleton import Skeleton
from .joint_roles import MAIN, SIDES, T_POSE, joint_roles, t_pose, with_sides
from .segments import point_along, shares_of
from .up_axis import bone_lengths

LEG = sum(float(np.linalg.norm(np.subtract(T_POSE[one], T_POSE[other]))) for one, other in
          (("hip", "knee"), ("knee", "ankle")))


class JointMap:
    """Joints of ``target`` found in a motion: ``points`` [T, J, 3] where the motion shows them, ``known`` [J].

    ``lengths`` [J]: of the target's bones, by whose shares joints are placed between others; None: as long, each.
    ``direct``: {joint of the target: joint of the motion}; ``roles`` and ``source_roles``: see `joint_roles`;
    ``inserted``, ``bridged``, ``attached`` and ``dropped``: names, as `ConformReport` has them. Chapter: 5.
    """

    def __init__(self, motion: Motion, target: Skeleton, lengths: np.ndarray | None = None):
        source = motion.skeleton
        self.source, self.target = source, target
        self.roles, self.source_roles = joint_roles(target), joint_roles(source)
        self._lengths = np.ones(len(target)) if lengths is None else lengths
        self.direct = {j: self.source_roles[role] for role, j in self.roles.items() if role in self.source_roles}
        trunks = [_trunk(target, self.roles), _trunk(source, self.source_roles)]
        if len(trunks[0]) == len(trunks[1]) and ("neck" in self.roles) == ("neck" in self.source_roles):
            self.direct.update(zip(*trunks))
        self._add_by_name(*trunks)
        positions = motion.positions.astype(np.float64)
        self.points, self.known = np.zeros((len(positions), len(target), 3)), np.zeros(len(target), bool)
        for j, s in self.direct.items():
            self.points[:, j], self.known[j] = positions[:, s], True
        self.source_lengths = bone_lengths(source, positions)
        self.source_leg = leg(source, self.source_roles, self.source_lengths)
        carriers = set(target.chain(self.roles["pelvis"])[1:])
        inserted = [j for j in range(len(target))
                    if not self.known[j] and j not in carriers and self._insert(j, positions)]
        self.known[inserted] = True
        used = set(self.direct.values())
        carrying = {c for s in used for c in source.chain(s)} - set(source.chain(self.source_roles["pelvis"]))
        unused = [s for s in range(len(source)) if s not in used]
        self.inserted = tuple(target.names[j] for j in inserted)
        self.attached = tuple(name for name, known in zip(target.names, self.known) if not known)
        self.bridged = tuple(source.names[s] for s in unused if s in carrying)
        self.dropped = tuple(source.names[s] for s in unused if s not in carrying)

    def _add_by_name(self, trunk: list[int], source_trunk: list[int]) -> None:
        """Fingers, props and the like, where both skeletons have them under one name."""
        names = sided_names(self.source.names)
        taken = {*self.direct.values(), *self.source_roles.values(), *source_trunk}
        settled = {*self.direct, *self.roles.values(), *trunk}
        for j, name in enumerate(sided_names(self.target.names)):
            if j not in settled and names.count(name) == 1 and (s := names.index(name)) not in taken:
                if self.source_roles["pelvis"] in self.source.chain(s):
                    self.direct[j] = s
                    taken.add(s)

    def _insert(self, j: int, positions: np.ndarray) -> bool:
        """Place a joint that lies between two that are known, at its share of the way; False for a tip."""
        role = next((role for role, joint in self.roles.items() if joint == j), "")
        if role.endswith("_collar"):  # a body without collar bones: beside the neck, a quarter of the way out
            top = positions[:, self.source_roles.get("neck", self.source_roles.get("head"))]
            shoulder = positions[:, self.source_roles[role.replace("collar", "shoulder")]]
            self.points[:, j] = top + 0.25 * (shoulder - top)
            return True
        above = next((k for k in self.target.chain(j) if k in self.direct), None)
        below = _main_below(self.target, self.roles, j, self.direct)
        if above is None or below is None:
            return False
        way = _chain_between(self.target, above, below)
        share = shares_of(self._lengths[way[1:]])[way.index(j)]
        chain = _chain_between(self.source, self.direct[above], self.direct[below])
        self.points[:, j] = point_along(positions[:, chain], shares_of(self.source_lengths[chain[1:]]), share)
        return True

    def completed(self, world: np.ndarray, body: Skeleton, lengths: np.ndarray | None = None) -> np.ndarray:
        """All points [T, J, 3]: tips that the motion lacks hang from their parents by ``body``'s rest bones.

        ``lengths`` [J]: the same directions, with bones that long; None: as the motion shows them.
        """
        places, size = self.points.copy(), self.source_leg / LEG
        carriers, pelvis = self.target.chain(self.roles["pelvis"]), [self.target.pelvis]
        assert body.offsets is not None
        for child, parent in zip(carriers, carriers[1:]):  # what carries the pelvis is where the pelvis is
            places[:, parent] = places[:, child]
        for parent, j in self.target.bones:
            if not self.known[j] and j not in carriers:
                places[:, j] = places[:, parent] + size * np.einsum("tab,b->ta", world[:, parent], body.offsets[j])
        if lengths is None:
            return places
        made = places.copy()
        for parent, j in self.target.bones:
            bone = places[:, j] - places[:, parent]
            length = np.linalg.norm(bone, axis=-1, keepdims=True)
            made[:, j] = made[:, parent] + bone * (lengths[j] / np.maximum(length, 1e-6))
        return made - made[:, pelvis] + places[:, pelvis]

    def lowest_foot(self, before: np.ndarray, after: np.ndarray) -> list[np.ndarray]:
        """How high the lowest joint of the feet that both bodies have is, before and after: [T] each, metres."""
        shared = [role for role in with_sides(("ankle", "toe")) if role in self.roles and role in self.source_roles]
        return [positions[:, [roles[role] for role in shared], 2].min(1)
                for positions, roles in ((before, self.source_roles), (after, self.roles))]

    def mapped(self) -> dict[str, str]:
        """{joint of the target: joint of the motion}, by name."""
        return {self.target.names[j]: self.source.names[s] for j, s in sorted(self.direct.items())}

    def changed_lengths(self, made: np.ndarray) -> Iterator[tuple[str, float]]:
        """Bones that both have, (joint, percent that it became longer), of positions made [T, J, 3]."""
        new, old = bone_lengths(self.target, made), self.source_lengths
        for j, s in sorted(self.direct.items()):
            parent = self.target.parents[j]
            if parent >= 0 and self.direct.get(parent) == self.source.parents[s] and min(old[s], new[j]) > 0.01:
                yield self.target.names[j], 100 * (new[j] / old[s] - 1)


def rest_body(skeleton: Skeleton, roles: dict[str, int]) -> Skeleton:
    """A skeleton known only as points with the rest bones of a usual T-pose, by its roles. Chapter: 5."""
    posed = {j: t_pose(role) for role, j in roles.items()}
    places = np.zeros((len(skeleton), 3))
    for j, parent in enumerate(skeleton.parents):
        below = _main_below(skeleton, roles, j, posed)
        if j in posed:
            places[j] = posed[j]
        elif parent >= 0 and below is not None:
            steps = skeleton.chain(below).index(j)
            places[j] = places[parent] + (posed[below] - places[parent]) / (steps + 1)
        elif parent >= 0:  # a tip without a name: as far again as half the bone before
            places[j] = places[parent] + 0.5 * (places[parent] - places[max(skeleton.parents[parent], 0)])
    return Skeleton(skeleton.names, skeleton.parents, places - places[np.maximum(skeleton.parents, 0)])


def _main_below(skeleton: Skeleton, roles: dict[str, int], j: int, chosen) -> int | None:
    """Of the chosen joints that hang from a joint, the one that its segment points to."""
    order = [roles.get(role) for role in with_sides(MAIN)]
    hanging = [k for k in chosen if j in skeleton.chain(k)]
    return min(hanging, key=lambda k: (order.index(k) if k in order else len(order), k), default=None)


def _chain_between(skeleton: Skeleton, above: int, below: int) -> list[int]:
    """The joints from one down to another that hangs from it; only the two where it does not."""
    chain = skeleton.chain(below)
    return chain[: chain.index(above) + 1][::-1] if above in chain else [above, below]


def leg(skeleton: Skeleton, roles: dict[str, int], lengths: np.ndarray) -> float:
    """Metres from hip to ankle along bones of the lengths [J], both sides' mean. Chapter: 5."""
    chains = [_chain_between(skeleton, roles[f"{side}_hip"], roles[f"{side}_ankle"]) for side in SIDES]
    return float(np.mean([lengths[chain[1:]].sum() for chain in chains]))


def _trunk(skeleton: Skeleton, roles: dict[str, int]) -> list[int]:
    """The joints strictly between pelvis and neck (or head), from below."""
    chain = skeleton.chain(roles["neck" if "neck" in roles else "head"])
    return chain[1 : chain.index(roles["pelvis"])][::-1] if roles["pelvis"] in chain else []
