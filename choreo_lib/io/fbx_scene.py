"""An FBX file as ufbx knows it, and which of its nodes are whose joints: one body a skeleton, props apart from dancers.

Taught in chapter 1, "Seeing a duet".
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..body.skeleton import Skeleton
from . import up_axis
from .child import Child
from .conventions import check_counts, fail, optional, unique_names

_PATIENCE = 300.0  # seconds for one file; an hour of dance takes some fifty
FEWEST = 10  # joints of a body; a prop, a camera rig or a facial bone has fewer


class Stack(NamedTuple):
    """An animation stack (take): its first and last second as the file states them, and those of its keys."""

    name: str
    begin: float
    end: float
    first_key: float
    last_key: float


class Scene(Child):
    """What ufbx knows of a file: nodes, animation stacks, settings, and where nodes are at a time.

    ``nodes``: name, index of the parent or -1, kind ("bone", "empty", ""); parents first. ``fps``, ``unit`` in metres,
    ``axes`` right, up, front.
    Errors: MotionFormatError; ImportError where ufbx is not installed, with the line that installs it.
    Chapter: 1.
    """

    def __init__(self, path, data: bytes):
        ufbx = optional("ufbx", "FBX files are read", "fbx")
        super().__init__(path, Path(__file__).with_name("fbx_child.py"), "an FBX", "ufbx", _PATIENCE)
        about = self.ask([str(Path(str(ufbx.__file__)).parents[1]), len(data)], data)
        self.nodes: list[tuple[str, int, str]] = about["nodes"]
        self.stacks = [Stack(*stack) for stack in about["stacks"]]
        self.fps, self.unit, self.axes = about["fps"], about["unit"], about["axes"]

    def sample(self, stack: int, nodes: list[int], times: np.ndarray) -> np.ndarray:
        """The nodes' matrices to the world [T, N, 4, 3]: the axes x, y, z, then the place; file units, file axes."""
        self.ask([stack, nodes, len(times)], np.ascontiguousarray(times, np.float64).tobytes())
        return self.array(len(times), len(nodes), 4, 3)


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

    @property
    def is_person(self) -> bool:
        """Whether the names are those of a person: a head and feet, and joints between them."""
        return len(self.names) >= FEWEST and up_axis.named_landmarks(Skeleton(self.names, self.parents)) is not None


def find_bodies(path, nodes: list[tuple[str, int, str]]) -> tuple[list[Body], list[Body], list[str]]:
    """Dancers and other skeletons (props), in the file's order, and notes. Errors: MotionFormatError. Chapter: 1."""
    joints, notes = [kind == "bone" for _, _, kind in nodes], []
    if not any(joints):
        joints = [kind == "empty" for _, _, kind in nodes]
        notes.append("no bone nodes; empty nodes were taken for joints")
    hosts, tops = [-1] * len(nodes), list(range(len(nodes)))  # nearest joint above, and the topmost
    groups: dict[int, list[int]] = {}
    for i, (_, parent, _) in enumerate(nodes):  # ufbx lists parents before children
        if parent >= 0:
            hosts[i] = parent if joints[parent] else hosts[parent]
            tops[i] = tops[hosts[i]] if hosts[i] >= 0 else i
        if joints[i]:
            groups.setdefault(tops[i], []).append(i)
    if not groups:
        fail(path, "there is no skeleton in this file: no bone nodes and no empty ones")
    check_counts(path, 1, max(map(len, groups.values())))
    found = [body for group in groups.values() for body in _bodies_of(group, hosts, nodes)]
    largest = max(found, key=lambda body: len(body.names))
    dancers = [body for body in found if body.is_person] or [
        body for body in found if len(body.names) >= max(FEWEST, len(largest.names) / 2)] or [largest]
    return dancers, [body for body in found if not any(body is dancer for dancer in dancers)], notes


def _bodies_of(group: list[int], hosts: list[int], nodes: list) -> list[Body]:
    """A skeleton, or the whole bodies that hang from one bone that they share."""
    for top in range(len(group) - 2 * FEWEST):
        branches: dict[int, list[int]] = {}
        branch_of: dict[int, int] = {}
        for i in group[top + 1:]:
            branch_of[i] = i if hosts[i] == group[top] else branch_of[hosts[i]]
            branches.setdefault(branch_of[i], []).append(i)
        if len(branches) > 1:
            bodies = [_body(branch, hosts, nodes) for branch in branches.values() if len(branch) >= FEWEST]
            people = [body for body in bodies if body.is_person]
            return people if len(people) > 1 else [_body(group, hosts, nodes)]
    return [_body(group, hosts, nodes)]


def _body(group: list[int], hosts: list[int], nodes: list) -> Body:
    notes: list[str] = []
    names = unique_names([nodes[i][0] or "joint" for i in group], notes)
    index = {node: j for j, node in enumerate(group)}
    return Body(nodes[group[0]][0], tuple(names), tuple(index.get(hosts[i], -1) for i in group), tuple(group),
                tuple(notes))
