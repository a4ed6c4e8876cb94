"""Which nodes of an FBX scene are whose joints: one body a skeleton, props told from dancers.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

from dataclasses import dataclass

from ..body.skeleton import Skeleton
from . import upright
from .conventions import check_counts, fail

FEWEST = 10  # joints of a body; a prop, a camera rig or a facial bone has fewer


@dataclass(frozen=True)
class Body:
    """A skeleton of the scene: its joints' names, parents and node numbers, parents first."""

    root: str
    names: tuple[str, ...]
    parents: tuple[int, ...]
    nodes: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def label(self) -> str:
        """What a dancer is called: the namespace of the root, or the root's name."""
        return self.root.rpartition(":")[0] or self.root


def find_bodies(path, nodes: list) -> tuple[list[Body], list[Body], list[str]]:
    """Dancers and other skeletons (props) in the file's order, and notes. Errors: MotionFormatError without any."""
    above = [parent for _, parent, _ in nodes]
    wanted, notes = [kind == "bone" for _, _, kind in nodes], []
    if not any(wanted):
        wanted = [kind == "empty" for _, _, kind in nodes]
        notes.append("no bone nodes; empty nodes were taken for joints")
    hosts, tops = [-1] * len(nodes), list(range(len(nodes)))  # nearest bone above, and the topmost
    for i in range(len(nodes)):  # ufbx lists parents before children
        if above[i] >= 0:
            hosts[i] = above[i] if wanted[above[i]] else hosts[above[i]]
            tops[i] = tops[hosts[i]] if hosts[i] >= 0 else i
    groups = {}
    for i, is_bone in enumerate(wanted):
        if is_bone:
            groups.setdefault(tops[i], []).append(i)
    if not groups:
        fail(path, "there is no skeleton in this file: no bone nodes and no empty ones")
    check_counts(path, 1, max(map(len, groups.values())))
    found = [body for group in groups.values() for body in _parted(group, hosts, nodes)]
    named = [body for body in found if _whole(body)]
    most = max(len(body.names) for body in found)
    dancers = named or [body for body in found if len(body.names) >= max(FEWEST, most / 2)]
    dancers = dancers or [max(found, key=lambda body: len(body.names))]
    chosen = set(map(id, dancers))
    return dancers, [body for body in found if id(body) not in chosen], notes


def _body(group: list[int], hosts, nodes) -> Body:
    names, notes = [], []
    for i in group:
        name, count = nodes[i][0] or "joint", 2
        while (fresh := name if count == 2 and name not in names else f"{name}_{count}") in names:
            count += 1
        if fresh != name:
            notes.append(f"joint name {name!r} stood twice; the later one is now {fresh!r}")
        names.append(fresh)
    place = {node: j for j, node in enumerate(group)}
    return Body(nodes[group[0]][0], tuple(names), tuple(place.get(hosts[i], -1) for i in group), tuple(group),
                tuple(notes))


def _whole(body: Body) -> bool:
    """Whether the names are those of a person: a head and feet, and joints between them."""
    return len(body.names) >= FEWEST and upright._named(Skeleton(body.names, body.parents))


def _parted(group: list[int], hosts, nodes) -> list[Body]:
    """A skeleton, or the whole bodies that hang from one bone that they share."""
    for top in range(len(group) - 2 * FEWEST):
        branches, branch = {}, {}
        for i in group[top + 1:]:
            branch[i] = i if hosts[i] == group[top] else branch[hosts[i]]
            branches.setdefault(branch[i], []).append(i)
        if len(branches) > 1:
            bodies = [_body(part, hosts, nodes) for part in branches.values() if len(part) >= FEWEST]
            bodies = [body for body in bodies if _whole(body)]
            return bodies if len(bodies) > 1 else [_body(group, hosts, nodes)]
    return [_body(group, hosts, nodes)]
