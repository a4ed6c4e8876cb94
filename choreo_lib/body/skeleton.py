"""The skeleton: which joint hangs from which, and where a bone ends when its joints turn. Taught in chapter 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core.arguments import Rule, count, each, need, printable, shown, takes, text
from ..core.shapes import array
from . import joint_names
from .joint_names import COMMON


def _end_site(value, axes):
    need(isinstance(value, list | tuple) and len(value) == 2)
    count(0).test(value[0], axes), array(3).test(value[1], axes)
    return value


@takes(names=each(text), parents=each(count(-1)), offsets=array(finite=False, empty=True, plain=True),
       end_sites=each(Rule("a pair (joint index, offset [3])", _end_site)))
@dataclass(frozen=True, eq=False)
class Skeleton:
    """Names, parents and rest offsets of a body's joints.

    Shapes: ``names`` J strings, all different; ``parents`` J indices, -1 for the one root, which comes first, and every
    parent before its children; ``offsets`` float64 [J, 3], each joint seen from its parent in the rest pose, or None
    for a body known only as points. ``end_sites`` are the tips of the last bones, as BVH has them: pairs (joint index,
    offset [3]).
    Units: metres, Z up.
    Errors: ValueError, naming the joint, where a rule above is broken. Chapter: 1.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray | None = None
    end_sites: tuple[tuple[int, tuple[float, float, float]], ...] = ()

    def __post_init__(self):
        put = lambda field, value: object.__setattr__(self, field, value)  # noqa: E731 (frozen)
        put("names", tuple(printable(str(name)) for name in self.names))
        put("parents", tuple(int(parent) for parent in self.parents))
        put("end_sites", tuple((int(j), tuple(float(x) for x in tip)) for j, tip in self.end_sites))
        if len(self.names) != len(self.parents) or not self.names:
            raise ValueError(f"a skeleton needs one parent a name; got {len(self.names)} names and "
                             f"{len(self.parents)} parents")
        if len(set(self.names)) != len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise ValueError(f"joint name {twice!r} stands twice; every joint needs a name of its own")
        for j, parent in enumerate(self.parents):
            if (parent != -1) if j == 0 else not 0 <= parent < j:
                raise ValueError(f"joint {j} ({self.names[j]!r}) has parent {parent}; the root comes first with parent "
                                 "-1, and every parent before its children")
        for j, _ in self.end_sites:
            if not 0 <= j < len(self.names):
                raise ValueError(f"an end site hangs from joint {j}; there are {len(self.names)} joints")
        if self.offsets is not None:
            offsets = np.array(self.offsets, dtype=np.float64)
            if offsets.shape != (len(self.names), 3) or not np.isfinite(offsets).all():
                raise ValueError(f"offsets must be finite with shape ({len(self.names)}, 3); got shape {offsets.shape}")
            offsets.setflags(write=False)
            put("offsets", offsets)

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other) -> bool:
        if not isinstance(other, Skeleton):
            return NotImplemented
        same = (self.names, self.parents, self.end_sites) == (other.names, other.parents, other.end_sites)
        if self.offsets is None or other.offsets is None:
            return same and self.offsets is other.offsets
        return same and np.array_equal(self.offsets, other.offsets)

    def __hash__(self) -> int:
        return hash((self.names, self.parents))

    def index(self, name: str, argument: str = "name") -> int:
        """The index of a joint, by the skeleton's own name or by one of `choreo_lib.body.joint_names.COMMON`.

        "left_toe" is the ball of the foot (ToeBase, HybrIK's left_foot), "left_ankle" the ankle (LeftFoot).
        Errors: ValueError, which begins with the caller's ``argument`` and lists the names there are. Chapter: 1.
        """
        if not isinstance(name, str):
            raise TypeError(f"{argument} must be the name of a joint; got {shown(name)}")
        name = printable(name)  # as this skeleton keeps it
        if name in self.names:
            return self.names.index(name)
        found = self.find(name) if name in COMMON else None
        if found is None:
            raise ValueError(f"{argument}: no joint {name!r}; this skeleton has {', '.join(self.names)}, and some of "
                             f"these joints by their common names: {', '.join(COMMON)}")
        return found

    @takes(names=each(text))
    def indices(self, names: Sequence[str] = COMMON) -> list[int]:
        """The indices of several joints, as `index`. Chapter: 3."""
        return [self.index(name, "names") for name in names]

    @takes(names=text)
    def find(self, *names: str) -> int | None:
        """The first joint that is one of these, however a program spells it, or None; surer names first. Chapter: 1."""
        if names[:1] == ("pelvis",):
            return self.pelvis
        return joint_names.find(self.names, tuple(stem for name in names for stem in joint_names.stems(name)))

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs (parent, child), one a joint that has a parent."""
        return tuple((parent, j) for j, parent in enumerate(self.parents) if parent >= 0)

    @cached_property
    def links(self) -> tuple[tuple[int, int], ...]:
        """Pairs of joints that keep their distance however a body turns: the bones, then struts between siblings.

        What hangs from one joint is stiff, such as hips and spine of a pelvis: each child keeps its distance from the
        two before it, and no more, so that no distance follows from others.
        """
        below = [[j for j, parent in enumerate(self.parents) if parent == joint] for joint in range(len(self))]
        struts = [(one, other) for each in below for k, other in enumerate(each) for one in each[max(k - 2, 0) : k]]
        return (*self.bones, *struts)

    @property
    def left_right_pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs (left joint, right joint), found by their names: what a mirror exchanges."""
        return joint_names.left_right_pairs(self.names)

    @property
    def hands(self) -> list[int]:
        """Both hands: the wrists and every joint that hangs from them. Errors: ValueError for a body without wrists."""
        wrists = set(self.indices(("left_wrist", "right_wrist")))
        return [j for j in range(len(self)) if not wrists.isdisjoint(self.chain(j))]

    @cached_property
    def pelvis(self) -> int:
        """The joint where the legs meet: by its name where both legs hang from it, else by the legs, else the root.

        A root may stand still at the origin and only carry the hips.
        """
        legs = [self.find(*(f"{side}_{part}" for part in ("hip", "knee", "ankle"))) for side in ("left", "right")]
        if legs[0] is None or legs[1] is None:
            return joint_names.find(self.names, ("pelvis", "hips")) or 0
        left, right = self.chain(legs[0]), self.chain(legs[1])
        above = [j for j in left if j in right]  # what carries both legs, the nearest first
        sided = joint_names.sided_names(self.names)
        return next((j for name in ("pelvis", "hips") for j in above if sided[j] == ("", name)), above[0])

    @cached_property
    def levels(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
        """The joints by their depth in the tree, root first: (joints, where each one's parent stands a level above)."""
        depth = [len(self.chain(j)) - 1 for j in range(len(self))]
        at = [[j for j in range(len(self)) if depth[j] == d] for d in range(max(depth) + 1)]
        above = [(), *(tuple(up.index(self.parents[j]) for j in here) for up, here in zip(at, at[1:]))]
        return tuple((tuple(here), up) for here, up in zip(at, above))

    def chain(self, joint: int) -> list[int]:
        """A joint and its ancestors, up to the root."""
        found = []
        while joint >= 0:
            found.append(joint)
            joint = self.parents[joint]
        return found


HYBRIK_29 = Skeleton(
    names=("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
           "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "jaw",
           "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_thumb",
           "right_thumb", "head", "left_middle", "right_middle", "left_bigtoe", "right_bigtoe"),
    parents=(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21, 15, 22, 23, 10, 11))
"""The 29 joints that HybrIK (Li et al., CVPR 2021) finds in a video, without bone lengths. The synthetic dancers use
the same joints, so that what is learned on them can meet what a camera saw."""
