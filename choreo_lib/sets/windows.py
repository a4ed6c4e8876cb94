"""Windows: short pieces of long takes, as every model and every baseline is shown them. Taught in chapter 3."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..body.compatibility import rest_mismatch, same_rate, skeleton_mismatch
from ..body.motion import Duet, Motion
from ..body.rotations import continuous
from ..body.skeleton import Skeleton
from ..body.source import Source
from ..core.arguments import a, count, device, each, flag, seed, takes, text
from ..core.seeding import chunks, generator
from ..core.shapes import chosen

_TAKES = a(Duet, Motion) | each(a(Duet, Motion))


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of several takes, as indices into one tensor that holds every take once.

    Shapes: ``frames`` float32 [F, D, J, 3], or [F, D, J, 7] where they were cut with rotations, all takes one after
    another; ``first`` [N] where in them each window begins; ``take`` [N] which of the takes it is from and ``start``
    [N] at which frame of it, all int64. ``windows[indices]`` is [B, T, D, J, 3], a copy: D is 2 for duets, 1 for solos;
    indices are whole numbers, a slice or a mask.
    Units: metres; ``fps`` counts the frames inside a window: a take at 30 fps cut with ``step`` 2 has 15.
    ``skipped`` says which takes were too short. Of each take, the short ones too: ``spans``, its first row of
    ``frames`` and the one after its last (None if too short), and ``couplings``, what was planted in it. Chapter: 3.
    """

    frames: torch.Tensor
    first: torch.Tensor
    take: torch.Tensor
    start: torch.Tensor
    length: int
    step: int
    fps: float
    skeleton: Skeleton
    source: Source | None = None
    skipped: tuple[str, ...] = ()
    spans: tuple = ()
    couplings: tuple = ()

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, indices) -> torch.Tensor:
        return self._gather(chosen("indices", indices, len(self)))

    def _gather(self, which) -> torch.Tensor:
        """As ``windows[which]``, for indices that are known to be right: an epoch asks for thousands of batches."""
        first = self.first[which].to(self.frames.device)
        rows = first[..., None] + self.step * torch.arange(self.length, device=first.device)  # [B] -> [B, T]
        if self.frames.device.type == "cpu":
            # one thread of NumPy fills the memory bus; torch's threads wait for each other where the machine is busy
            return torch.from_numpy(self.frames.numpy().take(rows.numpy(), 0))  # [B, T, D, J, 3]
        return self.frames[rows]

    def __repr__(self) -> str:
        left_out = f", {len(self.skipped)} takes too short" if self.skipped else ""
        return (f"Windows({len(self)} of {self.length} frames from {len(self.take.unique())} takes, "
                f"{self.frames.shape[1]} x {len(self.skeleton)} joints, {self.fps:g} fps{left_out})")

    @takes(names=each(text))
    def with_joints(self, names: Sequence[str]) -> Windows:
        """The same windows of some of the joints, as `cut` would have made them. Chapter: 5."""
        keep, skeleton = _select(self.skeleton, names)
        return replace(self, frames=self.frames[:, :, keep].contiguous(), skeleton=skeleton)

    def subset(self, which) -> Windows:
        """The windows that a mask [N] or indices choose; the frames are shared, not copied. Chapter: 3."""
        which = chosen("which", which, len(self))
        which = [which] if isinstance(which, int) else which
        return replace(self, first=self.first[which], take=self.take[which], start=self.start[which])

    def summary(self) -> dict:
        """What a card says of these windows: how many, of how many takes, their frames' fingerprint. Chapter: 3."""
        frames = self.frames.contiguous().numpy().tobytes()
        return {"windows": len(self), "takes": len(self.take.unique()), "frames": len(self.frames),
                "sha256": hashlib.sha256(frames).hexdigest()}  # fmt: skip

    @takes(device=device)
    def to(self, device) -> Windows:
        """The same windows with their frames on another device, where batches are then gathered. Chapter: 3."""
        return replace(self, frames=self.frames.to(device))

    @takes(size=count(), seed=seed, epoch=count(0), begin=count(0), drop_last=flag, device=device)
    def batches(self, size: int, seed: int | None = None, epoch: int = 0, begin: int = 0, drop_last: bool = False,
                augment=None, device=None) -> Iterator[torch.Tensor]:
        """One epoch of batches [B, T, D, J, 3]: in order, or shuffled where there is a seed.

        Batch number k of an epoch depends on seed, epoch and k only, so training that stopped before it goes on with
        ``begin=k``. ``drop_last``: as in `chunks`. ``augment`` is an `augmentation.Augment`.
        Errors: ValueError for no windows, augmentation without a seed, or windows too short to augment. Chapter: 3.
        """
        parts = chunks(len(self), size, seed, epoch, drop_last)
        if augment is not None and seed is None:
            raise ValueError("augmentation is random: give a seed, so that the same run can be had again")
        if augment is not None and self.length != augment.required_length:
            raise ValueError(f"these windows have {self.length} frames and the augmentation needs "
                             f"{augment.required_length} to give {augment.length}; "
                             "cut(..., length=augment.required_length)")
        for k in range(begin, len(parts)):
            batch = self._gather(parts[k]).to(self.frames.device if device is None else device)
            if augment is not None and seed is not None:
                batch = augment(batch, self.skeleton, generator(seed, epoch, k))
            yield batch


@takes(takes=_TAKES, length=count(), stride=count(), step=count(), joints=each(text), rotations=flag)
def cut(takes: Duet | Motion | Sequence[Duet] | Sequence[Motion], length: int = 64, stride: int = 1, step: int = 1,
        joints: Sequence[str] | None = None, rotations: bool = False) -> Windows:
    """Windows of ``length`` frames, one every ``stride`` frames; none crosses from one take into the next.

    ``step`` takes every step-th frame inside a window; ``joints`` keeps these only, in the skeleton's order (each then
    hangs from its nearest ancestor that is kept). ``rotations``: in place of positions each joint's transform, relative
    to its parent (the root's: to the world): a translation, and a unit quaternion x y z w whose sign never jumps.
    Errors: ValueError naming the take that differs from the first in joints, dancers or fps, or that has no rotations,
    or, where no take is long enough, how long the longest is. Takes that are too short beside others are listed in
    ``.skipped``. Chapter: 3; rotations: 6.
    """
    if rotations and joints is not None:
        raise ValueError("a joint's rotation is relative to its parent, so none can be left out; leave joints= away")
    all_takes: list[Duet | Motion] = [takes] if isinstance(takes, Duet | Motion) else list(takes)
    if not all_takes:
        raise ValueError("0 takes: there is nothing to cut")
    dancers: list[tuple[Motion, ...]] = [tuple(take) if isinstance(take, Duet) else (take,) for take in all_takes]
    lead = dancers[0][0]
    _check_alike(dancers, rotations)
    alike = all(motion.skeleton == lead.skeleton for group in dancers for motion in group)
    skeleton = lead.skeleton if alike else Skeleton(lead.skeleton.names, lead.skeleton.parents)
    keep, skeleton = _select(skeleton, joints)
    span = (length - 1) * step + 1
    frames, places, skipped, row = [], [], [], 0
    spans: list[tuple[int, int] | None] = []
    for k, group in enumerate(dancers):
        total = len(group[0])
        if total < span:
            spans.append(None)
            skipped.append(f"take {k}: {total} frames, and a window spans {span}")
            continue
        spans.append((row, row + total))
        frames.append(np.stack([m.transforms() if rotations else m.positions[:, keep] for m in group], 1))
        if rotations:
            frames[-1][..., 3:] = continuous(frames[-1][..., 3:])
        start = torch.arange(0, total - span + 1, stride)
        places.append((row + start, torch.full_like(start, k), start))
        row += total
    if not frames:
        raise ValueError(f"a window spans {span} frames and the longest take has {max(len(g[0]) for g in dancers)}; "
                         "use a shorter window")
    first, take_of, start = map(torch.cat, zip(*places))
    return Windows(
        torch.from_numpy(np.concatenate(frames)),  # [F, D, J, 3 or 7]
        first, take_of, start, length, step, lead.fps / step, skeleton,
        Source.join(*(motion.source for group in dancers for motion in group)), tuple(skipped), tuple(spans),
        tuple(take.coupling if isinstance(take, Duet) else None for take in all_takes))


def _check_alike(dancers: list[tuple[Motion, ...]], rotations: bool) -> None:
    """Refuse takes that differ from the first in dancers, fps or joints."""
    lead = dancers[0][0]
    for k, group in enumerate(dancers):
        if len(group) != len(dancers[0]):
            raise ValueError(f"take {k} has {len(group)} dancers and take 0 has {len(dancers[0])}; cut them apart")
        if not same_rate(group[0].fps, lead.fps):
            raise ValueError(f"take {k} runs at {group[0].fps:g} frames per second and take 0 at {lead.fps:g}; bring "
                             "them together with motion.resampled(fps)")
        for who, motion in zip("ab", group):
            differs = skeleton_mismatch(motion.skeleton, lead.skeleton)
            if differs or rotations and (differs := rest_mismatch(motion.skeleton, lead.skeleton)):
                raise ValueError(
                    f"dancer {who} of take {k} has other joints ({len(motion.skeleton)}: "
                    f"{', '.join(motion.skeleton.names[:4])}, ...) than dancer a of take 0: {differs}. Windows need "
                    "the same joints in every take, and of rotations the same rest bones; choreo_lib.conform(motion, "
                    "skeleton) brings them together")
            if rotations and (motion.rotations is None or motion.skeleton.offsets is None):
                raise ValueError(f"take {k} has no joint rotations, only points; leave rotations= away")


def _select(skeleton: Skeleton, joints: Sequence[str] | None) -> tuple[list[int] | slice, Skeleton]:
    """Which joints stay, and the skeleton they make."""
    if joints is None:
        return slice(None), skeleton
    unknown = [name for name in joints if name not in skeleton.names]
    if unknown or skeleton.names[0] not in joints:
        raise ValueError(f"joints (by their names) must be some of {', '.join(skeleton.names)}, the first among them"
                         + (f"; there is no {', '.join(unknown)}" if unknown else f"; {skeleton.names[0]} is missing"))
    keep = [j for j, name in enumerate(skeleton.names) if name in joints]
    parents = tuple(next((keep.index(up) for up in skeleton.chain(j)[1:] if up in keep), -1) for j in keep)
    return keep, Skeleton(tuple(skeleton.names[j] for j in keep), parents)


@takes(windows=a(Windows))
def takes_of(windows: Windows) -> list[Duet]:
    """The whole takes of duets that windows were cut from, with rotations where cut so, and truth. Chapter: 5."""
    fps, skeleton = windows.fps * windows.step, windows.skeleton

    def motion(frames: torch.Tensor) -> Motion:
        if frames.shape[-1] == 3:
            return Motion(frames.numpy(), fps, skeleton, source=windows.source)
        bones = frames[0, :, :3].double().numpy() * (np.arange(len(skeleton)) > 0)[:, None]
        body = Skeleton(skeleton.names, skeleton.parents, bones)
        return Motion.from_rotations(frames[..., 3:], frames[:, 0, :3], fps, body, source=windows.source)

    wholes = {take: windows.frames[slice(*windows.spans[take])].cpu() for take in windows.take.unique().tolist()}
    return [Duet(motion(whole[:, 0]), motion(whole[:, 1]), windows.couplings[take]) for take, whole in wholes.items()]
