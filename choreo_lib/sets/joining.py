"""Takes joined into a long one: each fades into the next where both stand most alike. Taught in chapter 5."""

from collections.abc import Sequence
from itertools import cycle

import torch

from ..body.bones import project_bone_lengths
from ..body.compatibility import same_rate
from ..body.motion import Duet, Motion
from ..body.reference import reference_frame
from ..body.source import Source
from ..core.arguments import a, count, each, takes

SEARCH = 60  # frames at either end of a take among which its seam is looked for


@takes(takes=each(a(Duet), least=1), frames=count(2, 1_000_000), blend=count(2, 600))
def join(takes: Sequence[Duet], frames: int, blend: int = 20) -> Duet:
    """Takes one after another, and again from the first, until there are ``frames``; without a jump.

    At a seam the next pair is turned and shifted as one, so that it stands where the last one did and looks along the
    same line; both dances fade into each other for ``blend`` frames, which begin where they are most alike among the
    last 60 frames of the one and the first 60 of the other, and bones from one length to the other. Points only.
    Errors: ValueError for takes of other joints or frames a second than the first, or shorter than two searches and a
    blend. Chapter: 5. Kovar, Gleicher and Pighin, "Motion graphs", SIGGRAPH 2002.
    """
    first, least = takes[0], 2 * SEARCH + 2 * blend
    for k, take in enumerate(takes):
        if take.a.skeleton.names != first.a.skeleton.names or not same_rate(take.fps, first.fps) or len(take) < least:
            raise ValueError(f"take {k} has {len(take.a.skeleton)} joints, {take.fps:g} frames a second and "
                             f"{len(take)} frames; joined takes need those of the first, and {least} frames at least")
    made, seams = torch.from_numpy(first.positions), []
    following = cycle([torch.from_numpy(take.positions) for take in takes])
    next(following)
    while len(made) < frames:
        made, seam = _joined(made, next(following), first, blend)
        seams.append(f"{seam / first.fps:.1f} s")
    note = (f"{len(seams) + 1} takes joined, blended over {blend} frames at {', '.join(seams)}",) if seams else ()
    source = Source.join(*(take.source for take in takes))
    a, b = (Motion(made[:frames, who].numpy(), first.fps, motion.skeleton, source=source, name=motion.name, notes=note)
            for who, motion in enumerate(first))
    return Duet(a, b)


def _joined(made: torch.Tensor, coming: torch.Tensor, like: Duet, blend: int) -> tuple[torch.Tensor, int]:
    """Both dances [T, 2, J, 3] as one, and the frame at which they begin to fade."""
    ends = made[-SEARCH - blend :].unfold(0, blend, 1).movedim(-1, 1)  # [E, blend, 2, J, 3]
    starts = coming[: SEARCH + blend].unfold(0, blend, 1).movedim(-1, 1)  # [S, blend, 2, J, 3]
    frames = [reference_frame(each, blend // 2, like.a.skeleton) for each in (ends, starts)]
    seen = [frame.to_local(each).flatten(1) for frame, each in zip(frames, (ends, starts))]
    nearest = int(torch.cdist(*seen).argmin())
    end, start = divmod(nearest, len(starts))
    there, here = (type(frame)(*(each[[k]] for each in frame)) for frame, k in zip(frames, (end, start)))
    coming = there.to_world(here.to_local(coming[None, start:]))[0]
    seam = len(made) - len(ends) - blend + 1 + end
    share = torch.sin(torch.pi / 2 * (torch.arange(blend) + 0.5) / blend)[:, None, None, None] ** 2  # as in overlap_add
    parents, children = map(list, zip(*like.a.skeleton.bones))
    lengths = [(each[:, :, children] - each[:, :, parents]).norm(dim=-1).mean(0) for each in (made[seam:], coming)]
    mixed = torch.lerp(made[seam : seam + blend], coming[:blend], share)
    size = torch.lerp(lengths[0], lengths[1], share[..., 0])  # [blend, 2, J - 1]
    mixed = project_bone_lengths(like.a.skeleton, mixed.movedim(1, 0), size.movedim(1, 0), iterations=10).movedim(0, 1)
    return torch.cat([made[:seam], mixed, coming[blend:]]), seam
